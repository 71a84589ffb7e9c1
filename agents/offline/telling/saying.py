"""Says a plan as questions that the reader may understand, the most natural wording first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agents.offline.english.times import MONTHS
from agents.offline.english.vocabulary import PEOPLE
from agents.offline.english.words import stem
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import Col, Condition, During, Filter, Group, Measure, Plan, Related

_FUNCTIONS = {"sum": "total", "avg": "average", "min": "lowest", "max": "highest", "median": "median"}
_WORDS = {"=": "", ">": "more than ", ">=": "at least ", "<": "less than ", "<=": "at most "}
_VAGUE = frozenset({"total", "amount", "value"})
_OF_THEMSELVES = frozenset("joined started ended arrived departed enrolled visited".split())
"""Participles of what somebody does: the others are done to something."""

_DONE = {"hire": "were hired", "employment": "were hired", "join": "joined", "start": "started", "leave": "left"}
"""What people did, or what was done to them, on the day that a date is called by."""
_BEGUN = frozenset("opened founded launched built created started acquired".split())
"""What is done to things at the beginning, which are there from then on."""


class Unsayable(Exception):
    """This plan has a part that there are no words for."""


class Speaker:
    def __init__(self, lexicon: Lexicon, *, at_length: bool = False) -> None:
        self._naming = lexicon.naming
        self._at_length = at_length
        """Whether an average says of what it is: "average age of singers"."""
        self._fully = False
        """Whether columns are said with their tables: "customer city" for "city"."""

    def questions(self, plan: Plan) -> Iterator[str]:
        """Yield wordings of the plan, the best first; whether one means just this plan, only asking it tells."""
        if plan.having or plan.distinct or plan.exists or plan.along or len(plan.measures) > 1:
            return
        for self._fully in (False, True):
            try:
                for text in self._computed(plan) if plan.measures else self._listed(plan):
                    yield f"{text[:1].upper()}{text[1:]}?"
            except Unsayable:
                return

    def _computed(self, plan: Plan) -> Iterator[str]:
        what, by, rest = self._what(plan.measures[0]), self._by(plan), self._filters(plan)
        if plan.compare is not None:
            newer, older = plan.compare
            yield f"{what}{by} {_during(newer.words)} compared with {_named(older.words)}{rest}"
            yield f"{what}{by} {newer.words} compared with {older.words}{rest}"
            yield f"compare {what}{by} {newer.words} versus {older.words}{rest}"
        elif plan.limit is not None and len(plan.groups) == 1:
            yield from self._ranked(plan, what, rest)
        elif plan.limit is not None or (not plan.groups and (plan.order or plan.share)):
            raise Unsayable
        elif plan.share:
            yield from self._shared(plan, what, by, rest)
        elif plan.measures[0].function == "count":
            yield from self._counted(plan, by, rest)
        else:
            yield from self._measured(plan, what, by, rest)

    def _ranked(self, plan: Plan, what: str, rest: str) -> Iterator[str]:
        measure, descending = plan.measures[0], not plan.order or plan.order[0].descending
        many = plan.limit != 1
        named = self._group(plan.groups[0], many=many)
        ranked = f"{plan.limit} {named}" if many else named
        have = "had" if _is_past(plan) else "have" if many else "has"
        if measure.column is None:
            things = self._naming.say_table(measure.table)
            yield f"which {ranked} {have} the {'most' if descending else 'fewest'} {things}{rest}"
        else:
            if measure.function == "sum" and not measure.said and measure.column:
                things = self._naming.tell_column(measure.table, measure.column)
                yield f"which {ranked} {have} the {'most' if descending else 'fewest'} {things}{rest}"
            yield f"which {ranked} {have} the {'highest' if descending else 'lowest'} {what}{rest}"
        first = "top" if descending else "bottom"
        yield f"which are the {first} {plan.limit} {self._group(plan.groups[0], many=True)} by {what}{rest}"

    def _shared(self, plan: Plan, what: str, by: str, rest: str) -> Iterator[str]:
        measure = plan.measures[0]
        whole = self._naming.say_table(measure.table) if measure.column is None else what.removeprefix("total ")
        if len(plan.groups) == 1:
            does = "did" if _is_past(plan) else "does"
            conditions, during = self._split(plan)
            yield f"what share of {whole}{conditions} {does} each {self._group(plan.groups[0])} have{during}"
            yield f"what share of {whole} {does} each {self._group(plan.groups[0])} have{rest}"
        yield f"what is the share of {whole}{by}{rest}"

    def _counted(self, plan: Plan, by: str, rest: str) -> Iterator[str]:
        things = self._naming.say_table(plan.measures[0].table)
        happened = self._happened_during(plan)
        there = happened or ("were there" if _is_past(plan) else "are there")
        conditions, during = self._split(plan)
        if conditions.startswith(" with"):
            each = f" each {plan.groups[0].grain}" if len(plan.groups) == 1 and plan.groups[0].grain else by
            yield f"how many {things}{conditions} {there}{each}{during}"
        if not plan.groups:
            yield f"how many {things} {there}{rest}"
            return
        group = plan.groups[0]
        if len(plan.groups) == 1 and group.grain is not None:
            if (did := self._happened(group)) is not None:
                yield f"how many {things} {did} each {group.grain}{rest}"
            yield f"how many {things} were there each {group.grain}{rest}"
        elif len(plan.groups) == 1 and group.column is None and not self._lasts(plan, happened):
            yield f"how many {things} {'did' if _is_past(plan) else 'does'} each {self._group(group)} have{rest}"
        yield f"how many {things} {there}{by}{rest}"
        yield f"how many {things} {there}{by.replace(' by ', ' per ', 1)}{rest}"

    def _happened_during(self, plan: Plan) -> str | None:
        """Return "were hired" for employees of a year; raises Unsayable where "were there" would count others too."""
        table = plan.measures[0].table
        dates = [f.column for f in plan.where if isinstance(f, During) and f.column.table == table]
        if not dates:
            return None
        happened = self._happened(Group(table, dates[0].name, "day")) or self._done(dates[0])
        if happened is None and PEOPLE & set(self._naming.table(table)):
            raise Unsayable
        return happened

    def _lasts(self, plan: Plan, happened: str | None) -> bool:
        """Whether those of a period are not all that were there in it: employees hired, shops opened."""
        people = bool(PEOPLE & set(self._naming.table(plan.measures[0].table)))
        return happened is not None and (people or happened.split()[-1] in _BEGUN)

    def _done(self, column: Col) -> str | None:
        """Return "were hired" for a hire date of people."""
        first, *rest = self._naming.column(column.table, column.name)
        return _DONE.get(first) if rest == ["date"] and PEOPLE & set(self._naming.table(column.table)) else None

    def _happened(self, group: Group) -> str | None:
        """Return what a date column's name says of its rows: "were placed" for `placed_at`, "joined"."""
        words = self._naming.column(group.table, group.column or "")
        if stem(words[0]) == stem(self._naming.table(group.table)[-1]):
            return None  # returns that "were returned"
        if len(words) < 2 or words[-1] not in {"on", "at"} or not words[0].endswith("ed"):
            return None
        return words[0] if words[0] in _OF_THEMSELVES else f"were {words[0]}"

    def _measured(self, plan: Plan, what: str, by: str, rest: str) -> Iterator[str]:
        grain = plan.groups[0].grain if len(plan.groups) == 1 else None
        was = "was" if _is_past(plan) else "is"
        conditions, during = self._split(plan)
        of_one = plan.measures[0].said and conditions.startswith(" for the ")
        source = f" from{conditions.removeprefix(' for')}"
        if grain is not None and plan.measures[0].said and plan.measures[0].function == "sum":
            if of_one:
                yield f"how did {what}{source} develop each {grain}{during}"
            yield f"how did {what} develop each {grain}{rest}"
        elif not plan.groups:
            yield f"what {was} the {what}{rest}"
        elif of_one:
            yield f"what {was} the {what}{source}{by}{during}"
        yield f"{what} each {grain}{rest}" if grain else f"{what}{by}{rest}"
        yield f"what {was} the {what}{by.replace(' by ', ' per ', 1)}{rest}"

    def _listed(self, plan: Plan) -> Iterator[str]:
        if plan.limit is not None or plan.order:
            raise Unsayable
        table = self._naming.say_table(plan.subject)
        label = tuple(Col(plan.subject, name) for name in self._naming.label(plan.subject))
        if plan.columns == label and len(plan.where) == 1 and isinstance(plan.where[0], Related):
            absent = plan.where[0]
            if absent.absent and not absent.where:
                yield f"which {table} have no {self._naming.say_table(absent.table)}"
                return
        if plan.columns == label:
            yield f"which {table} are there{self._filters(plan)}"
        columns = ", ".join(self._naming.tell_column(c.table, c.name) for c in plan.columns)
        yield f"show the {columns} of the {table}{self._filters(plan)}"

    def _what(self, measure: Measure) -> str:
        """Return what is computed: "number of orders", "average price", "revenue"."""
        if measure.function in {"share", "margin"} and measure.said:
            return measure.said
        if measure.only or measure.function == "distinct":
            raise Unsayable
        table = self._naming.say_table(measure.table)
        if measure.column is None:
            return f"number of {table}"
        function = _FUNCTIONS[measure.function]
        if measure.said or measure.times:
            said = measure.said or "revenue"
            return said if measure.function == "sum" else f"{function} {said}"
        column = self._naming.tell_column(measure.table, measure.column)
        vague = column in _VAGUE and not self._fully
        if vague:
            column = f"{self._naming.say_table(measure.table, many=False)} {column}"
        what = f"sum of {column}" if measure.function == "sum" and "total" in column else f"{function} {column}"
        return f"{what} of {table}" if self._fully or (self._at_length and not vague) else what

    def _by(self, plan: Plan) -> str:
        return "".join(f" {'by' if n == 0 else 'and'} {self._group(g)}" for n, g in enumerate(plan.groups))

    def _group(self, group: Group, many: bool = False) -> str:
        if group.grain is not None:
            return group.grain + ("s" if many else "")
        if group.column is None:
            return self._naming.say_table(group.table, many=many)
        column = self._column(Col(group.table, group.column))
        return self._naming.many(column) if many else column

    def _column(self, col: Col) -> str:
        table, name = self._naming.say_table(col.table, many=False), self._naming.tell_column(col.table, col.name)
        return name if name.startswith(table) or not self._fully else f"{table} {name}"

    def _split(self, plan: Plan) -> tuple[str, str]:
        """Return the conditions, and the period."""
        during = "".join(f" {self._filter(f)}" for f in plan.where if isinstance(f, During))
        return self._filters(plan).removesuffix(during), during

    def _filters(self, plan: Plan) -> str:
        parts = [self._filter(f) for f in plan.where]
        return "".join(f" {part}" for part in sorted(parts, key=lambda p: not p.startswith(("for ", "with "))))

    def _filter(self, condition: Filter) -> str:
        match condition:
            case During(negated=False):
                return _during(condition.period.words)
            case Condition(values=(str() as value,), operator="="):
                return self._equal(condition.column, value)
            case Condition(values=(int() | float() as number,)) if condition.operator in _WORDS:
                return f"with {self._column(condition.column)} {_WORDS[condition.operator]}{number}"
            case Related(where=()) if condition.absent:
                return f"without any {self._naming.say_table(condition.table)}"
            case _:
                raise Unsayable

    def _equal(self, column: Col, value: str) -> str:
        if column.name in self._naming.label(column.table) and not self._fully:
            return f'for the {self._naming.say_table(column.table, many=False)} "{value}"'
        return f'with {self._column(column)} "{value}"'


def _is_past(plan: Plan) -> bool:
    return any(isinstance(f, During) for f in plan.where)


def _named(words: str) -> str:
    """Return a period as it stands after "compared with": "last year", "March 2026"."""
    first = words.split()[0]
    return words[:1].upper() + words[1:] if first in MONTHS or re.fullmatch(r"q[1-4]", first) else words


def _during(words: str) -> str:
    """Return a period as it stands at a sentence's end: "last year", "in March 2026", "on 2026-05-01"."""
    first = words.split()[0]
    if (named := _named(words)) != words:
        return f"in {named}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", first):
        return f"on {words}"
    return words if first.isalpha() and first != "the" else f"in {words}"
