"""Reads the blocks of a Markdown file that people keep for us: its bullets and lines, each with its line's number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from errors import SettingsInvalid

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FOR_PEOPLE = re.compile(r"\s*(?:#|>|(?:[-*_]\s*){3,}$)")
_BULLET = re.compile(r"(?:[-*+]|\d+[.)])\s+")
_EMPHASIS = re.compile(r"\*\*|(?<!\w)__|__(?!\w)|`")


@dataclass
class Block:
    line: int
    text: str


def read_blocks(file: Path, *, paragraphs: bool) -> list[Block]:
    """Return the file's blocks, none where there is no such file; headings, quotes and comments are for people.

    A bullet begins a block, and so does a line that is not indented, unless it goes on a paragraph where `paragraphs`
    are wanted. Raises SettingsInvalid where the file is no text.
    """
    if not file.is_file():
        return []
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(f"{file.name} cannot be read: write it as UTF-8 text.") from None
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    blocks: list[Block] = []
    is_open = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or _FOR_PEOPLE.match(line):
            is_open = is_open and not paragraphs and not bare
            continue
        if is_open and not _BULLET.match(bare) and (paragraphs or line[0].isspace()):
            blocks[-1].text += f" {bare}"
        else:
            blocks.append(Block(number, _BULLET.sub("", bare, count=1)))
        is_open = True
    return [Block(block.line, _EMPHASIS.sub("", block.text)) for block in blocks]
