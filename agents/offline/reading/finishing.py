"""Makes the plan of what a reading has gathered; declines where its parts do not fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from agents.offline.english.times import Period
from agents.offline.english.vocabulary import BUYERS
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Condition, During, Filter, Function, Group, Measure, Order, Plan, Related
from agents.offline.reading.averaging import average_of_each
from agents.offline.reading.clauses import filters_of
from agents.offline.reading.counted_groups import by_each
from agents.offline.reading.ranked_kinds import rank_kinds, refuse_never
from agents.offline.reading.reader import Reader
from agents.offline.reading.refusing import (
    group_by_listed,
    refuse_contradictions,
    refuse_leftovers,
    refuse_only,
    refuse_own_count,
    refuse_ranked_of_each,
    refuse_strangers,
    refuse_what_is_to_come,
    through_sales,
)
from agents.offline.reading.take_acts import WHO_IS_MEANT
from agents.offline.reading.take_events import keys_said, through_events
from agents.offline.reading.take_money import brought_in, counted_daily, is_added, is_flow
from agents.offline.reading.take_rankings import show_several
from agents.offline.reading.take_whom import show_whom


def finish(r: Reader) -> Plan:
    """Return the plan of a question whose every item has found its place; raises NotUnderstood."""
    if r.asked_limit is not None:
        raise NotUnderstood(f"I did not understand which {r.asked_limit} of them to show.")
    refuse_leftovers(r)
    if r.role is not None:
        raise r.not_understood(r.role)
    _answer_the_question_word(r)
    _show_owners(r)
    show_whom(r)
    _add_up_what_is_grouped(r)
    _has_happened(r)
    if r.ranking is not None and r.ranking.by is None:
        _rank_by_what_is_measured(r)
    rank_kinds(r)
    if _only_counts(r):
        r.measures.append(counted_daily(r, Measure("count", r.subject)))
    filters, related = (through_sales(r, found) for found in filters_of(r))
    refuse_contradictions(filters)
    refuse_what_is_to_come(r.measures, (*filters, *related))
    _refuse_loose_negation(r, filters, related)
    refuse_never(r, filters)
    filters, related = by_each(r, (*filters, *related)), []
    measures = average_of_each(r, through_events(r, _measures(r)))
    keys_said(r, measures)
    refuse_own_count(r, measures)
    refuse_only(r, (*filters, *related))
    refuse_strangers(r, measures, [f.table for f in (*filters, *related) if isinstance(f, Related)])
    if group_by_listed(r, measures):
        r.groups.append(r.entity_group(r.subject))
    plan = _aggregate(r, measures) if measures else _listing(r)
    return _compared(r, replace(plan, where=(*filters, *related), share=r.share, exists=r.exists))


def _add_up_what_is_grouped(r: Reader) -> None:
    """amount by quarter, costs last month: what is asked for is the sum, of numbers that are always added"""
    if r.measures or len(r.columns) != 1 or r.ranking or r.having:
        return
    rows = any(g.column is None and g.table == r.columns[0].table for g in r.groups)
    asked = r.groups or r.periods or _heads_a_period(r) or _heads_a_file(r)
    if asked and is_added(r, r.columns[0]) and not rows:
        column = r.columns.pop()
        r.measures.append(Measure("sum", column.table, column.name))
        if is_flow(r, column):
            what = r.naming.tell_column(column.table, column.name)
            r.assumptions.append(f"I added up the {what}: ask for the average where that is meant.")


def _heads_a_period(r: Reader) -> bool:
    """Whether a question is but a number and a period: "shipping costs last month"."""
    first, *rest = r.items
    only = bool(rest) and all(i.kind in {"period", "in", "of"} for i in rest)
    return only and any(m.col == r.columns[0] for m in first.columns)


def _heads_a_file(r: Reader) -> bool:
    """Whether a flat file is asked for one of its numbers under conditions: "billable hours of Ann"."""
    first = next((i for i in r.items if any(m.col == r.columns[0] for m in i.columns)), None)
    flat = len(r.lexicon.catalog.tables) == 1 and not (r.subject_named or r.asked or r.distinct or r.order)
    if not flat or not any(s.filters for s in r.scopes):
        return False
    if r.items[0].kind == "how":
        return True  # "how far did I run"
    bare = first is not None and r.items.index(first) <= 2 and r.items[0].kind in {"name", "not"}
    return bare and first is not None and not first.listed


def _answer_the_question_word(r: Reader) -> None:
    """when and where ask for a column, who for a person, is and does for yes or no"""
    if r.asked == "when" and not r.measures:
        _show(r, _date_asked(r), "date")
    elif r.asked == "where" and not r.measures and not r.columns:
        _show(r, r.resolver.place(r.subject), "place")
    elif r.asked == "who" and not r.subject_named and not r.columns and not r.groups:
        raise NotUnderstood(WHO_IS_MEANT)
    elif r.exists and not r.measures:
        r.columns = []
        r.measures.append(Measure("count", r.subject))


def _date_asked(r: Reader) -> Col | None:
    """Return the date that a verb names ("when was X hired"), else when the subject happened."""
    said = [m.col for m in r.verb.columns if r.lexicon.column(m.col).kind == "date"] if r.verb is not None else []
    own = [c for c in said if c.table == r.subject] or said
    if own:
        return own[0]
    column = r.resolver.date(r.subject)
    return column if column is not None and r.resolver.is_event(column) else r.resolver.year(r.subject)


def _show(r: Reader, column: Col | None, what: str) -> None:
    if column is None:
        raise NotUnderstood(f"I found no {what} of {r.naming.say_table(r.subject)} in this database.")
    if column not in r.columns:
        r.columns.append(column)


def _show_owners(r: Reader) -> None:
    """members with their branch: what each row belongs to is shown beside it"""
    for scope in r.scopes:
        bare = scope.entity not in (None, r.subject) and not (scope.filters or scope.negated or scope.count)
        if scope.entity and bare and not r.measures and r.ranking is None and r.joins.to_one(r.subject, scope.entity):
            if not r.columns:
                r.columns.extend(Col(r.subject, name) for name in r.naming.label(r.subject))
            r.columns.extend(Col(scope.entity, name) for name in r.naming.label(scope.entity))
            scope.entity = None


def _has_happened(r: Reader) -> None:
    """which products are discontinued: those whose date of it is known"""
    if r.verb is None or r.asked == "when" or r.ranking is not None or r.groups:
        return
    own = [m.col for m in r.verb.columns if m.table == r.subject]
    dates = [c for c in own if r.lexicon.column(c).kind == "date"] or [c for c in own if _is_role(r, c)]
    used = {f.column for s in r.scopes for f in s.filters if isinstance(f, During | Condition)}
    if len(dates) == 1 and r.lexicon.column(dates[0]).nullable and dates[0] not in used:
        r.scopes[0].filters.append(Condition(dates[0], "not null"))


def _is_role(r: Reader, column: Col) -> bool:
    """Whether a column says who did something to a row, where somebody did: "how many tickets were escalated"."""
    keys = [k for k in r.lexicon.table(column.table).foreign_keys if k.columns == (column.name,)]
    return bool(keys) and r.verb is not None and r.verb.text.lower().endswith("ed") and r.peek(-1) is r.verb


def _only_counts(r: Reader) -> bool:
    """Whether nothing but rows of a table and what they are grouped or compared by is said: "loans per month"."""
    grouped = any(g.column is not None or g.table != r.subject for g in r.groups)
    if r.measures or r.columns or not r.subject_named or (r.ranking is not None and grouped):
        return False
    return bool(r.periods) or grouped


def _measures(r: Reader) -> list[Measure]:
    """Return what is computed: what was asked for, what is ranked by, and what groups must fulfil."""
    found = list(r.measures)
    ranking = r.ranking
    by = ranking.by if ranking is not None else None
    if ranking is not None and isinstance(by, Col) and (_asks_for_groups(r) or not r.joins.to_one(r.subject, by.table)):
        extreme: Function = "max" if ranking.descending else "min"
        function: Function = "avg" if ranking.averaged else ("sum" if ranking.summed else extreme)
        ranking.by = Measure(function, by.table, by.name)
    if ranking is not None and isinstance(ranking.by, Measure):
        found.append(ranking.by)
    found.extend(h.measure for h in r.having)
    found.extend(o.by for o in r.order if isinstance(o.by, Measure))
    return list(dict.fromkeys(found))


def _asks_for_groups(r: Reader) -> bool:
    """Whether the groups themselves are ranked: "which day had the most visitors"."""
    return bool(r.groups) and not r.subject_named


def _aggregate(r: Reader, measures: Sequence[Measure]) -> Plan:
    grouped = (
        r.ranking is not None or r.having or r.columns or r.groups or any(isinstance(o.by, Measure) for o in r.order)
    )
    refuse_ranked_of_each(r)
    groups = _groups(r, r.groups, measures) if grouped else []
    groups = [g for g in groups if not _is_own_row(g, measures)]
    order = list(r.order)
    if r.ranking is not None and r.ranking.by is not None:
        order.insert(0, Order(r.ranking.by, r.ranking.descending))
    elif r.descending is not None and not order:
        order = [Order(measures[0] if r.descending or not groups else groups[0], r.descending)]
    limit = (r.ranking.limit or None) if r.ranking is not None else None
    return Plan(r.subject, (), tuple(measures), tuple(groups), (), tuple(r.having), tuple(order), limit)


def _is_own_row(group: Group, measures: Sequence[Measure]) -> bool:
    """Whether a group is the very rows that are averaged: the average "per loan" is the average."""
    return group.column is None and all(m.function == "avg" and m.table == group.table for m in measures)


def _listing(r: Reader) -> Plan:
    groups = [g for g in r.groups if not (g.table == r.subject and g.column is None)]
    if groups:
        raise NotUnderstood("I did not understand what to compute for each group: ask for a number, like an average.")
    columns: Sequence[Col] = tuple(r.columns)
    if not columns and not r.star and not _is_listing(r):
        raise NotUnderstood("I did not understand what should be shown.")
    order = list(r.order)
    if r.ranking is not None and isinstance(r.ranking.by, Col):
        columns = _with_rank_column(r, columns, r.ranking.by)
        order.insert(0, Order(r.ranking.by, r.ranking.descending))
    elif r.descending is not None and not order:
        order = [Order(_ordered_by(r, columns), r.descending)]
    return Plan(
        r.subject,
        _shown(r, columns),
        order=tuple(order),
        limit=(r.ranking.limit or None) if r.ranking is not None else None,
        distinct=_is_distinct(r, columns),
    )


def _ordered_by(r: Reader, columns: Sequence[Col]) -> Col:
    """Return the names for "alphabetically", the one number that is shown for "highest first"."""
    if r.alphabetic:
        return _shown(r, columns)[0]
    numbers = [c for c in columns if r.resolver.is_numeric(c) and c.name != r.naming.key(c.table)]
    if len(numbers) != 1:
        raise NotUnderstood("I did not understand what to order by: name the column.")
    return numbers[0]


def _refuse_loose_negation(r: Reader, filters: Sequence[Filter], related: Sequence[Filter]) -> None:
    """Decline "countries that do not …" where countries are no rows: one country's rows may differ."""
    absent = any(isinstance(f, Related) and f.absent for f in (*filters, *related))
    far = any(c.table != r.subject for c in r.columns) and any(s.negated for s in r.scopes)
    loose = absent and (not r.subject_named or (r.asked == "which"))
    if (loose or far) and r.columns and not r.measures and not any(_identifies(r, c) for c in r.columns):
        raise NotUnderstood("I did not understand what should not be the case, or of which rows.")


def _is_listing(r: Reader) -> bool:
    return r.subject_named or bool(r.scopes[0].filters) or any(g.table == r.subject for g in r.groups)


def _with_rank_column(r: Reader, columns: Sequence[Col], by: Col) -> tuple[Col, ...]:
    label = r.resolver.shown(r.subject)
    shown = tuple(columns) if columns and tuple(columns) != (by,) else label
    return shown if by in shown else (*shown, by)


def _rank_by_what_is_measured(r: Reader) -> None:
    """top 5 … : by the one thing that is computed"""
    assert r.ranking is not None
    sold = (r.resolver.pieces(r.subject) or r.resolver.money((r.subject,))) if r.best_selling else None
    if r.measures:
        r.ranking.by = r.measures[0]
    elif sold is not None:
        r.ranking.by = sold
        quantity = r.naming.say_column(sold.table, sold.column or "")
        r.assumptions.append(f"Best-selling goes by {quantity} of {r.naming.say_table(sold.table)}.")
    elif (spent := _spent_by(r)) is not None:
        r.ranking.by = spent
    elif r.order and isinstance(r.order[0].by, Measure | Col):
        first = r.order.pop(0)
        assert isinstance(first.by, Measure | Col)
        r.ranking.by, r.ranking.descending = first.by, first.descending
    else:
        raise NotUnderstood("I did not understand what to rank by.")


def _spent_by(r: Reader) -> Measure | None:
    """top customers, top products: those that brought in the most; the best of other things may be anything"""
    assert r.ranking is not None
    buyers = bool(BUYERS & set(r.naming.table(r.subject)))
    if r.ranking.word not in ({"top", "best"} if buyers else {"top"}) or not r.subject_named:
        return None
    show_several(r)
    return brought_in(r)


def _groups(r: Reader, groups: Sequence[Group], measures: Sequence[Measure]) -> list[Group]:
    """Return the groups with the shown columns among them: a table's own are shown of its rows."""
    found = list(groups)
    entities = {g.table for g in found if g.column is None}
    shown_of = {t: [c for c in r.columns if c.table == t] for t in entities}
    found = [replace(g, shown=tuple(shown_of[g.table])) if g.column is None and shown_of[g.table] else g for g in found]
    named = {(g.table, g.column) for g in found}
    measured = {(m.table, m.column) for m in measures}
    loose = [c for c in r.columns if c.table not in entities and (c.table, c.name) not in named | measured]
    keyed = {m.table for m in measures}
    label_named = r.subject_named and r.subject not in keyed
    for column in loose:
        if column.table == r.subject and (label_named or _identifies(r, column)) and not found:
            of_table = [c for c in loose if c.table == r.subject]
            if r.versus:  # "campaign revenue vs budget": of which campaign?
                of_table[:0] = [Col(r.subject, name) for name in r.naming.label(r.subject)]
            found.append(r.entity_group(r.subject, of_table))
            loose = []
            break
    entities = {g.table for g in found if g.column is None}
    found += [Group(c.table, c.name) for c in loose if c.table not in entities]
    counts_rows = any(isinstance(o.by, Measure) and o.by.table != r.subject for o in r.order)
    if not found and (r.ranking is not None or r.having or (counts_rows and r.subject_named)):
        found = [r.entity_group(r.subject)]
    return found


def _identifies(r: Reader, column: Col) -> bool:
    return column.name in r.naming.label(column.table) or column.name == r.naming.key(column.table)


def _shown(r: Reader, columns: Sequence[Col]) -> tuple[Col, ...]:
    """Return the columns of a listing: those asked for, or what stands for a row and a little beside it."""
    if r.star:
        return tuple(Col(r.subject, c.name) for c in r.lexicon.table(r.subject).columns)
    if columns:
        return tuple(dict.fromkeys(columns))
    label = r.resolver.shown(r.subject)
    used = [
        f.column
        for s in r.scopes
        for f in s.filters
        if isinstance(f, Condition) and f.column.table == r.subject and f.operator != "="
    ]
    ordered = [o.by for o in r.order if isinstance(o.by, Col)]
    return tuple(dict.fromkeys((*label, *used, *ordered)))


def _is_distinct(r: Reader, columns: Sequence[Col]) -> bool:
    """Whether equal rows are shown once: values of a column are asked for, not rows of a table."""
    told = bool(columns) and _identifies(r, columns[0]) and not r.naming.is_nameless(columns[0].table)
    if (r.asked == "which") and len(columns) == 1 and not told and r.ranking is None:
        return True
    if not columns or r.star or r.ranking is not None:
        return False
    if r.lexicon.is_flat and not (r.distinct or r.asked) and all(r.resolver.is_numeric(c) for c in columns):
        return False  # "grades of Ann": each that was given, not which ones there are
    keys = {r.naming.key(r.subject), *r.naming.label(r.subject)}
    if any(c.table == r.subject and c.name in keys for c in columns):
        return r.distinct
    return r.distinct or not r.subject_named


def _compared(r: Reader, plan: Plan) -> Plan:
    if not r.periods:
        return plan
    if not plan.measures:
        raise NotUnderstood("I did not understand what to compare between the two periods.")
    tables = (plan.measures[0].table, r.subject)
    column = r.resolver.date_near(tables, r.verb)
    if column is None or r.lexicon.column(column).kind != "date":
        raise NotUnderstood("I found no dates to compare the two periods by.")
    first, second = r.periods
    if first.weekdays or second.weekdays:
        raise NotUnderstood("I cannot set days of the week beside each other yet: ask for the number by weekday.")
    newer, older = sorted((first, second), key=_days_of, reverse=True)
    if _days_of(newer) == _days_of(older):
        raise NotUnderstood(f"“{first.words}” and “{second.words}” are the same days: say which other ones are meant.")
    for period in (newer, older):
        r.assumptions.append(f"{period.words[:1].upper()}{period.words[1:]} means {period.describe()}.")
    return replace(plan, groups=_side_by_side(plan.groups, newer, older), compare=(newer, older), compare_on=column)


def _side_by_side(groups: Sequence[Group], newer: Period, older: Period) -> tuple[Group, ...]:
    """Return the groups with a year's months as those of any year; no other parts of two periods meet in a row."""
    within = [g.grain for g in groups if g.grain not in (None, "month of year", "weekday", "hour")]
    years = all(p.start is not None and (p.start.month, p.start.day) == (1, 1) for p in (newer, older))
    if within and (within != ["month"] or not years):
        raise NotUnderstood(f"I cannot set two periods beside each other by {within[0]}: ask for each of them.")
    return tuple(replace(g, grain="month of year") if g.grain == "month" else g for g in groups)


def _days_of(period: Period) -> tuple[date, date]:
    return period.start or date.min, period.end or date.max
