"""Makes a DuckDB database of the files that a person named, anew only where they have changed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from asyncer import asyncify

from errors import DatabaseUnavailable
from tools.files_found import Found, find_files

log = logging.getLogger("quaestor.files")

FORMAT = 3
"""Raised whenever reading a file gives something else than before."""

FOLDER = "[0-9a-f]" * 12
"""The pattern of what a folder of copies is called."""
VERSION = "version-"
NOTICES = "notices.json"
IN_USE = "in_use"
"""Whoever asks a copy holds a lock on this file of it."""

_ROOT = Path(__file__).parents[1]
"""Where the process finds this package."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""What it sees of our environment: no key and no password."""


@dataclass(frozen=True)
class Database:
    """The database of what a person named, and what it was made of."""

    found: Found
    home: Path
    folder: Path

    @classmethod
    def of(cls, named: str, home: Path) -> Database:
        """Return the database of these files, made or not; raises DatabaseUnavailable like `find_files`."""
        found = find_files(named)
        key = hashlib.sha256(os.fsencode(found.path)).hexdigest()[:12]
        home = home.absolute()
        return cls(found, home, home / "files" / key)

    @property
    def version(self) -> Path:
        """Where the copy of the files as they are now lies, once it is whole; who reads an older one keeps that."""
        return self.folder / f"{VERSION}{hashlib.sha256(self.stamp().encode()).hexdigest()[:12]}"

    @property
    def name(self) -> str:
        # What the page calls the database. A URL reads three of the signs otherwise.
        return f"{re.sub(r'[?%#]', '_', self.found.path.name)}.duckdb"

    def stamp(self) -> str:
        """Return what changes with the files."""
        states = [(file.path.name, file.path.stat()) for file in self.found.files]
        return json.dumps([FORMAT, *((name, state.st_size, state.st_mtime_ns) for name, state in states)])

    def made(self) -> Path | None:
        """Return the file that holds the files as they are now, None where they must be read; it counts as asked for.

        Raises DatabaseUnavailable where they cannot be looked at any more.
        """
        try:
            made = self.version / self.name
        except OSError as error:
            raise DatabaseUnavailable(f"{self.found.path.name} is gone. Check the path and its permissions.") from error
        if not made.is_file():
            return None
        for asked in (made.parent, self.folder):
            with suppress(OSError):  # Of a home that may only be read.
                os.utime(asked)
        return made

    def notices(self) -> tuple[str, ...]:
        """Return what a person should know of how the files were read, a sentence each."""
        try:
            kept = json.loads((self.version / NOTICES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = []
        return (*self.found.left_out, *kept)


@contextmanager
def in_use(url: str, home: Path) -> Iterator[None]:
    """Keep the copy at this URL from being removed, where it is one of ours, as long as the block runs."""
    version = Path(_from_url(url.removeprefix("duckdb:///"))).parent
    if not version.is_relative_to(home.absolute() / "files"):
        yield
        return
    with (version / IN_USE).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)  # Ends with this process, however it ends.
        yield


async def files_notices(named: str, home: Path) -> tuple[str, ...]:
    """Return what a person should know of how these files were read, when `files_url` has returned."""

    def read() -> tuple[str, ...]:
        return Database.of(named, home).notices()

    return await asyncify(read)()


async def files_url(named: str, home: Path, begin: Callable[[str], None] = log.info) -> str:
    """Return the URL of a database that holds the files at the path `named`, a table each.

    Where they must be read first, `begin` is told so in a sentence. A SQLite or DuckDB file is a database already.
    Raises DatabaseUnavailable with a sentence that names the file and the line.
    """
    database = await asyncify(Database.of)(named, home)
    if (kind := database.found.files[0].kind) in ("sqlite", "duckdb"):
        return f"{kind}:///{_in_url(database.found.path)}"
    made = await asyncify(database.made)()
    if made is None:
        for left_out in database.found.left_out:
            log.warning("%s", left_out)
        begin(f"Reading {database.found.path.name}; this is done once, until it changes.")
        await _import(database)
        made = await asyncify(database.made)()
    if made is None:
        raise DatabaseUnavailable(f"{database.found.path.name} changes while it is read. Ask again when it is whole.")
    return f"duckdb:///{_in_url(made)}"


def _from_url(path: str) -> str:
    return path.replace("%3F", "?").replace("%25", "%")


def _in_url(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3F")


async def _import(database: Database) -> None:
    """Let a process of its own make the database; a cancel ends it."""
    command = [sys.executable, "-m", "tools.files_import", str(database.found.path), str(database.home)]
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    async with await anyio.open_process(
        command,
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.PIPE,  # Closes when we die, however we die; it ends with that.
        stderr=None,  # What nobody foresaw stands in our own log.
    ) as process:
        assert process.stdout is not None
        said = b"".join([piece async for piece in process.stdout])
        await process.wait()
    try:
        told = json.loads(said)
    except ValueError:
        raise DatabaseUnavailable(
            f"The import of {database.found.path.name} ended before it was done: it may have had too little memory."
        ) from None
    if "unavailable" in told:
        raise DatabaseUnavailable(told["unavailable"])
    for notice in told["notices"]:
        log.info("%s", notice)
