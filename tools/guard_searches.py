"""Refuses to search a long text for another one: no database looks, meanwhile, whether the statement was cancelled.

Measured: PostgreSQL 18 and MariaDB searched a million characters for half a million on, for minutes, after their own
deadline and after we had hung up.
"""

from __future__ import annotations

import re
from math import prod

from sqlglot import exp

from errors import SQLRefused

MAX_COMPARED = 2e9
"""Comparisons of characters, a few seconds of them."""
MAX_SHIFTED = 1e11
"""Characters that MySQL's REPLACE moves: each one that it puts in shifts all that follow."""

_SEARCHES = (
    exp.StrPosition, exp.Replace, exp.Split, exp.SplitPart, exp.SubstringIndex, exp.Like, exp.ILike, exp.SimilarTo,
    exp.Glob, exp.Trim, exp.Translate, exp.Contains, exp.StringToArray, exp.ArrayOverlaps, exp.ArrayContainsAll,
    exp.ArrayContainedBy, exp.ArrayContains, exp.ArrayIntersect, exp.JSONArrayContains, exp.Levenshtein,
    exp.RegexpLike, exp.RegexpILike, exp.RegexpReplace, exp.RegexpExtract, exp.RegexpExtractAll, exp.RegexpInstr,
    exp.RegexpSubstr, exp.RegexpSplit, exp.RegexpCount, exp.RegexpFullMatch,
)  # fmt: skip
_SEARCHING_NAMES = re.compile(
    r"instr|locate|position|strpos|find_in_set|json_(?:contains|overlaps|search|merge)\w*|[blr]?trim|translate"
    r"|string_to_\w+|regexp\w*|\w*similarity|array_(?:positions?|replace|remove)|\w*levenshtein|split_part"
)


def check_search(node: exp.Expr, parts: list[float]) -> None:
    """Raise SQLRefused where the node searches too much; `parts` tells how long the values in it may be."""
    # Nearly every value is short.
    if max(parts, default=0.0) ** 2 <= MAX_COMPARED or prod(sorted(parts)[-2:]) <= MAX_COMPARED or len(parts) < 2:
        return
    named = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if isinstance(node, _SEARCHES) or _SEARCHING_NAMES.fullmatch(named):
        raise SQLRefused("The query searches a long text for another one, which may never end: search shorter texts.")


def check_replace(length: float, searched: int) -> None:
    """Raise SQLRefused where a text of this length is too long to replace each text of the `searched` length in it."""
    if length**2 / searched > MAX_SHIFTED:
        raise SQLRefused("REPLACE may be given a text that is too long for it: replace in shorter texts.")
