"""Reads questions with the SQL that answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from errors import SettingsInvalid


@dataclass(frozen=True)
class Case:
    """One line of a file of cases; a line may hold more than this."""

    id: str
    question: str
    gold: tuple[str, ...] = ()
    """SQL whose rows are right; several where the question can be read in several ways. `:today` is the day."""
    answerable: bool = True
    """False where the data does not hold what is asked: declining is right then."""
    database: str = ""
    """Its name; "" is the database that the settings name."""
    turns: tuple[str, ...] = ()
    """Questions asked before it, oldest first."""
    ordered: bool = False
    """True where the rows' order is part of the answer."""
    instructions: str = ""
    """What the asker tells a model beside the question, e.g. what a term means."""
    kind: str = ""
    """What kind of question it is; "" lets the shape of its first gold query say it."""


_CASE = TypeAdapter(Case)


def read_cases(files: Sequence[Path]) -> list[Case]:
    """Return the files' cases in their order.

    Raises SettingsInvalid where there is no file, a line is no case, or an id is there twice.
    """
    if not files:
        raise SettingsInvalid("Name a file of cases, e.g. tests/questions/sample.jsonl.")
    cases: dict[str, Case] = {}
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            if not line.strip():
                continue
            case = _case(line, f"Line {number} of {file.name}")
            if case.id in cases:
                raise SettingsInvalid(f"Line {number} of {file.name} has the id {case.id} of an earlier case.")
            cases[case.id] = case
    return list(cases.values())


def choose_cases(cases: Sequence[Case], ids: Sequence[str], databases: Sequence[str]) -> list[Case]:
    """Return the cases of these ids and databases, each all where none is named; raises SettingsInvalid for no case."""
    chosen = [case for case in cases if (not ids or case.id in ids) and (not databases or case.database in databases)]
    if not chosen:
        raise SettingsInvalid("There is no such case: look at the ids and the databases that the cases name.")
    return chosen


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(
            f"The cases in {file} cannot be read: name a UTF-8 file of one JSON object a line."
        ) from None


def _case(line: str, where: str) -> Case:
    try:
        case = _CASE.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the line"
        raise SettingsInvalid(f"{where} is no case: {key}: {first['msg']}.") from None
    if case.answerable and not any(map(str.strip, case.gold)):
        raise SettingsInvalid(f'{where} has no gold SQL: write the right query, or "answerable": false.')
    return case
