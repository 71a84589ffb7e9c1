"""Reads comparisons with numbers, with averages and between bounds."""

from __future__ import annotations

from agents.offline.english.times import Period
from agents.offline.english.vocabulary import COMPARATIVES, SOLD
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.meaning.units import kept_in
from agents.offline.plan import (
    COMPARING,
    OPPOSITE,
    Col,
    Condition,
    Function,
    Having,
    Measure,
    Operand,
    Operator,
    Statistic,
)
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_events import event_between
from agents.offline.reading.take_expenses import spent_in_all
from agents.offline.reading.take_measures import beats, compares_next, having
from agents.offline.reading.take_money import main_amount, take_money
from agents.offline.reading.take_times import during


def take_compare(r: Reader) -> None:
    """more than 3 orders; above age 20; rating greater than 4; over the average"""
    word = r.take()
    operator: Operator = word.value
    if word.text == "over" and (after := r.peek()) is not None and after.kind == "period" and after.text.endswith("s"):
        return  # "over the last 12 months": during them
    adjective = COMPARATIVES.get(word.text.split()[0], ("", ""))[1]
    graded = adjective and r.pending is None and r.pending_measure is None and _column_compared(r, adjective)
    _compare(r, word, operator, adjective if graded else "")


def take_comparative(r: Reader) -> None:
    """older than 20; greater weight than 10"""
    word = r.take()
    operator: Operator = word.value[0]
    adjective: str = word.value[1]
    if r.next_is("name") and r.next_is("than", ahead=1):
        item = r.take()
        r.take()
        table = r.resolver.table(item)
        column = r.resolver.column(item, r.context) if item.columns and (table is None or table in r.context) else None
        if column is None:
            raise r.not_understood(word)
        r.pending = column
    _compare(r, word, operator, adjective)


def _compare(r: Reader, word: Item, operator: Operator, adjective: str) -> None:
    r.head = False
    r.skip("of", "than")
    if r.scope.negated and r.scope.entity is None and not r.scope.filters:
        operator, r.scope.negated = OPPOSITE[operator], False
    if r.next_is("name") and r.next_is("number", ahead=1) and (item := r.peek()) and item.columns:
        r.pending = r.resolver.column(item, r.context, numeric=True) or r.pending
        r.take()
    if r.next_is("number"):
        _against_number(r, word, operator, adjective)
    elif r.next_is("aggregate", "superlative") or _is_all(r):
        _against_statistic(r, word, operator, adjective)
    elif r.next_is("period") and adjective == "":
        _against_period(r, operator)
    elif operator in {"=", "!="} and r.next_is("name"):
        r.scope.negated = operator == "!="
    else:
        raise r.not_understood(word)


def _is_all(r: Reader) -> bool:
    item = r.peek()
    return item is not None and item.kind == "name" and item.text.lower() in {"average"}


def _against_number(r: Reader, word: Item, operator: Operator, adjective: str) -> None:
    said = r.take()
    number, kept = _number(said), kept_in(r.lexicon.catalog, said.unit)
    if spent_in_all(r, operator, number):
        return
    if kept is not None and r.pending is None and r.pending_measure is None:
        r.pending = Col(*kept)  # "trips over 20 km": what is kept in kilometres
    if r.next_is("of") and (named := r.peek(1)) is not None and named.tables:
        r.take()  # "more than 6 of our books"
    following = r.peek()
    if r.pending_measure is not None:
        having(r, operator, number)
        return
    if r.pending is not None:
        _add(r, r.pending, operator, number)
        r.pending = None
        return
    unit = following is not None and bool(following.columns) and not following.tables and not following.values
    if following is not None and following.kind == "name" and (not adjective or unit):
        _count_or_amount(r, operator, number, following)
        return
    if r.scope.entity not in (None, r.subject) and not r.scope.filters and not adjective:
        r.scope.operator, r.scope.count = operator, int(number)  # "loaned more than 5 times"
        return
    column = _column_compared(r, adjective)
    verb = r.peek(-3)
    if (
        column is None
        and not adjective
        and (following is None or following.kind in {"period", "relative", "not", "order", "direction"})
    ):
        column = _amount_after_noun(r)
    if column is None and (times := _times_bought(r, verb)) is not None:
        r.scope.entity, r.scope.operator, r.scope.count = times, operator, int(number)
        return
    if column is None and verb is not None and r.resolver.is_money(verb.text) and not r.lexicon.is_flat:
        r.items.insert(r.at, verb)  # "who spent more than 1000"
        r.having.append(Having(take_money(r), operator, (number,)))
        return
    if column is None:
        raise NotUnderstood(f"I do not know what “{word.text} {number}” is about: name the column.")
    _add(r, column, operator, number)
    if adjective == "old" and r.next_is("grain"):
        r.take()  # "older than 20 years"


def _times_bought(r: Reader, verb: Item | None) -> str | None:
    """Return the table of purchases: "customers who bought more than once"."""
    number = r.peek(-1)
    often = number is not None and number.text.lower() in {"once", "twice"}
    if verb is None or verb.stem not in SOLD or not often or r.scope.entity not in (None, r.subject):
        return None
    money = r.resolver.money((r.subject,))
    return money.table if money is not None and money.table != r.subject else None


def _amount_after_noun(r: Reader) -> Col | None:
    """orders over 500: the amount of the things just named"""
    named = next((i for ahead in (-3, -4) if (i := r.peek(ahead)) is not None and i.kind != "relative"), None)
    table = r.resolver.table(named) if named is not None and named.kind == "name" else None
    own = table is not None and table == r.subject and r.scope.entity in (None, r.subject)
    amount = _worth_of_row(r, table) if own and table is not None else None
    if amount is not None:
        what = r.naming.say_table(amount.table)
        r.assumptions.append(f"What {what} are compared by is {amount.table}.{amount.name}.")
    return amount


def _worth_of_row(r: Reader, table: str) -> Col | None:
    line = r.resolver.money_of(table) if r.lexicon.is_flat else None
    brought = Col(table, line.column) if line is not None and line.column and not line.times else None
    return main_amount(r, table) or brought or r.resolver.price(table, only=True)


def _number(item: Item) -> float | int:
    number = float(item.value)
    return int(number) if number.is_integer() else number


def _column_compared(r: Reader, adjective: str) -> Col | None:
    """Return what a bare comparison is about: the adjective's column, or the one averaged or shown."""
    tables = [t for t in (r.scope.entity, r.subject) if t]
    if adjective:
        column = r.resolver.degree(adjective, tables)
        return (
            column if column is not None and r.resolver.is_numeric(column) and not r.resolver.is_birth(column) else None
        )
    numeric = [c for c in r.columns if r.resolver.is_numeric(c)]
    before = [f.column for f in r.scope.filters if isinstance(f, Condition) and f.operator in COMPARING]
    if before:
        return before[-1]
    previous = [
        f.column
        for s in r.scopes
        for f in s.filters
        if isinstance(f, Condition) and f.operator in COMPARING and r.resolver.is_numeric(f.column)
    ]
    known = numeric or previous
    return known[-1] if known else None


def _count_or_amount(r: Reader, operator: Operator, number: float, item: Item) -> None:
    """more than 3 orders (how many there are), more than 100 points (a column)"""
    table = r.resolver.table(item)
    column = r.resolver.column(item, r.context, numeric=True) if item.columns else None
    if column is not None and table is None:
        r.take()
        _add(r, column, operator, number)
        return
    if column is not None and column.table == table != r.subject and beats(item):
        r.take()
        r.having.append(Having(Measure("sum", column.table, column.name), operator, (number,)))  # "100 visitors"
        return
    table = table or r.resolver.table(item, 0.7)
    if table is None:
        raise r.not_understood(item)
    r.take()
    counted = Measure("count", table)
    if table == r.subject and (r.measures or len(r.columns) != 1 or r.naming.key(table) == r.columns[0].name):
        raise r.not_understood(item)
    if table == r.subject:
        r.having.append(Having(counted, operator, (number,)))
        return
    r.open_scope()
    happened = event_between(r, r.subject, table) or table
    r.scope.entity, r.scope.operator, r.scope.count = happened, operator, int(number)


def _add(r: Reader, column: Col, operator: Operator, *values: Operand) -> None:
    if r.lexicon.column(column).kind == "text" and not r.resolver.is_numeric(column):
        raise NotUnderstood(f"{r.naming.tell_column(column.table, column.name)} holds no numbers to compare with.")
    if r.lexicon.column(column).kind == "date":
        raise NotUnderstood(f"{r.naming.tell_column(column.table, column.name)} holds dates: compare it with a date.")
    r.compare(column, operator, *values)


def _against_statistic(r: Reader, word: Item, operator: Operator, adjective: str) -> None:
    """above the average age, higher than the maximum price"""
    item = r.take()
    function: Function = "avg"  # a column called "average" says so as well
    if item.kind == "aggregate":
        function = item.value
    elif item.kind == "superlative":
        function = "max" if item.value[0] else "min"
    if function == "sum":
        raise r.not_understood(item)
    r.skip("of")
    named = r.peek()
    column = (
        r.resolver.column(named, r.context, numeric=True)
        if named is not None and named.kind == "name" and named.columns
        else None
    )
    if column is not None:
        r.take()
    left = r.pending or column or _column_compared(r, adjective)
    if left is None or not r.resolver.is_numeric(left):
        raise NotUnderstood(f"I do not know what “{word.text} {item.text}” is about: name the column.")
    r.pending = None
    right = column or left
    r.skip("of", "in")
    if r.next_is("name") and (owner := r.peek()) and r.resolver.table(owner) == right.table and not owner.values:
        r.take()
    r.compare(left, operator, Statistic(function, right, _of_kind(r, right)))


def _of_kind(r: Reader, column: Col) -> tuple[Condition, ...]:
    """Return what the rows of the statistic are like: "bigger than the average apartment", where that is a value."""
    item = r.peek()
    if item is None or item.kind != "name" or item.columns or item.tables:
        return ()
    kinds = [m for m in item.values if m.table == column.table]
    if len(kinds) != 1:
        raise r.not_understood(item)
    r.take()
    return (Condition(kinds[0].col, "=", (kinds[0].value or "",)),)


def _against_period(r: Reader, operator: Operator) -> None:
    item = r.take()
    period = item.value
    assert isinstance(period, Period)
    ends = {
        ">": Period(period.end, None, item.text),
        ">=": Period(period.start, None, item.text),
        "<": Period(None, period.start, item.text),
    }
    ends["<="] = Period(None, period.end, item.text)
    if operator not in ends:
        raise r.not_understood(item)
    if r.pending is None:  # "sold more than last year": an amount is compared, not a date
        raise NotUnderstood(
            f"I cannot compare with “{item.text}” this way: ask for both, like “this year versus last”."
        )
    during(r, [ends[operator]], both=False)


def take_between(r: Reader) -> None:
    """between 10 and 20"""
    word = r.take()
    low = r.peek()
    if low is None or low.kind != "number" or not r.next_is("number", ahead=2):
        raise r.not_understood(word)
    r.take(), r.take()
    high = r.take()
    assert low is not None
    values = (_number(low), _number(high))
    if r.pending_measure is not None:
        having(r, "between", *values)
        return
    column, r.pending = r.pending or _column_compared(r, "") or _named_column(r), None
    if column is None:
        raise NotUnderstood(f"I do not know what “between {values[0]} and {values[1]}” is about: name the column.")
    r.head = False
    _add(r, column, "between", *values)


def _named_column(r: Reader) -> Col | None:
    item = r.peek()
    if item is None or item.kind != "name" or not item.columns:
        return None
    r.take()
    return r.resolver.column(item, r.context, numeric=True)


def take_number(r: Reader) -> None:
    """age 3; production code 101; 4 stars or more; the 5 customers"""
    item = r.take()
    number = _number(item)
    if r.next_is("or more"):
        operator: Operator = r.take().value
        _against_number(_back(r, item), item, operator, "")
    elif r.next_is("superlative"):
        return  # "the 3 oldest": read with it
    elif r.next_is("aged"):
        _is_aged(r, number)
    elif r.pending is None and r.next_is("name") and _may_be_limit(r, number):
        r.asked_limit = int(number)
    elif (column := _column_before(r)) is not None:
        _equals(r, column, item)
    elif (counted := _column_counted(r)) is not None:
        r.take()
        r.head = False
        r.compare(counted, "=", number)  # "five stars"
    else:
        raise r.not_understood(item)


def _is_aged(r: Reader, number: float) -> None:
    """3 years old"""
    word = r.take()
    column = r.resolver.degree("old", [t for t in (r.just_filtered, r.scope.entity, r.subject) if t])
    if column is None or r.resolver.is_birth(column):
        raise r.not_understood(word)
    r.head = False
    r.compare(column, "=", number)


def _column_before(r: Reader) -> Col | None:
    """Return the column that a number follows, taken back from what is shown."""
    if r.pending is not None:
        column, r.pending = r.pending, None
        return column
    near = (b for b in (r.peek(-2), r.peek(-3)) if b is not None and b.kind not in {"of", "in", "or", "both"})
    before = next(near, None)
    if before is None or before.kind != "name" or not r.columns:
        return None
    return r.columns.pop() if any(m.col == r.columns[-1] for m in before.columns) else None


def _equals(r: Reader, column: Col, item: Item) -> None:
    r.head = False
    operator: Operator = "=" if not (r.scope.negated and r.scope.entity is None) else "!="
    r.scope.negated = r.scope.negated and operator == "="
    value: Operand = _number(item) if r.lexicon.column(column).kind == "number" else item.text
    r.compare(column, operator, value)
    _more_numbers(r, column, operator)


def _column_counted(r: Reader) -> Col | None:
    item = r.peek()
    if item is None or item.kind != "name" or not item.columns or item.tables:
        return None
    return r.resolver.column(item, r.context, numeric=True)


def _more_numbers(r: Reader, column: Col, operator: Operator) -> None:
    """aged 32 or 35: the same column with each number"""
    while operator == "=" and r.next_is("or") and r.next_is("number", ahead=1) and not r.next_is("name", ahead=2):
        r.take()
        item = r.take()
        last = r.scope.filters.pop()
        assert isinstance(last, Condition)
        value: Operand = _number(item) if r.lexicon.column(column).kind == "number" else item.text
        r.compare(column, "in", *last.values, value)


def _may_be_limit(r: Reader, number: float) -> bool:
    """Whether a number before a name says how many are asked for: a ranking follows."""
    later = any(i.kind == "superlative" for i in r.items[r.at :])
    item = r.peek()
    return later and r.head and item is not None and bool(item.tables or item.columns) and number == int(number)


def _back(r: Reader, item: Item) -> Reader:
    r.at -= 1
    r.items[r.at] = item
    return r


def take_worth(r: Reader) -> None:
    """orders worth more than 100: the amount that a row is worth"""
    word = r.take()
    r.pending = r.resolver.degree("worth", r.context)
    r.head = False
    if r.pending is None or not compares_next(r):
        raise r.not_understood(word)
