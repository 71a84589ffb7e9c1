"""Reads values: what a column must (not) be, for values that the data holds and for quoted ones."""

from __future__ import annotations

from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Meaning
from agents.offline.meaning.naming import possessive
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.meaning.roles import by_role, side_said
from agents.offline.plan import Col, Condition, Operator, Related
from agents.offline.reading.reader import Reader


def take_value(r: Reader, item: Item) -> None:
    near = [m for n in (r.peek(-2), r.peek()) if n is not None and n.kind == "name" for m in (*n.columns, *n.tables)]
    near += [m for m in item.values if r.pending is not None and m.col == r.pending]
    meaning = r.resolver.value(item, r.context, near)
    if meaning is None:
        raise r.not_understood(item)
    _refuse_far_value(r, item, meaning)
    _say_which(r, item, meaning, near)
    side = side_said(r)
    values, both = _more_values(r, meaning)
    sided = by_role(r, meaning, item, values, side)
    if sided is not None:
        r.pending, r.head = None, False
        r.add(sided)
        return
    if r.columns and r.columns[-1] == meaning.col and _said_before(r, meaning.col):
        r.columns.pop()  # "the continent of Asia": the column says what the value is
    if r.pending is not None and r.pending == meaning.col:
        r.pending = None
    elif r.pending is not None and not r.head:
        _settle_unless_table(r, meaning)
    r.head = False
    negated = r.scope.negated and r.scope.entity is None and r.joins.to_one(r.subject, meaning.table)
    own_rows = r.scope.entity == meaning.table and not r.joins.to_one(r.subject, meaning.table)
    if both and (own_rows or not r.joins.to_one(r.scope.entity or r.subject, meaning.table)):
        r.scope.entity = None if own_rows else r.scope.entity
        for value in values:
            r.add(Related(meaning.table, (Condition(meaning.col, "=", (value,)),)))
        return
    entity = r.scope.entity
    if both and entity is not None and entity != r.subject and not r.joins.to_one(r.subject, entity):
        r.scope.entity = None  # each value is in a row of its own
        for value in values:
            r.add(Related(entity, (Condition(meaning.col, "=", (value,)),)))
        return
    operator: Operator = ("not in" if len(values) > 1 else "!=") if negated else ("in" if len(values) > 1 else "=")
    r.compare(meaning.col, operator, *values)
    if negated:
        r.scope.negated = False


def _say_which(r: Reader, item: Item, meaning: Meaning, near: list[Meaning]) -> None:
    """Tell which column a value was looked for in, where several hold it and none was named beside it."""
    tables = {m.table for m in item.values if (m.value or "").lower() == (meaning.value or "").lower()}
    named = any(m.table == meaning.table for m in near)
    if len(tables) > 1 and not named and meaning.table != r.subject:
        owner = possessive(r.naming.say_table(meaning.table))
        column = r.naming.say_column(meaning.table, meaning.column or "")
        r.assumptions.append(f"“{item.text}” is looked for in the {owner} {column}.")


def _refuse_far_value(r: Reader, item: Item, meaning: Meaning) -> None:
    """Decline a value that only a long way of joins ties to what is asked: artists from a country of invoices."""
    source = r.scope.entity or r.subject
    measured = [m.table for m in r.measures] + ([r.ranking.by.table] if r.ranking and r.ranking.by else [])
    near = any(r.joins.to_one(t, meaning.table) for t in (source, *measured))
    if meaning.table in r.resolver.mentioned or near:
        if r.scope.negated and r.columns and all(c.table != r.subject for c in r.columns):
            raise NotUnderstood("I did not understand what should not be the case, or of which rows.")
        return
    path = r.joins.path(source, meaning.table)
    called = meaning.column in r.naming.label(meaning.table)
    if path is None or len(path) > (3 if called else 2):
        naming = r.naming
        raise NotUnderstood(
            f"I know “{item.text}” only as {naming.say_column(meaning.table, meaning.column or '')} of "
            f"{naming.say_table(meaning.table)}: say how {naming.say_table(r.subject)} are meant to belong to it."
        )


def _said_before(r: Reader, column: Col) -> bool:
    """Whether the column was named just before the value that was taken last, at most a preposition between."""
    for ahead in (-2, -3):
        item = r.peek(ahead)
        if item is not None and item.kind == "name":
            return any(m.col == column for m in item.columns)
        if item is None or item.kind not in {"of", "in"}:
            return False
    return False


def _settle_unless_table(r: Reader, meaning: Meaning) -> None:
    if r.pending is not None and r.pending.table == meaning.table and r.pending in r.columns:
        r.pending = None


def _more_values(r: Reader, first: Meaning) -> tuple[list[str], bool]:
    """Return this value and those listed after it for the same column, and whether all of them must hold."""
    values = [first.value or ""]
    both = any((item := r.peek(ahead)) is not None and item.kind == "both" for ahead in (-2, -3))
    while True:
        here = r.at
        joined_by = {i.kind for i in _skipped(r, "and", "or")}
        _skip_repeated_names(r, first)
        item = r.peek()
        same = next((m for m in item.values if m.col == first.col), None) if item is not None and joined_by else None
        if same is None:
            r.at = here
            return values, both and len(values) > 1
        r.take()
        values.append(same.value or "")
        both = both or ("and" in joined_by and "or" not in joined_by)


def _skip_repeated_names(r: Reader, first: Meaning) -> None:
    """directed by A and cartoons directed by B: step over what is said again"""
    here = r.at
    while r.next_is("name", "in", "verb", "both") and (item := r.peek()) is not None and not item.values:
        known = {m.table for m in (*item.tables, *item.columns)}
        if item.kind == "name" and first.table not in known:
            break
        r.at += 1
    item = r.peek()
    if item is None or not any(m.col == first.col for m in item.values):
        r.at = here


def _skipped(r: Reader, *kinds: str) -> list[Item]:
    start = r.at
    r.skip(*kinds)
    return r.items[start : r.at]


def take_literal(r: Reader, item: Item) -> None:
    """A quoted text that is no known value: it is looked for in the column named just before."""
    searched = _searched_column(r)
    if searched is not None:
        r.head = False
        r.compare(searched, "contains", item.text)
        return
    column = r.pending or (r.columns[-1] if r.columns and _just_named(r, r.columns[-1]) else None)
    if column is None:
        entity = table_before(r)
        if entity is None:
            raise NotUnderstood(f"I found nothing called “{item.text}” in this database.")
        column = Col(entity, r.naming.label(entity)[-1])
    if column in r.columns and column != r.pending:
        r.columns.remove(column)
    r.pending = None
    r.head = False
    r.compare(column, "=", item.text)


def _searched_column(r: Reader) -> Col | None:
    """Return the column of "… 'gods' in the title", and step over it."""
    item = r.peek(1)
    if not r.next_is("in") or item is None or item.kind != "name" or not item.columns or item.values:
        return None
    if r.settled is not None and item.text.lower() in {"name", "title"} and r.settled in r.columns:
        r.columns.remove(r.settled)  # "a song with 'x' in its name"
        r.at += 2
        return r.settled
    column = r.resolver.column(item, r.context)
    r.at += 2 if column is not None else 0
    return column


def _just_named(r: Reader, column: Col) -> bool:
    before = r.peek(-2)
    return before is not None and any(m.col == column for m in before.columns)


def table_before(r: Reader) -> str | None:
    before = r.peek(-2)
    return r.resolver.table(before) if before is not None and before.kind == "name" else None
