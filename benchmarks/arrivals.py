"""Decides who asks what, and when, the same in every run with the same seed."""

from __future__ import annotations

import random
from pathlib import Path

from errors import SettingsInvalid

QUESTIONS = Path(__file__).parent / "questions.txt"


def read_questions(file: Path = QUESTIONS) -> list[str]:
    """Return a file's questions, one a line, without blank lines; raises SettingsInvalid where there are none."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise SettingsInvalid(f"The questions in {file} cannot be read: {error.strerror}.") from None
    if not any(lines):
        raise SettingsInvalid(f"There are no questions in {file}: write one a line.")
    return [line for line in lines if line]


def moments(count: int, seconds: float, chance: random.Random | None) -> list[float]:
    """Return when each of `count` people comes within `seconds`: as a Poisson process by chance, evenly without."""
    if chance is None:
        return [seconds * i / count for i in range(count)]
    # Of a Poisson process of which the number is known, each arrival lies anywhere with the same chance.
    return sorted(chance.uniform(0, seconds) for _ in range(count))


def asked(questions: list[str], count: int, chance: random.Random) -> list[str]:
    """Return `count` questions, each as often as any other, in an order by chance."""
    rounds = -(-count // len(questions))
    return [q for _ in range(rounds) for q in chance.sample(questions, len(questions))][:count]
