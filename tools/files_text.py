"""Reads how a file of lines is written: its encoding, what parts its values, and where its header stands.

DuckDB sniffs all but the encoding, too, but takes a file with one ragged row for one of a single column, and 03/04 for
the third of April.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from errors import DatabaseUnavailable

DELIMITERS = ",;\t|"
_LOOKED_AT = 256 * 1024
"""Characters from which the delimiter and the header are told."""
_LINES = 200
_PIECE = 1 << 20

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_DATA = re.compile(r"[-+]?[\d.,]+|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True)
class Text:
    """A file in UTF-8 with line ends of one kind, and how to read it."""

    path: Path
    delimiter: str
    skipped: int
    """Rows before the first one of values: what stands above the header, and the header."""
    header: tuple[str, ...]
    """The columns' names as the file has them; empty texts where it names none."""


def _from_windows(error: UnicodeError) -> tuple[str, int]:
    """Read what is no UTF-8 as Windows' Western European, of which Latin-1 is a part but for control characters."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    odd = error.object[error.start : error.end]
    return odd.decode("cp1252", "replace"), error.end


codecs.register_error("quaestor-windows", _from_windows)


def read_text(file: Path, spare: Path) -> Text:
    """Return how to read the file; what is no UTF-8, or ends its lines in two ways, is written anew to `spare`.

    Raises DatabaseUnavailable where it holds no text, no row, or nothing but a header.
    """
    encoding = _encoding(file)
    is_plain = encoding == "utf-8" and _is_plain(file)
    if not is_plain:
        _write_anew(file, spare, encoding)
    path = file if is_plain else spare
    with path.open(encoding="utf-8", newline="") as opened:
        sample = opened.read(_LOOKED_AT)
        is_whole = not opened.read(1)
    if "\0" in sample:
        raise DatabaseUnavailable(f"{file.name} holds no text. Save it as CSV in UTF-8, and name that file.")
    if not sample.strip():
        raise DatabaseUnavailable(f"{file.name} is empty. Export it again, or name another file.")
    return _dialect(file.name, path, sample, is_whole)


def _encoding(file: Path) -> str:
    with file.open("rb") as opened:
        head = opened.read(4096)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return "utf-8"
    # Western text in UTF-16 has a zero in every other byte, and nowhere else.
    for encoding, zeros, others in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if zeros.count(0) > 0.7 * len(zeros) and 0 not in others:
            return encoding
    raise DatabaseUnavailable(f"{file.name} holds no text. Save it as CSV in UTF-8, and name that file.")


def _is_plain(file: Path) -> bool:
    """Whether it is UTF-8 with line ends of one kind: with two, DuckDB takes the file for no CSV."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    both = lines = returns = 0
    try:
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                if piece.endswith(b"\r"):
                    piece += opened.read(1)
                both += piece.count(b"\r\n")
                lines += piece.count(b"\n")
                returns += piece.count(b"\r")
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return [both > 0, lines > both, returns > both].count(True) <= 1


def _write_anew(file: Path, spare: Path, encoding: str) -> None:
    errors = "replace" if encoding.startswith("utf-16") else "quaestor-windows"
    with (
        file.open(encoding=encoding, errors=errors) as read,
        spare.open("w", encoding="utf-8", newline="") as written,
    ):
        while piece := read.read(_PIECE):
            written.write(piece)


def _dialect(name: str, path: Path, sample: str, is_whole: bool) -> Text:
    csv.field_size_limit(2 * _LOOKED_AT)
    lines = list(io.StringIO(sample, newline=""))
    if not is_whole and len(lines) > 1:
        lines.pop()
    delimiter = max(DELIMITERS, key=lambda candidate: _agreement(lines, candidate))
    rows = list(islice(csv.reader(lines, delimiter=delimiter), _LINES))
    if not any(map(any, rows)):  # Spreadsheets write rows of nothing, parted by commas.
        raise DatabaseUnavailable(
            f"{name} holds no value in its first rows. Take the empty ones away, and name it again."
        )
    width = _usual_width(rows)
    above, header = next((place, row) for place, row in enumerate(rows) if len(row) == width)
    if not _is_header(header):
        return Text(path, delimiter, above, ("",) * width)
    if is_whole and not any(any(row) for row in rows[above + 1 :]):
        raise DatabaseUnavailable(f"{name} holds a header and no rows below it. Export it again with its rows.")
    return Text(path, delimiter, above + 1, tuple(cell.strip() for cell in header))


def first_lines(text: Text, values: dict[int, str]) -> dict[int, int]:
    """Return the line on which the value of each column, by its place, stands first; none where it is unclear."""
    missing, found = dict(values), dict[int, int]()
    with text.path.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened, delimiter=text.delimiter)
        try:
            while missing and (row := next(rows, None)) is not None:
                for place in [place for place, value in missing.items() if _holds(row, place, value)]:
                    found[place] = rows.line_num
                    del missing[place]
        except csv.Error:  # A value that is longer than any that is looked for.
            pass
    return found


def _holds(row: list[str], place: int, value: str) -> bool:
    return place < len(row) and row[place].strip(" \t\u00a0") == value


def _agreement(lines: list[str], delimiter: str) -> tuple[bool, float]:
    """Return whether all of the first rows are as wide as most of them, and how many are, weighed by the width."""
    rows = [row for row in islice(csv.reader(lines, delimiter=delimiter), _LINES) if any(row)]
    width = _usual_width(rows)
    part = sum(len(row) == width for row in rows) / max(1, len(rows))
    return width > 1 and part == 1, part * (width - 1)


def _usual_width(rows: list[list[str]]) -> int:
    widths = Counter(len(row) for row in rows if any(row))
    return max(widths, key=lambda width: (widths[width], width), default=1)


def _is_header(row: list[str]) -> bool:
    """Whether a row names columns: it holds no number and no date but years, which may be columns of a wide table."""
    cells = [cell.strip() for cell in row]
    return any(cells) and not any(_DATA.fullmatch(cell) and not _YEAR.fullmatch(cell) for cell in cells)
