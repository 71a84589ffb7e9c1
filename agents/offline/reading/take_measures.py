"""Reads what is computed: counts, sums and averages, and what ranks first."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.vocabulary import GRADES
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import COMPARING, Col, Condition, Function, Having, Measure, Operand, Operator, Pick
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import called_amount, main_amount, sold_of, take_money
from agents.offline.reading.values_before import values_before

EXTREMES = frozenset({"minimum", "maximum", "highest", "lowest", "largest", "smallest"})
_GIVEN = GRADES - {"star"}
_COMPARING = ("compare", "comparative", "between")


def take_count(r: Reader) -> None:
    """how many X, the number of X"""
    counted = r.take()
    distinct = r.skip("distinct", "of")
    if r.next_is("per") and r.peek(1) is None and r.subject_named and not r.measures:
        raise r.not_understood(counted)  # "which sailors have rented, and how many each"
    values = values_before(r)
    named_before = r.subject_named
    measure = _counted(r, counted, distinct)
    measure = sold_of(r, measure)
    r.items[r.at : r.at] = values  # "how many French singers": the value is a condition like any other
    if r.ranking is not None and r.ranking.by is None:
        rank_by(r, measure)
    elif (not r.head or named_before) and not r.pending and compares_next(r):
        r.pending_measure = measure
    else:
        r.measures.append(measure)


def _counted(r: Reader, counted: Item, distinct: bool) -> Measure:
    item = r.peek()
    if item is None or item.kind not in {"name", "verb"}:
        return Measure("count", r.subject)
    table = r.resolver.table(item) or (r.resolver.table(item, 0.7) if not item.columns else None)
    column = r.resolver.column(item, r.context) if item.columns else None
    if column is not None and (table is None or beats(item)):
        r.take()
        if r.lexicon.column(column).kind == "date" and not distinct:
            r.verb = item  # "employees hired": when, not what
            return Measure("count", column.table)
        if not distinct and (yes := r.resolver.yes(column)) is not None and not compares_next(r):
            r.compare(column, "=", yes)  # "how many admins": the rows that are one
            r.subject_named = r.subject_named or column.table == r.subject
            return Measure("count", column.table)
        if r.resolver.is_numeric(column) and not distinct and compares_next(r):
            r.pending = column  # "how many books cost more than 10"
            return Measure("count", column.table)
        if _GIVEN & set(r.naming.column(column.table, column.name)) and r.resolver.is_numeric(column) and not distinct:
            r.add(Condition(column, "not null"))
            return Measure("count", column.table)  # "how many grades": they are counted, not added up
        if r.resolver.is_numeric(column) and not distinct and not is_key(r, column):
            return Measure("sum", column.table, column.name)
        _owner_after(r, column)
        if distinct:
            _more_distinct(r)
        return Measure("distinct", column.table, column.name)
    if table is not None:
        r.take()
        r.subject_named = r.subject_named or table == r.subject
        return Measure("count", table)
    if item.kind == "verb" and r.touches(counted, item):
        raise r.not_understood(item)  # "how many visits": a thing here, not what somebody does
    if item.kind == "verb" or item.values:
        return Measure("count", r.subject)
    raise r.not_understood(item)


def _more_distinct(r: Reader) -> None:
    """different series and contents: each is counted"""
    while r.head and r.next_is("and") and (item := r.peek(1)) is not None and item.kind == "name" and item.columns:
        column = r.resolver.column(item, r.context)
        if column is None or item.tables or item.values:
            return
        r.at += 2
        r.measures.append(Measure("distinct", column.table, column.name))


def beats(item: Item) -> bool:
    """Whether the column is meant although a table has the same name: it is the subject's own."""
    best_table = max(m.score for m in item.tables)
    return max(m.score + (0.02 if m.length > 1 else 0) for m in item.columns) > best_table


def is_key(r: Reader, column: Col) -> bool:
    return r.naming.key(column.table) == column.name or any(
        column.name in key.columns for key in r.lexicon.table(column.table).foreign_keys
    )


def _owner_after(r: Reader, column: Col) -> None:
    """Step over "of pets" after "types"."""
    if r.next_is("of") and r.next_is("name", ahead=1):
        following = r.peek(1)
        if following is not None and r.resolver.table(following) == column.table:
            r.at += 2


def take_aggregate(r: Reader) -> None:
    """average X, minimum and maximum X, total X"""
    take_functions(r, [_function(r)])


def take_functions(r: Reader, functions: list[Function]) -> None:
    while True:
        here = r.at
        r.skip("and")
        if r.next_is("aggregate"):
            functions.append(_function(r))
            continue
        item = r.peek()
        if item is not None and item.text in EXTREMES and here != r.at:
            functions.append("max" if r.take().value[0] else "min")
            continue
        r.at = here
        break
    r.skip("of", "aggregate")
    before = r.peek(-2)
    closes = r.peek() is None or (before is not None and before.kind == "in" and before.text == "in")
    if closes and r.measures and functions == ["sum"]:
        return  # "how many … in total"
    if functions == ["avg"] and not r.measures and (_averages_what_was_named(r) or _averages_what_was_compared(r)):
        return
    _finish_measures(r, functions)


def _averages_what_was_named(r: Reader) -> bool:
    """what does a book cost on average: the number is named before"""
    said = r.peek(-1)
    if said is None or said.text != "on average" or not (r.peek() is None or r.next_is("per", "by", "period", "in")):
        return False
    column = r.pending or (r.columns[-1] if len(r.columns) == 1 else None)
    if column is None or not r.resolver.is_numeric(column) or is_key(r, column):
        return False
    r.pending, r.columns = None, [c for c in r.columns if c != column]
    r.measures.append(Measure("avg", column.table, column.name))
    return True


def _averages_what_was_compared(r: Reader) -> bool:
    """which room types cost more than 150 on average: the number of each group's rows, not of each row"""
    said, last = r.peek(-1), r.scope.filters[-1] if r.scope.filters else None
    if said is None or said.text != "on average" or not isinstance(last, Condition) or last.operator not in COMPARING:
        return False
    if not r.resolver.is_numeric(last.column) or any(not isinstance(v, int | float) for v in last.values):
        return False
    rows = r.subject_named and last.column.table == r.subject and not r.columns and not r.groups
    if rows or any(is_key(r, c) or c.name in r.naming.label(c.table) for c in r.columns if c.table == r.subject):
        raise r.not_understood(said)
    r.scope.filters.pop()
    r.having.append(Having(Measure("avg", last.column.table, last.column.name), last.operator, last.values))
    return True


def _function(r: Reader) -> Function:
    function: Function = r.take().value
    return function


def _finish_measures(r: Reader, functions: list[Function]) -> None:
    found = [_measure(r, function, r.at) for function in functions[:1]]
    first = found[0]
    second_noun(r, first)
    found += [Measure(f, first.table, first.column, first.times) for f in functions[1:]]
    if r.ranking is not None and r.ranking.by is None:
        rank_by(r, first)
    elif (not r.head or r.subject_named or r.columns) and not r.pending and compares_next(r):
        r.pending_measure = first
    else:
        r.measures.extend(found)
        _more_columns(r, functions)


def second_noun(r: Reader, measure: Measure) -> None:
    """Step over "rating" of "star rating", which says no more than the stars do; decline another table's number."""
    before, item = r.peek(-1), r.peek()
    if before is None or item is None or measure.column is None or item.kind != "name" or not r.touches(before, item):
        return
    if before.tables or not item.columns or item.values:
        return
    words = set(r.naming.column(measure.table, measure.column))
    elsewhere = r.resolver.table(item) is None and all(m.table != measure.table for m in item.columns)
    if GRADES & words and singular(item.text.lower()) in GRADES:
        r.take()
    elif elsewhere and not r.resolver.is_money(item.text):
        raise r.not_understood(item)


def _more_columns(r: Reader, functions: list[Function]) -> None:
    """average weight and age: the second column is averaged too, where nothing else claims it."""
    while r.head and r.next_is("and") and r.next_is("name", ahead=1):
        item = r.peek(1)
        assert item is not None
        column = r.resolver.column(item, r.context, numeric=True) if item.columns and not item.tables else None
        after = r.peek(2)
        if column is None or not _is_plain_number(r, column) or (after is not None and after.kind == "name"):
            return
        r.at += 2
        r.measures.extend(Measure(f, column.table, column.name) for f in functions)


def _is_plain_number(r: Reader, column: Col) -> bool:
    words = r.naming.column(column.table, column.name)
    return "year" not in words


def _measure(r: Reader, function: Function, at: int) -> Measure:
    r.skip("distinct")
    item = r.peek()
    if item is None:
        raise NotUnderstood("I did not understand what should be computed.")
    if item.kind == "count":
        return _of_count(r, function)
    if item.kind == "days" and function in {"avg", "min", "max", "median"}:
        days = r.take().value
        assert isinstance(days, Measure)
        return replace(days, function=function)
    if item.kind == "amount":
        return _worth(r, function)
    if item.kind in {"name", "verb"} and (found := _of_column(r, function, item) or _of_table(r, function, at, item)):
        return found
    if item.kind in {"name", "verb", "unknown"} and r.resolver.is_money(item.text):
        return take_money(r, function)
    raise r.not_understood(item) if item.kind in {"unknown", "name"} else _nested(item)


def _of_count(r: Reader, function: Function) -> Measure:
    """total number of singers; the average number of pages, where a column holds it"""
    item = r.take()
    r.skip("distinct")
    if function == "sum":
        values = values_before(r)  # "total amount of open invoices"
        found = (item.text == "amount of" and _amount_of(r)) or _counted(r, item, False)
        r.items[r.at : r.at] = values
        return found
    named = r.peek()
    column = r.resolver.column(named, r.context, numeric=True) if named is not None and named.columns else None
    if column is None and function == "avg" and any(i.kind == "per" for i in r.items[r.at :]):
        return replace(_counted(r, item, False), function=function)
    if column is None:
        raise _nested(item)
    r.take()
    return Measure(function, column.table, column.name)


def _of_column(r: Reader, function: Function, item: Item) -> Measure | None:
    if not item.columns and not item.tables:
        return None
    column = r.resolver.column(item, r.context, numeric=function not in {"min", "max"})
    if column is None or (r.resolver.is_money(item.text) and item.tables):
        return None
    r.take()
    _owner_after(r, column)
    return Measure(function, column.table, column.name)


def _of_table(r: Reader, function: Function, at: int, item: Item) -> Measure | None:
    """sales amount, visit duration, the average invoice, the total of fees: what is computed of a table's rows"""
    table, following = r.resolver.table(item), r.peek(1)
    if table is None:
        return None
    if following is not None and following.kind == "name" and following.columns:
        return _of_its_column(r, function, at, table, following)
    if function == "avg" and following is not None and following.kind == "per" and _is_counted(r, item):
        r.take()
        return Measure("avg", table)  # "average orders per customer": how many
    if function in {"avg", "median"} and (worth := _worth_of_one(r, item, table)) is not None:
        return Measure(function, table, worth.name)
    if function != "sum" or r.resolver.is_money(item.text):
        return None
    before = r.peek(-1)
    adds = before is not None and (before.kind == "of" or before.text == "sum of")
    r.take()
    amount = main_amount(r, table) if adds else None
    return Measure("sum", table, amount.name) if amount is not None else Measure("count", table)


def _of_its_column(r: Reader, function: Function, at: int, table: str, following: Item) -> Measure:
    r.take()
    r.resolver.mentioned.append(table)
    own = any(m.table == table for m in following.columns)
    costs = r.resolver.is_money(following.text) or following.stem == "cost"
    money = r.resolver.money_of(table) if not own and costs else None
    if money is not None:
        r.take()  # "sales amount": what the sales brought in, not another table's amount
        return replace(money, function=function)
    found = _measure(r, function, at)
    if not own and not _tied(r, table, found.table):
        raise r.not_understood(following)  # "visit duration": not that of a class, which no visit is of
    return found


def _is_counted(r: Reader, item: Item) -> bool:
    return singular(item.text.lower()) != item.text.lower() and not r.resolver.is_money(item.text)


def _tied(r: Reader, one: str, other: str) -> bool:
    return r.joins.to_one(one, other) or r.joins.to_one(other, one)


def _worth_of_one(r: Reader, item: Item, table: str) -> Col | None:
    """the average invoice: the average of what one amounts to"""
    amount = main_amount(r, table)
    if amount is None or singular(item.text.lower()) != item.text.lower():
        return None
    if r.naming.column(table, amount.name)[-1] not in {"amount", "total", "value", "sum"}:
        return None
    r.take()
    return amount


def _worth(r: Reader, function: Function) -> Measure:
    """total value of the orders: the amount that each of them is worth"""
    word = r.take()
    r.skip("of")
    item = r.peek()
    table = r.resolver.table(item) if item is not None and item.kind == "name" else None
    column = r.resolver.degree("worth", (table,)) if table is not None else None
    if column is None:
        raise r.not_understood(word)
    return Measure(function, column.table, column.name)


def _amount_of(r: Reader) -> Measure | None:
    """the total amount of fees: their amounts, where they have one"""
    named = r.peek()
    table = r.resolver.table(named) if named is not None and named.kind == "name" else None
    amount = (main_amount(r, table) or called_amount(r, table)) if table is not None else None
    if amount is None:
        return None
    r.take()
    return Measure("sum", amount.table, amount.name)


def _nested(item: Item) -> NotUnderstood:
    return NotUnderstood(f"I cannot compute an average, minimum or maximum of “{item.text}” yet.")


def rank_by(r: Reader, by: Col | Measure) -> None:
    """Rank the subject, or pick the one row of a clause's table that is first."""
    ranking = r.ranking
    assert ranking is not None
    ranking.by = by
    entity = r.scope.entity
    own = isinstance(by, Col) and entity is not None and by.table == entity
    if entity and entity != r.subject and r.measures and (own or isinstance(by, Measure)) and not r.groups:
        r.scope.filters.append(Pick(entity, by, ranking.descending))
        r.ranking = None


def compares_next(r: Reader) -> bool:
    here = r.at
    while r.next_is("verb", "in", "not") or (r.next_is("relative") and not _opens_with(r.peek())):
        r.at += 1
    r.at += r.next_is("of") and (r.next_is("compare", ahead=1) or r.next_is("or more", ahead=2))  # "a price of over 50"
    found = r.next_is(*_COMPARING) or (r.next_is("number") and r.next_is("or more", ahead=1))
    r.at = here
    return found


def _opens_with(item: Item | None) -> bool:
    """Whether a clause goes on to other rows: "years with more than one plot" compares no year."""
    return item is not None and item.text in {"with", "having", "where"}


def having(r: Reader, operator: Operator, *values: Operand) -> None:
    measure = r.pending_measure
    assert measure is not None
    r.having.append(Having(measure, operator, values))
    r.pending_measure = None
