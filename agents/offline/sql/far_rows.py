"""Makes one condition of all those on a far table: the same row there must fulfil them."""

from __future__ import annotations

from collections.abc import Sequence

from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import AnyOf, Condition, During, Filter, Related


def merged(lexicon: Lexicon, base: str, filters: Sequence[Filter], joined: set[str] | None = None) -> list[Filter]:
    """Return the filters with those on one far table made one: the same row there must fulfil them all."""
    far: dict[str, list[Filter]] = {}
    kept: list[Filter] = []
    for f in filters:
        table = f.column.table if isinstance(f, Condition | During) else None
        if table is None and isinstance(f, AnyOf):
            tables = {o.column.table for o in f.options if isinstance(o, Condition | During)}
            table = (
                tables.pop() if len(tables) == 1 and all(isinstance(o, Condition | During) for o in f.options) else None
            )
        if table is None or table in (joined or set()) or lexicon.joins.to_one(base, table):
            kept.append(f)
        else:
            far.setdefault(table, []).append(f)
    return kept + [Related(table, tuple(conditions)) for table, conditions in far.items()]
