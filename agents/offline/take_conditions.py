"""Reads conditions: comparisons, ranges, times, texts, missing values, and clauses that must not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agents.offline.linking import Item
from agents.offline.plan import AnyOf, Col, Condition, During, Filter, Having, Measure, Operator, Related, Statistic
from agents.offline.reader import Reader
from agents.offline.resolving import NotUnderstood
from agents.offline.take_measures import compares_next, having
from agents.offline.times import Period

_OPPOSITE: dict[str, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "!=", "!=": "="}


def take_compare(r: Reader) -> None:
    """more than 3 orders; above age 20; rating greater than 4; over the average"""
    word = r.take()
    operator: Operator = word.value  # type: ignore[assignment]
    _compare(r, word, operator, "")


def take_comparative(r: Reader) -> None:
    """older than 20; greater weight than 10"""
    word = r.take()
    operator, adjective = word.value  # type: ignore[misc]
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
        operator, r.scope.negated = _OPPOSITE[operator], False
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
    number = _number(r.take())
    following = r.peek()
    if r.pending_measure is not None:
        having(r, operator, number)
        return
    if r.pending is not None:
        column, r.pending = r.pending, None
        _add(r, column, operator, number)
        return
    if following is not None and following.kind == "name" and not adjective:
        _count_or_amount(r, operator, number, following)
        return
    column = _column_compared(r, adjective)
    if column is None:
        raise NotUnderstood(f"I do not know what “{word.text} {number}” is about: name the column.")
    _add(r, column, operator, number)
    if following is not None and following.kind == "name" and following.text.lower() in {"old"}:
        r.take()


def _number(item: Item) -> float | int:
    number = float(item.value)  # type: ignore[arg-type]
    return int(number) if number.is_integer() else number


def _column_compared(r: Reader, adjective: str) -> Col | None:
    """Return what a bare comparison is about: the adjective's column, or the one averaged or shown."""
    tables = [t for t in (r.scope.entity, r.subject) if t]
    if adjective:
        return r.resolver.degree(adjective, tables)
    numeric = [c for c in r.columns if r.resolver.is_numeric(c)]
    before = [f.column for f in r.scope.filters if isinstance(f, Condition) and f.operator in _OPPOSITE]
    if before:
        return before[-1]
    previous = [
        f.column
        for s in r.scopes
        for f in s.filters
        if isinstance(f, Condition) and f.operator in _OPPOSITE and r.resolver.is_numeric(f.column)
    ]
    return (numeric or previous or [None])[-1]


def _count_or_amount(r: Reader, operator: Operator, number: float, item: Item) -> None:
    """more than 3 orders (how many there are), more than 100 points (a column)"""
    table = r.resolver.table(item)
    column = r.resolver.column(item, r.context, numeric=True) if item.columns else None
    if column is not None and table is None:
        r.take()
        _add(r, column, operator, number)
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
    r.scope.entity, r.scope.operator, r.scope.count = table, operator, int(number)


def _add(r: Reader, column: Col, operator: Operator, *values: object) -> None:
    if r.lexicon.column(column).kind == "text" and not r.resolver.is_numeric(column):
        raise NotUnderstood(f"{r.naming.say_column(column.table, column.name)} holds no numbers to compare with.")
    if r.lexicon.column(column).kind == "date":
        raise NotUnderstood(f"{r.naming.say_column(column.table, column.name)} holds dates: compare it with a date.")
    r.compare(column, operator, *values)


def _against_statistic(r: Reader, word: Item, operator: Operator, adjective: str) -> None:
    """above the average age, higher than the maximum price"""
    item = r.take()
    function = (
        item.value
        if item.kind == "aggregate"
        else ("avg" if item.kind == "name" else ("max" if item.value[0] else "min"))
    )  # type: ignore[index]
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
    if left is None:
        raise NotUnderstood(f"I do not know what “{word.text} {item.text}” is about: name the column.")
    r.pending = None
    right = column or left
    r.skip("of", "in")
    if r.next_is("name") and (owner := r.peek()) and r.resolver.table(owner) == right.table and not owner.values:
        r.take()
    r.compare(left, operator, Statistic(function, right))  # type: ignore[arg-type]


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
    _during(r, [ends[operator]], both=False)


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
        operator: Operator = r.take().value  # type: ignore[assignment]
        _against_number(_back(r, item), item, operator, "")
        return
    if r.next_is("superlative"):
        return
    if r.pending is None and r.next_is("name") and _may_be_limit(r, number):
        r.asked_limit = int(number)
        return
    before = next((b for b in (r.peek(-2), r.peek(-3)) if b is not None and b.kind not in {"of", "in"}), None)
    column = r.pending
    if (
        column is None
        and before is not None
        and before.kind == "name"
        and r.columns
        and any(m.col == r.columns[-1] for m in before.columns)
    ):
        column = r.columns.pop()
    if column is not None:
        r.pending = None
        r.head = False
        operator = "=" if not (r.scope.negated and r.scope.entity is None) else "!="
        value: object = number if r.lexicon.column(column).kind == "number" else item.text
        r.compare(column, operator, value)
        return
    if r.next_is("name") and (following := r.peek()) and following.columns and not following.tables:
        counted = r.resolver.column(following, r.context, numeric=True)
        if counted is not None:  # "five stars"
            r.take()
            r.head = False
            r.compare(counted, "=", number)
            return
    if item.text.startswith(("19", "20")) and len(item.text) == 4:
        year = r.resolver.year(r.context[0])
        if year:
            r.compare(year, "=", number if r.lexicon.column(year).kind == "number" else item.text)
            return
    aged = r.peek()
    if aged is not None and aged.kind in {"grain", "name"} and aged.value == "year":
        column = r.resolver.degree("old", [t for t in (r.scope.entity, r.subject) if t])
        if column is not None and r.next_is("unknown", "name", ahead=1):
            r.at += 2
            r.compare(column, "=", number)
            return
    raise r.not_understood(item)


def _may_be_limit(r: Reader, number: float) -> bool:
    """Whether a number before a name says how many are asked for: a ranking follows."""
    later = any(i.kind == "superlative" for i in r.items[r.at :])
    item = r.peek()
    return later and r.head and item is not None and bool(item.tables or item.columns) and number == int(number)


def _back(r: Reader, item: Item) -> Reader:
    r.at -= 1
    r.items[r.at] = item
    return r


def take_period(r: Reader) -> None:
    """in 2024; last month; 2014 or 2015; this year versus last year"""
    before = r.peek(-1)
    both = before is not None and before.kind == "both"
    periods = [_period(r)]
    while True:
        here = r.at
        joined = [i.kind for i in _taken(r, "and", "or", "versus", "in", "of")]
        if not joined or not r.next_is("period"):
            r.at = here
            break
        periods.append(_period(r))
        r.versus = r.versus or "versus" in joined
        both = both or ("and" in joined and "or" not in joined)
    if len(periods) == 2 and r.versus:
        r.periods = periods
        return
    _during(r, periods, both and len(periods) > 1)


def _taken(r: Reader, *kinds: str) -> list[Item]:
    start = r.at
    r.skip(*kinds)
    return r.items[start : r.at]


def _period(r: Reader) -> Period:
    item = r.take()
    assert isinstance(item.value, Period)
    return item.value


def _during(r: Reader, periods: list[Period], both: bool) -> None:
    column = _date_compared(r)
    if column is None:
        raise NotUnderstood(f"I found no date that “{periods[0].words}” could be about.")
    negated = r.scope.negated and r.scope.entity is None
    conditions = [_within(r, column, period) for period in periods]
    entity = r.scope.entity or r.subject
    r.head = False
    r.pending = None
    if both and not r.joins.to_one(entity, column.table):
        for condition in conditions:
            r.add(Related(column.table, (condition,)))
        return
    if both and r.scope.entity and r.scope.entity != r.subject and column.table == r.scope.entity:
        r.scope.entity = None
        for condition in conditions:
            r.add(Related(column.table, (condition,)))
        return
    found = conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))
    if negated:
        r.scope.negated = False
        found = _negate(found)
    r.add(found)


def _negate(condition: Filter) -> Filter:
    if isinstance(condition, During):
        return replace(condition, negated=True)
    if isinstance(condition, Condition) and condition.operator in _OPPOSITE:
        return replace(condition, operator=_OPPOSITE[condition.operator])
    raise NotUnderstood("I did not understand what should not be the case.")


def _date_compared(r: Reader) -> Col | None:
    if r.pending is not None:
        column = r.lexicon.column(r.pending)
        if column.kind == "date" or "year" in r.naming.column(r.pending.table, r.pending.name):
            return r.pending
    ranked = [r.ranking.by.table] if r.ranking is not None and r.ranking.by is not None else []
    entity = r.scope.entity
    measured = [*ranked, *(m.table for m in r.measures)]
    if r.verb is not None and entity is not None and (said := [m.col for m in r.verb.columns if m.table == entity]):
        return r.resolver.date(entity, r.verb) or said[0]
    belongs = entity is not None and any(r.joins.to_one(t, entity) for t in measured)
    tables = [t for t in ((*measured, entity, r.subject) if belongs else (entity, *measured, r.subject)) if t]
    return r.resolver.date_near(tuple(dict.fromkeys(tables)), r.verb)


def _within(r: Reader, column: Col, period: Period) -> Filter:
    if r.lexicon.column(column).kind == "date":
        r.assumptions.append(
            f"{period.words[:1].upper()}{period.words[1:]} is {period.describe()}, by {r.naming.say_column(column.table, column.name)} of {r.naming.say_table(column.table)}."
        )
        return During(column, period)
    years = period.whole_years
    if years is None:
        raise NotUnderstood(f"{r.naming.say_table(column.table)} only know their year, not “{period.words}”.")
    first, last = years
    number: Callable[[int], object] = (
        (lambda y: y) if r.resolver.is_numeric(column) and r.lexicon.column(column).kind == "number" else str
    )
    if first is not None and first == last:
        return Condition(column, "=", (number(first),))  # type: ignore[arg-type]
    if first is not None and last is not None:
        return Condition(column, "between", (number(first), number(last)))  # type: ignore[arg-type]
    return (
        Condition(column, ">=", (number(first),))
        if first is not None
        else Condition(column, "<=", (number(last or 0),))
    )  # type: ignore[arg-type]


def take_like(r: Reader) -> None:
    """whose name starts with "J"; containing the word 'Hey' in the title"""
    word = r.take()
    operator: Operator = word.value  # type: ignore[assignment]
    r.skip("like", "of")
    item = r.peek()
    if item is None or not (item.quoted or item.kind in {"unknown", "name"}):
        raise r.not_understood(word)
    if not item.quoted and operator == "contains" and word.text.startswith("includ"):
        return
    r.take()
    column = r.pending or _column_after(r)
    if column is None and r.columns and r.head:
        column = r.columns[-1]
    if column is None:
        entity = r.scope.entity or r.subject
        column = Col(entity, r.naming.label(entity)[-1])
    r.pending = None
    r.head = False
    if r.scope.negated and operator == "contains":
        operator, r.scope.negated = "not contains", False
    r.compare(column, operator, item.text)


def _column_after(r: Reader) -> Col | None:
    here = r.at
    r.skip("in", "of", "relative")
    item = r.peek()
    if item is not None and item.kind == "name" and item.columns and not item.values:
        r.take()
        return r.resolver.column(item, r.context)
    r.at = here
    return None


def take_worth(r: Reader) -> None:
    """orders worth more than 100: the amount that a row is worth"""
    word = r.take()
    r.pending = r.resolver.degree("worth", r.context)
    r.head = False
    if r.pending is None or not compares_next(r):
        raise r.not_understood(word)


def take_null(r: Reader) -> None:
    """whose email is missing"""
    word = r.take()
    column = r.pending or (r.columns.pop() if r.columns else None)
    if column is None:
        raise r.not_understood(word)
    r.pending = None
    r.compare(column, word.value, *())  # type: ignore[arg-type]


def take_not(r: Reader) -> None:
    """without X, not in X, never X: what follows must not hold"""
    r.take()
    r.head = False
    r.open_scope(negated=True)


def take_relative(r: Reader) -> None:
    word = r.take()
    if r.at == 1:
        r.which = word.text == "which"
        return  # "Which customers …" begins the question
    last = r.scope.filters[-1] if r.scope.filters else None
    r.just_filtered = (
        last.column.table if isinstance(last, Condition) and (before := r.peek(-2)) and before.values else None
    )
    here = r.at
    r.skip("verb")
    if not r.next_is("compare", "comparative", "between"):
        r.settle()
    r.at = here
    if not r.head or r.columns or r.subject_named or r.measures:
        r.head = False


def take_but(r: Reader) -> None:
    r.take()
    r.settle()
    r.head = False
    r.open_scope()


def take_and(r: Reader) -> None:
    """and: the next of a list, or a new clause where "not" or a verb follows"""
    r.take()
    if r.head:
        return
    following = r.peek()
    if (
        following is not None
        and following.kind in {"relative"}
        and r.scope.entity is not None
        and r.scope.entity != r.subject
    ):
        if following.text in {"that", "who", "which", "with", "have"}:
            return
    r.settle()


def take_or(r: Reader) -> None:
    """or between conditions on different columns: either holds"""
    r.take()
    if r.head:
        return
    done = len(r.scope.filters)
    if not done:
        raise NotUnderstood("I did not understand what “or” joins in this question.")
    r.scope.filters.append(_OR)


class _Or:
    """Marks where "or" stood between two conditions, until the clause is finished."""


_OR: Filter = _Or()  # type: ignore[assignment]


def joined(filters: list[Filter]) -> list[Filter]:
    """Return the conditions with each "A or B" made one."""
    found: list[Filter] = []
    either = False
    for condition in filters:
        if isinstance(condition, _Or):
            either = True
        elif either:
            last = found.pop()
            options = (*last.options, condition) if isinstance(last, AnyOf) else (last, condition)
            found.append(AnyOf(options))
            either = False
        else:
            found.append(condition)
    if either:
        raise NotUnderstood("I did not understand what “or” joins in this question.")
    return found
