"""Finds what in SQL may be a part of a day's name, though it is no day: '10' for October, 202646 for a week."""

from __future__ import annotations

import re

from sqlglot import exp

_SHORT = re.compile(r"[A-Za-z]{0,2}\d{1,3}|\d\d?[-/.]\d\d?|(?:19|20)\d{4}")
"""A month, a day of a month or a year, a week of a year, each in digits; W46, P10."""
_PATTERN = re.compile(r"(?=.*\d)[-/.: %_*?^$\[\]\\d\d]+")
"""Digits, and the marks that stand between them or for others: '%-10-%'."""
_PATTERNS = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.RegexpExtract)
_CUT = (exp.Substring, exp.Left, exp.Right, exp.SplitPart, exp.RegexpExtract, exp.Slice)
"""What cuts a month out of a text that is a day."""
_CUT_NAMES = frozenset({"MID", "LEFT", "RIGHT", "SUBSTR", "SUBSTRING", "SPLIT_PART"})
_UNITS = re.compile(r"YEAR|QUARTER|MONTH|WEEK|DAY|EPOCH|DATE_?PART|STRFTIME|TIME_?TO_?STR|EXTRACT")
_SAID_UNITS = frozenset("year yr quarter qtr month mon mth week wk kw day dom doy fiscal period".split())
_LASTING = re.compile(r"^(?:ISO)?DOW$|DAYOFWEEK|WEEKDAY|DAYNAME")
LASTING_FORMAT = re.compile(r"(?:%[HIMSpaAwu]|[ :.])+")
"""A time of day, a day of the week: no calendar moves them."""
_WITHIN = (exp.Predicate, exp.Subquery, exp.Select)
"""Where another comparison begins."""
_LABELS = re.compile(r"(?<![a-z])(?:week|wk|kw|cw|fy|cy|yr|year|month|day)[_ '-]?(\d{1,2})(?!\d)", re.IGNORECASE)
_SHORT_YEAR = re.compile(r"(?:^|[_ '])(2\d)(?![\w%])")
"""`rev_26`; `top_20` is said by the question, most often."""
_RATIOS = frozenset(("1.0", "24", "60", "100"))
"""What is divided by for a fraction, hours, minutes and percents, on whatever day."""
_EVERY = (4, 7, 12)
"""How many quarters, days of the week and months there are: who labels each of them names none."""


def may_be_part(literal: exp.Literal, node: exp.Expr) -> bool:
    """Whether the literal, of which no day can be read, may be a part of one; `node` is it with its casts."""
    text, parent = str(literal.this), node.parent
    if isinstance(parent, _PATTERNS):
        return _PATTERN.fullmatch(text) is not None
    if not _SHORT.fullmatch(text):
        return False
    other = _other_side(node)
    return other is not None and _hides_part(other)


def shares_days(tree: exp.Expr, said: frozenset[str]) -> bool:
    """Whether something is divided by what may be a number of days or months: 31, of October, as no month after it."""
    for division in tree.find_all(exp.Div, exp.IntDiv):
        by = division.right
        while isinstance(by, exp.Paren | exp.Cast | exp.TryCast | exp.Nullif):
            by = by.this
        if isinstance(by, exp.Literal) and not by.is_string:
            number = float(by.this)
            if 1 <= number <= 366 and number.is_integer() and not {by.this, f"{number:g}"} & (_RATIOS | said):
                return True
    return False


def named_shortly(names: list[str], texts: list[str], question: str) -> bool:
    """Whether a label names a week or a year by its two digits, and the question does not."""
    found = {digits for text in (*names, *texts) for digits in _LABELS.findall(text)}
    found |= {digits for name in names for digits in _SHORT_YEAR.findall(name)}
    return bool(found - set(re.findall(r"\d+", question)))


def told_each(when: exp.If) -> exp.Case | None:
    """Return the CASE whose operand is compared with what stands in one of its branches."""
    case = when.parent
    return case if isinstance(case, exp.Case) and case.this is not None else None


def _other_side(node: exp.Expr) -> exp.Expr | None:
    """Return what the node is compared with; None where it is not, or where every one is labelled."""
    match node.parent:
        case exp.Between() | exp.In() as parent:
            return parent.this if node is not parent.this else None
        case exp.If() as when if (case := told_each(when)) and node is when.this:
            return None if len(case.args["ifs"]) in _EVERY else case.this
        case exp.Binary() as parent if isinstance(parent, exp.Predicate):
            return parent.right if node is parent.left else parent.left
    return None


def _hides_part(other: exp.Expr) -> bool:
    """Whether it may be a part of a day: cut out of a text, named so, or computed under another name."""
    seen: set[str] = set()
    waiting = [other]
    while waiting:
        for node in waiting.pop().walk(prune=lambda node: isinstance(node, _WITHIN)):
            if _is_part(node):
                return True
            if isinstance(node, exp.Column) and node.name.lower() not in seen:
                seen.add(node.name.lower())
                waiting += _meant_by(node.name.lower(), node)
    return False


def _is_part(node: exp.Expr) -> bool:
    match node:
        case exp.Column():
            name = node.name
            return not _LASTING.search(_plain(name)) and not _SAID_UNITS.isdisjoint(_words(name))
        case exp.Anonymous():
            name = str(node.this).upper()
            return name in _CUT_NAMES or (_UNITS.search(name) is not None and not _LASTING.search(_plain(name)))
        case exp.Extract():
            return not _LASTING.search(_plain(node.this.name)) and node.this.name.upper() not in {"HOUR", "MINUTE"}
        case exp.TimeToStr():
            return not LASTING_FORMAT.fullmatch(node.args["format"].name)
        case exp.Func():
            name = type(node).__name__.upper()
            return isinstance(node, _CUT) or (_UNITS.search(name) is not None and not _LASTING.search(name))
    return isinstance(node, _CUT)


def _meant_by(name: str, node: exp.Expr) -> list[exp.Expr]:
    """Return what is computed under this name anywhere in the statement."""
    tree = node.root()
    return [each.this for each in tree.find_all(exp.Alias) if each.alias.lower() == name and node not in each.walk()]


def _plain(name: str) -> str:
    return name.upper().replace("_", "")


def _words(name: str) -> list[str]:
    """order_month, orderMonth: order, month"""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
