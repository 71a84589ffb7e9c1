"""What happens on a question's way to its answer, told as events in the order they happen.

The chat, the command line, the API and the tests render the same stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agents.question import Draft
from agents.receipt import Receipt
from tools.catalog import Found
from tools.chart import Chart
from tools.sql_runner import Rows

Status = Literal["answered", "declined", "refused", "failed"]


@dataclass(frozen=True)
class Waiting:
    """The question waits for its turn; told again whenever its place has changed."""

    place: int
    """1 is next; 0 when the turn has come."""
    line: Literal["questions", "database"]
    """What is busy: as many questions as may be answered at once, or as many statements as the database is given."""


@dataclass(frozen=True)
class TablesFound:
    found: Found


@dataclass(frozen=True)
class FellBack:
    """No model can be reached, so somebody else goes on; told once."""

    analyst: str
    """Who goes on: "offline analyst"."""
    part: Literal["question", "words"]
    """From where on: the whole question, or only the words that tell rows whose SQL was there already."""
    reason: str
    """Why the model could not be reached."""

    @property
    def text(self) -> str:
        """Return one sentence for whoever asked."""
        does = "does" if self.part == "question" else "tells the rows"
        return f"No model answers at the moment: the {self.analyst} {does}."


@dataclass(frozen=True)
class SQLWritten:
    draft: Draft
    attempt: int
    """1 for the first draft, 2 to 4 for its repairs."""


@dataclass(frozen=True)
class SQLComplained:
    """The guard or the database did not take the SQL; a repair follows, or the question fails."""

    text: str
    attempt: int
    unknown: bool = False
    """Whether it names a table or a column that is not there, so that the schema may have changed."""


@dataclass(frozen=True)
class RowsFound:
    rows: Rows


@dataclass(frozen=True)
class ChartDrawn:
    chart: Chart


@dataclass(frozen=True)
class QueryRan:
    """An investigation has run a query."""

    number: int
    """What the report calls it by: (1) is the first."""
    why: str
    """What it is to show, in the model's words; may be empty."""
    sql: str
    rows: Rows | None
    """None where it did not run."""
    complaint: str = ""
    """Why it did not."""


@dataclass(frozen=True)
class QueryDrawn:
    """An investigation has drawn the rows of one of its queries."""

    number: int
    chart: Chart


@dataclass(frozen=True)
class TextChunk:
    """The next piece of the answer in words."""

    text: str
    """Plain text like every event's, whoever wrote it: what shows it as Markdown or HTML escapes it."""


@dataclass(frozen=True)
class FollowupsSuggested:
    """What to ask next; comes after the receipt, or not at all."""

    questions: tuple[str, ...]


@dataclass(frozen=True)
class ReceiptWritten:
    """The answer is whole, and this is what it rests on; told once, and only the next questions may still come."""

    receipt: Receipt
    seconds: dict[str, float] = field(default_factory=dict)
    """As in `Finished`, of the stages that have ended: for who does not wait for the next questions."""
    tokens: int = 0
    """As in `Finished`, so far."""
    began: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Declined:
    """The question was not understood, or the data does not hold it."""

    reason: str
    suggestions: tuple[str, ...] = ()
    """Questions that could be answered instead."""
    asks: bool = False
    """Whether these are what the question may mean, and the reason asks which of them is meant."""


@dataclass(frozen=True)
class Refused:
    """The question may not be asked."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """Something did not work; the reason says what, and what to do."""

    reason: str
    retry_after: float | None = None
    """See AskError.retry_after."""


@dataclass(frozen=True)
class Finished:
    """Always the last event."""

    status: Status
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage took, by its name, in the order they began."""
    tokens: int = 0
    """Tokens that the model wrote for this question; 0 where none was asked."""
    began: dict[str, float] = field(default_factory=dict)
    """When each stage began first, in seconds from the question: those that overlap ran side by side."""


Event = (
    Waiting
    | TablesFound
    | FellBack
    | SQLWritten
    | SQLComplained
    | RowsFound
    | ChartDrawn
    | QueryRan
    | QueryDrawn
    | TextChunk
    | FollowupsSuggested
    | ReceiptWritten
    | Declined
    | Refused
    | Failed
    | Finished
)
