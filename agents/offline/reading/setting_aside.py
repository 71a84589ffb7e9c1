"""Sets aside words that add nothing where they stand: "in our collection", "insurance company", "Dr. Novak"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agents.offline.english.vocabulary import GRADES
from agents.offline.english.words import TITLES, singular, split
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import SYNONYM
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader

_WHOLES = frozenset("collection catalogue catalog system inventory file books".split())
"""What everything that is kept is called, after "in our"."""
_ORGANISATIONS = frozenset("company firm agency organisation organization".split())
"""Words that add nothing after what an organisation is called by: "insurance company"."""
_PLACES = frozenset("city town country region state district address".split())
_GIVEN_OUT = frozenset("send lend loan borrow rent giv hand pay carry ship bring".split())
"""Stems of verbs that say the same with "out": "lent out"."""
_LENT = frozenset("lend loan borrow rent".split())
"""Of these, the verbs that must be something the database knows of."""
_PROFESSIONS = {"dr": "doctor", "prof": "professor"}
"""What somebody is who is addressed so."""


def set_aside(r: Reader) -> None:
    """Leave out the items that change nothing in what is asked, each by a rule of its own."""
    kept: list[Item] = []
    for n, item in enumerate(r.items):
        before = kept[-1] if kept else None
        after = r.items[n + 1] if n + 1 < len(r.items) else None
        if _is_title(before, item, after) and (told := _profession(r, item)) is not None:
            kept.append(told)
            continue
        if _is_yet(before, item, after) and before is not None and _is_step(r, before):
            raise NotUnderstood(f"What is past “{before.text}” may be “{before.text}” too: name the statuses you mean.")
        if any(rule(before, item, after) for rule in _RULES):
            if item.text.lower() in _WHOLES:
                kept.pop()
            continue
        kept.append(item)
    r.items = kept


def _is_whole(before: Item | None, item: Item, after: Item | None) -> bool:
    """the longest book in the collection"""
    del after
    inside = before is not None and before.kind == "in" and before.text in {"in", "within", "from"}
    return inside and item.kind == "unknown" and item.text.lower() in _WHOLES


def _is_organisation(before: Item | None, item: Item, after: Item | None) -> bool:
    """per insurance company"""
    del after
    named = before is not None and before.kind == "name" and bool(before.tables or before.columns)
    return named and item.kind == "unknown" and singular(item.text.lower()) in _ORGANISATIONS


def _is_home(before: Item | None, item: Item, after: Item | None) -> bool:
    """the patients' home city"""
    del before
    place = after is not None and after.kind == "name" and singular(after.text.lower()) in _PLACES
    return place and item.kind == "unknown" and item.text.lower() == "home"


def _is_out(before: Item | None, item: Item, after: Item | None) -> bool:
    """lent out, sent out: not "out on loan", which is a state"""
    del after
    given = before is not None and before.kind in {"verb", "name"} and before.stem in _GIVEN_OUT
    lent = before is not None and before.stem in _LENT
    return (
        given
        and (not lent or bool(before and before.meanings))
        and item.kind == "unknown"
        and item.text.lower() == "out"
    )


def _is_title(before: Item | None, item: Item, after: Item | None) -> bool:
    """Dr. Novak, Mrs Lind"""
    del before
    addressed = item.text.lower() in TITLES and item.capital and item.kind == "unknown"
    return addressed and after is not None and after.capital and bool(after.values)


def _profession(r: Reader, title: Item) -> Item | None:
    """Return "Dr" as the name of the table of doctors, where there is one."""
    word = _PROFESSIONS.get(title.text.lower())
    named = r.lexicon.names_at(split(word)) if word is not None else []
    tables = tuple(m for _, m in named if m.column is None and m.score >= SYNONYM)
    return replace(title, kind="name", tables=tables, meanings=tables, capital=False) if len(tables) == 1 else None


def _is_yet(before: Item | None, item: Item, after: Item | None) -> bool:
    """not paid yet: no "but" where nothing follows"""
    ends = after is None or after.sentence != item.sentence or after.kind in {"in", "period", "and", "per"}
    return item.kind == "but" and item.text == "yet" and before is not None and ends


def _is_step(r: Reader, item: Item) -> bool:
    """Whether it is a value of a status with further ones: what was delivered has another, and was shipped too."""
    return bool(item.values) and all((r.lexicon.column(m.col).distinct or 3) > 2 for m in item.values)


def _is_represented(before: Item | None, item: Item, after: Item | None) -> bool:
    """how many countries are represented among our authors"""
    del before, after
    return item.kind == "unknown" and item.stem == "represent"


def _is_member(before: Item | None, item: Item, after: Item | None) -> bool:
    """staff member, team members: one of those who are named"""
    del after
    many = before is not None and before.kind == "name" and before.text.lower() in {"staff", "team", "crew"}
    return many and bool(before and before.tables) and singular(item.text.lower()) == "member"


def _is_grade(before: Item | None, item: Item, after: Item | None) -> bool:
    """star rating: the stars"""
    del after
    graded = before is not None and before.kind == "name" and singular(before.text.lower()) in GRADES
    return graded and item.kind == "unknown" and singular(item.text.lower()) in GRADES


_Rule = Callable[[Item | None, Item, Item | None], bool]
_RULES: tuple[_Rule, ...] = (
    _is_whole,
    _is_organisation,
    _is_home,
    _is_out,
    _is_title,
    _is_yet,
    _is_represented,
    _is_member,
    _is_grade,
)
