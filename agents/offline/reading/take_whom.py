"""Reads "and to whom" at the end of a question: the person that each row belongs to."""

from __future__ import annotations

from agents.offline.meaning.people import are_people
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col
from agents.offline.reading.reader import Reader

_PREPOSITIONS = frozenset({"to", "for", "from", "by"})


def name_whom(r: Reader) -> None:
    """Take "and to whom" from the end of the items."""
    *rest, before, last = r.items if len(r.items) > 2 else (None, None, None)
    if before is None or last is None or last.text not in {"whom", "who"} or before.text not in _PREPOSITIONS:
        return
    kept = [i for i in rest if i is not None]
    while kept and kept[-1].kind == "and":
        kept.pop()
    r.items, r.whom = kept, f"{before.text} {last.text}"


def show_whom(r: Reader) -> None:
    """Show the name of the one person that a listed row belongs to, beside the row."""
    if not r.whom:
        return
    owners = {s.target for s in r.joins.steps_from(r.subject) if s.to_one and are_people(r, s.target)}
    if len(owners) != 1 or r.measures or r.groups:
        raise NotUnderstood(f"I did not understand “{r.whom}” in this question.")
    owner = owners.pop()
    if not r.columns:
        r.columns.extend(Col(r.subject, name) for name in r.naming.label(r.subject))
    r.columns.extend(Col(owner, name) for name in r.naming.label(owner))
