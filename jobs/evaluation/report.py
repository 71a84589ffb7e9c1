"""What a report says: the figures, what changed, and what was not answered right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from jobs.evaluation.baseline import Comparison
from jobs.evaluation.figures import Sheet, headlines, sheets
from jobs.evaluation.outcome import Outcome, Sample
from tools.wording import clean

TEXT_LENGTH = 5_000
"""Characters of a text, or of a line of SQL, that are shown."""


@dataclass(frozen=True)
class Report:
    analyst: str
    day: date
    """The day that the questions were asked on."""
    outcomes: tuple[Outcome, ...]
    compared: Comparison | None = None

    @property
    def summary(self) -> str:
        return f"{len(self.outcomes)} questions, answered by {self.analyst} on {self.day.isoformat()}"

    @property
    def headlines(self) -> list[tuple[str, str]]:
        """The few figures that say the most, each with what it is."""
        return headlines(self.outcomes)

    @property
    def sheets(self) -> list[Sheet]:
        return sheets(self.outcomes)

    @property
    def changes(self) -> list[tuple[str, tuple[str, ...]]]:
        """What changed since the baseline, with the ids of the cases; nothing where there is no baseline."""
        if self.compared is None:
            return []
        return [
            ("became right", self.compared.became_right),
            ("became wrong", self.compared.became_wrong),
            ("were right and are declined now", self.compared.became_declined),
        ]

    @property
    def failures(self) -> list[Outcome]:
        """What was answered and is not right, and what failed."""
        return [outcome for outcome in self.outcomes if outcome.verdict in ("wrong", "failed")]

    @property
    def declined(self) -> list[Outcome]:
        """What was declined although the data holds it."""
        return [outcome for outcome in self.outcomes if outcome.verdict == "declined" and outcome.case.answerable]


def sql_lines(sql: str) -> list[str]:
    """Return the SQL's lines as text that may be shown, each with the spaces that it begins with."""
    return [" " * (len(line) - len(line.lstrip(" "))) + clean(line, TEXT_LENGTH) for line in sql.splitlines()]


def rows_told(sample: Sample | None) -> str:
    """Return how many rows a query gave, and that only the first are shown."""
    if sample is None:
        return "no rows"
    shown = f", the first {len(sample.rows)}" if len(sample.rows) < sample.count else ""
    return f"{sample.count:,} row{'s' * (sample.count != 1)}{shown}"
