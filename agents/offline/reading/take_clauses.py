"""Reads texts to look for, missing values, and the words that open clauses: not, who, but, or."""

from __future__ import annotations

from typing import cast

from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import AnyOf, Col, Condition, Filter, Operator
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_states import take_without

_LACKING = frozenset({"no", "without", "without any", "with no", "lacking", "missing"})


def take_like(r: Reader) -> None:
    """whose name starts with "J"; containing the word 'Hey' in the title"""
    word = r.take()
    operator: Operator = word.value
    r.skip("like", "of")
    item = r.peek()
    if item is None or not (item.quoted or item.kind in {"unknown", "name"}):
        raise r.not_understood(word)
    if not item.quoted and operator == "contains" and word.text.startswith("includ"):
        return
    r.take()
    column = r.pending or _column_after(r)
    if column is None and r.columns and r.head:
        column = r.columns[-1]
    if column is None:
        entity = r.scope.entity or r.subject
        column = Col(entity, r.naming.label(entity)[-1])
    r.pending = None
    r.head = False
    if r.scope.negated and operator == "contains":
        operator, r.scope.negated = "not contains", False
    r.compare(column, operator, item.text)


def _column_after(r: Reader) -> Col | None:
    here = r.at
    r.skip("in", "of", "relative")
    item = r.peek()
    if item is not None and item.kind == "name" and item.columns and not item.values:
        r.take()
        return r.resolver.column(item, r.context)
    r.at = here
    return None


def take_null(r: Reader) -> None:
    """whose email is missing"""
    word = r.take()
    column = r.pending or (r.columns.pop() if r.columns else None)
    if column is None:
        raise r.not_understood(word)
    r.pending = None
    r.compare(column, word.value, *())


def take_not(r: Reader) -> None:
    """without X, not in X, never X: what follows must not hold"""
    word = r.take()
    r.head = False
    r.open_scope(negated=True)
    if word.text in _LACKING and take_without(r):
        r.scope.negated = False


def take_relative(r: Reader) -> None:
    word = r.take()
    if r.at == 1 and word.text in {"which", "who", "when", "where"}:
        r.asked = word.text
        return  # "Which customers …" begins the question
    last = r.scope.filters[-1] if r.scope.filters else None
    r.just_filtered = (
        last.column.table if isinstance(last, Condition) and (before := r.peek(-2)) and before.values else None
    )
    here = r.at
    r.skip("verb")
    if not r.next_is("compare", "comparative", "between"):
        r.settle()
    r.at = here
    if not r.head or r.columns or r.subject_named or r.measures:
        r.head = False


def take_but(r: Reader) -> None:
    r.take()
    r.settle()
    r.head = False
    r.open_scope()


def take_and(r: Reader) -> None:
    """and: the next of a list, or a new clause where "not" or a verb follows"""
    r.take()
    if r.head:
        return
    further = r.next_is("relative") and r.scope.entity is not None and r.scope.entity != r.subject
    if further and (item := r.peek()) is not None and item.text in {"that", "who", "which", "with"}:
        return
    r.settle()


def take_or(r: Reader) -> None:
    """or between conditions on different columns: either holds"""
    r.take()
    if r.head:
        return
    done = len(r.scope.filters)
    if not done:
        raise NotUnderstood("I did not understand what “or” joins in this question.")
    r.scope.filters.append(cast(Filter, _OR))


class _Or:
    """Marks where "or" stood between two conditions, until the clause is finished."""


_OR = _Or()


def joined(filters: list[Filter]) -> list[Filter]:
    """Return the conditions with each "A or B" made one."""
    found: list[Filter] = []
    either = False
    for condition in filters:
        if isinstance(condition, _Or):
            either = True
        elif either:
            last = found.pop()
            options = (*last.options, condition) if isinstance(last, AnyOf) else (last, condition)
            found.append(AnyOf(options))
            either = False
        else:
            found.append(condition)
    if either:
        raise NotUnderstood("I did not understand what “or” joins in this question.")
    return found
