"""Prints the answers that people doubted as cases that want gold SQL."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from errors import SettingsInvalid

HOW = """\
Copy a line into a file of cases and write the right SQL into its "gold" (more queries where several readings are
right), or "answerable": false where the data does not hold what was asked. "doubted" is the SQL that was shown.
"""


def print_drafts(file: Path) -> None:
    """Print a case without gold SQL for each doubted answer, and on stderr how it becomes a whole one."""
    drafts = read_drafts(file)
    for draft in drafts:
        print(json.dumps(draft, ensure_ascii=False))
    print(f"{len(drafts)} answers were doubted.", file=sys.stderr)
    if drafts:
        print(HOW, end="", file=sys.stderr)


def read_drafts(file: Path) -> list[dict[str, Any]]:
    """Return the lines of chat/doubt.py as cases to be, each question once; none without the file.

    Raises SettingsInvalid where the file or a line cannot be read.
    """
    if not file.is_file():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(f"The doubted answers in {file} cannot be read: move the file away.") from None
    drafts: dict[tuple[str, str], dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        try:
            doubt = json.loads(line)
            question, database = str(doubt["question"]), str(doubt["database"])
            shown = {"doubted": doubt["sql"], "comment": doubt["comment"], "when": doubt["when"]}
        except (ValueError, KeyError, TypeError):
            raise SettingsInvalid(f"Line {number} of {file.name} is no doubted answer: remove it.") from None
        name = hashlib.sha256(f"{database} {question}".encode()).hexdigest()[:8]
        case = {"id": f"doubted-{name}", "database": database, "question": question, "gold": []}
        drafts[question, database] = {**case, **shown}
    return list(drafts.values())
