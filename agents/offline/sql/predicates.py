"""Writes a plan's conditions as SQL, each in a frame of joined tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import (
    AnyOf,
    Col,
    Condition,
    During,
    Each,
    Filter,
    First,
    Lasting,
    Measure,
    Operand,
    Pick,
    Related,
    Statistic,
    Through,
)
from agents.offline.sql.frame import Frame, Names
from agents.offline.sql.grains import days_between, truncate

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE,
}  # fmt: skip
_FUNCTIONS: dict[str, type[exp.AggFunc]] = {"avg": exp.Avg, "max": exp.Max, "min": exp.Min, "sum": exp.Sum}
_LIKE = {"contains": "%{}%", "not contains": "%{}%", "starts": "{}%", "ends": "%{}"}


def is_known(expression: exp.Expr) -> exp.Expr:
    return exp.Is(this=expression, expression=exp.Not(this=exp.Null()))


class Predicates:
    def __init__(self, lexicon: Lexicon, names: Names, frame: Frame) -> None:
        self._lexicon = lexicon
        self._names = names
        self._frame = frame

    def filter(self, condition: Filter, subject: str) -> exp.Expr:
        """Return the condition, about rows of `subject` where it says nothing else."""
        match condition:
            case Condition() | During() if not self._is_near(condition.column.table):
                return self._related(Related(condition.column.table, (condition,)), subject)
            case Condition():
                return self._condition(condition)
            case During():
                return self._during(condition)
            case AnyOf():
                return exp.paren(exp.or_(*(self.filter(o, subject) for o in condition.options)), copy=False)
            case Related():
                return self._related(condition, subject)
            case Pick():
                return self._pick(condition)
            case Through():
                return self._through(condition)
            case First():
                return self._first(condition)
            case Each():
                return self._each(condition)
            case Lasting():
                dates = self._frame.column(condition.column), self._frame.column(condition.since)
                days = days_between(*dates, self._lexicon.catalog.dialect)
                return self.comparison(exp.paren(days), condition.operator, (condition.days,))

    def comparison(self, left: exp.Expr, operator: str, values: Sequence[Operand]) -> exp.Expr:
        right = [self._operand(v, self._frame) for v in values]
        if operator in _COMPARISONS:
            return _COMPARISONS[operator](this=left, expression=right[0])
        if operator == "between":
            return exp.Between(this=left, low=right[0], high=right[1])
        if operator in {"in", "not in"}:
            inside = exp.In(this=left, expressions=right)
            return exp.Not(this=inside) if operator == "not in" else inside
        if operator == "null":
            return exp.Is(this=left, expression=exp.Null())
        return is_known(left)

    def _is_near(self, table: str) -> bool:
        return self._frame.has(table) or self._lexicon.joins.to_one(self._frame.base, table)

    def _condition(self, condition: Condition) -> exp.Expr:
        excluding = condition.operator in {"!=", "not in", "not contains"}
        if excluding and self._may_be_missing(condition.column):
            self._frame.column(condition.column, optional=True)
            missing = exp.Is(this=self._frame.column(condition.column), expression=exp.Null())
            return exp.paren(exp.or_(self._known_condition(condition), missing), copy=False)
        return self._known_condition(condition)

    def _may_be_missing(self, col: Col) -> bool:
        """Whether a row may have no value there: none was given, or it belongs to no row of that table."""
        return self._lexicon.column(col).nullable or self._frame.may_lack(col.table)

    def _known_condition(self, condition: Condition) -> exp.Expr:
        column = self._lexicon.column(condition.column)
        numeric = any(isinstance(v, int | float | Statistic) and not isinstance(v, bool) for v in condition.values)
        left: exp.Expr = self._frame.number(condition.column) if numeric else self._frame.column(condition.column)
        if condition.operator in _LIKE:
            return self._like(left, condition)
        if condition.operator in {"null", "not null"} and column.kind == "text" and self._may_be_empty(column.type):
            empty = exp.Literal.string("")
            if condition.operator == "not null":
                return exp.NEQ(this=left, expression=empty)
            return exp.paren(exp.or_(self.comparison(left, "null", ()), exp.EQ(this=left.copy(), expression=empty)))
        values = condition.values
        unknown = (
            column.kind == "text"
            and values
            and all(isinstance(v, str) for v in values)
            and not set(values) <= set(column.values)
        )
        if unknown and condition.operator in {"=", "!=", "in", "not in"}:
            left = exp.Lower(this=left)
            values = tuple(str(v).lower() for v in values)
        return self.comparison(left, condition.operator, values)

    def _may_be_empty(self, declared: str) -> bool:
        return any(t in declared.lower() for t in ("char", "text", "string", "clob"))

    def _like(self, left: exp.Expr, condition: Condition) -> exp.Expr:
        text = str(condition.values[0]).lower()
        pattern = _LIKE[condition.operator].format(text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_"))
        like: exp.Expr = exp.Like(this=exp.Lower(this=left), expression=exp.Literal.string(pattern))
        if "\\" in pattern:
            like = exp.Escape(this=like, expression=exp.Literal.string("\\"))
        return exp.Not(this=like) if condition.operator == "not contains" else like

    def _during(self, condition: During) -> exp.Expr:
        column = self._frame.column(condition.column)
        bounds: list[exp.Expr] = []
        if condition.period.start:
            bounds.append(
                exp.GTE(this=column.copy(), expression=self._day(condition, condition.period.start.isoformat()))
            )
        if condition.period.end:
            bounds.append(exp.LT(this=column.copy(), expression=self._day(condition, condition.period.end.isoformat())))
        if condition.period.weekdays:
            weekday = truncate(column, "weekday", self._lexicon.catalog.dialect)
            days = condition.period.weekdays
            bounds.append(self.comparison(weekday, "in" if len(days) > 1 else "=", days))
        within = exp.and_(*bounds)
        return exp.Not(this=exp.paren(within)) if condition.negated else within

    def _day(self, condition: During, day: str) -> exp.Expr:
        declared = self._lexicon.column(condition.column).type.lower()
        kept_as_text = any(t in declared for t in ("char", "text", "string")) or not declared
        if self._lexicon.catalog.dialect in {"sqlite", "mysql"} or kept_as_text:
            return exp.Literal.string(day)
        return exp.cast(exp.Literal.string(day), "DATE")

    def _operand(self, value: Operand, frame: Frame) -> exp.Expr:
        if isinstance(value, Statistic):
            inner = Frame(self._lexicon, self._names, value.column.table, frame.aliases)
            query = inner.select([_FUNCTIONS[value.function](this=inner.number(value.column))])
            within = Predicates(self._lexicon, self._names, inner)
            where = [within.filter(c, value.column.table) for c in value.where]
            return exp.paren(query.where(*where) if where else query, copy=False)
        if isinstance(value, Col):
            return frame.column(value)
        if isinstance(value, bool):
            return exp.Boolean(this=value)
        if isinstance(value, int | float):
            return exp.Literal.number(value)
        return exp.Literal.string(value)

    def _related(self, related: Related, subject: str) -> exp.Expr:
        """Return that rows of another table (do not) belong to the subject's row, or how many must."""
        outer = subject if self._is_near(subject) else self._frame.base
        way = self._lexicon.joins.path(outer, related.table)
        if not way:
            naming = self._lexicon.naming
            raise NotUnderstood(f"Nothing joins {naming.say_table(outer)} with {naming.say_table(related.table)}.")
        if self._lexicon.joins.is_ambiguous(outer, related.table):
            raise NotUnderstood(
                f"“{self._lexicon.naming.say_table(related.table)}” can be meant in more than one way here."
            )
        inner = Frame(self._lexicon, self._names, way[0].target, self._frame.aliases)
        inner.alias(related.table)
        within = Predicates(self._lexicon, self._names, inner)
        where = [within.filter(c, related.table) for c in related.where]
        query_where = [*inner.tie(way[0], self._frame.alias(outer)), *where]
        if related.operator == ">" and related.count == 0:
            return exp.Exists(this=inner.select([exp.Literal.number(1)]).where(*query_where))
        if related.absent:
            return exp.Not(this=exp.Exists(this=inner.select([exp.Literal.number(1)]).where(*query_where)))
        key = self._lexicon.naming.key(related.table)
        repeats = inner.multiplies(0) and key is not None
        counted = exp.Distinct(expressions=[inner.column(Col(related.table, key))]) if repeats and key else exp.Star()
        counting = inner.select([exp.Count(this=counted)]).where(*query_where)
        return self.comparison(exp.paren(counting, copy=False), related.operator, (related.count,))

    def _first(self, first: First) -> exp.Expr:
        """Return that the row is the first of its key; asked of all keys at once, which takes one look at the table."""
        inner = Frame(self._lexicon, self._names, first.table, self._frame.aliases)
        key, day = Col(first.table, first.key), Col(first.table, first.date)
        firsts = inner.select([inner.column(key), exp.Min(this=inner.column(day))]).group_by(inner.column(key))
        row = exp.Tuple(expressions=[self._frame.column(key), self._frame.column(day)])
        return exp.In(this=row, query=firsts.subquery(copy=False))

    def _through(self, through: Through) -> exp.Expr:
        keys = self._lexicon.table(through.key.table).foreign_keys
        referred = through.chosen or next(k.referred[0] for k in keys if k.columns == (through.key.name,))
        inner = Frame(self._lexicon, self._names, through.table, self._frame.aliases)
        within = Predicates(self._lexicon, self._names, inner)
        chosen = inner.column(Col(through.table, referred))
        query = inner.select([chosen]).where(*(within.filter(f, through.table) for f in through.where))
        return exp.In(this=self._frame.column(through.key), query=query.subquery(copy=False))

    def _each(self, each: Each) -> exp.Expr:
        """Return that the row is among those for which the number, computed for all of them at once, is so."""
        key = self._lexicon.naming.key(each.table)
        if key is None or not self._is_near(each.table):
            raise NotUnderstood(
                f"I cannot compute a number for each {self._lexicon.naming.say_table(each.table, False)}."
            )
        inner = Frame(self._lexicon, self._names, each.measure.table, self._frame.aliases)
        chosen = inner.column(inner.near(Col(each.table, key)))
        number = self._number(inner, each.measure)
        within = Predicates(self._lexicon, self._names, inner)
        where = [within.filter(f, each.measure.table) for f in each.where]
        query = inner.select([chosen]).where(*where) if where else inner.select([chosen])
        query = query.group_by(chosen.copy()).having(self.comparison(number, each.operator, each.values))
        near = self._frame.column(self._frame.near(Col(each.table, key)))
        return exp.In(this=near, query=query.subquery(copy=False))

    def _number(self, inner: Frame, measure: Measure) -> exp.Expr:
        if measure.column is None:
            return exp.Count(this=exp.Star())
        value = inner.number(Col(measure.table, measure.column))
        if measure.since is not None:
            later = inner.column(Col(measure.table, measure.column))
            value = days_between(later, inner.column(measure.since), self._lexicon.catalog.dialect)
        elif measure.times is not None:
            value = exp.Mul(this=value, expression=inner.number(Col(measure.table, measure.times)))
        if measure.function not in _FUNCTIONS:
            raise NotUnderstood("I can compare only counts, sums, averages and extremes of each.")
        return _FUNCTIONS[measure.function](this=value)

    def _pick(self, pick: Pick) -> exp.Expr:
        key = self._lexicon.naming.key(pick.table)
        if key is None or not self._is_near(pick.table):
            raise NotUnderstood(f"I cannot pick one of the {self._lexicon.naming.say_table(pick.table)} here.")
        inner = Frame(self._lexicon, self._names, pick.by.table, self._frame.aliases)
        chosen = inner.column(Col(pick.table, key))
        if isinstance(pick.by, Measure):
            by: exp.Expr = exp.Count(this=exp.Star())
            query = inner.select([chosen]).group_by(chosen.copy())
        else:
            by = inner.column(pick.by)
            query = inner.select([chosen]).where(is_known(by.copy()))
        within = Predicates(self._lexicon, self._names, inner)
        where = [within.filter(c, pick.table) for c in pick.where]
        query = query.where(*where) if where else query
        nulls_first = {"postgres": pick.descending, "duckdb": False}.get(
            self._lexicon.catalog.dialect, not pick.descending
        )
        query = query.order_by(exp.Ordered(this=by.copy(), desc=pick.descending, nulls_first=nulls_first)).limit(1)
        near = self._frame.column(self._frame.near(Col(pick.table, key)))
        return exp.EQ(this=near, expression=exp.paren(query, copy=False))
