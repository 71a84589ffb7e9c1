"""Ranks the kinds that a column tells apart, not the rows that repeat them: a driver of many trips, a product sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.offline.english.vocabulary import GRADES, NOT_ADDED
from agents.offline.english.words import stem
from agents.offline.meaning.resolving import AskedBack, NotUnderstood
from agents.offline.plan import AnyOf, Col, Condition, Filter, Function, Group, Measure
from agents.offline.reading.reader import Ranking, Reader
from agents.offline.reading.take_measures import is_key

_REPEATED, _TIED = 2, 20
"""Rows for each value from which values count as repeated, and from which the greatest is surely that of many rows."""
_TOTALS = frozenset({"most", "fewest", "least", "top", "bottom"})
_UNCLEAR = frozenset({"best", "worst"})
_SAID: dict[Function, str] = {"sum": "sum", "max": "highest", "min": "lowest"}


@dataclass(frozen=True)
class _Kind:
    """What a ranked column tells apart, and how it was named."""

    column: Col
    words: str


def rank_kinds(r: Reader) -> None:
    """Rank each value once where rows repeat it; ask back where neither total nor average follows from the words."""
    ranking = r.ranking
    by = ranking.by if ranking is not None else None
    if ranking is None or not isinstance(by, Col):
        _rank_lines(r)
        return
    kind = _kind(r, by)
    if kind is None:
        return
    function = _function(r, ranking, by, kind)
    if function is None:
        return  # "the highest fare": one row is meant
    what = r.naming.tell_column(by.table, by.name)
    r.assumptions.append(f"What is ranked is the {_SAID[function]} {_of(function)}{what} per {kind.words}.")
    r.columns = [c for c in r.columns if c not in (kind.column, by)]
    r.groups.append(Group(kind.column.table, kind.column.name))
    ranking.by = Measure(function, by.table, by.name)


def _rank_lines(r: Reader) -> None:
    """Rank the rows themselves by "the biggest sale", where nothing tells them apart that could be added up."""
    ranking, bare = r.ranking, not (r.columns or r.groups or r.measures or r.having)
    by = ranking.by if ranking is not None else None
    if ranking is None or not isinstance(by, Measure) or not bare or not r.naming.is_nameless(r.subject):
        return
    said = stem(by.said)  # a sale is a line of sales, the revenue is none
    row = any(said == stem(word) for word in r.naming.table(r.subject))
    one = by.table == r.subject and by.column is not None and by.times is None
    if not (row and one) or ranking.word in _TOTALS | _UNCLEAR or by.column is None:
        what = r.naming.say_table(r.subject)
        raise NotUnderstood(f"I did not understand what to rank: the {what} have no names, say by which column.")
    ranking.by, r.subject_named = Col(by.table, by.column), True


def _of(function: Function) -> str:
    return "of " if function == "sum" else ""


def _kind(r: Reader, by: Col) -> _Kind | None:
    """Return the one column that is shown, where it tells rows of the ranked table apart less than a row does."""
    shown = [c for c in r.columns if c != by]
    if len(shown) != 1 or r.subject_named or r.groups or r.measures or by.table != shown[0].table:
        return None
    column = shown[0]
    owner = any(k.columns == (column.name,) for k in r.lexicon.table(column.table).foreign_keys)
    kind = owner or (r.lexicon.column(column).kind == "text" and not is_key(r, column))  # "which home team"
    if not kind or not (owner or _rows_for_each(r, column, _REPEATED)):
        return None
    return _Kind(column, r.naming.tell_column(column.table, column.name))


def refuse_never(r: Reader, filters: Sequence[Filter]) -> None:
    """Decline "which customers never bought tea" of lines of sales: a line of something else does not tell."""
    only = r.columns[0] if len(r.columns) == 1 and not (r.subject_named or r.measures) else None
    if only is None or r.lexicon.column(only).kind != "text" or not _rows_for_each(r, only, _REPEATED):
        return
    said = [f for f in filters if isinstance(f, AnyOf) or (isinstance(f, Condition) and f.column != only)]
    other = any(isinstance(f, AnyOf) or f.operator in {"!=", "null"} for f in said)
    if other and any(i.kind == "not" for i in r.items):
        kinds = r.naming.many(r.naming.say_column(only.table, only.name))
        raise NotUnderstood(f"I cannot tell yet which {kinds} have no such row at all: ask for a number per value.")


def _rows_for_each(r: Reader, column: Col, enough: int) -> bool:
    rows, distinct = r.lexicon.table(column.table).row_count, r.lexicon.column(column).distinct
    return bool(rows and distinct) and (rows or 0) >= enough * (distinct or 0)


def _function(r: Reader, ranking: Ranking, by: Col, kind: _Kind) -> Function | None:
    if r.lexicon.column(by).kind != "number":
        return ("max" if ranking.descending else "min") if ranking.limit != 1 else None
    words = set(r.naming.column(by.table, by.name))
    tied = bool(GRADES & words or not NOT_ADDED & words) and _rows_for_each(r, by, _TIED)
    if ranking.word in _TOTALS and not NOT_ADDED & words:
        return "sum"
    if ranking.word in _TOTALS | _UNCLEAR or tied:
        raise AskedBack(_which(r, by, kind, added=not NOT_ADDED & words), by)
    return ("max" if ranking.descending else "min") if ranking.limit != 1 else None


def _which(r: Reader, by: Col, kind: _Kind, added: bool) -> str:
    what = r.naming.tell_column(by.table, by.name)
    which = "the total or the average" if added else "the average, the highest or the lowest"
    return f"Say whether {which} {what} by “{kind.words}” is meant."
