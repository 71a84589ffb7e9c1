"""What a question asks for, as values: the plan that the SQL is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agents.offline.english.times import Period

Function = Literal["count", "distinct", "sum", "avg", "min", "max", "median", "share", "margin"]
Grain = Literal["day", "week", "month", "quarter", "year", "month of year", "weekday", "hour"]
Along = Literal["running", "change"]
"""What stands beside each number of a series: all up to there, or the change since the one before, in percent."""
Operator = Literal[
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "not in",
    "between",
    "contains",
    "not contains",
    "starts",
    "ends",
    "null",
    "not null",
]


OPPOSITE: dict[Operator, Operator] = {
    "=": "!=",
    "!=": "=",
    ">": "<=",
    "<=": ">",
    "<": ">=",
    ">=": "<",
    "in": "not in",
    "contains": "not contains",
    "not null": "null",
    "null": "not null",
}
COMPARING = frozenset({"<", "<=", ">", ">=", "=", "!="})


@dataclass(frozen=True)
class Col:
    table: str
    name: str


@dataclass(frozen=True)
class Measure:
    """A number computed over rows of `table`."""

    function: Function
    table: str
    column: str | None = None
    """None counts rows."""
    times: str | None = None
    """A second column that each value is multiplied by: unit price times quantity."""
    cost: Col | None = None
    """What is taken away from each value: what one piece cost, times as many as there are in `pieces`."""
    pieces: str | None = None
    since: Col | None = None
    """A date that each value, a date as well, is counted from, in days."""
    only: tuple[Filter, ...] = ()
    """What the part of a share fulfils: the rows of each group are the whole."""
    each: Group | None = None
    """What an average is over, where sums or counts of it are averaged: revenue per customer, orders per day."""
    said: str = field(default="", compare=False)
    """The person's own word for what is computed, where it is not the column's: "revenue"."""


@dataclass(frozen=True)
class Group:
    """What the rows are grouped by: a column, a date's grain, or a table's rows themselves (`column` None)."""

    table: str
    column: str | None = None
    grain: Grain | None = None
    shown: tuple[Col, ...] = ()
    """For a table's rows: the columns that stand for a row."""


@dataclass(frozen=True)
class Statistic:
    """One number over a whole column, to compare with: the average age."""

    function: Function
    column: Col
    where: tuple[Condition, ...] = ()


Literal_ = str | float | int | bool
Operand = Literal_ | Statistic | Col


@dataclass(frozen=True)
class Condition:
    column: Col
    operator: Operator
    values: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class During:
    """A date column within a period."""

    column: Col
    period: Period
    negated: bool = False


@dataclass(frozen=True)
class AnyOf:
    """At least one of these holds."""

    options: tuple[Filter, ...]


@dataclass(frozen=True)
class Related:
    """Rows of another table that belong to a row, and how many of them there must be."""

    table: str
    where: tuple[Filter, ...] = ()
    operator: Operator = ">"
    count: int = 0

    @property
    def absent(self) -> bool:
        return self.operator == "=" and self.count == 0


@dataclass(frozen=True)
class Pick:
    """The row of `table` that is first in an order: the stadium with the highest capacity."""

    table: str
    by: Col | Measure
    descending: bool
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Through:
    """The row of `table` that a key refers to fulfils these, where another key refers to the same table."""

    key: Col
    table: str
    where: tuple[Filter, ...]
    chosen: str = ""
    """The column of `table` that the key must equal, where it is not the one that the key refers to."""


@dataclass(frozen=True)
class Lasting:
    """How many days lie between two dates of a row."""

    column: Col
    since: Col
    operator: Operator
    days: int


@dataclass(frozen=True)
class First:
    """The row of `table` that is the first, by `date`, of all with the same `key`."""

    table: str
    key: str
    date: str
    of: str
    """The table that the key refers to."""


@dataclass(frozen=True)
class Each:
    """What is computed for each row of `table` of the rows that belong to it is so: rated above 4 on average."""

    table: str
    measure: Measure
    operator: Operator
    values: tuple[Operand, ...]
    where: tuple[Filter, ...] = ()


Filter = Condition | During | AnyOf | Related | Pick | Through | Lasting | First | Each


@dataclass(frozen=True)
class Having:
    measure: Measure
    operator: Operator
    values: tuple[Operand, ...]


@dataclass(frozen=True)
class Order:
    by: Col | Measure | Group
    descending: bool = False


@dataclass(frozen=True)
class Plan:
    """A question's meaning. Without measures and groups it lists rows of `subject`."""

    subject: str
    columns: tuple[Col, ...] = ()
    measures: tuple[Measure, ...] = ()
    groups: tuple[Group, ...] = ()
    where: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    within: Group | None = None
    """Each of these has `limit` rows of its own, ranked among them: the top 3 in each category."""
    distinct: bool = False
    share: bool = False
    """Adds each row's part of the whole, in percent; without groups, asks for the part that fulfils the conditions."""
    compare: tuple[Period, Period] | None = None
    """Two periods side by side, the newer one first."""
    compare_on: Col | None = None
    along: Along | None = None
    exists: bool = False
    """A yes/no question: answered by a count."""
