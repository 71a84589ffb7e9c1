"""Reads what somebody does, or never did: the verbs that say which date, rows or number is meant."""

from __future__ import annotations

from agents.offline.english.vocabulary import SOLD
from agents.offline.meaning.items import Item
from agents.offline.plan import Col, Condition
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_measures import rank_by
from agents.offline.reading.take_money import sold_lines, take_money, wage_of


def take_verb(r: Reader) -> None:
    item = r.take()
    r.verb_said = True
    wage = wage_of(r, item)
    if wage is not None:
        r.pending, r.head = wage, False
        return
    if r.at == 1 and r.resolver.is_money(item.text) and r.next_is("per", "by", "grain", "period", "of", "in"):
        r.at -= 1
        r.measures.append(take_money(r))  # "spending by category", "what did we spend last month"
        return
    ends = all(i.kind in {"period", "in"} for i in r.items[r.at :])
    if r.resolver.is_money(item.text) and ends and not r.measures and r.ranking is None and not r.groups:
        raise r.not_understood(item)  # "what do our clerks earn", "… this year": their names are no answer
    if r.resolver.is_money(item.text) and not r.measures and r.ranking is not None and r.ranking.by is None:
        r.at -= 1
        rank_by(r, take_money(r))
        return
    if item.columns:
        r.verb = item
    if r.scope.negated and not r.scope.filters and r.scope.entity is None:
        _take_negated_verb(r, item)
        return
    if not r.measures:
        r.head = r.head and not (r.columns or r.subject_named)


def _missing_date(r: Reader, verb: Item) -> Col | None:
    """Return the date of rows that belong to the subject, which is empty until the verb has happened."""
    dates = [m.col for m in verb.columns if r.lexicon.column(m.col).kind == "date" and r.lexicon.column(m.col).nullable]
    belonging = [d for d in dates if r.joins.path(r.subject, d.table) and not r.joins.to_one(r.subject, d.table)]
    return belonging[0] if len(belonging) == 1 else None


def _none_at_all(r: Reader, table: str) -> bool:
    """Whether no such row may be, rather than one without its date: "never returned", "has not sent any letters"."""
    word, following = r.peek(-2), r.peek()
    named = following is not None and following.kind == "name" and r.resolver.table(following) == table
    return named or (word is not None and word.text in {"never", "did not ever"})


def _take_negated_verb(r: Reader, item: Item) -> None:
    """never ordered, not sold, not arrived: no such rows, or no such date"""
    table = r.resolver.table(item)
    dates = [m.col for m in item.columns if m.table == r.subject and r.lexicon.column(m.col).kind == "date"]
    if table is not None and table != r.subject:
        r.scope.entity = table
    elif dates and r.lexicon.column(dates[0]).nullable:
        r.add(Condition(dates[0], "not null"))
        r.open_scope()
    elif (missing := _missing_date(r, item)) is not None:
        r.scope.entity = missing.table
        r.scope.negated = _none_at_all(r, missing.table)
        r.add(Condition(missing, "not null" if r.scope.negated else "null"))
    elif item.stem in SOLD and not r.next_is("name", "by", "unknown") and (lines := sold_lines(r)) is not None:
        r.scope.entity = lines
    elif item.tables and r.next_is("period"):
        raise r.not_understood(item)  # "not ordered since July": what was not done is not lost for the period
