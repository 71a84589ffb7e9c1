"""Reads the address of a database (its URL) without ever repeating the password in it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from errors import DatabaseUnavailable, SettingsInvalid
from tools.catalog import Dialect

_DIALECTS: dict[str, Dialect] = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgres": "postgres",
    "postgresql": "postgres",
    "postgresql+psycopg": "postgres",
    "mysql": "mysql",
    "mysql+pymysql": "mysql",
    "mariadb": "mysql",
    "mariadb+pymysql": "mysql",
}

_EXAMPLES = (
    "sqlite:///file.sqlite, duckdb:///file.duckdb, postgresql://user:password@host/database "
    "or mysql://user:password@host/database"
)


def names_files(database_url: str) -> bool:
    """Whether it is no URL but the path of files to ask; what may hold a password never is."""
    return "://" not in database_url and not ("@" in database_url and ":" in database_url)


def read_url(database_url: str) -> URL:
    """Return the parts of the URL; raises SettingsInvalid where it is none, or names a database we do not speak."""
    try:
        url = make_url(database_url.strip())
    except (ArgumentError, ValueError):
        # The URL may hold a password, so nothing of it is repeated.
        raise SettingsInvalid(
            f"QUAESTOR_DATABASE_URL is not a database URL and no path of a file. Write it like {_EXAMPLES}."
        ) from None
    if url.drivername not in _DIALECTS:
        raise SettingsInvalid(f"QUAESTOR_DATABASE_URL names a database Quaestor does not speak. It speaks {_EXAMPLES}.")
    if url.host and _is_cut_at_an_at(url, database_url.strip().partition("?")[0]):
        raise SettingsInvalid(
            "QUAESTOR_DATABASE_URL holds more than one @: write one in the password or a name as %40, and a / as %2F."
        )
    if _DIALECTS[url.drivername] == "mysql" and not url.database:
        raise SettingsInvalid("QUAESTOR_DATABASE_URL names no database: add it after the host, as in …@host/database.")
    return url


def _is_cut_at_an_at(url: URL, written: str) -> bool:
    """Whether an @ in the password was taken for its end: what follows would be the host, and told in complaints."""
    name = url.database or ""
    return "@" in str(url.host) or ("@" in name and written.endswith(f"/{name}"))


def dialect_of(database_url: str) -> Dialect:
    """Return the dialect the database speaks; raises SettingsInvalid like `read_url`."""
    return _DIALECTS[read_url(database_url).drivername]


def database_name(database_url: str) -> str:
    """Return what a person calls the database: the file's stem, or its name on its server."""
    url = read_url(database_url)
    if _DIALECTS[url.drivername] in ("sqlite", "duckdb"):
        return Path(url.database or "").stem or url.drivername
    return url.database or url.username or url.drivername


def database_file(url: URL) -> Path:
    """Return the absolute path of a SQLite or DuckDB file that is there and can be read.

    Raises SettingsInvalid where the URL names no file, DatabaseUnavailable where the file cannot be used.
    """
    kind = url.drivername
    if not url.database or url.database == ":memory:":
        raise SettingsInvalid(f"QUAESTOR_DATABASE_URL names no file. Write {kind}:///relative or {kind}:////absolute.")
    if url.query:
        raise SettingsInvalid(
            f"QUAESTOR_DATABASE_URL takes no options for {kind}. Where the file's name holds a ?, write it as %3F."
        )
    if "\0" in url.database:
        raise SettingsInvalid("QUAESTOR_DATABASE_URL names a path that cannot exist.")
    path = Path(url.database).absolute()
    try:
        if path.is_dir():
            raise DatabaseUnavailable(f"{path} is a directory. Name the database file in it.")
        if not path.is_file():
            raise DatabaseUnavailable(f"There is no database file at {path}. Check the path in QUAESTOR_DATABASE_URL.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise DatabaseUnavailable(f"{path} cannot be read ({reason}). Check the file's permissions.") from error
    if empty:
        raise DatabaseUnavailable(f"{path} is empty: there is no database in it.")
    return path
