"""Fills a database with the sample: `python -m data [--database-url URL] [--seed N] [--as-of DATE]`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from data.fill import SEED, ensure_sample, fill
from data.seasons import DAYS
from errors import DatabaseUnavailable

DEFAULT_URL = "sqlite:///.quaestor/sample.sqlite"

app = typer.Typer(add_completion=False)


@app.command()
def main(
    database_url: Annotated[
        str, typer.Option(help="Where to: sqlite:///FILE, or postgresql://… of an empty database.")
    ] = DEFAULT_URL,
    seed: Annotated[int, typer.Option(help="Another seed makes another company.")] = SEED,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day of trading.", show_default="today")
    ] = None,
) -> None:
    """Fill a database with three years of a coffee and tea retailer."""
    day = as_of.date() if as_of else date.today()
    if day.toordinal() <= 2 * DAYS:
        raise typer.BadParameter("The as-of date is too early for three years of trade.")
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise typer.BadParameter("The database URL is no URL; write sqlite:///FILE or postgresql://…") from None
    if url.get_backend_name() == "sqlite" and url.database:
        typer.echo(_fill_file(Path(url.database), day, seed))
    elif url.get_backend_name() == "postgresql":
        typer.echo(f"{_fill_server(str(database_url), day, seed):,} rows as of {day} are in place.")
    else:
        raise typer.BadParameter("The sample goes into SQLite (sqlite:///FILE) or PostgreSQL (postgresql://…).")


def _fill_file(path: Path, day: date, seed: int) -> str:
    try:
        made = ensure_sample(path, day, seed)
    except DatabaseUnavailable as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}.") from None
    return f"{path} {'now holds' if made else 'already held'} the sample as of {day}."


def _fill_server(database_url: str, day: date, seed: int) -> int:
    try:
        return sum(fill(database_url, day, seed).values())
    except SQLAlchemyError:
        # The driver's own words may hold the DSN.
        raise typer.BadParameter(
            "The database did not take the sample: see that it answers, that the account may create tables, and "
            "that none of the sample's tables is there already."
        ) from None


if __name__ == "__main__":
    app(prog_name="python -m data")
