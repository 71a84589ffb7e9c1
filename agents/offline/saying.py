"""Says a plan as questions that the reader may understand, the plainest wording first."""

from __future__ import annotations

from collections.abc import Iterator

from agents.offline.lexicon import Lexicon
from agents.offline.plan import Col, Condition, During, Filter, Group, Measure, Plan, Related
from agents.offline.resolving import Resolver

_FUNCTIONS = {"sum": "total", "avg": "average", "min": "minimum", "max": "maximum"}
_WORDS = {"=": "", ">": "more than ", ">=": "at least ", "<": "less than ", "<=": "at most "}


class Unsayable(Exception):
    """This plan has a part that there are no words for."""


class Speaker:
    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._naming = lexicon.naming
        self._resolver = Resolver(lexicon)
        self._fully = False
        """Whether columns are said with their tables: "customer city" for "city"."""

    def questions(self, plan: Plan) -> Iterator[str]:
        """Yield wordings of the plan, the shortest first; whether one means just this plan, only asking it tells."""
        if plan.having or plan.distinct or plan.exists or len(plan.measures) > 1:
            return
        for self._fully in (False, True):
            try:
                text = self._computed(plan) if plan.measures else self._listed(plan)
            except Unsayable:
                return
            yield f"{text[:1].upper()}{text[1:]}?"

    def _computed(self, plan: Plan) -> str:
        if plan.compare is not None:
            newer, older = plan.compare
            versus = f"{newer.words} versus {older.words}"
            return f"compare {self._measure(plan)}{self._groups(plan)} {versus}{self._filters(plan)}"
        if plan.limit is not None and len(plan.groups) == 1:
            return self._ranked(plan)
        if plan.limit is not None or (plan.order and not plan.groups) or (plan.share and not plan.groups):
            raise Unsayable
        rest = f"{self._groups(plan)}{self._filters(plan)}"
        if plan.share:
            counted = plan.measures[0].column is None
            whole = self._naming.say_table(plan.measures[0].table) if counted else self._measure(plan)
            return f"what is the share of {whole}{rest}"
        if plan.measures[0].column is None:
            return f"how many {self._naming.say_table(plan.measures[0].table)} are there{rest}"
        return f"what is the {self._measure(plan)}{rest}"

    def _ranked(self, plan: Plan) -> str:
        measure, descending = plan.measures[0], not plan.order or plan.order[0].descending
        if measure.column is None and not self._fully and plan.limit:
            most = "most" if descending else "fewest"
            many = plan.limit > 1
            what = self._group(plan.groups[0], many=many)
            have = f"{plan.limit} {what} have" if many else f"{what} has"
            return f"which {have} the {most} {self._naming.say_table(measure.table)}{self._filters(plan)}"
        first = "top" if descending else "bottom"
        ranked = self._group(plan.groups[0], many=True)
        return f"which are the {first} {plan.limit} {ranked} by {self._measure(plan)}{self._filters(plan)}"

    def _listed(self, plan: Plan) -> str:
        if plan.limit is not None or plan.order:
            raise Unsayable
        table = self._naming.say_table(plan.subject)
        label = tuple(Col(plan.subject, name) for name in self._naming.label(plan.subject))
        if plan.columns == label and len(plan.where) == 1 and isinstance(plan.where[0], Related):
            absent = plan.where[0]
            if absent.absent and not absent.where:
                return f"which {table} have no {self._naming.say_table(absent.table)}"
        columns = ", ".join(self._naming.say_column(c.table, c.name) for c in plan.columns)
        return f"show the {columns} of the {table}{self._filters(plan)}"

    def _measure(self, plan: Plan) -> str:
        """Return what is computed: "number of orders", "average price of products", "revenue"."""
        measure = plan.measures[0]
        if measure.only or measure.function == "distinct":
            raise Unsayable
        table = self._naming.say_table(measure.table)
        if measure.column is None:
            return f"number of {table}"
        if measure.times is not None or (not self._fully and self._is_revenue(measure)):
            return "revenue" if measure.function == "sum" else f"{_FUNCTIONS[measure.function]} revenue"
        return f"{_FUNCTIONS[measure.function]} {self._naming.say_column(measure.table, measure.column)} of {table}"

    def _is_revenue(self, measure: Measure) -> bool:
        return measure.function == "sum" and self._resolver.money((measure.table,)) == measure

    def _groups(self, plan: Plan) -> str:
        return "".join(f" {'per' if n == 0 else 'and'} {self._group(g)}" for n, g in enumerate(plan.groups))

    def _group(self, group: Group, many: bool = False) -> str:
        if group.grain is not None:
            return group.grain + ("s" if many else "")
        if group.column is None:
            return self._naming.say_table(group.table, many=many)
        return self._column(Col(group.table, group.column))

    def _column(self, col: Col) -> str:
        table, name = self._naming.say_table(col.table, many=False), self._naming.say_column(col.table, col.name)
        return name if name.startswith(table) or not self._fully else f"{table} {name}"

    def _filters(self, plan: Plan) -> str:
        parts = [self._filter(f) for f in plan.where]
        return "".join(f" {part}" for part in sorted(parts, key=lambda p: not p.startswith("with ")))

    def _filter(self, condition: Filter) -> str:
        match condition:
            case During(negated=False):
                words = condition.period.words
                return words if words[:1].isalpha() else f"in {words}"
            case Condition(values=(str() as value,), operator="="):
                return f'with {self._column(condition.column)} "{value}"'
            case Condition(values=(int() | float() as number,)) if condition.operator in _WORDS:
                return f"with {self._column(condition.column)} {_WORDS[condition.operator]}{number}"
            case Related(where=()) if condition.absent:
                return f"without any {self._naming.say_table(condition.table)}"
            case _:
                raise Unsayable
