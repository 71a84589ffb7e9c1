"""The process that makes a DuckDB database of files; nothing else of ours may read them.

It may open the named files and its own folder, and nothing else. Servers that start at once wait for each other here.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict

import duckdb
from duckdb.sqltypes import DuckDBPyType

from errors import DatabaseUnavailable
from tools.files import IN_USE, NOTICES, Database
from tools.files_complaints import why
from tools.files_found import File, usable_names
from tools.files_kept import remove_unused
from tools.files_text import Text, first_lines, read_text
from tools.files_types import types_of

_SETTINGS: dict[str, str | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "memory_limit": "1GB",
    "threads": max(1, min(4, os.cpu_count() or 1)),
}


class Told(TypedDict, total=False):
    """What is told to the parent: things to know, or why there is no database."""

    notices: list[str]
    unavailable: str


def main(named: str, home: str) -> Told:
    """Bring the database of what was named up to date."""
    try:
        database = Database.of(named, Path(home))
        return Told(notices=_bring_up_to_date(database))
    except DatabaseUnavailable as error:
        return Told(unavailable=str(error))
    except OSError as error:
        return Told(unavailable=f"The files cannot be read, or their copy not be written to {home}: {error.strerror}.")


def _bring_up_to_date(database: Database) -> list[str]:
    database.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (database.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Ends with this process, however it ends.
        if database.made():
            return []
        version = database.version
        spare = database.folder / "spare"
        shutil.rmtree(spare, ignore_errors=True)
        spare.mkdir(mode=0o700)
        try:
            notices = list(_fill(spare / database.name, database.found.files, spare))
            (spare / NOTICES).write_text(json.dumps(notices), encoding="utf-8")
            (spare / IN_USE).touch()
            shutil.rmtree(spare / "spill", ignore_errors=True)
            os.replace(spare, version)
        finally:
            shutil.rmtree(spare, ignore_errors=True)
        remove_unused(database.folder.parent, version)
        return notices


def _fill(made: Path, files: tuple[File, ...], spare: Path) -> Iterator[str]:
    """Make the database, a table for each file; yields what a person should know."""
    with closing(duckdb.connect(str(made), config={**_SETTINGS, "temp_directory": str(spare / "spill")})) as connection:
        paths, folder = [str(file.path) for file in files], f"{spare}/"
        connection.execute("SET allowed_paths = " + _text_list([*paths, *map(_alone, paths)]))
        connection.execute("SET allowed_directories = " + _text_list([folder, _alone(folder)]))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET enable_progress_bar = false")  # It would stand among what is told.
        connection.execute("SET lock_configuration = true")
        for file in files:
            try:
                if file.kind == "text":
                    yield from _take_text(connection, file, spare)
                else:
                    _take_typed(connection, file)
            except duckdb.Error as error:
                raise DatabaseUnavailable(why(file, error)) from error


def _take_text(connection: duckdb.DuckDBPyConnection, file: File, spare: Path) -> Iterator[str]:
    rewritten = spare / f"{file.table}.utf8"
    text = read_text(file.path, rewritten)
    try:
        yield from _take_lines(connection, file, text)
    except duckdb.Error as error:
        raise DatabaseUnavailable(why(file, error, text)) from error
    finally:
        rewritten.unlink(missing_ok=True)


def _take_lines(connection: duckdb.DuckDBPyConnection, file: File, text: Text) -> Iterator[str]:
    names = usable_names(text.header)
    source = _csv(text)
    relation, types = types_of(
        names, source, lambda sql: connection.execute(sql).fetchall(), semicolons=text.delimiter == ";"
    )
    names = usable_names(_with_unit(name, typed.unit) for name, typed in zip(names, types, strict=True))
    kept = [
        (name, typed)
        for name, typed, given in zip(names, types, text.header, strict=True)
        if given or typed.is_used or not any(text.header)
    ]
    columns = ", ".join(f"{typed.sql} AS {_quoted(name)}" for name, typed in kept)
    connection.execute(f"CREATE TABLE {_quoted(file.table)} AS SELECT {columns} FROM {relation}")
    _see_rows(connection, file)
    lines = first_lines(text, {place: typed.stray for place, typed in enumerate(types) if typed.stray})
    for place, typed in enumerate(types):
        if typed.notice:
            where = f", in line {lines[place]:,}." if place in lines else "."
            yield f"{file.path.name}: {typed.notice.removesuffix('.')}{where}"


def _csv(text: Text) -> str:
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(text.header)))
    return (
        f"read_csv({_text(_alone(str(text.path)))}, auto_detect = false, header = false, skip = {text.skipped}, "
        f"delim = {_text(text.delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}})"
    )


def _with_unit(name: str, unit: str) -> str:
    return name if not unit or unit in name.casefold().split("_") else f"{name}_{unit}"


def _take_typed(connection: duckdb.DuckDBPyConnection, file: File) -> None:
    """Make the table of a file that knows its own types; what is within a structure becomes a column of its own."""
    path = _text(_alone(str(file.path)))
    source = f"read_parquet({path})" if file.kind == "parquet" else f"read_json({path}, sample_size = -1)"
    relation = connection.sql(f"SELECT * FROM {source}")
    flat = [
        column
        for name, kind in zip(relation.columns, relation.types, strict=True)
        for column in _flat(_quoted(name), name, kind)
    ]
    names = usable_names(name for _, name in flat)
    columns = ", ".join(f"{sql} AS {_quoted(name)}" for (sql, _), name in zip(flat, names, strict=True))
    connection.execute(f"CREATE TABLE {_quoted(file.table)} AS SELECT {columns} FROM {source}")
    _see_rows(connection, file)


def _flat(sql: str, name: str, kind: DuckDBPyType) -> Iterator[tuple[str, str]]:
    if kind.id == "struct":
        for part, inner in kind.children:
            assert isinstance(inner, DuckDBPyType)  # Of other types a child may be a number.
            yield from _flat(f"({sql}).{_quoted(part)}", f"{name}_{part}", inner)
    elif kind.id == "timestamp with time zone":
        # The moment, in UTC: the reader's own clock would otherwise tell in which month it falls.
        yield f"({sql} AT TIME ZONE 'UTC')", name
    else:
        yield sql, name


def _see_rows(connection: duckdb.DuckDBPyConnection, file: File) -> None:
    if not connection.execute(f"SELECT 1 FROM {_quoted(file.table)} LIMIT 1").fetchall():
        raise DatabaseUnavailable(f"{file.path.name} holds no rows. Export it again with its rows, or take it away.")


def _alone(path: str) -> str:
    """Return the pattern that names this file alone: DuckDB reads "sales*.csv" as every file that begins so."""
    return re.sub(r"[*?[]", r"[\g<0>]", path)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _text_list(values: Any) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(json.dumps(main(sys.argv[1], sys.argv[2])), flush=True)
    os._exit(0)  # The thread waits for the parent, and would be waited for in turn.
