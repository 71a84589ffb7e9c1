"""Reads what is computed: counts, sums and averages, and what ranks first."""

from __future__ import annotations

from agents.offline.english import ADJECTIVES
from agents.offline.lexicon import EXACT, SYNONYM
from agents.offline.linking import Item
from agents.offline.plan import Col, Function, Having, Measure, Operand, Operator, Order, Pick
from agents.offline.reader import Ranking, Reader
from agents.offline.resolving import NotUnderstood, stem_of_adjective
from agents.offline.take_money import sold_of, take_money

_EXTREMES = frozenset({"minimum", "maximum", "highest", "lowest", "largest", "smallest"})
_COMPARING = ("compare", "comparative", "between")


def take_count(r: Reader) -> None:
    """how many X, the number of X"""
    counted = r.take()
    distinct = r.skip("distinct", "of")
    values: list[Item] = []
    while r.next_is("name") and (_is_value_only(r.peek()) or _is_flag_before_table(r)) and r.next_is("name", ahead=1):
        values.append(r.take())
    named_before = r.subject_named
    measure = _counted(r, counted, distinct)
    measure = sold_of(r, measure)
    for value in values:
        r.items.insert(r.at, value)  # "how many French singers": the value is a condition like any other
    if r.ranking is not None and r.ranking.by is None:
        rank_by(r, measure)
    elif (not r.head or named_before) and not r.pending and compares_next(r):
        r.pending_measure = measure
    else:
        r.measures.append(measure)


def _is_flag_before_table(r: Reader) -> bool:
    """Whether a yes-or-no column stands before a table like an adjective: "insured patients"."""
    item, following = r.peek(), r.peek(1)
    if item is None or following is None or not following.tables or item.tables:
        return False
    return any(r.resolver.yes(m.col) is not None for m in item.columns if m.score >= EXACT)


def _is_value_only(item: Item | None) -> bool:
    return item is not None and bool(item.values) and not item.tables and not item.columns


def _counted(r: Reader, counted: Item, distinct: bool) -> Measure:
    item = r.peek()
    if item is None or item.kind not in {"name", "verb"}:
        return Measure("count", r.subject)
    table = r.resolver.table(item) or (r.resolver.table(item, 0.7) if not item.columns else None)
    column = r.resolver.column(item, r.context) if item.columns else None
    if column is not None and (table is None or _beats(item, r)):
        r.take()
        if r.lexicon.column(column).kind == "date" and not distinct:
            r.verb = item  # "employees hired": when, not what
            return Measure("count", column.table)
        if r.resolver.is_numeric(column) and not distinct and compares_next(r):
            r.pending = column  # "how many books cost more than 10"
            return Measure("count", column.table)
        if r.resolver.is_numeric(column) and not distinct and not _is_key(r, column):
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


def _beats(item: Item, r: Reader) -> bool:
    """Whether the column is meant although a table has the same name: it is the subject's own."""
    best_table = max(m.score for m in item.tables)
    return max(m.score + (0.02 if m.length > 1 else 0) for m in item.columns) > best_table


def _is_key(r: Reader, column: Col) -> bool:
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
    _take_functions(r, [_function(r)])


def _take_functions(r: Reader, functions: list[Function]) -> None:
    while True:
        here = r.at
        r.skip("and")
        if r.next_is("aggregate"):
            functions.append(_function(r))
            continue
        item = r.peek()
        if item is not None and item.text in _EXTREMES and here != r.at:
            functions.append("max" if r.take().value[0] else "min")
            continue
        r.at = here
        break
    r.skip("of", "aggregate")
    if r.peek() is None and r.measures and functions == ["sum"]:
        return  # "how many … in total"
    _finish_measures(r, functions)


def _function(r: Reader) -> Function:
    function: Function = r.take().value
    return function


def _finish_measures(r: Reader, functions: list[Function]) -> None:
    found = [_measure(r, function, r.at) for function in functions[:1]]
    first = found[0]
    found += [Measure(f, first.table, first.column, first.times) for f in functions[1:]]
    if r.ranking is not None and r.ranking.by is None:
        rank_by(r, first)
    elif (not r.head or r.subject_named) and not r.pending and compares_next(r):
        r.pending_measure = first
    else:
        r.measures.extend(found)
        _more_columns(r, functions)


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
    if item.kind == "count":  # "total number of singers"
        r.take()
        r.skip("distinct")
        if function != "sum":
            named = r.peek()
            column = r.resolver.column(named, r.context, numeric=True) if named is not None and named.columns else None
            if column is None:
                raise _nested(item)
            r.take()
            return Measure(function, column.table, column.name)
        return _counted(r, item, False)
    if item.kind in {"name", "verb"} and (item.columns or item.tables):
        column = r.resolver.column(item, r.context, numeric=function not in {"min", "max"})
        if column is not None and not (r.resolver.is_money(item.text) and item.tables):
            r.take()
            _owner_after(r, column)
            return Measure(function, column.table, column.name)
        table = r.resolver.table(item)
        if table is not None:
            following = r.peek(1)
            if following is not None and following.kind == "name" and following.columns:
                r.take()
                r.resolver.mentioned.append(table)
                return _measure(r, function, at)
            if function == "sum" and not r.resolver.is_money(item.text):
                r.take()
                return Measure("count", table)
    if item.kind in {"name", "verb", "unknown"} and r.resolver.is_money(item.text):
        return take_money(r, function)
    raise r.not_understood(item) if item.kind in {"unknown", "name"} else _nested(item)


def _nested(item: Item) -> NotUnderstood:
    return NotUnderstood(f"I cannot compute an average, minimum or maximum of “{item.text}” yet.")


def _exact_number(r: Reader, item: Item) -> bool:
    return any(m.score >= EXACT and r.lexicon.column(m.col).kind == "number" for m in item.columns)


def take_superlative(r: Reader) -> None:
    """the most X, the highest X, the 3 oldest X, top 5 X"""
    before = r.peek(-1)
    item = r.take()
    if item.text in _EXTREMES and r.next_is("and") and r.next_is("superlative", "aggregate", ahead=1):
        _take_functions(r, ["max" if item.value[0] else "min"])  # "the highest, lowest and average price"
        return
    descending: bool = item.value[0]
    adjective: str = item.value[1]
    limit = 1
    if r.asked_limit is not None:
        limit, r.asked_limit = r.asked_limit, None
    if r.next_is("number"):
        limit = int(r.take().value)
    elif before is not None and before.kind == "number" and before.value and not _used_number(before, r):
        limit = int(before.value)
    following = r.peek()
    if item.text == "top" and following is not None and following.kind == "superlative":
        descending, adjective = r.take().value  # "top 3 lowest"
    r.skip("of")
    if limit == 1 and r.ranking is not None and r.ranking.by is None:
        limit = r.ranking.limit  # "the top 5 domains with the highest number of authors"
    summed = item.text in {"most", "fewest", "least"}
    _ranked(r, Ranking(descending, limit, summed=summed), adjective, item)


def _used_number(number: Item, r: Reader) -> bool:
    before = r.peek(-3)
    return before is not None and before.kind in {"compare", "comparative", "between"}


def _ranked(r: Reader, ranking: Ranking, adjective: str, word: Item) -> None:
    item = r.peek()
    if item is not None and item.kind in {"count", "aggregate"}:
        r.ranking = ranking
        return
    verb = r.peek(-2)
    if (
        not adjective
        and verb is not None
        and verb.kind in {"verb", "name"}
        and r.resolver.is_money(verb.text)
        and not _ranks_noun(r)
        and r.pending is None
    ):
        r.items.insert(r.at, verb)  # "earned the most"
        r.ranking = ranking
        rank_by(r, take_money(r))
        return
    if word.text in {"best", "top"} and item is not None and item.stem == "sell":
        r.take()
        r.ranking, r.best_selling = ranking, True
        if (following := r.peek()) is not None and (sold := r.resolver.table(following)) == r.subject and sold:
            r.take()
            r.subject_named = True
        return
    if (
        not adjective
        and _ends_here(item)
        and verb is not None
        and (acted := r.resolver.table(verb))
        and acted != r.subject
    ):
        r.ranking = ranking
        rank_by(r, Measure("count", acted))  # "which products were returned most"
        return
    if word.text in {"most common", "most frequent", "least common"} and item is not None and item.kind == "name":
        _most_common(r, ranking, item)
        return
    if word.text in {"most often", "least often", "most frequently"}:
        counted = r.resolver.table(verb) if verb is not None and verb.kind in {"verb", "name"} else None
        if counted is None:
            raise r.not_understood(word)
        r.ranking = ranking
        rank_by(r, Measure("count", counted))
        return
    if item is None or item.kind not in {"name", "verb", "unknown"}:
        _rank_by_degree(r, ranking, adjective, word)
        return
    table = r.resolver.table(item)
    best = max((m.score for m in item.columns), default=0.0)
    named_so = table is not None and max(m.score for m in item.tables) >= best
    own = named_so and table in (r.subject, r.scope.entity)
    column = r.resolver.column(item, r.context) if item.columns and not own else None
    if r.resolver.is_money(item.text) and (table is None or not own) and not _exact_number(r, item):
        r.ranking = ranking
        rank_by(r, take_money(r))
    elif column is not None and (table is None or _beats(item, r)):
        _rank_by_column(r, ranking, column, adjective, item, word)
    elif table is not None and not own and word.text in {"most", "fewest", "least", "highest", "largest", "lowest"}:
        r.take()
        r.ranking = ranking
        rank_by(r, sold_of(r, Measure("count", table)))
    elif (
        table is not None and table == r.subject and (r.columns or r.groups) and not r.subject_named and ranking.summed
    ):
        r.take()
        r.ranking = ranking
        rank_by(r, Measure("count", r.subject))  # "which town has the most branches"
    elif table is not None or item.values:
        r.ranking = ranking
        if item.tables and own:
            r.take()
            r.subject_named = r.subject_named or table == r.subject
        if adjective:
            _rank_by_degree(r, ranking, adjective, word)
        elif word.text not in {"top", "best", "bottom", "worst", "most", "highest", "lowest"}:
            raise r.not_understood(word)
    else:
        raise r.not_understood(item)


def _ends_here(item: Item | None) -> bool:
    return item is None or item.kind in {"period", "in"}


def _ranks_noun(r: Reader) -> bool:
    item = r.peek()
    return item is not None and item.kind == "name" and bool(item.tables or item.columns)


def _most_common(r: Reader, ranking: Ranking, item: Item) -> None:
    """the most common reasons: each value of a column with how often it occurs; one of them where one is asked for"""
    column = r.resolver.column(item, r.context) if item.columns else None
    if column is None:
        raise r.not_understood(item)
    r.take()
    r.columns.append(column)
    r.subject = column.table
    if ranking.limit == 1 and item.text.lower().endswith("s"):
        ranking.limit = 0
    r.ranking = ranking
    ranking.by = Measure("count", column.table)


def _rank_by_column(r: Reader, ranking: Ranking, column: Col, adjective: str, item: Item, word: Item) -> None:
    r.take()
    if word.text in {"most", "fewest", "least"} and "year" in r.naming.column(column.table, column.name):
        raise r.not_understood(item)
    comparable = r.resolver.is_numeric(column) or r.lexicon.column(column).kind == "date"
    if not comparable or _is_key(r, column):
        if r.head:  # "top 5 countries by …": what is ranked, not what by
            r.columns.append(column)
            r.ranking = ranking
            if adjective:
                raise r.not_understood(item)
            return
        raise NotUnderstood(f"I cannot rank by “{item.text}”: it is not a number.")
    if (
        r.head
        and not r.columns
        and not r.subject_named
        and not r.measures
        and not r.groups
        and ranking.limit == 1
        and not _ranks_rows(r)
    ):
        r.measures.append(Measure("max" if ranking.descending else "min", column.table, column.name))
        return
    r.ranking = ranking
    rank_by(r, column)


def _ranks_rows(r: Reader) -> bool:
    """Whether a table's rows follow directly: "highest rated movie", "top 3 highest rating TV series"."""
    item = r.peek()
    return item is not None and item.kind == "name" and r.resolver.table(item) is not None


def _rank_by_degree(r: Reader, ranking: Ranking, adjective: str, word: Item) -> None:
    """oldest, most expensive: by the column that the adjective is a degree of"""
    if r.pending is not None and r.resolver.is_numeric(r.pending):
        by, r.pending = r.pending, None  # "whose number of products is the largest"
        r.ranking = ranking
        rank_by(r, by)
        return
    if not adjective:
        if r.next_is("and") and r.next_is("superlative", ahead=1):
            r.take()
            return
        raise r.not_understood(word)
    root = stem_of_adjective(adjective)
    if root in {"popular", "common", "frequent"}:
        raise NotUnderstood(f"“{word.text}” can mean several things: say what should be counted.")
    tables = (r.scope.entity, r.subject) if r.scope.entity else (r.subject,)
    column = r.resolver.degree(adjective, [t for t in tables if t], r.verb) or _degree_nearby(r, adjective)
    if column is None:
        raise NotUnderstood(f"I do not know which column “{word.text}” is about: name it.")
    greatest = ADJECTIVES.get(root, (True, ()))[0]
    kind = r.lexicon.column(column).kind
    if (kind == "date" or r.resolver.is_birth(column)) and root in {"old", "young"}:
        greatest = not greatest
    ranking.descending = greatest if ranking.descending or not word.text.startswith("least") else not greatest
    r.assumptions.append(f"“{word.text}” goes by {r.naming.say_column(column.table, column.name)}.")
    r.ranking = ranking
    rank_by(r, column)


def _degree_nearby(r: Reader, adjective: str) -> Col | None:
    """Return the degree of rows that belong to the subject, where only a value was named: "the cheapest tea"."""
    if r.subject_named or r.scope.entity or r.measures or r.columns:
        return None
    children = [s.target for s in r.joins.steps_from(r.subject) if not s.to_one]
    column = r.resolver.degree(adjective, children, r.verb)
    if column is not None:
        r.subject = column.table
    return column


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


__all__ = [
    "SYNONYM",
    "Order",
    "having",
    "rank_by",
    "take_aggregate",
    "take_count",
    "take_superlative",
]
