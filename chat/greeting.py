"""Says what this is before the first question: on which database, and who answers."""

from __future__ import annotations

from collections import Counter

from agents.ask import Asker
from bootstrap import OFFLINE
from chat.markdown import as_markdown
from errors import AskError

WHAT = "Ask your database in plain words. Every answer shows its rows, its SQL and what it assumed."

TABLES_NAMED = 4
"""How many tables the greeting names."""

NOTICES_SHOWN = 4
"""How many things to know of the files it shows; the log has them all."""


def greeting(asker: Asker | None, trouble: AskError | None, begun: str = "") -> str:
    """Return Markdown: what this is, on which database, and who answers; without an Asker, why nobody does.

    `begun` is what is being done before anybody can.
    """
    if begun:
        return f"{WHAT}\n\n**It cannot answer yet.** {as_markdown(begun)} A question asked now is answered after that."
    if asker is None:
        return f"{WHAT}\n\n**It cannot answer yet.** {as_markdown(str(trouble))} Asking a question tries again."
    who = (
        "The **offline analyst** answers: it works by rules, without a model, understands English only, and says so "
        "when it does not understand."
        if asker.analyst == OFFLINE
        else f"The model **{as_markdown(asker.analyst)}** writes the SQL and "
        + ("is shown names only, no data; the answer is told by rules." if asker.names_only else "tells the answer.")
    )
    which = f"The database is **{as_markdown(asker.catalog.name)}**, {_size(asker)}{_about(asker)}."
    return f"{WHAT}\n\n{which} {who}{_notices(asker)}"


def log_line(asker: Asker, address: str) -> str:
    """Return what the terminal says when the server is up."""
    analyst = f"the {OFFLINE}" if asker.analyst == OFFLINE else f"the model {asker.analyst}"
    return f"Quaestor serves {asker.catalog.name} ({_size(asker)}) at {address}, answered by {analyst}."


def _size(asker: Asker) -> str:
    counts = [table.row_count for table in asker.catalog.tables]
    tables = f"{len(counts)} table{'s' * (len(counts) != 1)}"
    known = [count for count in counts if count is not None]
    return f"{tables}, {sum(known):,} rows" if known else tables


def _notices(asker: Asker) -> str:
    """Return what to know of how files were read: a column that is text cannot be summed, and nobody sees why."""
    shown = [f"\n- {as_markdown(notice)}" for notice in asker.notices[:NOTICES_SHOWN]]
    if more := len(asker.notices) - len(shown):
        shown.append(f"\n- The log has {more} more.")
    return f"\n{''.join(shown)}" if shown else ""


def _about(asker: Asker) -> str:
    """Return what the database is about: the tables that the most others refer to."""
    keys = ((table.name, key.table) for table in asker.catalog for key in table.foreign_keys)
    referred = Counter(other for table, other in keys if other != table)
    central = sorted(
        (t for t in asker.catalog if referred[t.name]), key=lambda t: (-referred[t.name], -(t.row_count or 0))
    )
    names = [as_markdown(table.name) for table in central[:TABLES_NAMED]]
    return f", about {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else ""
