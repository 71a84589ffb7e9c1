"""Reads what rows are grouped by, what they are ranked by, and the order they come in."""

from __future__ import annotations

from agents.offline.english.vocabulary import ADJECTIVES, NOT_ADDED, SOLD, SUPERLATIVES
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT
from agents.offline.meaning.resolving import AskedBack, NotUnderstood, stem_of_adjective
from agents.offline.meaning.units import unit_of
from agents.offline.plan import Col, Grain, Group, Measure, Order
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_measures import is_key, rank_by, take_aggregate, take_count
from agents.offline.reading.take_money import is_added, sold_of, take_money

_SPREAD = frozenset("distribut vary vari differ split spread divid".split())
"""Stems of verbs that ask for a number of each: "how does revenue vary by store"."""


def take_per(r: Reader) -> None:
    """per store, for each month, by make and model"""
    word = r.take()
    r.settle()
    if not r.next_is("name", "grain", "distinct"):
        if word.text in {"each", "every", "of each", "to each", "for each"} and (r.measures or r.groups or r.columns):
            return
        raise r.not_understood(word)
    if "every" in word.text and r.verb_said and not r.measures:
        raise NotUnderstood("I cannot find what belongs to every one of them yet.")
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
    named = bool(item.tables or item.columns) or not item.values
    return named and not (after is not None and after.kind in {"compare", "comparative"})


def _take_group(r: Reader, word: Item) -> None:
    item = r.take()
    if item.kind == "grain":
        r.groups.append(_time_group(r, item.value))
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
        if word.text == "per" and unit_of(column.name) and r.resolver.is_numeric(column):
            what = r.naming.tell_column(column.table, column.name)
            raise NotUnderstood(f"I cannot divide by the {what} yet: ask for both numbers side by side.")
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
        if r.next_is("of") and (own := r.peek(1)) is not None and _is_own_column(own, table):
            r.take()  # "by the members' city"
            _take_group(r, word)
            return
        r.groups.append(r.entity_group(table))
        r.subject_named = r.subject_named or table == r.subject
    elif item.value is not None:
        r.groups.append(_time_group(r, item.value))
    else:
        raise r.not_understood(item)


def _is_own_column(item: Item, table: str) -> bool:
    return item.kind == "name" and not item.tables and any(m.table == table and m.score >= EXACT for m in item.columns)


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


def _time_group(r: Reader, grain: Grain) -> Group:
    tables = tuple(dict.fromkeys((*(m.table for m in r.measures), *r.context)))
    column = r.resolver.date_near(tables, r.verb)
    if column is None:
        raise NotUnderstood(f"I found no dates in this database to group by {grain}.")
    if r.lexicon.column(column).kind != "date":
        if grain != "year":
            raise NotUnderstood(f"{r.naming.say_table(column.table)} only know their year, not the {grain}.")
        return Group(column.table, column.name)
    if grain == "hour" and not _holds_time(r, column):
        what = r.naming.tell_column(column.table, column.name)
        raise NotUnderstood(f"The {what} of {r.naming.say_table(column.table)} is only a day, without the hour.")
    return Group(column.table, column.name, grain)


def _holds_time(r: Reader, col: Col) -> bool:
    column = r.lexicon.column(col)
    times = [s[11:19] for s in column.samples]
    return column.type.lower() != "date" and (not times or any(t not in {"", "00:00:00"} for t in times))


def take_by(r: Reader) -> None:
    """by: a group, a rank's measure, or nothing but a verb's preposition"""
    r.take()
    item = r.peek()
    if r.next_is("rate"):
        return
    if r.ranking is not None and r.ranking.by is None:
        _rank_by_next(r)
        return
    only_value = item is not None and bool(item.values) and not item.tables and not item.columns
    if _is_money_next(r) and _lists_rows(r):
        r.measures.append(take_money(r))
        r.order.append(Order(r.measures[0], descending=True))
        return
    if item is None or only_value or item.kind in {"per", "superlative", "compare", "relative", "verb"}:
        return
    if r.sorts:
        r.sorts = False
        r.at -= 1
        take_order(r)
        return
    before = r.peek(-2)
    after_verb = before is not None and before.kind == "verb" and not (_adds_up(r) and before.stem in SOLD)
    after_verb = after_verb and before is not None and before.stem not in _SPREAD and not _heads_a_row(r, item)
    _refuse_second_rank(r, item)
    computes = bool(r.measures) or r.versus or _adds_up(r)
    grouping = item.kind == "grain" or (item.kind == "name" and computes and not after_verb)
    table = r.resolver.table(item) if item.kind == "name" else None
    own = table == r.subject and all(m.table == table for m in r.measures) and not _adds_up(r)
    grouping = grouping or (item.kind == "name" and _heads_a_table(r, item))
    if grouping and not (table is not None and (_describes_more(r) or own)):
        r.at -= 1
        take_per(r)
    else:
        _refuse_unclear_number(r, item)


def _lists_rows(r: Reader) -> bool:
    """Whether nothing but rows were named before "by": "list our stores by revenue"."""
    before = r.peek(-2)
    named = before is not None and before.kind == "name" and r.resolver.table(before) == r.subject
    return named and r.at == 2 and not (r.measures or r.columns or r.groups)


def _heads_a_row(r: Reader, item: Item) -> bool:
    """Whether "handled by employee" ends the question: each of them, as nobody else is named."""
    one = singular(item.text.lower()) == item.text.lower() and not item.capital and r.resolver.table(item) is not None
    after = r.peek(1)
    return one and (after is None or after.kind in {"period", "order", "direction"})


def _adds_up(r: Reader) -> bool:
    """Whether one number that is always added is all that is asked for: "units sold by category"."""
    number = _only_number(r)
    return number is not None and is_added(r, number)


def _only_number(r: Reader) -> Col | None:
    shown = r.columns if r.pending is None else [*r.columns, r.pending]
    alone = len(shown) == 1 and not r.measures and r.resolver.is_numeric(shown[0]) and not is_key(r, shown[0])
    return shown[0] if alone else None


def _refuse_unclear_number(r: Reader, item: Item) -> None:
    """Decline "discount by shop": nobody can tell whether it is added up or averaged."""
    number, bare = _only_number(r), all(i.kind in {"name", "by"} for i in r.items[: r.at])
    if not bare or number is None or item.kind != "name" or item.values:
        return
    column = r.resolver.column(item, r.context) if item.columns else None
    kinds = column is not None and r.lexicon.column(column).kind == "text"
    kinds = kinds and column is not None and column.name not in r.naming.label(column.table)
    if kinds or r.resolver.table(item) not in (None, number.table):
        what = r.naming.tell_column(number.table, number.name)
        single = NOT_ADDED & set(r.naming.column(number.table, number.name))
        which = "the average, the highest or the lowest" if single else "the total or the average"
        raise AskedBack(f"Say whether {which} {what} by “{item.text}” is meant.", number)


def _heads_a_table(r: Reader, item: Item) -> bool:
    """Whether a question is but the heading of a table of counts: "Orders by channel?"."""
    first = r.items[0]
    bare = first.position == 0 and r.at == 2 and r.resolver.table(first) == r.subject and not first.values
    if not bare or r.columns or r.verb_said:
        return False
    column = r.resolver.column(item, r.context) if item.columns else None
    kept_apart = column is not None and r.lexicon.column(column).kind in {"text", "boolean"}
    return kept_apart or r.resolver.table(item) not in (None, r.subject)


def _refuse_second_rank(r: Reader, item: Item) -> None:
    """Decline "the most sold … by price": ranked by how often and by a number at once."""
    if r.ranking is None or item.kind != "name" or item.values or not item.columns:
        return
    if max((m.score for m in item.tables), default=0.0) >= max(m.score for m in item.columns):
        return
    column = r.resolver.column(item, r.context, numeric=True)
    if column is not None and not r.resolver.is_year(column) and r.resolver.yes(column) is None:
        raise NotUnderstood(f"I did not understand whether to rank by “{item.text}” or by what was said before it.")


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
    exact = any(m.score >= EXACT for m in item.columns)
    if column is not None and not (r.resolver.is_money(item.text) and (table or (r.groups and not exact))):
        r.take()
        r.refuse_unclear_sum(column, item)
        if r.groups and not r.subject_named and r.ranking is not None:
            r.ranking.summed = r.ranking.summed or is_added(r, column)  # "the best day by revenue"
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
    while r.next_is("name", "count", "aggregate", "verb", "superlative", "grain") or _is_money_next(r):
        by = _order_key(r)
        descending = _direction(r) if descending is None else descending
        number = isinstance(by, Measure) or (isinstance(by, Col) and r.resolver.is_numeric(by))
        greatest_first = number and r.items[0].text.startswith("rank")
        r.order.append(Order(by, greatest_first if descending is None else descending))
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


def _is_money_next(r: Reader) -> bool:
    item = r.peek()
    return item is not None and item.kind == "unknown" and r.resolver.is_money(item.text)


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
    if _is_money_next(r):
        return take_money(r)
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
    word = next((w for w in item.text.split() if w in SUPERLATIVES), "")
    if word and not r.next_is("name"):
        _order_by_degree(r, word, item)
        return
    r.at -= 1
    r.items.insert(r.at, Item("order", item.text))
    take_order(r)


def _order_by_degree(r: Reader, word: str, item: Item) -> None:
    """oldest first: by the adjective's column; highest first: by what is computed"""
    greatest, adjective = SUPERLATIVES[word]
    adjective = "serving" if "serving" in item.text else adjective
    graded = stem_of_adjective(item.text.split()[1]) if word in {"most", "least"} else ""
    if graded in ADJECTIVES:
        greatest, adjective = ADJECTIVES[graded][0] == greatest, graded
    r.settle()
    r.head = False
    if not adjective:
        r.descending, r.alphabetic = item.value == "desc", False
        return
    column = r.resolver.degree(adjective, r.context[:1]) or r.resolver.degree(adjective, r.context)
    if adjective in {"old", "young"} and (column is None or column.table != r.subject):
        column = r.resolver.date(r.subject) or r.resolver.year(r.subject) or column
    if column is None and len(numbers := [c for c in r.columns if r.resolver.is_numeric(c)]) == 1:
        column = numbers[0]  # "lead time per supplier, longest first"
    if column is None:
        raise r.not_understood(item)
    turned = r.resolver.counts_back(column) and adjective in {"old", "young", "serving"}
    if r.columns == [column] and r.subject_named:
        r.columns[:0] = [Col(r.subject, name) for name in r.naming.label(r.subject)]
    r.order.append(Order(column, greatest != turned))
