"""Finds the files that a person named, and the table that each of them is to be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from errors import DatabaseUnavailable

Kind = Literal["text", "json", "parquet", "sqlite", "duckdb"]

_KINDS: dict[str, Kind] = {
    ".csv": "text",
    ".tsv": "text",
    ".tab": "text",
    ".txt": "text",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")

_UNITS = {"€": "eur", "$": "usd", "£": "gbp", "%": "percent", "#": "number", "&": "and"}
"""Signs that say something in a name, as words."""


@dataclass(frozen=True)
class File:
    path: Path
    kind: Kind
    table: str


@dataclass(frozen=True)
class Found:
    """What a person named: one file, or a folder of them in the order of their names."""

    path: Path
    files: tuple[File, ...]
    left_out: tuple[str, ...] = ()
    """What lies in the folder and is not read, and why, a sentence each."""


def find_files(named: str) -> Found:
    """Return the files at a path, which may be relative or begin with ~.

    Raises DatabaseUnavailable with a sentence that says what to do, where there is none that can be read.
    """
    try:
        path = Path(named.strip()).expanduser().absolute()
        if path.is_dir():
            return _in_folder(path)
        if path.is_file():
            return Found(path, (File(path, _kind_of(path), usable_name(path.stem, "rows")),))
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path cannot exist"
        raise DatabaseUnavailable(f"{named} cannot be read ({reason}). Check the path and its permissions.") from error
    raise DatabaseUnavailable(f"There is no file or folder at {path}. Check the path in QUAESTOR_DATABASE_URL.")


def _in_folder(folder: Path) -> Found:
    there = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith((".", "~")))
    seen = [path for path in there if _is_within(path, folder)]
    known = [path for path in seen if path.suffix.lower() in _KINDS]
    workbooks = tuple(path.name for path in seen if path.suffix.lower() in _WORKBOOKS)
    links = tuple(path.name for path in there if path not in seen and path.suffix.lower() in _KINDS)
    if not known:
        advice = " Save each sheet of the workbook as CSV." if workbooks else " Put some there, or name another folder."
        if links:
            advice = f" {links[0]} is a link to a file outside it: copy the file into the folder, or name it by itself."
        raise DatabaseUnavailable(f"The folder {folder} holds no CSV, TSV, JSON or Parquet file.{advice}")
    files = tuple(File(path, _kind_of(path), usable_name(path.stem, "rows")) for path in known)
    first: dict[str, File] = {}
    for file in files:
        if file.kind in ("sqlite", "duckdb"):
            raise DatabaseUnavailable(f"{file.path.name} is a whole database: name it by itself, or take it away.")
        other = first.setdefault(file.table.casefold(), file)
        if other is not file:
            raise DatabaseUnavailable(
                f"{other.path.name} and {file.path.name} would both be the table {file.table}: rename one of them."
            )
    left_out = [f"{name} is left out: save its sheets as CSV to ask them, too." for name in workbooks]
    left_out += [f"{name} is left out: it is a link to a file outside the folder." for name in links]
    return Found(folder, files, tuple(left_out))


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a file that may be a link lies in the folder: who may put a link there may not read all that we may."""
    return not path.is_symlink() or path.resolve().is_relative_to(folder.resolve())


def _kind_of(path: Path) -> Kind:
    """Return what the file is by how it begins, then by its name; raises DatabaseUnavailable for no table."""
    with path.open("rb") as file:
        head = file.read(16)
    suffix = path.suffix.lower()
    if not head:
        raise DatabaseUnavailable(f"{path.name} is empty. Export it again, or name another file.")
    if suffix in _WORKBOOKS or head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise DatabaseUnavailable(f"{path.name} is a workbook. Save its sheet as CSV (UTF-8), and name that file.")
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"7z\xbc\xaf")):
        raise DatabaseUnavailable(
            f"{path.name} is compressed, or a workbook. Unpack it, or save its sheet as CSV, and name that file."
        )
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    return "parquet" if head.startswith(b"PAR1") else _KINDS.get(suffix, "text")


def usable_name(written: str, otherwise: str) -> str:
    """Return the words of a name joined by underscores: "sales-2025 (final)" becomes "sales_2025_final"."""
    spelled = "".join(f" {_UNITS[sign]} " if sign in _UNITS else sign for sign in written)
    name = "_".join(re.findall(r"\w+", spelled)).strip("_")
    name = re.sub("_+", "_", name)[:60] or otherwise
    # SQL would read a name of digits as a number, where somebody forgets its quotes.
    return f"_{name}" if name[0].isdigit() else name


def usable_names(written: Iterable[str]) -> tuple[str, ...]:
    """Return a usable name for each, none twice in any case: "a, A, ''" becomes "a, A_2, column_3"."""
    given = [usable_name(name, f"column_{place}") for place, name in enumerate(written, 1)]
    taken = {name.casefold() for name in given}
    names: dict[str, str] = {}
    for name in given:
        candidate, count = name, 1
        while candidate.casefold() in names or (count > 1 and candidate.casefold() in taken):
            count += 1
            candidate = f"{name}_{count}"
        names[candidate.casefold()] = candidate
    return tuple(names.values())
