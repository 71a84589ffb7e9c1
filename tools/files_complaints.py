"""Says in one sentence what is wrong with a file that DuckDB does not read, and what to do."""

from __future__ import annotations

import csv
import re
from itertools import islice

import duckdb

from tools.files_found import File
from tools.files_text import Text


def why(file: File, error: duckdb.Error, text: Text | None = None) -> str:
    """Return the sentence for DuckDB's complaint; `text` is how a file of lines was read."""
    name, complaint = file.path.name, str(error)
    if text and (row := re.search(r"CSV Error on Line: (\d+)", complaint)):
        return _why_line(f"{name}, line {_line_of(text, int(row[1]))}", complaint)
    # By its kind, too: a complaint repeats the file's path and its values, which may hold any word.
    is_memory, is_io = isinstance(error, duckdb.OutOfMemoryException), isinstance(error, duckdb.IOException)
    is_full = (is_memory and "max_temp_directory_size" in complaint) or (is_io and "No space left on" in complaint)
    if is_memory and not is_full:
        return f"{name} needs more memory than the import may use. Part it into several files, or save it as Parquet."
    if is_full:
        return f"There is no space left for the copy of {name}. Make some, or name another QUAESTOR_HOME."
    what = {"json": "JSON, or JSON of one object a line", "parquet": "Parquet"}.get(file.kind, "a table of text")
    return f"{name} cannot be read as {what}. Export it again, or save it as CSV."


def _why_line(line: str, complaint: str) -> str:
    if widths := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", complaint):
        values = f"{widths[2]} value{'s' * (widths[2] != '1')}"
        advice = "Put a value that holds the separator in double quotes, or mend the line."
        return f"{line}: {values} where the other lines have {widths[1]}. {advice}"
    if "Maximum line size" in complaint:
        return f"{line} is longer than 2 MB. Shorten its values, or export the file as Parquet."
    if "unterminated quote" in complaint:
        return f"{line}: a double quote is opened and not closed. Close it, or double it within a value."
    return f"{line} cannot be read. Look at that line, or export the file again."


def _line_of(text: Text, row: int) -> int:
    """Return the line on which a row ends: DuckDB counts a row as one, however many line ends are in its quotes."""
    with text.path.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened, delimiter=text.delimiter)
        try:
            for _ in islice(rows, row):
                pass
        except csv.Error:  # A value of the rest of the file, whose quote is open.
            return row
        return rows.line_num
