"""Reads what those who keep a database say on how its data is to be read."""

from __future__ import annotations

from pathlib import Path

from errors import SettingsInvalid
from tools.knowledge_blocks import read_blocks

LONGEST = 1_000


def read_instructions(file: Path) -> tuple[str, ...]:
    """Return the bullets and paragraphs of a Markdown file, none where there is no such file.

    Raises SettingsInvalid with the line's number where one is too long to be an instruction.
    """
    blocks = read_blocks(file, paragraphs=True)
    for block in blocks:
        if len(block.text) > LONGEST:
            raise SettingsInvalid(
                f"Line {block.line} of {file.name} is too long: say one thing in {LONGEST:,} characters at most."
            )
    return tuple(dict.fromkeys(block.text for block in blocks))
