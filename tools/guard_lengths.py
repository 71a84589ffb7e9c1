"""Estimates how long the value of an expression may be, in characters, from how long the values in it are.

A function that is not named here yields at most what its arguments come to together. Sources: the manuals' string,
list and JSON functions of SQLite, PostgreSQL, MySQL and DuckDB.
"""

from __future__ import annotations

from sqlglot import exp

from errors import SQLRefused
from tools.guard_amounts import amount, series
from tools.guard_searches import check_replace, check_search

STORED = 100.0
"""What a stored value counts for: it is there already, so only what is made of it matters."""
COLLECTED = 1_000.0
"""Rows that an aggregate counts as gathering into one value."""
NUMBER = 20.0
"""Digits of a number or characters of a date."""

_SHORT = (
    exp.Predicate, exp.Not, exp.And, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Length,
    exp.Count, exp.Sum, exp.Avg, exp.Round, exp.Abs, exp.Extract, exp.DateDiff, exp.DateTrunc, exp.TimestampTrunc,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.StrPosition, exp.ArraySize, exp.MD5, exp.SHA, exp.SHA2,
    exp.Stddev, exp.Variance, exp.Boolean, exp.Null, exp.Year, exp.Month, exp.Day, exp.CurrentDate, exp.Interval,
    exp.DataType, exp.Var, exp.CountIf, exp.Ascii, exp.Unicode,
)  # fmt: skip
_ONE_OF = (
    exp.Coalesce, exp.Case, exp.If, exp.Nullif, exp.Max, exp.Min, exp.First, exp.Last, exp.FirstValue, exp.LastValue,
    exp.Lag, exp.Lead, exp.NthValue, exp.AnyValue, exp.Greatest, exp.Least, exp.Distinct, exp.Ordered, exp.Order,
    exp.ArgMax, exp.ArgMin, exp.Window, exp.Filter, exp.WithinGroup, exp.Substring, exp.Left, exp.Right, exp.Trim,
    exp.SplitPart, exp.Values, exp.Elt, exp.Decode,
)  # fmt: skip
_COLLECTING = (
    exp.GroupConcat, exp.ArrayAgg, exp.JSONArrayAgg, exp.JSONObjectAgg, exp.JSONBObjectAgg, exp.ApproxTopK,
)  # fmt: skip
_COLLECTING_NAMES = frozenset(
    """group_concat string_agg listagg list array_agg json_agg jsonb_agg json_group_array json_group_object
    jsonb_group_array jsonb_group_object json_arrayagg json_objectagg json_object_agg jsonb_object_agg
    json_group_structure histogram bitstring_agg""".split()
)
_PICKING_NAMES = frozenset(
    "list_select array_select list_aggregate array_aggregate aggregate list_string_agg array_to_string".split()
)
_FOLDING_NAMES = frozenset({"reduce", "list_reduce", "array_reduce"})
# Escapes, codes and paddings: the most characters that one character may become.
_FACTORS = {
    "pretty": 50.0, "strftime": 16.0, "to_char": 16.0, "date_format": 16.0, "time_format": 16.0, "bin": 8.0,
    "encode": 4.0, "json": 2.0, "quote": 2.0, "hex": 2.0, "base64": 2.0, "escape": 2.0, "url": 3.0,
}  # fmt: skip
_NODE_FACTORS: dict[type[exp.Expr], float] = {
    exp.Hex: 2.0, exp.ToBase64: 2.0, exp.Encode: 4.0, exp.TimeToStr: 16.0, exp.ToChar: 16.0, exp.JSONArray: 2.0,
    exp.JSONObject: 2.0, exp.JSONFormat: 2.0, exp.ParseJSON: 2.0, exp.JSONSet: 2.0, exp.JSONArrayAppend: 2.0,
}  # fmt: skip


def made(node: exp.Expr, known: dict[int, float]) -> float:
    """Return how long the value of a node may be; `known` tells it of the nodes in it, by their id()."""
    parts = [known.get(id(child), 0.0) for child in node.iter_expressions()]
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    check_search(node, parts)
    length = _of_kind(node, parts, known)
    if length is not None:
        return length
    if isinstance(node, _SHORT):
        return NUMBER
    if isinstance(node, _ONE_OF):
        return max(parts, default=0.0)
    if isinstance(node, _COLLECTING) or name in _COLLECTING_NAMES:
        return _collected(node, sum(parts))
    if lambdas := [part for part in node.iter_expressions() if isinstance(part, exp.Lambda)]:
        if name in _FOLDING_NAMES or isinstance(node, exp.Reduce):
            _check_fold(lambdas[0])
        body = sum(known[id(part)] for part in lambdas)
        return (sum(parts) - body) * max(body / NUMBER, 1)
    return _of_function(node, name, parts, known)


def _of_kind(node: exp.Expr, parts: list[float], known: dict[int, float]) -> float | None:
    """Return the length where it is a node of a kind with a rule of its own, else None."""
    total = sum(parts)
    match node:
        case exp.Literal():
            return float(len(node.name)) if node.is_string else NUMBER
        case exp.Repeat():
            return known[id(node.this)] * max(_times(node.args.get("times"), known), 1)
        case exp.Space():
            return _times(node.this, known)
        case exp.Pad():
            return max(total, _times(node.expression, known) * 4)
        case exp.Replace():
            return _replaced(node, known)
        case exp.RegexpReplace():
            replacement = node.args.get("replacement")
            return (known[id(node.this)] + 1) * (known.get(id(replacement), 0.0) + 1)
        case exp.GenerateSeries() | exp.ExplodingGenerateSeries():
            return 8 * series(node.args.get("start"), node.args.get("end"), node.args.get("step"))
        case exp.ConcatWs():
            return total + len(parts) * max(parts, default=0.0) if len(parts) < 3 else total + len(parts) * parts[0]
        case exp.Lambda():
            return known[id(node.this)]
        case exp.Comprehension():
            return known[id(node.args["iterator"])] * max(known[id(node.this)] / NUMBER, 1)
        case exp.Add():
            # DuckDB adds lists too, and no list counts for as little as a number.
            return NUMBER if max(parts) <= NUMBER else total
        case exp.ArrayToString():
            return known[id(node.this)] * (1 + (total - known[id(node.this)]) / NUMBER)
        case exp.Alias() | exp.Paren() | exp.Cast() | exp.Collate():
            return known[id(node.this)] * (4 if isinstance(node, exp.Cast) and node.to.is_type("binary", "blob") else 1)
        case exp.Dot():
            return total
    return None


def _of_function(node: exp.Expr, name: str, parts: list[float], known: dict[int, float]) -> float:
    total = sum(parts)
    if not name and not isinstance(node, exp.Format):
        return total * _NODE_FACTORS.get(type(node), 1.0) + NUMBER + 1
    if name in ("printf", "format") or isinstance(node, exp.Format):
        pattern = parts[0] if parts else 0.0
        return pattern * (total + 1_000)
    if name in _PICKING_NAMES:
        longest = max(parts, default=0.0)
        return longest * (1 + (total - longest) / NUMBER)
    if name in ("repeat", "space", "lpad", "rpad") and len(parts) > 1:
        return parts[0] * max(amount("REPEAT", node.expressions[1]), 1)
    if name in ("range", "generate_series"):
        return 800_000.0
    factors = [factor for word, factor in _FACTORS.items() if word in name]
    return total * max(factors, default=1.0) + NUMBER + 1


def _times(count: exp.Expr | None, known: dict[int, float]) -> float:
    made = [known.get(id(length.this), 0.0) for length in count.find_all(exp.Length)] if count is not None else []
    return amount("REPEAT", count) + sum(made) if not made else 1_000 + sum(made)


def _replaced(node: exp.Expr, known: dict[int, float]) -> float:
    searched, replacement = node.expression, node.args.get("replacement")
    shortest = max(len(searched.name), 1) if isinstance(searched, exp.Literal) else 1
    check_replace(known[id(node.this)], shortest)
    return known[id(node.this)] * max(known.get(id(replacement), 0.0) / shortest, 1.0)


def _collected(node: exp.Expr, length: float) -> float:
    """Return the length of many rows' values in one; of values that were collected before there are fewer."""
    return length * (COLLECTED if length < STORED * COLLECTED / 10 else 10.0)


def is_parameter(node: exp.Expr) -> bool:
    """Whether a name is the parameter of a lambda or a comprehension around it; such a one counts for a number."""
    around = node.find_ancestor(exp.Lambda, exp.Comprehension)
    while around is not None:
        names = around.expressions if isinstance(around, exp.Lambda) else [around.expression]
        if any(isinstance(n, exp.Expr) and n.name.lower() == node.name.lower() for n in names):
            return True
        around = around.find_ancestor(exp.Lambda, exp.Comprehension)
    return False


def _check_fold(fold: exp.Expr) -> None:
    """Raise SQLRefused where a fold uses what it has so far more than once in a text: it would double."""
    so_far = fold.expressions[0].name.lower()
    used = [i for i in fold.this.find_all(exp.Identifier) if i.name.lower() == so_far]
    builds = fold.this.find(exp.DPipe, exp.Func, exp.Array, exp.Add)
    if len(used) > 1 and builds is not None and not isinstance(fold.this, exp.Case | exp.If | exp.Greatest | exp.Least):
        raise SQLRefused("A fold may add to its text or list once: it would multiply with every element.")
