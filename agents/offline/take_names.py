"""Reads names: what is shown, what it is grouped by, how it is ordered, and the values that filter it."""

from __future__ import annotations

from agents.offline.english import SOLD
from agents.offline.lexicon import EXACT, PART, Meaning
from agents.offline.linking import Item
from agents.offline.plan import Col, Condition, Group, Measure, Order, Related
from agents.offline.reader import Reader
from agents.offline.resolving import NotUnderstood
from agents.offline.take_measures import compares_next, rank_by, take_aggregate, take_count
from agents.offline.take_money import sold_lines, sold_of, take_money


def take_name(r: Reader) -> None:
    item = r.take()
    if r.resolver.is_money(item.text) and not r.measures and all(m.score < EXACT for m in item.meanings):
        r.at -= 1
        take_unknown(r)
        return
    if item.values and not _means_name(r, item):
        _take_value(r, item)
        return
    if item.quoted:
        _take_literal(r, item)
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
    item = r.peek(1)
    if not r.head or not r.next_is("of") or item is None or item.kind != "name":
        return ()
    table = r.resolver.table(item)
    return (table,) if table is not None else ()


def _means_name(r: Reader, item: Item) -> bool:
    """Whether words that are a name as well as a value are meant as the name."""
    if item.quoted:
        return False
    name = max((m.score + 0.1 * m.length for m in (*item.tables, *item.columns)), default=0.0)
    if not name:
        return False
    written_like_a_name = item.capital and item.text.isalpha() and r.at > 1
    return name >= EXACT and not written_like_a_name


def _column_beats_table(r: Reader, item: Item, table: str) -> bool:
    if table == r.subject:
        return False
    own = [m for m in item.columns if m.table == r.subject and m.score >= max(t.score for t in item.tables)]
    return bool(own) and not any(r.joins.to_one(r.subject, table) and m.score < EXACT for m in own)


def _take_table(r: Reader, item: Item, table: str) -> None:
    following = r.peek()
    if following is not None and following.kind == "name" and following.columns and not following.tables and r.head:
        owned = [m for m in following.columns if m.table == table]
        if owned and not following.values:  # "airline names": a column said with its table
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
    if r.head and before is not None and before.kind == "and" and (r.columns or r.subject_named) and not r.measures:
        r.columns.extend(Col(table, name) for name in r.naming.label(table))
        return
    if any(table == m.table for m in r.measures) or any(table == g.table and g.column is None for g in r.groups):
        if not r.scope.negated:
            return
    if (
        r.ranking is not None
        and isinstance(r.ranking.by, Measure)
        and r.ranking.by.table == table
        and not r.scope.negated
    ):
        return
    _enter(r, table)


def _enter(r: Reader, table: str) -> None:
    """Conditions that follow are about rows of this table."""
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


def _value_of(r: Reader, table: str) -> bool:
    """Whether the table's name only says what the value after it is: "in the domain Physics"."""
    item = r.peek()
    return item is not None and any(m.table == table for m in item.values)


def _take_column(r: Reader, item: Item, column: Col) -> None:
    if r.head:
        comparable = r.resolver.is_numeric(column) or r.lexicon.column(column).kind == "date"
        if (r.next_is("name") and _is_same_column(r, column)) or (comparable and compares_next(r)):
            r.pending = column
            r.head = False
            return
        _show(r, item, column)
        return
    if _narrows(r, column):
        return
    if _is_flag(r, item, column) and not r.next_is("compare", "name", "number", "comparative"):
        _take_flag(r, column)
        return
    r.settle()
    if r.scope.negated and not _value_follows(r):
        r.add(Condition(column, "not null"))
        return
    r.pending = column


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


def _is_flag(r: Reader, item: Item, column: Col) -> bool:
    sure = max(m.score for m in item.columns if m.col == column) >= PART + 0.1
    return sure and bool(_yes_value(r, column))


def _yes_value(r: Reader, column: Col) -> object:
    found = r.lexicon.column(column)
    held = {v.strip().lower(): v for v in (found.values or found.samples)}
    if found.kind == "boolean":
        return True
    for yes, no in (("yes", "no"), ("y", "n"), ("t", "f"), ("true", "false")):
        if yes in held and set(held) <= {yes, no}:
            return held[yes]
    words = r.naming.column(column.table, column.name)
    if (
        found.kind == "number"
        and found.distinct in {1, 2}
        and set(held) <= {"0", "1"}
        and words[0] in {"is", "has", "was", "can"}
    ):
        return 1
    return None


def _take_flag(r: Reader, column: Col) -> None:
    r.compare(column, "!=" if r.scope.negated and r.scope.entity is None else "=", _yes_value(r, column))
    if r.scope.negated and r.scope.entity is None:
        r.scope.negated = False


def _take_value(r: Reader, item: Item) -> None:
    near = [m for n in (r.peek(-2), r.peek()) if n is not None and n.kind == "name" for m in (*n.columns, *n.tables)]
    near += [m for m in item.values if r.pending is not None and m.col == r.pending]
    meaning = r.resolver.value(item, r.context, near)
    if meaning is None:
        raise r.not_understood(item)
    _refuse_far_value(r, item, meaning)
    values, both = _more_values(r, meaning)
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
    operator = ("not in" if len(values) > 1 else "!=") if negated else ("in" if len(values) > 1 else "=")
    r.compare(meaning.col, operator, *values)  # type: ignore[arg-type]
    if negated:
        r.scope.negated = False


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
    if path is None or len(path) > 2:
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


def _take_literal(r: Reader, item: Item) -> None:
    """A quoted text that is no known value: it is looked for in the column named just before."""
    column = r.pending or (r.columns[-1] if r.columns and _just_named(r, r.columns[-1]) else None)
    if column is None:
        entity = _table_before(r)
        if entity is None:
            raise NotUnderstood(f"I found nothing called “{item.text}” in this database.")
        column = Col(entity, r.naming.label(entity)[-1])
    if column in r.columns and column != r.pending:
        r.columns.remove(column)
    r.pending = None
    r.head = False
    r.compare(column, "=", item.text)


def _just_named(r: Reader, column: Col) -> bool:
    before = r.peek(-2)
    return before is not None and any(m.col == column for m in before.columns)


def _table_before(r: Reader) -> str | None:
    before = r.peek(-2)
    return r.resolver.table(before) if before is not None and before.kind == "name" else None


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
        and _table_before(r) is not None
        and not r.lexicon.column(Col(_table_before(r) or "", r.naming.label(_table_before(r) or "")[-1])).values
    ):
        _take_literal(r, item)
        return
    raise r.not_understood(item)


def take_verb(r: Reader) -> None:
    item = r.take()
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


def _take_negated_verb(r: Reader, item: Item) -> None:
    """never ordered, not sold, not arrived: no such rows, or no such date"""
    table = r.resolver.table(item)
    dates = [m.col for m in item.columns if m.table == r.subject and r.lexicon.column(m.col).kind == "date"]
    if table is not None and table != r.subject:
        r.scope.entity = table
    elif dates and r.lexicon.column(dates[0]).nullable:
        r.add(Condition(dates[0], "not null"))
        r.open_scope()
    elif item.stem in SOLD and not r.next_is("name", "in", "by", "unknown") and (lines := sold_lines(r)) is not None:
        r.scope.entity = lines


def take_per(r: Reader) -> None:
    """per store, for each month, by make and model"""
    word = r.take()
    r.settle()
    if not r.next_is("name", "grain", "distinct"):
        if word.text in {"each", "every"}:
            return
        raise r.not_understood(word)
    while True:
        r.skip("distinct", "of")
        _take_group(r, word)
        here = r.at
        if not (r.skip("and") and r.next_is("name", "grain") and _may_group(r)):
            r.at = here
            return


def _may_group(r: Reader) -> bool:
    item = r.peek()
    if item is None or item.kind == "grain":
        return item is not None
    after = r.peek(1)
    return not item.values and not (after is not None and after.kind in {"compare", "comparative"})


def _take_group(r: Reader, word: Item) -> None:
    item = r.take()
    if item.kind == "grain":
        r.groups.append(_time_group(r, str(item.value)))
        return
    context = tuple(dict.fromkeys((*(m.table for m in r.measures), r.subject)))
    table = r.resolver.table(item)
    if table is not None and (following := r.peek()) is not None and following.kind == "name":
        part = r.resolver.table(following) if r.touches(item, following) else None
        if part is not None and part != table and r.joins.to_one(table, part):
            item, table = r.take(), part  # "product category"
    column = r.resolver.column(item, context) if item.columns else None
    if column is not None and (table is None or _group_column_wins(r, item, column, table)):
        if not _owner_of(r, column):
            r.resolver.mentioned.append(column.table)
        r.groups.append(_column_group(r, column))
    elif table is not None and word.text.startswith("across") and any(m.table == table for m in r.measures):
        return  # "across all shops": over them, not for each
    elif table is not None:
        if (
            r.next_is("name")
            and (following := r.peek())
            and r.touches(item, following)
            and any(m.table == table for m in following.columns)
            and not following.tables
        ):
            _take_group(r, word)
            return
        r.groups.append(r.entity_group(table))
        r.subject_named = r.subject_named or table == r.subject
    elif item.value is not None:
        r.groups.append(_time_group(r, str(item.value)))
    else:
        raise r.not_understood(item)


def _group_column_wins(r: Reader, item: Item, column: Col, table: str) -> bool:
    best = max(m.score + 0.3 * m.owned for m in item.columns if m.col == column)
    return best > EXACT or (
        column.table == r.subject and best >= EXACT and table != r.subject and r.lexicon.column(column).kind == "text"
    )


def _column_group(r: Reader, column: Col) -> Group:
    """Return the group of a column; a key stands for the rows of its table."""
    for key in r.lexicon.table(column.table).foreign_keys:
        if key.columns == (column.name,):
            return Group(column.table, column.name)
    if r.lexicon.column(column).kind == "date":
        return Group(column.table, column.name, "day")
    return Group(column.table, column.name)


def _owner_of(r: Reader, column: Col) -> bool:
    """Step over "of pet" in "each type of pet"."""
    if r.next_is("of") and (following := r.peek(1)) is not None and following.kind == "name":
        table = r.resolver.table(following)
        if table == column.table:
            r.at += 2
            r.resolver.mentioned.append(table)
            return True
    return False


def _time_group(r: Reader, grain: str) -> Group:
    tables = tuple(dict.fromkeys((*(m.table for m in r.measures), *r.context)))
    column = r.resolver.date_near(tables, r.verb)
    if column is None:
        raise NotUnderstood(f"I found no dates in this database to group by {grain}.")
    if r.lexicon.column(column).kind != "date":
        if grain != "year":
            raise NotUnderstood(f"{r.naming.say_table(column.table)} only know their year, not the {grain}.")
        return Group(column.table, column.name)
    return Group(column.table, column.name, grain)  # type: ignore[arg-type]


def take_by(r: Reader) -> None:
    """by: a group, a rank's measure, or nothing but a verb's preposition"""
    r.take()
    item = r.peek()
    if r.ranking is not None and r.ranking.by is None:
        _rank_by_next(r)
        return
    only_value = item is not None and bool(item.values) and not item.tables and not item.columns
    if item is None or only_value or item.kind in {"per", "superlative", "compare", "relative", "verb"}:
        return
    if r.sorts:
        r.sorts = False
        r.at -= 1
        take_order(r)
        return
    before = r.peek(-2)
    after_verb = before is not None and before.kind == "verb"
    grouping = item.kind == "grain" or (item.kind == "name" and bool(r.measures) and not after_verb)
    table = r.resolver.table(item) if item.kind == "name" else None
    own = table == r.subject and all(m.table == table for m in r.measures)
    if grouping and not (table is not None and (_describes_more(r) or own)):
        r.at -= 1
        take_per(r)


def _describes_more(r: Reader) -> bool:
    """Whether the table after "by" goes on into a condition: "by users who joined"."""
    return r.next_is("relative", "not", "comparative", "compare", ahead=1)


def _rank_by_next(r: Reader) -> None:
    if r.next_is("count"):
        take_count(r)
        return
    if r.next_is("aggregate"):
        take_aggregate(r)
        return
    item = r.peek()
    if item is None or item.kind not in {"name", "verb", "unknown"}:
        raise NotUnderstood("I did not understand what to rank by.")
    column = r.resolver.column(item, r.context, numeric=True) if item.columns else None
    table = r.resolver.table(item)
    if column is not None and not (r.resolver.is_money(item.text) and table):
        r.take()
        rank_by(r, column)
    elif r.resolver.is_money(item.text):
        rank_by(r, take_money(r))
    elif table is not None:
        r.take()
        rank_by(r, sold_of(r, Measure("count", table)))
    else:
        raise r.not_understood(item)


def take_order(r: Reader) -> None:
    """ordered by X descending"""
    first = r.take()
    if r.at == 1 and not r.next_is("by") and not first.text.endswith("by"):
        r.sorts = True  # "Sort the names by age": what it is sorted by comes later
        return
    r.settle()
    r.head = False
    r.skip("by", "in", "of", "per")
    descending = _direction(r)
    r.skip("by", "of")
    while r.next_is("name", "count", "aggregate", "verb", "superlative", "grain"):
        by = _order_key(r)
        descending = _direction(r) if descending is None else descending
        r.order.append(Order(by, bool(descending)))
        here = r.at
        if not (r.skip("and") and r.next_is("name", "count", "aggregate")):
            r.at = here
            break
    if not r.order:
        r.descending = bool(descending)


def _direction(r: Reader) -> bool | None:
    r.skip("in")
    if r.next_is("direction"):
        return bool(r.take().value == "desc")
    return None


def _order_key(r: Reader) -> Col | Measure | Group:
    item = r.peek()
    assert item is not None
    if item.kind in {"count", "aggregate"}:
        kept, ranking = list(r.measures), r.ranking
        r.ranking = None
        r.measures = []
        was_head, r.head = r.head, True
        (take_count if item.kind == "count" else take_aggregate)(r)
        measure, r.measures, r.ranking, r.head = r.measures[0], kept, ranking, was_head
        return next(
            (m for m in kept if m.function in {measure.function, "count", "distinct"} and m.table == measure.table),
            measure,
        )
    r.take()
    owner = r.resolver.table(item)
    if owner is not None and r.next_is("name") and (following := r.peek()) and following.columns:
        r.resolver.mentioned.append(owner)
        return _order_key(r)
    column = r.resolver.column(item, r.context) if item.columns else None
    if column is not None:
        grouped = next((g for g in r.groups if g.column == column.name and g.table == column.table), None)
        averaged = next((m for m in r.measures if m.table == column.table and m.column == column.name), None)
        return grouped or averaged or column
    if item.value is not None or item.kind == "grain":
        grouped = next((g for g in r.groups if g.grain or g.column), None)
        if grouped:
            return grouped
    if owner is not None:
        return next((g for g in r.groups if g.table == owner), Col(owner, r.naming.label(owner)[0]))
    raise r.not_understood(item)


def take_direction(r: Reader) -> None:
    """A direction on its own: of the last order, or of what follows ("in descending order of age")."""
    item = r.take()
    if r.order and not item.text.endswith("of"):
        last = r.order.pop()
        r.order.append(Order(last.by, item.value == "desc"))
        return
    r.at -= 1
    r.items.insert(r.at, Item("order", item.text))
    take_order(r)
