"""Adds the descriptions of a TOML file to a catalog."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from errors import SettingsInvalid
from tools.catalog import Column, Table


def describe(tables: Iterable[Table], file: Path | None) -> tuple[Table, ...]:
    """Return the tables with the file's descriptions, which win over the database's comments.

    The file holds `[tables.NAME] description = "…"` and `[tables.NAME.columns] COLUMN = "…"`, names in any
    case; whatever else it holds is left alone. Raises SettingsInvalid where it cannot be read or is no TOML.
    """
    described = {name.lower(): entry for name, entry in _section(_read(file), "tables").items()}
    return tuple(_describe(table, described.get(table.name.lower(), {})) for table in tables)


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsInvalid(f"The descriptions in {file.name} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The descriptions in {file.name} are no valid TOML: {error}.") from error


def _section(entry: Any, key: str) -> dict[str, Any]:
    section = entry.get(key) if isinstance(entry, dict) else None
    return section if isinstance(section, dict) else {}


def _describe(table: Table, entry: Any) -> Table:
    columns = {name.lower(): text for name, text in _section(entry, "columns").items()}
    description = entry.get("description") if isinstance(entry, dict) else None
    return replace(
        table,
        description=description if isinstance(description, str) else table.description,
        columns=tuple(_describe_column(column, columns.get(column.name.lower())) for column in table.columns),
    )


def _describe_column(column: Column, text: Any) -> Column:
    return replace(column, description=text) if isinstance(text, str) else column
