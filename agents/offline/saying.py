"""Says a plan as a question that the reader understands."""

from __future__ import annotations

from agents.offline.lexicon import Lexicon
from agents.offline.plan import Col, Condition, During, Filter, Group, Measure, Plan, Related

_FUNCTIONS = {"sum": "total", "avg": "average", "min": "minimum", "max": "maximum"}
_WORDS = {"=": "", ">": "more than ", ">=": "at least ", "<": "less than ", "<=": "at most "}


class Unsayable(Exception):
    """This plan has a part that there are no words for."""


class Speaker:
    def __init__(self, lexicon: Lexicon) -> None:
        self._naming = lexicon.naming
        self._lexicon = lexicon

    def question(self, plan: Plan) -> str:
        """Return the plan as one question; raises Unsayable."""
        if plan.having or plan.distinct or plan.exists or len(plan.measures) > 1:
            raise Unsayable
        text = self._computed(plan) if plan.measures else self._listed(plan)
        return f"{text[:1].upper()}{text[1:]}?"

    def _computed(self, plan: Plan) -> str:
        measure = plan.measures[0]
        rest = self._filters(plan)
        if plan.compare is not None:
            newer, older = plan.compare
            return f"compare {self.measure(measure)}{self._groups(plan)} {newer.words} versus {older.words}{rest}"
        if plan.limit is not None and len(plan.groups) == 1:
            first = "top" if plan.order and plan.order[0].descending else "bottom"
            return f"{first} {plan.limit} {self._group(plan.groups[0], many=True)} by {self.measure(measure)}{rest}"
        if plan.limit is not None or (plan.order and not plan.groups):
            raise Unsayable
        groups = self._groups(plan)
        if plan.share and plan.groups:
            return f"{self.measure(measure)}{groups}{rest} as a share of the total"
        if plan.share:
            raise Unsayable
        if measure.function == "count":
            return f"how many {self._naming.say_table(measure.table)} are there{groups}{rest}"
        return f"what is the {self.measure(measure)}{groups}{rest}"

    def _listed(self, plan: Plan) -> str:
        if plan.limit is not None or plan.order:
            raise Unsayable
        columns = ", ".join(self._naming.say_column(c.table, c.name) for c in plan.columns)
        return f"show the {columns} of the {self._naming.say_table(plan.subject)}{self._filters(plan)}"

    def measure(self, measure: Measure) -> str:
        """Return what is computed: "number of orders", "average price of products"."""
        if measure.only or measure.function == "distinct":
            raise Unsayable
        table = self._naming.say_table(measure.table)
        if measure.column is None:
            return f"number of {table}"
        if measure.times is not None:
            return f"{_FUNCTIONS[measure.function]} revenue"
        return f"{_FUNCTIONS[measure.function]} {self._naming.say_column(measure.table, measure.column)} of {table}"

    def _groups(self, plan: Plan) -> str:
        return "".join(f" {'per' if n == 0 else 'and'} {self._group(g)}" for n, g in enumerate(plan.groups))

    def _group(self, group: Group, many: bool = False) -> str:
        if group.grain is not None:
            return group.grain + ("s" if many else "")
        if group.column is None:
            return self._naming.say_table(group.table, many=many)
        return self.column(Col(group.table, group.column))

    def column(self, col: Col) -> str:
        """Return a column with its table: "customer city"."""
        table, name = self._naming.say_table(col.table, many=False), self._naming.say_column(col.table, col.name)
        return name if name.startswith(table) else f"{table} {name}"

    def _filters(self, plan: Plan) -> str:
        parts = [self._filter(f, plan) for f in plan.where]
        return "".join(f" {part}" for part in sorted(parts, key=lambda p: not p.startswith("with ")))

    def _filter(self, condition: Filter, plan: Plan) -> str:
        match condition:
            case During(negated=False):
                return (
                    condition.period.words if condition.period.words[:1].isalpha() else f"in {condition.period.words}"
                )
            case Condition(values=(str() as value,), operator="="):
                return f'with {self.column(condition.column)} "{value}"'
            case Condition(values=(int() | float() as number,)) if condition.operator in _WORDS:
                return f"with {self.column(condition.column)} {_WORDS[condition.operator]}{number}"
            case Related(where=()) if condition.absent:
                return f"without any {self._naming.say_table(condition.table)}"
            case _:
                raise Unsayable
