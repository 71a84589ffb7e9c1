"""Reads names: what is shown, whose rows, and clauses about other tables' rows."""

from __future__ import annotations

from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, PART
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Condition, Measure
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_measures import compares_next, rank_by
from agents.offline.reading.take_money import take_money
from agents.offline.reading.take_values import table_before, take_literal, take_value

_NUMBERED = frozenset({"number", "no", "nr", "code"})
"""Words of columns that people may know a row by, other than its key."""


def take_name(r: Reader) -> None:
    item = r.take()
    if r.resolver.is_money(item.text) and not r.measures and all(m.score < EXACT for m in item.meanings):
        r.at -= 1
        take_unknown(r)
        return
    if item.values and _is_of_other_rows(r, item):
        r.at -= 1
        r.items[r.at : r.at + 2] = [r.items[r.at + 1], item]
        return
    if item.values and not _means_name(r, item):
        for m in item.columns:
            _refuse_own_key(r, item, m.col)
        take_value(r, item)
        return
    if item.quoted:
        take_literal(r, item)
        return
    table = r.resolver.table(item)
    column = r.resolver.column(item, _owner_said(r) + r.context) if item.columns else None
    if table is not None and (column is None or not _column_beats_table(r, item, table)):
        _take_table(r, item, table)
    elif column is not None:
        _take_column(r, item, column)
    elif r.resolver.table(item, 0.7):
        _take_table(r, item, r.resolver.table(item, 0.7) or "")
    else:
        raise r.not_understood(item)


def _owner_said(r: Reader) -> tuple[str, ...]:
    """Return the table that follows an "of": "the name of the shop"."""
    item, following = r.peek(1), r.peek()
    table = r.resolver.table(following) if following is not None and following.kind == "name" else None
    named = r.peek(-1)
    if table is not None and named is not None:
        flags = [m for m in named.columns if m.table == table and r.resolver.yes(m.col) is not None]
        if flags:
            return (table,)  # "deleted flags": the column that says it of flags
    if not r.head or not r.next_is("of") or item is None or item.kind != "name":
        return ()
    table = r.resolver.table(item)
    return (table,) if table is not None else ()


def _means_name(r: Reader, item: Item) -> bool:
    """Whether words that are a name as well as a value are meant as the name."""
    if item.quoted or _describes_rows(r, item):
        return False
    name = max((m.score + 0.1 * m.length for m in (*item.tables, *item.columns)), default=0.0)
    if not name:
        return False
    written_like_a_name = item.capital and item.text.isalpha() and r.at > 1
    return name >= EXACT and not written_like_a_name


def _is_of_other_rows(r: Reader, item: Item) -> bool:
    """Whether a value stands before rows that hold it as well as those said before: "and an open ticket"."""
    following, entity = r.peek(), r.scope.entity
    table = r.resolver.table(following, PART) if following is not None and following.kind == "name" else None
    held = {m.table for m in item.values}
    apart = table is not None and entity is not None and table not in (entity, r.subject)
    return apart and {table, entity} <= held and not item.tables and not r.scope.negated


def _describes_rows(r: Reader, item: Item) -> bool:
    """Whether a word is a state of the rows named beside it, not a yes or no of others: "active subscriptions"."""
    beside = [i for i in (r.peek(), r.peek(-2)) if i is not None and i.kind == "name"]
    table = next((t for i in beside if (t := r.resolver.table(i)) is not None), None)
    held = any(m.table == table for m in item.values)
    return table is not None and held and not item.tables and all(m.table != table for m in item.columns)


def _column_beats_table(r: Reader, item: Item, table: str) -> bool:
    if max(m.score for m in item.columns) > max(m.score for m in item.tables):
        return True
    if table == r.subject:
        return False
    own = [m for m in item.columns if m.table == r.subject and m.score >= max(t.score for t in item.tables)]
    return bool(own) and not any(r.joins.to_one(r.subject, table) and m.score < EXACT for m in own)


def _take_table(r: Reader, item: Item, table: str) -> None:
    following = r.peek()
    if following is not None and following.kind == "name" and following.columns and not following.tables and r.head:
        owned = [m for m in following.columns if m.table == table]
        if owned and not following.values and not following.held:  # "airline names": a column said with its table
            return
    if _take_key(r, item, table):
        return
    if table == r.subject:
        r.subject_named = True
        if r.scope.negated and not r.scope.filters:
            return
        if r.head and (r.columns or r.measures):
            r.head = False
        return
    if r.head and not r.measures and not r.columns and not r.subject_named and not r.groups:
        return
    before = r.peek(-2)
    listed = r.head or _after_subject(r)
    if listed and before is not None and before.kind == "and" and (r.columns or r.subject_named) and not r.measures:
        if not r.columns:
            r.columns.extend(Col(r.subject, name) for name in r.naming.label(r.subject))
        r.columns.extend(Col(table, name) for name in r.naming.label(table))
        return
    counted = {m.table for m in r.measures} | {g.table for g in r.groups if g.column is None}
    if table in counted and not r.scope.negated:
        return
    if (
        r.ranking is not None
        and isinstance(r.ranking.by, Measure)
        and r.ranking.by.table == table
        and not r.scope.negated
    ):
        return
    _enter(r, table)


def _take_key(r: Reader, item: Item, table: str) -> bool:
    """order 1234: the row of that number; where nothing else is asked, all that is known of it"""
    number, key = r.peek(), r.naming.key(table)
    singly = singular(item.text.lower().split()[-1]) == item.text.lower().split()[-1]
    if number is None or number.kind != "number" or key is None or not r.touches(item, number) or not singly:
        return False
    after = r.peek(1)
    ends = after is None or (after.kind in {"verb", "in", "of", "and", "per", "by"} and not after.tables)
    column = Col(table, key)
    numbered = (r.naming.column(table, c.name)[-1] for c in r.lexicon.table(table).columns if c.name != key)
    if not _NUMBERED.isdisjoint(numbered):
        return False  # "room 12": by its key, or by the number on its door?
    if not ends or r.scope.negated or r.lexicon.column(column).kind != "number" or not float(number.value).is_integer():
        return False
    if table == r.subject and not r.measures and any(i.kind == "verb" for i in r.items):
        raise r.not_understood(number)  # "what did customer 42 buy": more than who it is
    r.take()
    if table == r.subject:
        r.subject_named = True
        r.star = r.star or not (r.columns or r.measures or r.groups)
    else:
        _enter(r, table)
    r.head = False
    r.compare(column, "=", int(number.value))
    return True


def _after_subject(r: Reader) -> bool:
    """Whether "and" joins this table to the subject: "gardeners and the plots they tend"."""
    item = r.peek(-3)
    return item is not None and item.kind == "name" and r.resolver.table(item) == r.subject and not r.scope.filters


def _enter(r: Reader, table: str) -> None:
    """Conditions that follow are about rows of this table."""
    if _is_beside(r, table):
        r.columns.extend(Col(r.subject, name) for name in r.naming.label(r.subject) if not r.columns)
        r.columns.extend(Col(table, name) for name in r.naming.label(table))
        return
    r.settle()
    r.head = False
    if r.scope.entity is None:
        r.scope.entity = table
        return
    if r.scope.entity == table:
        return
    if r.joins.to_one(r.scope.entity, table):
        return  # "cartoons on channels": a channel is part of what is known of a cartoon
    if r.joins.to_one(table, r.scope.entity) and not r.scope.filters:
        r.scope.entity = table
        return
    if not r.scope.filters and not r.scope.negated:
        if not _value_of(r, table):
            r.scope.entity = table
        return
    r.open_scope(negated=False)
    r.scope.entity = table


def _is_beside(r: Reader, table: str) -> bool:
    """Whether what a row belongs to is shown beside it after its conditions: "books in French with their author"."""
    with_it = r.peek(-2)
    beside = with_it is not None and with_it.text == "with" and r.joins.to_one(r.subject, table)
    listed = bool(r.scope.filters) and not r.scope.negated and not r.measures and r.ranking is None
    return beside and listed and (r.peek() is None or r.next_is("direction", "order") or r.next_is("and"))


def _value_of(r: Reader, table: str) -> bool:
    """Whether the table's name only says what the value after it is: "in the domain Physics"."""
    item = r.peek()
    return item is not None and any(m.table == table for m in item.values)


def _take_column(r: Reader, item: Item, column: Col) -> None:
    if item.text.lower() in {"cost", "costs"} and compares_next(r):
        column = r.resolver.price(column.table) or column  # what a product costs is its price
    held_by_rows = item.held and r.asked and r.subject_named and not r.columns and not r.ranking
    held_by_rows = held_by_rows and r.lexicon.column(column).nullable and column.table == r.subject and r.peek() is None
    if (not r.scope.negated or _value_follows(r)) and not held_by_rows:
        _refuse_own_key(r, item, column)
    flagged = _is_flag(r, item, column) and (r.measures or _describes(r, column))
    if item.stated and r.asked == "which" and _is_some(r, column):
        r.head = False
        r.compare(column, ">", 0)  # "which students were late": by more than no minutes
        return
    if r.head and not flagged:
        dated = r.lexicon.column(column).kind == "date" or r.resolver.is_year(column)
        comparable = dated or r.resolver.is_numeric(column)
        compared = (comparable and compares_next(r)) or (dated and _period_next(r))
        if (r.next_is("name") and _is_same_column(r, column)) or compared:
            r.pending = column
            r.head = False
            return
        if held_by_rows:
            r.add(Condition(column, "not null"))  # "which members have a phone"
            return
        if item.held and r.measures:
            r.pending, r.head = column, False
            if r.next_is("period") and r.lexicon.column(column).kind != "date":
                r.settle()  # "had a tip last month": the month is when, not what the tip is compared with
            return
        _show(r, item, column)
        return
    if _narrows(r, column):
        return
    if _is_flag(r, item, column) and (
        _describes(r, column) or not r.next_is("compare", "name", "number", "comparative")
    ):
        _take_flag(r, item, column)
        return
    r.settle()
    if r.scope.negated and not _value_follows(r):
        if not r.lexicon.column(column).nullable and r.lexicon.column(column).kind == "number":
            raise NotUnderstood(
                f"Every row has a {r.naming.tell_column(column.table, column.name)}: say which is meant."
            )
        if r.lexicon.is_flat and r.resolver.is_numeric(column) and not r.columns:
            what = r.naming.tell_column(column.table, column.name)
            raise NotUnderstood(f"I did not understand which {what} is meant: say a number, like 0.")
        r.add(Condition(column, "not null"))
        return
    bare = item.some and (r.next_is("in") or not _value_follows(r))
    if bare and r.subject_named and column.table == r.subject and not r.measures:
        zero = r.lexicon.is_flat and r.resolver.holds_zero(column)
        if zero or r.lexicon.column(column).nullable:
            r.add(Condition(column, ">", (0,)) if zero else Condition(column, "not null"))  # "trips with a tip"
            return
    r.pending = column


def _is_some(r: Reader, column: Col) -> bool:
    """Whether a flat file's number that may be 0 is said of its rows, and compared with nothing."""
    ends = r.peek() is None or r.next_is("period", "in", "per", "by", "relative")
    return r.lexicon.is_flat and r.resolver.holds_zero(column) and ends and not compares_next(r)


def _refuse_own_key(r: Reader, item: Item, column: Col) -> None:
    """Decline a column that refers to its own table, as an employee's manager does: its number says nothing."""
    keys = r.lexicon.table(column.table).foreign_keys
    own = any(key.columns == (column.name,) and key.table == column.table for key in keys)
    if own and not item.text.lower().split()[-1].startswith(("id", "number", "no", "code")):
        raise NotUnderstood(f"I can only tell the number of the “{item.text}” yet, not who or what that is.")


def _period_next(r: Reader) -> bool:
    """Whether a period follows, which the column is then about: "hired before 2020"."""
    return r.next_is("period") or (r.next_is("in", "of") and r.next_is("period", ahead=1))


def _show(r: Reader, item: Item, column: Col) -> None:
    """Show a column; "name" shows all columns that a row is called by."""
    label = r.naming.label(column.table)
    named = item.text.lower().endswith(("name", "names")) and column.name == label[0]
    exact = any(m.col == column and m.score >= EXACT for m in item.columns)
    for name in label if named and not exact else (column.name,):
        if Col(column.table, name) not in r.columns:
            r.columns.append(Col(column.table, name))


def _is_same_column(r: Reader, column: Col) -> bool:
    following = r.peek()
    return following is not None and any(m.col == column for m in following.values)


def _value_follows(r: Reader) -> bool:
    here = r.at
    r.skip("verb", "relative", "of", "in", "not")
    item = r.peek()
    found = item is not None and (
        bool(item.values)
        or item.kind in {"compare", "comparative", "number", "between", "like", "period", "unknown"}
        or item.quoted
    )
    r.at = here
    return found


def _narrows(r: Reader, column: Col) -> bool:
    """Whether the column only says what the value before it is: "the Caribbean region"."""
    if not r.scope.filters:
        return False
    last = r.scope.filters[-1]
    before = r.peek(-2)
    return isinstance(last, Condition) and last.column == column and before is not None and bool(before.values)


def _describes(r: Reader, column: Col) -> bool:
    """Whether a yes-or-no column stands beside rows like an adjective: "deleted flags", "which flags are deleted"."""
    before, after = r.peek(-2), r.peek()
    ahead = 0
    while after is not None and (after.kind == "and" or any(r.resolver.yes(m.col) for m in after.columns)):
        ahead += 1
        after = r.peek(ahead)  # "active and verified members"
    if after is not None and after.kind == "name" and r.resolver.table(after) == column.table:
        return True
    after, this = r.peek(), r.peek(-1)
    if this is not None and (_is_before_kind(r, this, after, column) or _is_after_kind(r, this, before, column)):
        return True
    described = before is not None and before.kind == "name" and r.resolver.table(before) == column.table
    return described and not r.columns and (after is None or after.kind not in {"and", "of"})


def _is_before_kind(r: Reader, this: Item, after: Item | None, column: Col) -> bool:
    """Whether one flat file's rows are told apart by a word before what they are of: "returned items"."""
    if after is None or not r.lexicon.is_flat or not r.touches(this, after) or after.values:
        return False
    if not _is_participle(r, this):  # before a noun it may be one itself; before a number it tells which are added
        return any(r.resolver.is_numeric(m.col) for m in after.columns if m.col != column and m.score >= EXACT)
    of_rows = after.kind == "name" and any(m.table == column.table and m.col != column for m in after.columns)
    return of_rows or r.resolver.is_money(after.text)


def _is_after_kind(r: Reader, this: Item, before: Item | None, column: Col) -> bool:
    """Whether a participle says what happened to the things that are asked for: "which products were returned"."""
    if before is None or r.asked != "which" or not _is_participle(r, this) or r.next_is("and", "of"):
        return False
    shown = before.kind == "name" and len(r.columns) == 1 and r.columns[0] != column
    return shown and any(m.col == r.columns[0] for m in before.columns)


def _is_participle(r: Reader, this: Item) -> bool:
    return len(r.lexicon.catalog.tables) == 1 and this.text.lower().endswith("ed")


def _is_flag(r: Reader, item: Item, column: Col) -> bool:
    sure = max((m.score for m in item.columns if m.col == column), default=0.0) >= PART + 0.1
    return sure and bool(r.resolver.yes(column))


def _take_flag(r: Reader, item: Item, column: Col) -> None:
    if column.name.lower().endswith("ed") and not item.text.lower().endswith("ed"):  # "how many did Bea deliver"
        r.assumptions.append(f"Only what is {r.naming.tell_column(column.table, column.name)} is taken.")
    if column.table != r.subject and not r.joins.to_one(r.subject, column.table):
        _enter(r, column.table)  # "no deleted comments": none that is deleted
    r.head = False
    yes = r.resolver.yes(column) or 1
    if not r.scope.negated or r.scope.entity is not None:
        r.compare(column, "=", yes)
        return
    r.scope.negated = False
    r.compare(column, "!=", yes)


def take_unknown(r: Reader) -> None:
    """A word we do not know: a name's value where it is written like one after what it names, else not understood."""
    item = r.take()
    if r.resolver.is_money(item.text):
        r.at -= 1
        measure = take_money(r)
        if r.ranking is not None and r.ranking.by is None:
            rank_by(r, measure)
        elif measure not in r.measures:
            r.measures.append(measure)
        return
    if (
        item.capital
        and table_before(r) is not None
        and not r.lexicon.column(Col(table_before(r) or "", r.naming.label(table_before(r) or "")[-1])).values
    ):
        take_literal(r, item)
        return
    raise r.not_understood(item)
