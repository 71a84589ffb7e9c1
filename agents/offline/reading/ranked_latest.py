"""Reads what a row said last: the latest balance is that of the last day, and not the highest."""

from __future__ import annotations

from agents.offline.english.vocabulary import ADJECTIVES
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood, stem_of_adjective
from agents.offline.plan import Col
from agents.offline.reading.reader import Ranking, Reader


def is_dated(adjective: str) -> bool:
    """Whether the first and the last of such are so by their dates: "latest", "newest", but not "highest"."""
    return "date" in ADJECTIVES.get(stem_of_adjective(adjective), (True, ()))[1]


def show_latest(r: Reader, ranking: Ranking, column: Col, adjective: str, word: Item) -> None:
    """Show the number that the last row has; declines where several rows may be the last, or more than it is asked."""
    date = r.resolver.degree(adjective, (column.table,))
    if date is None or r.columns or r.measures or ranking.limit != 1 or any(i.kind == "per" for i in r.items):
        raise r.not_understood(word)
    if r.lexicon.table(column.table).row_count != r.lexicon.column(date).distinct:
        what = r.naming.tell_column(column.table, column.name)
        raise NotUnderstood(f"Several rows may have the {word.text} date: ask for the {what} of a day.")
    r.columns, r.subject = [column, date], column.table
    r.ranking = ranking
    ranking.by = date
