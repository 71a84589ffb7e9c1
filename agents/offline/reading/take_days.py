"""Reads how many days lie between two dates of a row: from order to delivery, how long it takes, paid late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from agents.offline.english.words import root
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Meaning
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Condition, Lasting, Measure, Operator, Related
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_later import SAID, take_later
from agents.offline.reading.take_states import DONE

_UNITS = frozenset({"day", "days", "night", "nights", "time", "duration", "length"})
_COUNTED = frozenset({"day", "days", "night", "nights"})
_WEEKS = frozenset({"week", "weeks"})
_LASTS = frozenset({"tak", "last", "run", "ran", "pass", "elaps", "go"})
"""Stems of verbs that only say that time goes by."""
_UNTIL = frozenset({"until", "till", "before", "usually", "typically", "normally"})
_DUE = frozenset("due deadline promised expected estimated scheduled planned required".split())
"""Words of dates by which something should be done: not of when it was."""
_STARTS = frozenset("start started begin began open opened opening in arrival arrived admitted admission".split())
_ENDS = frozenset("end ended finish finished close closed closing out departure departed discharged discharge".split())
_AVERAGE = Item("aggregate", "average", "avg")

_Pair = tuple[Col, Col]
"""The later date, and the one that days are counted from."""


def name_days(r: Reader) -> None:
    """Put one item in place of "days between order and delivery", "delivery time" or "how long delivery takes"."""
    for n in range(len(r.items)):
        for rule in (_between, _time_of, _how_long):
            if (found := rule(r, n)) is not None:
                _put(r, n, *found)
                return


def _put(r: Reader, start: int, end: int, pair: _Pair) -> None:
    items, (later, since) = r.items, pair
    if start and items[start - 1].kind == "count":
        start -= 1
    after = [i for i in items[end:] if not _is_average([i])]
    if len(after) > 1 and after[0].text == "in" and after[1].text in _COUNTED:
        del after[:2]  # "delivery time in days"
    said = f"days between {r.naming.say_column(since.table, since.name)} and {r.naming.say_column(*_of(later))}"
    measure = Measure("avg", later.table, later.name, since=since, said=said)
    text = " ".join(i.text for i in items[start:end])
    days = replace(items[start], kind="days", text=text, value=measure, meanings=(Meaning(later.table),), values=())
    before = items[start - 1] if start else None
    if before is not None and before.text in {"best", "worst"}:
        raise NotUnderstood(f"Say whether the longest or the shortest “{text}” is meant.")
    if before is not None and before.kind == "superlative" and not any(i.kind == "name" for i in items[:start]):
        greatest = before.value[0]  # "the longest delivery time": one number, and nothing that is ranked by it
        items[start - 1] = before = replace(before, kind="aggregate", value="max" if greatest else "min")
    computed = before is not None and before.kind == "aggregate"
    if not computed and not any(_is_average([i]) for i in items[start:]):
        r.assumptions.append("The average is shown.")
    r.assumptions.append(f"Days are counted from {since.table}.{since.name} to {later.table}.{later.name}.")
    r.items = [*items[:start], *([] if computed else [_AVERAGE]), replace(days, tables=(), columns=()), *after]


def _is_average(items: Sequence[Item]) -> bool:
    return any(i.kind == "aggregate" and i.value == "avg" for i in items)


def _of(col: Col) -> tuple[str, str]:
    return col.table, col.name


def _between(r: Reader, n: int) -> tuple[int, _Pair] | None:
    """days between A and B, time from A to B"""
    if r.items[n].text.lower() not in _UNITS:
        return None
    at = n + 1
    while at < len(r.items) and r.items[at].stem in _LASTS:
        at += 1
    match r.items[at : at + 4]:
        case [opening, first, middle, second] if opening.kind == "between" or opening.text == "from":
            joined = middle.kind == "and" if opening.kind == "between" else middle.text.lower() in {"to", *_UNTIL}
            pair = _pair(r, first, second) if joined else None
            return (at + 4, pair) if pair is not None else None
    return None


def _time_of(r: Reader, n: int) -> tuple[int, _Pair] | None:
    """delivery time, campaign duration, length of stay, days to close"""
    counted = n > 0 and r.items[n - 1].kind == "number"
    match r.items[n : n + 3]:
        case [unit, of, named] if unit.text.lower() in {"length", "duration"} and of.kind == "of":
            pair, end = _only(_spans(r, named, whole=True)), n + 3
        case [unit, to, named] if to.text in {"to", *_UNTIL} and unit.text.lower() in {"days", "time"} and not counted:
            pair, end = _only(_spans(r, named)) if _called(r, named) else None, n + 3
        case [named, *_] if named.text.lower().endswith(" on"):
            return None  # "delivered on time"
        case [named, unit, *_] if unit.kind == "unknown" and unit.text.lower() in {"time", "duration", "length"}:
            pair, end = _only(_spans(r, named, whole=unit.text.lower() != "time")), n + 2
        case _:
            return None
    return (end, pair) if pair is not None else None


def _how_long(r: Reader, n: int) -> tuple[int, _Pair] | None:
    """how long does delivery take, how many days until an invoice is paid"""
    item, before = r.items[n], r.items[n - 1] if n else None
    counted = item.text.lower() in _COUNTED and before is not None and before.kind == "count"
    if not counted and item.value != "long":
        return None
    end, found, goes_by = n + 1, list[_Pair](), False
    while end < len(r.items) and _may_take(following := r.items[end]):
        goes_by = goes_by or following.stem in {*_LASTS, "stay"} or following.text.lower() in _UNTIL
        spans = [] if following.stem in _LASTS else _spans(r, following)
        if _called(r, following) and not spans:
            return None  # "how long does it take to send a parcel": since when?
        found += spans
        end += 1
        goes_on = end + 1 < len(r.items) and r.items[end + 1].text.lower() in {"to", *_UNTIL}
        if _is_average(r.items[end : end + 1]) and goes_on:
            end += 1  # "how long does it take on average until …"
    pair = _only(found)
    return (end, pair) if pair is not None and goes_by else None


def _may_take(item: Item) -> bool:
    plain = item.kind in {"name", "verb", "role"} and (not item.values or _is_state_reached(item))
    return plain or item.stem in _LASTS or item.text.lower() in {"to", *_UNTIL}


def _only(pairs: Iterable[_Pair]) -> _Pair | None:
    found = list(dict.fromkeys(pairs))
    return found[0] if len(found) == 1 else None


def _pair(r: Reader, first: Item, second: Item) -> _Pair | None:
    """Return the dates of two words: of one row, else of a row and of what it belongs to."""
    since, later = _dates(r, first), _dates(r, second)
    both = [(b, a) for a in since for b in later if a != b and _same_kind(r, a, b)]
    own = [(b, a) for b, a in both if a.table == b.table]
    return _only(own or [(b, a) for b, a in both if _belongs(r, b.table, a.table)])


def _belongs(r: Reader, table: str, owner: str) -> bool:
    return r.joins.to_one(table, owner) and not r.joins.is_ambiguous(table, owner)


def _same_kind(r: Reader, one: Col, other: Col) -> bool:
    return r.lexicon.column(one).kind == r.lexicon.column(other).kind == "date"


def _dates(r: Reader, item: Item) -> list[Col]:
    """Return the dates that a word is about: called so, or when a row of the table that it names happened."""
    if named := _called(r, item):
        return named
    table = r.resolver.table(item) if item.kind == "name" else None
    date = r.resolver.date(table) if table is not None else None
    return [date] if date is not None else []


def _called(r: Reader, item: Item) -> list[Col]:
    if item.kind not in {"name", "verb", "role", "unknown"} or (item.values and not _is_state_reached(item)):
        return []
    own = [m.col for m in item.columns if r.lexicon.column(m.col).kind == "date"]
    return list(dict.fromkeys(own)) or [
        Col(t.name, c.name)
        for t in r.lexicon.catalog
        if not t.is_view
        for c in t.columns
        if c.kind == "date" and _says(item, r.naming.column(t.name, c.name))
    ]


def _is_state_reached(item: Item) -> bool:
    """Whether a value is what a date of its row is of as well: "close", of closed rows that were closed on some day."""
    dated = {m.table for m in item.columns}
    return bool(dated) and not item.quoted and not item.tables and all(m.table in dated for m in item.values)


def _says(item: Item, words: Sequence[str]) -> bool:
    return root(item.text.lower()) == root(words[0]) or bool(SAID.get(item.stem, frozenset()) & set(words))


def _spans(r: Reader, item: Item, whole: bool = False) -> list[_Pair]:
    """Return from when to when something lasts: the one other date of the row, or its start and its end.

    Of a `whole`, like the duration of a loan, the date may be its start; what takes time until it is done ends there.
    """
    found = []
    for date in _called(r, item):
        others = [o for o in _dates_of(r, date.table) if o != date]
        pair = _in_order(r, date, others[0]) if len(others) == 1 else None
        if pair is not None and (whole or pair[0] == date or item.text.lower().endswith("ing")):
            found.append(pair)  # shipping goes on after it began
    table = r.resolver.table(item) if item.kind == "name" and not found else None
    tables = [table] if table is not None else [t.name for t in r.lexicon.catalog] if item.stem == "stay" else []
    return found or [pair for t in tables if (pair := _lasts(r, t)) is not None]


def _dates_of(r: Reader, table: str) -> list[Col]:
    columns = [Col(table, c.name) for c in r.lexicon.table(table).columns if c.kind == "date"]
    return [c for c in columns if r.resolver.is_event(c) and not _DUE & set(r.naming.column(*_of(c)))]


def _in_order(r: Reader, one: Col, other: Col) -> _Pair:
    """Return the date that may still be missing as the later one, else the one that the table has later."""
    names = [c.name for c in r.lexicon.table(one.table).columns]
    since, later = sorted((one, other), key=lambda c: (r.lexicon.column(c).nullable, names.index(c.name)))
    return later, since


def _lasts(r: Reader, table: str) -> _Pair | None:
    columns = [Col(table, c.name) for c in r.lexicon.table(table).columns if c.kind == "date"]
    dates = [(c, set(r.naming.column(*_of(c)))) for c in columns]
    starts, ends = [c for c, words in dates if words & _STARTS], [c for c, words in dates if words & _ENDS]
    if len(starts) == len(ends) == 1:
        return ends[0], starts[0]
    sure, open_ = ([c for c in _dates_of(r, table) if r.lexicon.column(c).nullable == n] for n in (False, True))
    return (open_[0], sure[0]) if len(sure) == len(open_) == 1 else None


def days_taken(r: Reader, table: str) -> Measure | None:
    """Return the average number of days that a table's rows take, from their one beginning to their one end."""
    pair = _lasts(r, table)
    if pair is None:
        return None
    later, since = pair
    r.assumptions.append(f"Days are counted from {since.table}.{since.name} to {later.table}.{later.name}.")
    said = f"days between {r.naming.say_column(*_of(since))} and {r.naming.say_column(*_of(later))}"
    return Measure("avg", later.table, later.name, since=since, said=said)


def _count_one(r: Reader) -> None:
    """Put the 1 that "more than a week" says without a number."""
    for n, (item, unit) in enumerate(pairwise(r.items)):
        if _operator(item) is not None and unit.kind == "grain" and unit.text.lower() in {"day", "night", "week"}:
            r.items.insert(n + 1, Item("number", "1", 1, sentence=item.sentence, position=unit.position))
            return


def name_lasting(r: Reader) -> None:
    """Put one item in place of "took longer than 5 days to arrive", "stayed more than 6 nights"."""
    _count_one(r)
    for n, item in enumerate(r.items):
        operator = _operator(item)
        number, unit, *rest = [*r.items[n + 1 : n + 5], None, None]
        if operator is None or number is None or unit is None or unit.text.lower() not in {*_COUNTED, *_WEEKS}:
            continue
        start = n - 1 if n and r.items[n - 1].kind in {"of", "in"} else n
        verb = r.items[start - 1] if start else item
        goes_on = rest[0] is not None and rest[0].text.lower() in {"to", *_UNTIL} and rest[1] is not None
        lasts = verb.stem in _LASTS
        said = rest[1] if goes_on else r.items[start - 2] if lasts and start > 1 else verb
        pair = _only(_spans(r, said)) if said is not None else None
        if (
            number.kind == "number"
            and pair is not None
            and (lasts or verb.kind == "verb" or verb.text.lower().endswith("ed"))
        ):
            days = int(number.value) * (7 if unit.text.lower() in _WEEKS else 1)
            condition = Lasting(*pair, operator, days)
            text = " ".join(i.text for i in r.items[start : n + 3])
            r.assumptions.append(
                f"Days are counted from {pair[1].table}.{pair[1].name} to {pair[0].table}.{pair[0].name}."
            )
            lasting = Item("lasting", text, condition, sentence=item.sentence, position=item.position)
            r.items[start - 1 : n + (5 if goes_on else 3)] = [replace(lasting, meanings=(Meaning(pair[0].table),))]
            return
        if item.text == "within" and number.kind == "number":
            raise r.not_understood(item)


def _operator(item: Item) -> Operator | None:
    operator: Operator | None = None
    if item.kind in {"compare", "comparative"}:
        operator = item.value if item.kind == "compare" else item.value[0]
    return "<=" if item.text == "within" else operator


def take_lasting(r: Reader) -> None:
    """Rows that last so long, or to which such a row belongs."""
    item = r.take()
    if r.scope.negated:
        raise r.not_understood(item)
    r.head = False
    table = item.value.column.table
    began = r.resolver.date(r.subject) if r.joins.to_one(table, r.subject) and table != r.subject else None
    if began is not None and r.resolver.is_event(began):
        raise r.not_understood(item)  # "orders delivered within 2 days": of the order, or of when they were sent?
    r.add(item.value if table in (r.subject, r.scope.entity) else Related(table, (item.value,)))


def name_late(r: Reader) -> None:
    """Make "late" and "on time" after what was done a state: "paid late", "arrived on time"."""
    for n, item in enumerate(r.items):
        word = item.text.lower()
        on_time = word == "time" and n > 0 and r.items[n - 1].text.lower().split()[-1] == "on"
        done = n - 2 if on_time and r.items[n - 1].kind == "of" else n - 1  # else it is "delivered on", a name
        if item.kind != "unknown" or not (on_time or word == "late") or (on_time and done < 0):
            continue
        before = _called(r, replace(r.items[done], values=())) if done >= 0 else []
        pairs = [pair for date in before for pair in _due(r, date)]
        if not on_time and (not pairs or r.resolver.table(r.items[done]) is not None):
            done, pairs = n, pairs or _due_of_noun(r, n)  # "payments were late": the payments stay
        if (pair := _only(pairs)) is not None:
            condition = Condition(pair[0], "<=" if on_time else ">", (pair[1],))
            text = "on time" if on_time else word
            r.items[done : n + 1] = [
                replace(item, kind="late", text=text, value=condition, meanings=(Meaning(pair[0].table),))
            ]
        return


def _due_of_noun(r: Reader, n: int) -> list[_Pair]:
    """Return when the rows that are late were due and done, where they have one such date each: "late payments"."""
    named = [i for i in (*r.items[n + 1 : n + 2], *reversed(r.items[:n])) if i.kind == "name" and i.tables]
    table = r.resolver.table(named[0]) if named else None
    columns = [Col(table, c.name) for c in r.lexicon.table(table).columns if c.nullable] if table is not None else []
    done = [c for c in columns if r.lexicon.column(c).kind == "date" and DONE & set(r.naming.column(*_of(c)))]
    return [pair for date in done for pair in _due(r, date)] if len(done) == 1 else []


def _due(r: Reader, date: Col) -> list[_Pair]:
    columns = [Col(date.table, c.name) for c in r.lexicon.table(date.table).columns if c.kind == "date"]
    due = [c for c in columns if _DUE & set(r.naming.column(*_of(c)))]
    same = r.lexicon.column(due[0]).type == r.lexicon.column(date).type if len(due) == 1 else False
    return [(date, due[0])] if same and date not in due else []


def take_late(r: Reader) -> None:
    """paid late: after the day it was due"""
    item = take_later(r)
    condition = item.value
    due = condition.values[0]
    assert isinstance(due, Col)
    how = "is after" if condition.operator == ">" else "is not after"
    r.assumptions.append(f"I took “{item.text}” to mean that {due.table}.{condition.column.name} {how} {due.name}.")
