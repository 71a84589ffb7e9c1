"""The error tree: what may be said to a person when a question cannot be answered.

The text of an `AskError` is written for the person who asked: it says what happened and what to do, and it
never holds a DSN, a key or a traceback. Nothing else may be shown; every library's exception is translated
into one of these in the one file that calls the library.

    AskError
    ├── QuestionRefused        not allowed (a guardrail, or SQL that would write)
    │   └── SQLRefused         the guard did not let this SQL through
    │       └── NameUnknown    ... because it names what the catalog does not hold
    ├── QuestionDeclined       not understood, or the database does not hold it
    │   └── QuestionUnclear    may be read in several ways: which one is meant?
    ├── TooBusy                more are asking than may even wait
    ├── TooManyTries           a password was wrong too often
    ├── SQLFailed              the database complained about the SQL
    │   ├── NameMissing        ... because it holds no such table or column
    │   └── QueryTimedOut      ... or did not finish in time
    ├── DatabaseUnavailable    the database cannot be reached, read, or is empty
    ├── IndexUnavailable       the schema index cannot be reached or opened
    ├── ModelUnavailable       the model endpoint does not answer
    │   ├── Unseated           ... or none of several is well, or free in time
    │   └── ModelMisbehaved    ... or answers something that cannot be used
    │       └── RequestRejected  ... because it does not take the request as it was put
    ├── FileUnusable           a job's file cannot be read or written, or is another job's
    ├── JobStopped             a process of a job was ended from outside
    └── SettingsInvalid        a setting that cannot work
"""

from __future__ import annotations

import math


class AskError(Exception):
    """Base of everything whose text may be shown to a person."""

    retry_after: float | None = None
    """Seconds after which the very same question may be answered: what it needs is away or busy. None: it may not."""


class QuestionRefused(AskError):
    """The question may not be asked."""


class SQLRefused(QuestionRefused):
    """The guard refused the SQL; the text is the reason."""


class NameUnknown(SQLRefused):
    """The SQL names a table or a column that the catalog does not hold; the database may hold it since."""


class QuestionDeclined(AskError):
    """The question was not understood, or the database does not hold what it asks for.

    `suggestions` are questions that could be answered instead, best first.
    """

    def __init__(self, text: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.suggestions = suggestions


class QuestionUnclear(QuestionDeclined):
    """The question may be read in several ways; `suggestions` are the readings, each as a question to ask instead."""


class TooBusy(AskError):
    """As many wait as may; `retry_after` is in how many seconds it is worth asking again."""

    def __init__(self, retry_after: float) -> None:
        again = f"{retry_after:.0f} seconds" if retry_after >= 2 else "a moment"
        super().__init__(f"Too many questions are being asked right now. Please ask this one again in {again}.")
        self.retry_after = retry_after


class TooManyTries(AskError):
    """A password was wrong too often; `retry_after` is in how many seconds another one is looked at."""

    def __init__(self, retry_after: float) -> None:
        seconds = math.ceil(retry_after)
        again = f"{seconds // 60 + 1} minutes" if seconds > 60 else f"{seconds} seconds" if seconds > 1 else "a second"
        super().__init__(f"Too many passwords were wrong. Wait {again} before you try again.")
        self.retry_after = retry_after


class SQLFailed(AskError):
    """The database complained; the text is its complaint, without the connection's details."""


class NameMissing(SQLFailed):
    """The SQL names a table or a column that the database does not hold, or no longer."""


class QueryTimedOut(SQLFailed):
    """The query was stopped at its deadline."""


class DatabaseUnavailable(AskError):
    """The database cannot be reached, is not readable, or holds no table."""

    retry_after = 5.0


class IndexUnavailable(AskError):
    """The schema index cannot be opened or reached."""

    retry_after = 5.0


class ModelUnavailable(AskError):
    """The model endpoint does not answer."""

    retry_after = 5.0


class Unseated(ModelUnavailable):
    """There is no seat for a call: no endpoint is well, or none is free in time."""


class ModelMisbehaved(ModelUnavailable):
    """The model endpoint answered something that cannot be used."""


class RequestRejected(ModelMisbehaved):
    """The endpoint would not take the request as it was put (400 or 422); put differently, it may."""


class FileUnusable(AskError):
    """A file of a job cannot be read or written, or holds what is not this job's; the text names it."""


class JobStopped(AskError):
    """A process of a job was ended by something else before its work was done."""


class SettingsInvalid(AskError):
    """A setting that cannot work; the text names it and says what would."""
