"""Writes a plan as SQL in the database's dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import (
    Col,
    Condition,
    During,
    Filter,
    Function,
    Group,
    Measure,
    Order,
    Plan,
    Related,
)
from agents.offline.sql.far_rows import merged
from agents.offline.sql.firsts import firsts_of_each, levelled
from agents.offline.sql.frame import Frame, Names
from agents.offline.sql.grains import days_between, truncate
from agents.offline.sql.groups import Groups, Written
from agents.offline.sql.medians import middle, numbered
from agents.offline.sql.predicates import Predicates, is_known
from agents.offline.sql.series import change_before, refuse_no_series, running_total
from agents.offline.sql.titles import measure_title, period_title, unlike_names

_PURE_BRIDGE_COLUMNS = 3
_FUNCTIONS = {"sum": exp.Sum, "avg": exp.Avg, "min": exp.Min, "max": exp.Max}


class SQLBuilder:
    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._dialect = lexicon.catalog.dialect
        self._names = Names(lexicon.catalog)
        self._groups = Groups(lexicon, self._names)

    def build(self, plan: Plan) -> str:
        """Return the plan's SQL; raises NotUnderstood where its tables cannot be put together rightly."""
        query = self._listing(plan) if not plan.measures else self._aggregate(plan)
        if len(list(query.find_all(exp.Table))) == 1:
            for column in query.find_all(exp.Column):
                column.set("table", None)
        return query.sql(dialect=self._dialect, pretty=True)

    def _frame(self, base: str) -> tuple[Frame, Predicates]:
        frame = Frame(self._lexicon, self._names, base)
        return frame, Predicates(self._lexicon, self._names, frame)

    def _listing(self, plan: Plan) -> exp.Select:
        frame, predicates = self._frame(plan.subject)
        group = self._groups.head(frame, plan.within) if plan.within is not None else None
        shown = [frame.column(c, optional=True) for c in plan.columns]
        filters = [f for f in merged(self._lexicon, plan.subject, plan.where) if not _is_joined(f, frame)]
        where = [predicates.filter(f, plan.subject) for f in filters]
        order = [self._ordered(self._sortable(frame, o.by), o.descending) for o in plan.order if isinstance(o.by, Col)]
        if plan.limit is not None:
            where += [
                self._known(frame, o.by) for o in plan.order if isinstance(o.by, Col) and self._may_be_missing(o.by)
            ]
        listed = unlike_names(shown, plan.columns, self._lexicon)
        where += group.known if group is not None else []
        query = frame.select([*(group.shown if group is not None else ()), *listed])
        query = query.where(*where) if where else query
        if group is not None and order and plan.limit is not None:
            return firsts_of_each(query, group, order, plan.limit)
        order = [*(self._ordered(e, False) for e in (group.order if group is not None else ())), *order]
        query = query.order_by(*order) if order else query
        query = query.distinct() if plan.distinct else query
        return query.limit(plan.limit) if plan.limit is not None else query

    def _sortable(self, frame: Frame, col: Col) -> exp.Expr:
        """Return a column as it sorts: numbers that are kept as text by their size."""
        samples = self._lexicon.column(col).samples
        numbers = self._lexicon.column(col).kind == "text" and bool(samples) and all(s.isdigit() for s in samples)
        return frame.number(col) if numbers else frame.column(col, optional=True)

    def _may_be_missing(self, col: Col) -> bool:
        return self._lexicon.column(col).nullable

    def _known(self, frame: Frame, col: Col) -> exp.Expr:
        return is_known(frame.column(col, optional=True))

    def _aggregate(self, plan: Plan) -> exp.Select:
        if plan.along is not None:
            refuse_no_series(plan)
        base = self._base(plan)
        frame, predicates = self._frame(base)
        within = [plan.within] if plan.within is not None else []
        groups = [(g, self._groups.shown(frame, g)) for g in (*within, *plan.groups)]
        filters = merged(self._lexicon, base, plan.where, joined={g.table for g, _ in groups})
        where = [predicates.filter(f, plan.subject) for f in filters if not _is_joined(f, frame)]
        dated = [Col(g.table, g.column) for g in plan.groups if g.column is not None and g.grain is not None]
        where += [is_known(frame.column(c)) for c in dated if self._may_be_missing(c)]
        where += self._known_within(frame, plan)
        if plan.compare is not None:
            return self._periods(frame, predicates, plan, groups, where)
        if any(m.function == "median" for m in plan.measures):
            return self._median(frame, plan, groups, where)
        measures = [(m, self._measure(frame, predicates, m)) for m in plan.measures]
        query = frame.select([*self._groups.labelled(groups), *(exp.alias_(e, self._say(m)) for m, e in measures)])
        if plan.share:
            query = self._with_share(query, measures[0][1])
        if plan.along is not None:
            query = self._with_neighbours(query, plan, measures[0][1], self._groups.place(frame, plan.groups[0]))
        query = self._grouped(query, frame, groups, where)
        for having in plan.having:
            left = next(e for m, e in measures if m == having.measure)
            query = query.having(predicates.comparison(left.copy(), having.operator, having.values))
        if plan.within is not None:
            return self._within_each(query, frame, plan, measures)
        query = query.order_by(*self._orders(frame, plan, groups, measures)) if plan.groups else query
        return query.limit(plan.limit) if plan.limit is not None else query

    def _known_within(self, frame: Frame, plan: Plan) -> list[exp.Expr]:
        """Return what must be known to rank: the group, and the number where the database puts unknown ones first."""
        if plan.within is None or not plan.order:
            return []
        head, by = self._groups.head(frame, plan.within), plan.order[0]
        columns: list[Col] = []
        if isinstance(by.by, Measure) and len(plan.measures) == 1 and by.by.function in _FUNCTIONS:
            columns = [Col(by.by.table, name) for name in (by.by.column, by.by.times) if name is not None]
        first = bool(self._ordered(exp.Null(), by.descending).args["nulls_first"])
        return [*head.known, *(self._known(frame, c) for c in columns if first and self._may_be_missing(c))]

    def _within_each(
        self, query: exp.Select, frame: Frame, plan: Plan, measures: Sequence[tuple[Measure, exp.Expr]]
    ) -> exp.Select:
        """Rank the groups within others: the products of each category, the months of each year."""
        assert plan.within is not None
        found = dict(measures)
        orders = [
            self._ordered(levelled(o.by, found[o.by], self._lexicon), o.descending)
            for o in plan.order
            if isinstance(o.by, Measure)
        ]
        group = self._groups.head(frame, plan.within)
        if plan.limit is None or not orders:
            return query.order_by(*(self._ordered(e, False) for e in group.order), *orders)
        return firsts_of_each(query, group, orders, plan.limit)

    def _median(
        self,
        frame: Frame,
        plan: Plan,
        groups: Sequence[Written],
        where: Sequence[exp.Expr],
    ) -> exp.Select:
        measure = plan.measures[0]
        if len(plan.measures) > 1 or plan.having or plan.share or plan.along is not None:
            raise NotUnderstood("I can only tell the median by itself: ask for the other number on its own.")
        value = self._value(frame, measure)
        assert value is not None
        self._refuse_doubled(frame, measure, frame.base)
        keys = [key for group, shown in groups for key in self._groups.keys(frame, group, shown)]
        inner = frame.select(numbered(keys, value)).where(*where, is_known(value.copy()))
        orders = self._orders(frame, plan, groups, [(measure, value)]) if groups else []
        query = middle(inner, keys, self._groups.labelled(groups), orders, measure_title(measure, self._lexicon))
        return query.limit(plan.limit) if plan.limit is not None else query

    def _grouped(
        self,
        query: exp.Select,
        frame: Frame,
        groups: Sequence[Written],
        where: Sequence[exp.Expr],
    ) -> exp.Select:
        query = query.where(*where) if where else query
        keys = [key for group, shown in groups for key in self._groups.keys(frame, group, shown)]
        return query.group_by(*keys) if keys else query

    def _base(self, plan: Plan) -> str:
        """Return the table whose rows are counted: the one from which every other measured table is reached."""
        tables = list(dict.fromkeys(m.table for m in plan.measures))
        for table in tables:
            if all(self._lexicon.joins.to_one(table, other) for other in tables):
                return table
        raise NotUnderstood("These numbers come from tables that cannot be counted together: ask for them one by one.")

    def _measure(self, frame: Frame, predicates: Predicates, measure: Measure) -> exp.Expr:
        if measure.function == "share":
            return self._part_of_whole(frame, predicates, measure)
        value = self._value(frame, measure)
        if measure.each is not None:
            return self._average_of_each(frame, measure, measure.each, value)
        return self._apply(frame, measure, frame.base, value)

    def _value(self, frame: Frame, measure: Measure) -> exp.Expr | None:
        if measure.column is None:
            return None
        if measure.function == "distinct":
            return frame.column(Col(measure.table, measure.column))
        if measure.since is not None:
            later = frame.column(Col(measure.table, measure.column))
            return days_between(later, frame.column(measure.since), self._dialect)
        value = frame.number(Col(measure.table, measure.column))
        if measure.times is not None:
            value = exp.Mul(this=value, expression=frame.number(Col(measure.table, measure.times)))
        if measure.cost is None:
            return value
        cost: exp.Expr = frame.number(measure.cost)
        if measure.pieces is not None:
            cost = exp.Mul(this=cost, expression=frame.number(Col(measure.table, measure.pieces)))
        return exp.Sub(this=value, expression=cost)

    def _apply(self, frame: Frame, measure: Measure, base: str, value: exp.Expr | None) -> exp.Expr:
        if measure.function == "count":
            return self._count(frame, measure.table, base)
        assert value is not None
        if measure.function == "distinct":
            return exp.Count(this=exp.Distinct(expressions=[value]))
        if measure.function in {"sum", "avg", "margin"}:
            self._refuse_doubled(frame, measure, base)
        if measure.function == "margin":
            return self._margin(frame, measure, value)
        return _FUNCTIONS[measure.function](this=value)

    def _refuse_doubled(self, frame: Frame, measure: Measure, base: str) -> None:
        if measure.table != base or frame.multiplies(_PURE_BRIDGE_COLUMNS):
            raise NotUnderstood("A sum would count some rows twice here: ask for it without the other table.")

    def _margin(self, frame: Frame, measure: Measure, profit: exp.Expr) -> exp.Expr:
        """What is left of the price when the cost is paid, in percent of the price."""
        price = self._value(frame, replace(measure, cost=None))
        whole = exp.Nullif(this=exp.Sum(this=price), expression=exp.Literal.number(0))
        return self._rounded(_percent(exp.Sum(this=profit), whole))

    def _average_of_each(self, frame: Frame, measure: Measure, each: Group, value: exp.Expr | None) -> exp.Expr:
        """The sum or the count, divided by how many there are of what each of them belongs to."""
        whole: Function = "count" if value is None else "sum"
        total = self._apply(frame, replace(measure, function=whole, each=None), frame.base, value)
        key = Col(each.table, each.column or self._lexicon.naming.key(each.table) or "")
        number = truncate(frame.column(key), each.grain, self._dialect) if each.grain else frame.column(key)
        many = exp.Nullif(this=exp.Count(this=exp.Distinct(expressions=[number])), expression=exp.Literal.number(0))
        return exp.Div(this=total, expression=many)

    def _count(self, frame: Frame, table: str, base: str) -> exp.Expr:
        key = self._lexicon.naming.key(table)
        if table == base and (key is None or not frame.multiplies(0)):
            return exp.Count(this=exp.Star())
        if key is None:
            raise NotUnderstood(f"I cannot count {self._lexicon.naming.say_table(table)} here: they have no key.")
        column = frame.column(frame.near(Col(table, key)))
        return exp.Count(this=exp.Distinct(expressions=[column]))

    def _say(self, measure: Measure) -> exp.Identifier:
        return self._names.identifier(measure_title(measure, self._lexicon))

    def _orders(
        self,
        frame: Frame,
        plan: Plan,
        groups: Sequence[Written],
        measures: Sequence[tuple[Measure, exp.Expr]],
    ) -> list[exp.Ordered]:
        order = plan.order or _default_order(plan)
        return [self._ordered(self._order_key(frame, o, groups, measures), o.descending) for o in order]

    def _order_key(
        self,
        frame: Frame,
        order: Order,
        groups: Sequence[Written],
        measures: Sequence[tuple[Measure, exp.Expr]],
    ) -> exp.Expr:
        if isinstance(order.by, Measure):
            return exp.column(self._say(order.by))
        if isinstance(order.by, Group):
            place = self._groups.place(frame, order.by)
            return place or next(shown[0].copy() for group, shown in groups if group == order.by)
        expression = frame.column(order.by)
        if all(expression != shown for _, each in groups for shown in each):
            raise NotUnderstood("I cannot order these groups by something that differs within them.")
        return expression

    def _ordered(self, expression: exp.Expr, descending: bool) -> exp.Ordered:
        # Said as the dialect sorts by itself, so that no NULLS FIRST or LAST is written.
        nulls_first = {"postgres": descending, "duckdb": False}.get(self._dialect, not descending)
        return exp.Ordered(this=expression, desc=descending, nulls_first=nulls_first)

    def _with_share(self, query: exp.Select, measure: exp.Expr) -> exp.Select:
        whole = exp.Window(this=exp.Sum(this=measure.copy()))
        share = _percent(measure.copy(), whole)
        return query.select(exp.alias_(self._rounded(share), "share_percent"))

    def _with_neighbours(self, query: exp.Select, plan: Plan, number: exp.Expr, place: exp.Expr | None) -> exp.Select:
        assert place is not None
        if plan.along == "running":
            return query.select(exp.alias_(running_total(number.copy(), place), "running_total"))
        change = self._rounded(change_before(number.copy(), place))
        return query.select(exp.alias_(change, f"change_since_{plan.groups[0].grain}_before_percent"))

    def _part_of_whole(
        self, frame: Frame, predicates: Predicates, measure: Measure, side: exp.Expr | None = None
    ) -> exp.Expr:
        """The rows that fulfil the conditions, or the sum over them, in percent of all, or of all on one `side`."""
        for f in measure.only:
            if isinstance(f, Condition | During) and self._lexicon.joins.to_one(frame.base, f.column.table):
                frame.column(f.column, optional=True)  # who belongs to nobody there is part of the whole
        parts = merged(self._lexicon, measure.table, measure.only)
        within = exp.and_(*(predicates.filter(f, measure.table) for f in parts))
        if measure.table != frame.base or frame.multiplies(0):
            raise NotUnderstood("I can only tell the share of a count or of a sum.")
        value = self._value(frame, measure) or exp.Literal.number(1)
        within = exp.and_(side.copy(), within) if side is not None else within
        part = exp.Sum(this=exp.Case(ifs=[exp.If(this=within, true=value.copy())], default=exp.Literal.number(0)))
        whole: exp.Expr
        if side is not None:
            whole = exp.Sum(this=exp.Case(ifs=[exp.If(this=side.copy(), true=value)], default=exp.Literal.number(0)))
        else:
            whole = exp.Count(this=exp.Star()) if measure.column is None else exp.Sum(this=value)
        share = _percent(part, exp.Nullif(this=whole, expression=exp.Literal.number(0)))
        return self._rounded(share)

    def _rounded(self, percent: exp.Expr) -> exp.Expr:
        # PostgreSQL rounds a numeric to decimals, and no double precision.
        value = exp.cast(percent, "DECIMAL") if self._dialect == "postgres" else percent
        return exp.Round(this=value, decimals=exp.Literal.number(2))

    def _periods(
        self,
        frame: Frame,
        predicates: Predicates,
        plan: Plan,
        groups: Sequence[Written],
        where: list[exp.Expr],
    ) -> exp.Select:
        """One column for each of two periods, and the change from the older to the newer."""
        assert plan.compare is not None and plan.compare_on is not None
        measure = plan.measures[0]
        if measure.function in {"median", "margin"}:
            raise NotUnderstood("I cannot set medians or margins of two periods beside each other: ask for each.")
        sides = [predicates.filter(During(plan.compare_on, p), plan.subject) for p in plan.compare]
        share = measure.function == "share"
        columns = [
            self._part_of_whole(frame, predicates, measure, side) if share else self._within(frame, measure, side)
            for side in sides
        ]
        names = [self._names.identifier(period_title(p.words, "percent" if share else "")) for p in plan.compare]
        both = frame.select(
            [*self._groups.labelled(groups), *(exp.alias_(c, n) for c, n in zip(columns, names, strict=True))]
        )
        both = self._grouped(both, frame, groups, [*where, exp.or_(*(s.copy() for s in sides))])
        newer, older = (exp.column(name) for name in names)
        points: exp.Expr = exp.Sub(this=newer, expression=older)
        percent = _percent(exp.Paren(this=points), exp.Nullif(this=older.copy(), expression=exp.Literal.number(0)))
        change = exp.alias_(self._rounded(points if share else percent), f"change_{'points' if share else 'percent'}")
        query = exp.select("*", change)
        return query.from_(both.subquery("periods")).order_by(self._ordered(newer.copy(), True))

    def _within(self, frame: Frame, measure: Measure, side: exp.Expr) -> exp.Expr:
        value = self._value(frame, measure)
        if measure.function == "count":
            return exp.Sum(
                this=exp.Case(ifs=[exp.If(this=side.copy(), true=exp.Literal.number(1))], default=exp.Literal.number(0))
            )
        assert value is not None
        case = exp.Case(ifs=[exp.If(this=side.copy(), true=value)])
        return self._apply(frame, measure, frame.base, case)


def _is_joined(condition: Filter, frame: Frame) -> bool:
    """Whether rows must belong to a row only because its table is joined already."""
    bare = isinstance(condition, Related) and not condition.where and condition.operator == ">" and condition.count == 0
    return bare and isinstance(condition, Related) and frame.has(condition.table)


def _default_order(plan: Plan) -> list[Order]:
    """Return time in its order, and otherwise the greatest first."""
    grained = [g for g in plan.groups if g.grain]
    if grained:
        return [Order(g) for g in grained]
    return [Order(plan.measures[0], descending=True)]


def _percent(part: exp.Expr, whole: exp.Expr) -> exp.Div:
    # `typed`: 100.0 makes the division one of fractions already, so no cast is needed.
    return exp.Div(this=exp.Mul(this=exp.Literal.number("100.0"), expression=part), expression=whole, typed=True)
