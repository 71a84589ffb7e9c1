"""What a reading of a question has gathered so far: a cursor over its items, and the parts of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.offline.english.times import Period
from agents.offline.english.vocabulary import NOT_ADDED
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.resolving import NotUnderstood, Resolver
from agents.offline.plan import (
    Along,
    Col,
    Condition,
    During,
    Filter,
    First,
    Group,
    Having,
    Measure,
    Operand,
    Operator,
    Order,
)


@dataclass
class Scope:
    """One clause's conditions: on the subject itself, or on rows of another table that must (not) exist."""

    entity: str | None = None
    negated: bool = False
    filters: list[Filter] = field(default_factory=list)
    operator: Operator = ">"
    count: int = 0


@dataclass
class Ranking:
    """First or last by something: "top 5 … by …", "the most …"."""

    descending: bool
    limit: int
    by: Col | Measure | None = None
    summed: bool = False
    """Whether "most" or "fewest" was said: amounts of several rows are added before they are compared."""
    averaged: bool = False
    """Whether "best rated" was said: the ratings of several rows are averaged before they are compared."""
    word: str = ""


@dataclass(eq=False)
class Reader:
    """Mutable while one question is read; nothing of it outlives the plan."""

    lexicon: Lexicon
    items: list[Item]
    """Changed as it is read: give it a list of its own."""
    at: int = 0
    subject: str = ""
    head: bool = True
    """Whether we are still in what is to be shown, before any condition."""
    subject_named: bool = False
    columns: list[Col] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=lambda: [Scope()])
    having: list[Having] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    ranking: Ranking | None = None
    pending: Col | None = None
    """A column named in a condition that still waits for what it is compared with."""
    pending_measure: Measure | None = None
    descending: bool | None = None
    verb_said: bool = False
    """Whether the question says what somebody does, rather than naming things only."""
    best_selling: bool = False
    """Whether "best-selling" was said: ranked by what was sold, unless something else is named."""
    role: Item | None = None
    """A verb like "depart" or "arrive" that says which of two keys the next value is about."""
    settled: Col | None = None
    """The column of a clause that was compared with nothing, last."""
    verb: Item | None = None
    alphabetic: bool = True
    """Whether a direction alone may mean the names: "alphabetically", not "highest first"."""
    distinct: bool = False
    further: bool = False
    """Whether a further sentence is read, which says what to show."""
    just_filtered: str | None = None
    """The table of a value just before a "that": "a cat that is age 3"."""
    asked: str = ""
    """The question word it begins with: which, who, when or where."""
    asked_limit: int | None = None
    """A number of things asked for, before it is known what they are ranked by."""
    whom: str = ""
    """The words "to whom" at the end: the person that a row belongs to is shown beside it."""
    first: First | None = None
    """What people did first, where it is asked who was new."""
    star: bool = False
    sorts: bool = False
    """Whether the question began with "sort": what by is still to come."""
    share: bool = False
    along: Along | None = None
    exists: bool = False
    versus: bool = False
    periods: list[Period] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.naming = self.lexicon.naming
        self.joins = self.lexicon.joins
        self.resolver = Resolver(self.lexicon)

    # the cursor

    def peek(self, ahead: int = 0) -> Item | None:
        at = self.at + ahead
        return self.items[at] if 0 <= at < len(self.items) else None

    def next_is(self, *kinds: str, ahead: int = 0) -> bool:
        item = self.peek(ahead)
        return item is not None and item.kind in kinds

    def take(self) -> Item:
        item = self.items[self.at]
        self.at += 1
        return item

    def skip(self, *kinds: str) -> bool:
        """Step over items of these kinds; return whether there were any."""
        start = self.at
        while self.next_is(*kinds):
            self.at += 1
        return self.at > start

    def touches(self, item: Item, following: Item) -> bool:
        """Whether one item's words follow the other's at once: "customer" and "city" of "customer city"."""
        return following.position == item.position + len(item.text.split())

    # the clause

    @property
    def scope(self) -> Scope:
        return self.scopes[-1]

    @property
    def context(self) -> tuple[str, ...]:
        """The tables that a name most likely belongs to, likeliest first."""
        groups = [g.table for g in self.groups if g.column is None]
        first = groups if self.further else []
        tables = [
            *first,
            self.scope.entity,
            self.just_filtered,
            self.subject,
            *(m.table for m in self.measures),
            *groups,
        ]
        return tuple(dict.fromkeys(t for t in tables if t))

    def open_scope(self, negated: bool = False) -> None:
        self.settle()
        if self.scope.filters or self.scope.entity or self.scope.negated:
            self.scopes.append(Scope())
        self.scope.negated = negated

    def add(self, condition: Filter) -> None:
        self.scope.filters.append(condition)

    def compare(self, column: Col, operator: Operator, *values: Operand) -> None:
        self.add(Condition(column, operator, values))

    def settle(self) -> None:
        """Show a column that was named but compared with nothing."""
        measured = {(m.table, m.column) for m in self.measures}
        measured |= {(f.column.table, f.column.name) for f in self.scope.filters if isinstance(f, Condition | During)}
        if self.pending is not None and (self.pending.table, self.pending.name) in measured:
            self.pending = None
        if self.pending is not None and self.pending not in self.columns:
            if self.measures and not self.further and self.pending.table != self.measures[0].table:
                what = self.naming.tell_column(self.pending.table, self.pending.name)
                raise NotUnderstood(f"I did not understand what the {what} should be.")
            if self.measures and not self.scope.negated and self.pending.table == self.measures[0].table:
                some = self.resolver.holds_zero(self.pending) and len(self.lexicon.catalog.tables) == 1
                held = Condition(self.pending, ">", (0,)) if some else Condition(self.pending, "not null")
                self.scope.filters.append(held)  # "how many members have an email", "how many trips had a tip"
            elif self.scope.negated and not self.scope.filters:
                self.scope.filters.append(Condition(self.pending, "not null"))
            else:
                if not self.columns and self.subject_named and not self.measures:
                    self.columns.extend(Col(self.subject, name) for name in self.naming.label(self.subject))
                self.columns.append(self.pending)
                self.settled = self.pending
        self.pending = None

    def not_understood(self, item: Item) -> NotUnderstood:
        return NotUnderstood(f"I did not understand “{item.text}” in this question.")

    def refuse_unclear_sum(self, column: Col, item: Item) -> None:
        """Add up what is ranked "by fines"; decline where adding makes no sense, like prices or ratings."""
        if self.joins.to_one(self.subject, column.table) or self.ranking is None:
            return
        if NOT_ADDED & set(self.naming.column(column.table, column.name)):
            raise NotUnderstood(f"Say whether the average, highest or lowest “{item.text}” is meant.")
        self.ranking.summed = True

    def entity_group(self, table: str, shown: Sequence[Col] = ()) -> Group:
        """Return the group of a table's rows, shown by their names unless other columns are asked for."""
        label = tuple(Col(table, name) for name in self.naming.label(table))
        return Group(table, shown=tuple(shown) or label)
