"""Compares the outcomes with those of an earlier evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import SettingsInvalid
from jobs.evaluation.outcome import Outcome


@dataclass(frozen=True)
class Comparison:
    """What changed among the cases that were asked both times, by their ids."""

    became_right: tuple[str, ...]
    became_wrong: tuple[str, ...]
    """They were right, or declined, and are answered wrongly now."""
    became_declined: tuple[str, ...]
    """They were right."""
    asked_both_times: int
    right_before: int
    right: int
    precision_before: float
    precision: float

    @property
    def summary(self) -> str:
        """What came of the cases that were asked both times."""
        return (
            f"Of {self.asked_both_times} cases in the baseline, {self.right} are right and {self.right_before} were; "
            f"precision is {self.precision:.1%} and was {self.precision_before:.1%}."
        )

    @property
    def is_worse(self) -> bool:
        """Whether fewer are right, or fewer of those that are answered."""
        return self.right < self.right_before or self.precision < self.precision_before


def keep_baseline(file: Path, outcomes: Sequence[Outcome]) -> None:
    """Write each case's verdict into the file; raises SettingsInvalid."""
    verdicts = {outcome.case.id: outcome.verdict for outcome in outcomes}
    try:
        file.write_text(json.dumps(verdicts, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsInvalid(f"The baseline {file} cannot be written: {error.strerror}.") from None


def compare_with(file: Path, outcomes: Sequence[Outcome]) -> Comparison:
    """Return what changed since the baseline in the file; raises SettingsInvalid where it holds none."""
    earlier = _read(file)
    both = [outcome for outcome in outcomes if outcome.case.id in earlier]

    def were(outcome: Outcome) -> str:
        return _state(outcome.case.answerable, earlier[outcome.case.id])

    def are(outcome: Outcome) -> str:
        return _state(outcome.case.answerable, outcome.verdict)

    def became(before: set[str], now: str) -> tuple[str, ...]:
        return tuple(o.case.id for o in both if were(o) in before and are(o) == now)

    return Comparison(
        became_right=became({"wrong", "declined"}, "right"),
        became_wrong=became({"right", "declined"}, "wrong"),
        became_declined=became({"right"}, "declined"),
        asked_both_times=len(both),
        right_before=sum(were(outcome) == "right" for outcome in both),
        right=sum(are(outcome) == "right" for outcome in both),
        precision_before=_precision(both, were),
        precision=_precision(both, are),
    )


def _read(file: Path) -> dict[str, str]:
    try:
        verdicts = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): str(verdict) for name, verdict in verdicts.items()}
    except (OSError, ValueError, AttributeError):
        raise SettingsInvalid(f"{file} is no baseline: remove it, and the next evaluation writes it anew.") from None


def _state(answerable: bool, verdict: str) -> str:
    if verdict in (("strict", "lenient") if answerable else ("declined",)):
        return "right"
    return "declined" if verdict == "declined" else "wrong"


def _precision(outcomes: Sequence[Outcome], state_of: Callable[[Outcome], str]) -> float:
    """Return the share of right answers among all, those to what the data cannot answer included; 1 where none is."""
    answerable = [state_of(outcome) for outcome in outcomes if outcome.case.answerable]
    right = answerable.count("right")
    wrong = answerable.count("wrong") + sum(state_of(o) == "wrong" for o in outcomes if not o.case.answerable)
    return right / (right + wrong) if right + wrong else 1.0
