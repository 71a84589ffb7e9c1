"""Keeps a catalog beside the index, so that a large database is not read anew at each start."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.catalog import Catalog, Column, ForeignKey, Table
from tools.connections.address import database_file, database_name, dialect_of, read_url
from tools.reflection import FILE_DIALECTS, Progress, read_catalog, read_declared

log = logging.getLogger(__name__)

FORMAT = 1
"""Raised whenever reading a database gives something else than before."""
SERVER_SECONDS = 24 * 3600
"""How long the values read from a server are good for; its structure is compared whenever it is looked at."""


@dataclass(frozen=True)
class Reading:
    """What a database was found to hold."""

    catalog: Catalog
    fingerprint: str
    """What changes with the file's contents, or with the server's structure, and with the descriptions."""
    read_at: float
    """When it was read, in seconds since 1970."""

    @property
    def is_too_old(self) -> bool:
        """Whether values may have changed that no fingerprint tells of."""
        return self.catalog.dialect not in FILE_DIALECTS and time.time() - self.read_at > SERVER_SECONDS


def catalog_key(database_url: str) -> str:
    """Return a short name of the database that is its own: it may name a folder or a collection."""
    url = read_url(database_url)
    if dialect_of(database_url) in FILE_DIALECTS:
        file = database_file(url).resolve()
        # Each version of files that are asked has a folder of its own; they have one index, as a database that changes.
        place = str(file.parent.parent if file.parent.name.startswith("version-") else file)
    else:
        place = url.set(password=None).render_as_string()
    name = re.sub(r"\W+", "-", database_name(database_url), flags=re.ASCII).strip("-")[:40]
    return f"{name or 'database'}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def load_catalog(
    database_url: str,
    folder: Path,
    *,
    descriptions: Path | None = None,
    before: Reading | None = None,
    refresh: bool = False,
    progress: Progress | None = None,
) -> Reading:
    """Return the reading of `before`, or the one kept in `folder`, while the database is as it was, else a new one.

    It blocks: call it in a thread. Raises what `read_catalog` raises.
    """
    fingerprint = _fingerprint(database_url, descriptions)
    if before is not None and before.fingerprint == fingerprint and not before.is_too_old:
        return before
    file = folder / "catalog.json"
    kept = None if refresh else _read(file, fingerprint)
    if kept is not None:
        return kept
    read_at = time.time()
    reading = Reading(read_catalog(database_url, descriptions=descriptions, progress=progress), fingerprint, read_at)
    _write(file, reading)
    return reading


def is_as_declared(catalog: Catalog, database_url: str) -> bool:
    """Return whether the database has the very tables and columns of its catalog; it looks at nothing else, and blocks.

    Raises what `read_catalog` raises.
    """
    return _declared(catalog) == _declared(read_declared(database_url))


def _declared(tables: Iterable[Table]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {(table.name, tuple((column.name, column.type) for column in table.columns)) for table in tables}


def _fingerprint(database_url: str, descriptions: Path | None) -> str:
    parts: list[Any] = [FORMAT]
    if descriptions is not None:
        parts.append(descriptions.read_bytes() if descriptions.is_file() else descriptions)
    if dialect_of(database_url) in FILE_DIALECTS:
        file = database_file(read_url(database_url))
        # What is written but not yet folded into the file lies in the journal beside it.
        for part in (file, Path(f"{file}-wal"), Path(f"{file}.wal")):
            parts.append((part.stat().st_size, part.stat().st_mtime_ns) if part.exists() else None)
    else:
        parts.append(read_declared(database_url))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read(file: Path, fingerprint: str) -> Reading | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["fingerprint"] != fingerprint:
            return None
        reading = Reading(_catalog(kept["catalog"]), fingerprint, kept["read_at"])
        return None if reading.is_too_old else reading
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.info("the kept catalog cannot be used, the database is read anew: %s", type(error).__name__)
        return None


def _write(file: Path, reading: Reading) -> None:
    kept = asdict(reading)
    try:
        replace_file(file, lambda part: part.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8"))
    except OSError as error:
        log.warning("the catalog cannot be kept for the next start: %s", error.strerror)


def replace_file(file: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new file and put it in the old one's place: readers see one of the two, never a half.

    Only the owner may read it, for it holds values out of the database.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
    os.close(handle)
    try:
        write(Path(name))
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _catalog(kept: dict[str, Any]) -> Catalog:
    return Catalog(**{**kept, "tables": tuple(_table(table) for table in kept["tables"])})


def _table(kept: dict[str, Any]) -> Table:
    columns = tuple(
        Column(**{**column, "samples": tuple(column["samples"]), "values": tuple(column["values"])})
        for column in kept["columns"]
    )
    keys = tuple(
        ForeignKey(**{**key, "columns": tuple(key["columns"]), "referred": tuple(key["referred"])})
        for key in kept["foreign_keys"]
    )
    return Table(**{**kept, "columns": columns, "foreign_keys": keys})
