"""Counts outcomes into the tables that the command prints and the reports show."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from jobs.evaluation.kinds import KINDS
from jobs.evaluation.outcome import Outcome

RECALL_AT = (5, 10)
REASONS_SHOWN = 12

_QUOTED = re.compile(r"“[^”]*”")


@dataclass(frozen=True)
class Sheet:
    """A table of figures, as texts."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    note: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What the lines are about, by their first cells; a terminal has no room for it."""

    @property
    def explained(self) -> Sheet:
        """The table with the meanings, where it has some, as a last column."""
        if not self.meanings:
            return self
        lines = tuple((*line, self.meanings.get(line[0], "")) for line in self.lines)
        return replace(self, head=(*self.head, "what is asked"), lines=lines)


@dataclass(frozen=True)
class Score:
    """How some outcomes went: of the answerable cases, and of the others."""

    answerable: int
    strict: int
    lenient: int
    """Right, and with columns that nobody asked for."""
    declined: int
    failed: int
    unanswerable: int
    rightly_declined: int

    @property
    def right(self) -> int:
        return self.strict + self.lenient

    @property
    def answered(self) -> int:
        return self.answerable - self.declined


def score(outcomes: Iterable[Outcome]) -> Score:
    verdicts = Counter((outcome.case.answerable, outcome.verdict) for outcome in outcomes)
    return Score(
        answerable=sum(count for (answerable, _), count in verdicts.items() if answerable),
        strict=verdicts[True, "strict"],
        lenient=verdicts[True, "lenient"],
        declined=verdicts[True, "declined"],
        failed=verdicts[True, "failed"],
        unanswerable=sum(count for (answerable, _), count in verdicts.items() if not answerable),
        rightly_declined=verdicts[False, "declined"],
    )


def sheets(outcomes: Sequence[Outcome]) -> list[Sheet]:
    """Return every table of figures, the most telling first."""
    there = {outcome.kind for outcome in outcomes}
    kinds = [kind for kind in KINDS if kind in there] + sorted(there - KINDS.keys())
    databases = sorted({outcome.database for outcome in outcomes})
    by_kind = _scores("By kind of question", "kind", outcomes, lambda outcome: outcome.kind, kinds)
    return [
        _scores("By database", "database", outcomes, lambda outcome: outcome.database, databases),
        replace(by_kind, meanings={kind: KINDS[kind] for kind in kinds if kind in KINDS}),
        _retrieval(outcomes),
        _cost(outcomes),
        _reasons(outcomes),
    ]


def headlines(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return the few figures that say the most, each with what it is."""
    counted = score(outcomes)
    took = sorted(outcome.seconds * 1_000 for outcome in outcomes)
    told = [
        (share(counted.right, counted.answerable), f"right of {counted.answerable} that the data answers"),
        (share(counted.right, counted.answered), "of the answers to them are right"),
        (
            share(counted.rightly_declined, counted.unanswerable),
            f"declined of {counted.unanswerable} that it does not answer",
        ),
        (f"{_percentile(took, 0.5):,.0f} ms", "a question, in the middle"),
    ]
    return [(figure, what) for figure, what in told if figure]


def _scores(
    title: str,
    name: str,
    outcomes: Sequence[Outcome],
    group_of: Callable[[Outcome], str],
    groups: Sequence[str],
) -> Sheet:
    lines = [_score_line(group, score(o for o in outcomes if group_of(o) == group)) for group in groups]
    head = (name, "asked", "right", "strict", "answered", "precision", "failed", "rightly declined")
    return Sheet(title, head, (*lines, _score_line("all", score(outcomes))))


def _score_line(name: str, counted: Score) -> tuple[str, ...]:
    return (
        name,
        str(counted.answerable + counted.unanswerable),
        share(counted.right, counted.answerable),
        share(counted.strict, counted.answerable),
        share(counted.answered, counted.answerable),
        share(counted.right, counted.answered),
        str(counted.failed),
        f"{counted.rightly_declined} of {counted.unanswerable}" if counted.unanswerable else "",
    )


def _retrieval(outcomes: Sequence[Outcome]) -> Sheet:
    searched = [outcome for outcome in outcomes if outcome.found and outcome.needed]
    lines = []
    for first in RECALL_AT:
        hard = [outcome for outcome in searched if outcome.tables_there > first]
        for name, some in ((f"the first {first}", searched), (f"the first {first} of more", hard)):
            if not some:
                continue
            recalls = [recall(outcome, first) for outcome in some]
            complete = sum(each == 1 for each in recalls)
            lines.append((name, str(len(some)), share(complete, len(some)), share(sum(recalls), len(some))))
    head = ("among", "questions", "every gold table is found", "gold tables found")
    return Sheet(
        "Tables found",
        head,
        tuple(lines),
        "“Of more”: in databases with more tables than that; in the others none can be missed.",
    )


def recall(outcome: Outcome, first: int) -> float:
    """Return which share of a gold query's tables are among the first that were found; the best of several queries'."""
    found = {name.lower() for name in outcome.found[:first]}
    return max(sum(name.lower() in found for name in needed) / len(needed) for needed in outcome.needed)


def _cost(outcomes: Sequence[Outcome]) -> Sheet:
    took = sorted(outcome.seconds * 1_000 for outcome in outcomes)
    repaired = [outcome for outcome in outcomes if outcome.repairs]
    tokens = sum(outcome.tokens for outcome in outcomes)
    lines = (
        ("milliseconds, median", f"{_percentile(took, 0.5):,.0f}"),
        ("milliseconds, 99 of 100 within", f"{_percentile(took, 0.99):,.0f}"),
        ("questions whose SQL was repaired", f"{len(repaired)}, {sum(o.is_right for o in repaired)} of them right"),
        ("repairs", str(sum(outcome.repairs for outcome in repaired))),
        ("tokens a model wrote", f"{tokens:,}, {tokens / len(outcomes):,.0f} a question"),
    )
    return Sheet("What answers took", ("what", "figure"), lines)


def _reasons(outcomes: Sequence[Outcome]) -> Sheet:
    said = Counter(_QUOTED.sub("“…”", o.note) for o in outcomes if o.verdict == "declined" and o.case.answerable)
    lines = tuple((reason, str(count)) for reason, count in said.most_common(REASONS_SHOWN))
    return Sheet("Why answerable questions were declined", ("reason", "questions"), lines)


def share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _percentile(ascending: Sequence[float], share: float) -> float:
    return ascending[math.ceil(share * len(ascending)) - 1]
