"""Refuses queries that are well formed and would still eat all memory or never end.

The runner has a deadline and a row limit, yet neither bounds a single huge scalar value (measured: DuckDB's
`generate_series(1, 1e9)` took 20 GB). So what multiplies has a budget here: numbers that say how much must stand in the
query, and their product stays small.
"""

from __future__ import annotations

import re
from datetime import date
from math import inf

from sqlglot import exp

from errors import SQLRefused
from tools.catalog import Dialect

MAX_TEXT = 1_000
"""Characters or repetitions that one call may ask for."""
MAX_SERIES = 100_000
"""Members of one series of numbers or dates."""
MAX_PRODUCT = 2_000_000
"""What all series and repetitions of a statement may come to when multiplied."""
MAX_STEPS = 100_000
"""Rows that a counting recursion may make."""
MAX_COPIES = 500
"""How often a statement may come to read one table through CTEs that read CTEs."""
MAX_LOOSE_TABLES = 3
"""Tables in one FROM that no condition joins to each other."""

_UNITS = {"MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800, "MONTH": 2_592_000, "QUARTER": 7_776_000}
_UNITS |= {"YEAR": 31_536_000, "DECADE": 315_360_000}

# A repeated group whose last part is repeated too, as in (a+)+, backtracks without end; so do huge counts.
_REGEX_BOMB = re.compile(r"(?:[+*]|\{\d+,\d*\})[+?]?\)(?:[+*]|\{\d+,)|\((\w+)\|\1\w*\)[+*]|\{\d{4,}|,\d{4,}\}")
_FORMAT_BOMB = re.compile(r"%[^a-zA-Z%]*\*|\d{4,}|\{[^{}]*:[^{}]*\{")

_REGEX_FUNCTIONS = (
    exp.RegexpLike,
    exp.RegexpILike,
    exp.RegexpReplace,
    exp.RegexpExtract,
    exp.RegexpExtractAll,
    exp.RegexpFullMatch,
    exp.RegexpInstr,
    exp.RegexpSubstr,
    exp.RegexpSplit,
    exp.RegexpCount,
    exp.SimilarTo,
)


def check_bombs(statement: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused where the statement may need memory or time without bound."""
    product = 1.0
    single = {cte.alias.lower() for cte in statement.find_all(exp.CTE) if _has_one_row(cte.this)}
    for node in statement.walk():
        match node:
            case exp.Repeat():
                product *= _amount("REPEAT", node.args.get("times"))
            case exp.Space():
                product *= _amount("SPACE", node.this)
            case exp.Pad():
                _amount("LPAD/RPAD", node.expression)
            case exp.GenerateSeries() | exp.ExplodingGenerateSeries():
                product *= _series(node.args.get("start"), node.args.get("end"), node.args.get("step"))
            case exp.Format():
                _check_format(node.this)
            case exp.Anonymous():
                product *= _anonymous(node)
            case exp.With():
                _check_copies(node)
                if node.args.get("recursive") or _refers_to_itself(node):
                    for cte in node.expressions:
                        _check_recursion(cte, dialect)
            case exp.Select():
                _check_product(node, single)
            case _ if isinstance(node, _REGEX_FUNCTIONS):
                _check_regex(node)
        if product > MAX_PRODUCT:
            raise SQLRefused("The series and repetitions multiply to too much: ask for fewer rows or shorter texts.")


def _anonymous(node: exp.Expr) -> float:
    arguments = node.expressions
    match node.name.lower():
        case "printf" | "format":
            _check_format(arguments[0] if arguments else None)
        case "repeat" | "space":
            return _amount("REPEAT", arguments[-1] if arguments else None)
        case "lpad" | "rpad" | "to_base" if len(arguments) > 1:
            _amount("LPAD/RPAD", arguments[-1] if node.name.lower() == "to_base" else arguments[1])
        case "bar" if len(arguments) > 3:
            _amount("BAR", arguments[3])
        case "range" | "generate_series":
            start, end, step = (*arguments, None, None, None)[:3]
            return _series(start, end, step) if end is not None else _series(exp.Literal.number(0), start, None)
        case name if name.startswith(("regexp", "string_split_regex", "str_split_regex")):
            _check_regex(node)
    return 1.0


def number(node: exp.Expr | None) -> float | None:
    """Return the number that a constant expression stands for, or None where it is no constant."""
    match node:
        case exp.Literal() if not node.is_string:
            try:
                return float(node.name.replace("_", ""))
            except ValueError:
                return None
        case exp.Paren() | exp.Cast():
            return number(node.this)
        case exp.Neg():
            inner = number(node.this)
            return None if inner is None else -inner
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Pow():
            left, right = number(node.this), number(node.expression)
            return None if left is None or right is None else _combined(node, left, right)
    return None


def _combined(node: exp.Expr, left: float, right: float) -> float | None:
    match node:
        case exp.Add():
            return left + right
        case exp.Sub():
            return left - right
        case exp.Mul():
            return left * right
    try:
        power = left**right
    except (OverflowError, ZeroDivisionError):
        return inf
    return power if isinstance(power, float) else None


def _amount(function: str, node: exp.Expr | None) -> float:
    """Return the most that this length or count can be; raises SQLRefused where that is not small."""
    most = _bound(node)
    if most > MAX_TEXT:
        raise SQLRefused(f"{function} may ask for at most {MAX_TEXT:,} characters, written as a number.")
    return max(most, 1.0)


def _bound(node: exp.Expr | None) -> float:
    constant = number(node)
    if constant is not None:
        return abs(constant)
    match node:
        case exp.Length() | exp.ArraySize():
            # A stored text is as long as it is; one that is made here is bounded where it is made.
            return 1.0
        case exp.Least():
            return min(_bound(n) for n in (node.this, *node.expressions))
        case exp.Greatest():
            return max(_bound(n) for n in (node.this, *node.expressions))
        case exp.Min() if node.expressions:  # SQLite's min(a, b)
            return min(_bound(n) for n in (node.this, *node.expressions))
        case exp.Add() | exp.Sub():
            return _bound(node.this) + _bound(node.expression)
        case exp.Paren() | exp.Cast() | exp.Round() | exp.Floor() | exp.Ceil():
            return _bound(node.this)
        case exp.Mod():
            return _bound(node.expression)
        case exp.Coalesce():
            return max(_bound(n) for n in (node.this, *node.expressions))
    return inf


def _series(start: exp.Expr | None, end: exp.Expr | None, step: exp.Expr | None) -> float:
    """Return how many members the series has; raises SQLRefused where that is too many or cannot be told."""
    seconds = _interval_seconds(step)
    if seconds is not None:
        first, last = _day(start), _day(end)
        count = abs((last - first).days) * 86_400 / seconds + 1 if first and last else 1_000.0
    else:
        low, width = _bound(start), 1.0 if step is None else abs(number(step) or 0)
        span = number(end), number(start)
        reach = abs(span[0] - span[1]) if span[0] is not None and span[1] is not None else low + _bound(end)
        count = reach / width + 1 if width else inf
    if count > MAX_SERIES:
        raise SQLRefused(
            f"A series may have at most {MAX_SERIES:,} members, with bounds written as numbers,"
            " or dates with an interval of a minute or more."
        )
    return count


def _interval_seconds(step: exp.Expr | None) -> float | None:
    """Return the length of a constant interval of at least a minute, or None."""
    amount, unit = _interval_parts(step)
    seconds = _UNITS.get(unit.upper().removesuffix("S"))
    try:
        return abs(float(amount)) * seconds or None if seconds else None
    except ValueError:
        return None


def _interval_parts(step: exp.Expr | None) -> tuple[str, str]:
    if isinstance(step, exp.Neg | exp.Paren):
        return _interval_parts(step.this)
    if isinstance(step, exp.Interval) and step.this is not None:
        amount, unit = step.this.name, step.args.get("unit")
        if unit is not None:
            return amount, unit.name
        return (*amount.split(), "", "")[0], (*amount.split(), "", "")[1]
    if isinstance(step, exp.Cast) and isinstance(step.this, exp.Literal) and step.to.is_type("interval"):
        return (*step.this.name.split(), "", "")[0], (*step.this.name.split(), "", "")[1]
    if isinstance(step, exp.Literal) and step.is_string:
        return (*step.name.split(), "", "")[0], (*step.name.split(), "", "")[1]
    return "", ""


def _day(node: exp.Expr | None) -> date | None:
    while isinstance(node, exp.Cast | exp.Paren | exp.Date | exp.Timestamp):
        node = node.this
    if isinstance(node, exp.Literal) and node.is_string:
        try:
            return date.fromisoformat(node.name[:10])
        except ValueError:
            return None
    return None


def _check_format(pattern: exp.Expr | None) -> None:
    if not isinstance(pattern, exp.Literal) or _FORMAT_BOMB.search(pattern.name):
        raise SQLRefused("A format must be written as a plain text with widths under 1,000.")


def _check_regex(node: exp.Expr) -> None:
    for literal in node.find_all(exp.Literal):
        if literal.is_string and _REGEX_BOMB.search(literal.name):
            raise SQLRefused("The regular expression repeats a repetition, which may never end: write it plainer.")


# --- recursion ---------------------------------------------------------------------------------------------------


def _check_copies(with_: exp.Expr) -> None:
    """Raise SQLRefused where CTEs multiply what they read: each reads the one before it twice, and so on."""
    copies: dict[str, int] = {}
    for cte in with_.expressions:
        name = cte.alias.lower()
        copies[name] = sum(copies.get(table.name.lower(), 1) for table in cte.this.find_all(exp.Table)) or 1
        if copies[name] > MAX_COPIES:
            raise SQLRefused("The WITH queries read one another so often that the rows multiply: write it flatter.")


def _refers_to_itself(node: exp.Expr) -> bool:
    """Whether a CTE reads itself: SQLite recurses without the word RECURSIVE too."""
    return any(
        table.name.lower() == cte.alias.lower() and not table.args.get("db")
        for cte in node.expressions
        for table in cte.this.find_all(exp.Table)
    )


def _check_recursion(cte: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused unless a recursive CTE walks along a table or counts up to a bound."""
    name = cte.alias.lower()
    body = cte.this.unnest()
    if not any(t.name.lower() == name and not t.args.get("db") for t in body.find_all(exp.Table)):
        return
    if not isinstance(body, exp.Union):
        raise SQLRefused("A recursive WITH needs the form SELECT … UNION ALL SELECT ….")
    limit = body.args.get("limit")
    if limit is not None and dialect in ("sqlite", "mysql") and (number(limit.expression) or inf) <= MAX_STEPS:
        return  # These two stop recursing at the limit.
    for select in _members(body):
        if _reads(select, name):
            _check_step(select, name, _columns_of(cte, body))


def _members(query: exp.Expr) -> list[exp.Expr]:
    query = query.unnest()
    if isinstance(query, exp.SetOperation):
        return [*_members(query.this), *_members(query.expression)]
    return [query]


def _reads(select: exp.Expr, name: str) -> bool:
    return any(t.name.lower() == name for t in select.find_all(exp.Table))


def _columns_of(cte: exp.Expr, body: exp.Expr) -> list[str]:
    if declared := cte.args["alias"].columns:
        return [c.name.lower() for c in declared]
    first = _members(body)[0]
    return [p.alias_or_name.lower() for p in first.expressions]


def _check_step(select: exp.Expr, name: str, columns: list[str]) -> None:
    sources = _sources(select)
    own = [s for s in sources if isinstance(s, exp.Table) and s.name.lower() == name]
    if len(own) != 1 or not isinstance(select, exp.Select):
        raise SQLRefused("A recursive WITH may read itself once, in the FROM of its second part.")
    alias = own[0].alias_or_name.lower()
    conditions = _conditions(select)
    if len(sources) > 1:
        # Walking along a table ends where the table has no further row; a product with it does not.
        if any(_touches(c, alias, columns) for c in conditions):
            return
    elif any(_bounds(c, select, alias, columns) for c in conditions):
        return
    raise SQLRefused(
        f"The recursion has no end that can be seen: give its second part a WHERE with an upper bound of at most"
        f" {MAX_STEPS:,}, or join it to a table."
    )


def _sources(select: exp.Expr) -> list[exp.Expr]:
    found = []
    if source := select.args.get("from_"):
        found.append(source.this)
    for join in select.args.get("joins") or ():
        found.append(join.this)
    found.extend(select.args.get("laterals") or ())
    return found


def _conditions(select: exp.Expr) -> list[exp.Expr]:
    """Return the conditions that all must hold, from WHERE and every ON."""
    roots = [select.args["where"].this] if select.args.get("where") else []
    roots += [j.args["on"] for j in select.args.get("joins") or () if j.args.get("on")]
    found: list[exp.Expr] = []
    while roots:
        root = roots.pop().unnest()
        if isinstance(root, exp.And):
            roots += [root.this, root.expression]
        else:
            found.append(root)
    return found


def _touches(condition: exp.Expr, alias: str, columns: list[str]) -> bool:
    return any(
        c.table.lower() == alias or (not c.table and c.name.lower() in columns) for c in condition.find_all(exp.Column)
    )


def _bounds(condition: exp.Expr, select: exp.Expr, alias: str, columns: list[str]) -> bool:
    """Whether the condition ends a recursion over the CTE alone: `n < 10`, `d <= '2025-12-31'`, `rest <> ''`."""
    if isinstance(condition, exp.Between):
        return _touches(condition.this, alias, columns) and _near(condition.args["high"])
    if isinstance(condition, exp.NEQ):
        # Text is cut away until nothing is left of it.
        return _touches(condition, alias, columns) and not condition.find(exp.Add)
    if not isinstance(condition, exp.LT | exp.LTE | exp.GT | exp.GTE):
        return False
    left, right = condition.this, condition.expression
    if not _touches(left, alias, columns):
        left, right = right, left
    if not _touches(left, alias, columns) or _touches(right, alias, columns):
        return False
    upward = isinstance(condition, exp.LT | exp.LTE) == (left is condition.this)
    return _near(right) and _direction(left, select, columns) in (1 if upward else -1, None)


def _near(bound: exp.Expr) -> bool:
    """Whether every number in the bound is small; what is looked up in a table is as large as the table's values."""
    return all((constant := number(part)) is None or abs(constant) <= MAX_STEPS for part in bound.walk())


def _direction(bounded: exp.Expr, select: exp.Expr, columns: list[str]) -> int | None:
    """Return 1 where the bounded column grows from step to step, -1 where it falls, 0 where it stays, else None."""
    name = next((c.name.lower() for c in bounded.find_all(exp.Column)), "")
    if name not in columns or columns.index(name) >= len(select.expressions):
        return None
    change = select.expressions[columns.index(name)].unalias().unnest()
    if isinstance(change, exp.Column) and change.name.lower() == name:
        return 0
    amount = number(change.expression) if isinstance(change, exp.Add | exp.Sub) else None
    if amount is None:
        return None
    if isinstance(change, exp.Sub):
        amount = -amount
    return (amount > 0) - (amount < 0)


# --- products ----------------------------------------------------------------------------------------------------


def _check_product(select: exp.Expr, single: set[str]) -> None:
    """Raise SQLRefused where a FROM multiplies many tables, or a table with itself, without any condition."""
    tables = {t.alias_or_name.lower(): t.name.lower() for t in _sources(select) if _has_rows(t, single)}
    if len(tables) < 2:
        return
    groups = {label: {label} for label in tables}
    for linked in _links(select, list(tables)):
        merged = set().union(*(groups[label] for label in linked))
        for label in merged:
            groups[label] = merged
    loose = {id(group): group for group in groups.values()}.values()
    if len(loose) > MAX_LOOSE_TABLES:
        raise SQLRefused("The query multiplies tables that nothing joins: give each JOIN its ON.")
    copies = [{tables[label] for label in group if tables[label]} for group in loose]
    if len(set().union(*copies)) < sum(map(len, copies)):
        raise SQLRefused("The query multiplies a table with itself: join its two copies ON a condition.")


def _has_rows(source: exp.Expr, single: set[str]) -> bool:
    """Whether a source may have many rows: a table, or a subquery that is not one row of totals."""
    if isinstance(source, exp.Table):
        return isinstance(source.this, exp.Identifier) and source.name.lower() not in single
    return isinstance(source, exp.Subquery) and not _has_one_row(source.this)


def _has_one_row(query: exp.Expr) -> bool:
    if not isinstance(query, exp.Select) or query.args.get("group"):
        return False
    aggregates = any(p.find(exp.AggFunc) and not p.find(exp.Window) for p in query.expressions)
    limit = query.args.get("limit")
    return aggregates or not query.args.get("from_") or (limit is not None and number(limit.expression) == 1)


def _links(select: exp.Expr, names: list[str]) -> list[list[str]]:
    """Return the groups of sources that a condition brings together."""
    found = []
    for join in select.args.get("joins") or ():
        if join.args.get("using") or join.args.get("method"):
            found.append(names)  # USING, NATURAL, ASOF and POSITIONAL name no tables.
    for condition in _conditions(select):
        columns = list(condition.find_all(exp.Column))
        if columns and not all(c.table for c in columns):
            return [names]  # Only the database knows whose columns these are.
        linked = [n for n in {c.table.lower() for c in columns} if n in names]
        if len(linked) > 1:
            found.append(linked)
    return found
