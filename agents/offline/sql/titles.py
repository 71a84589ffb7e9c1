"""Names the columns of a result as a person would head them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import Col, Group, Measure

_FUNCTIONS = {"sum": "total", "avg": "average", "min": "lowest", "max": "highest", "median": "median"}
_BARE = frozenset({("name",), ("title",)})
"""Names that do not say of what."""


def measure_title(measure: Measure, lexicon: Lexicon) -> str:
    """Return what a number is: "number_of_orders", "revenue", "average_rating", "total_visitors"."""
    naming = lexicon.naming
    if measure.function == "share":
        return _joined(measure.said or "share", "percent")
    if measure.function == "margin":
        return _joined("margin percent")
    if (each := measure.each) is not None:
        column = naming.say_column(measure.table, measure.column) if measure.column is not None else ""
        what = measure.said or column or f"number of {naming.say_table(measure.table)}"
        return _joined("average", what, "per", each.grain or naming.say_table(each.table, many=False))
    if measure.column is None:
        return _joined("number of", naming.say_table(measure.table))
    words = naming.column(measure.table, measure.column)
    if measure.function == "distinct" and measure.said:
        return _joined(measure.said)
    if measure.function == "distinct":
        return _joined("different", naming.many(" ".join(words)))
    function = _FUNCTIONS[measure.function]
    said = measure.said or ("revenue" if measure.times else "")
    if said:
        # A name that a column has already would be ambiguous in HAVING.
        own = {c.name.lower() for c in lexicon.table(measure.table).columns}
        return _joined(said) if measure.function == "sum" and said not in own else _joined(function, said)
    column = naming.say_column(measure.table, measure.column)
    if measure.function == "sum" and "total" in words:
        return _joined(column, "of", naming.say_table(measure.table))
    if len(words) > 1 and words[0] in {*_FUNCTIONS.values(), "minimum", "maximum"}:
        return _joined(function, column.partition(" ")[2])
    return _joined(function, column)


def group_title(group: Group, lexicon: Lexicon) -> str | None:
    """Return what the rows of a group are called, "month" or "product"; None where its columns say so themselves."""
    if group.grain is not None:
        return _joined(group.grain)
    shown = group.shown if group.column is None else (Col(group.table, group.column),)
    if len(shown) != 1 or shown[0].name not in lexicon.naming.label(group.table):
        return None
    own = {c.name.lower() for c in lexicon.table(group.table).columns}
    title = _joined(lexicon.naming.say_table(group.table, many=False))
    bare = lexicon.naming.column(group.table, shown[0].name) in _BARE
    return title if bare and title not in own else None


def unlike_names(shown: Sequence[exp.Expr], columns: Sequence[Col], lexicon: Lexicon) -> list[exp.Expr]:
    """Return what is shown; columns of the same name in two tables are told apart by their table."""
    names = [c.name.lower() for c in columns]
    return [
        exp.alias_(e, f"{'_'.join(lexicon.naming.table(c.table))}_{c.name}".lower())
        if names.count(c.name.lower()) > 1
        else e
        for e, c in zip(shown, columns, strict=True)
    ]


def period_title(words: str, unit: str) -> str:
    """Return what the column of a period is called: "last_year", "in_2024"."""
    name = "_".join(w for w in f"{words} {unit}".lower().replace(",", " ").split() if w not in {"the", "in", "of"})
    return name if name[:1].isalpha() else f"in_{name}"


def _joined(*words: str) -> str:
    return "_".join(" ".join(words).lower().split())
