"""Turns a question's words into items: operators, times, numbers, and what they may mean in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from agents.offline.english.calendar_units import UNITS
from agents.offline.english.compounds import COMPOUNDS, with_compounds
from agents.offline.english.operators import (
    GRADED,
    GRAINS,
    LIGHT_VERBS,
    LONG_GRAINS,
    NOISE,
    NOUNS,
    OPERATORS,
    ROLES,
    SORTINGS,
    WEIGHTY,
)
from agents.offline.english.times import NoSuchDay, Period, read_period
from agents.offline.english.vocabulary import COMPARATIVES, CURRENCIES, MONEY_EARNED, SUPERLATIVES
from agents.offline.english.words import Word, singular, split
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, PART, SYNONYM, Lexicon, Meaning
from agents.offline.meaning.telling_words import ends_alike, is_act, is_verb, tells_which, with_neighbours
from agents.offline.meaning.units import unit_of, unit_said
from tools.catalog import Value

_COMPARING = frozenset("over above below under more less greater higher lower is between than > < exceeding".split())
_PARTICLES = frozenset("back again away off out".split())
"""Words that change a verb, but not one that asks: "find out"."""
_ASKING = frozenset("find figur point pull list giv tell show pick break work get mak check turn".split())
_BESIDE = frozenset({"versus", "relative", "than", "and", "or", "period"})
"""What a period stands after that is told by another one: "versus the year before"."""
_WITHIN = {(part, "of") for part in ("beginning", "start", "middle", "end")}
"""Before a period: some of its days, of which nothing says which."""
_FILLERS = frozenset({"of", "in", "and", "or", "by", "relative", "but", "not", "per", "than"})
"""Operators of one word that a value or name of the same word never replaces."""


@dataclass(frozen=True)
class Linked:
    items: tuple[Item, ...]
    corrections: tuple[tuple[str, str], ...] = ()
    """Words that were taken for another, misspelled: as typed, as read."""


def link(text: str, lexicon: Lexicon, found: Iterable[Value], today: date) -> Linked:
    """Return the question's items in order; words that change nothing are left out."""
    words = with_compounds(split(text))
    extra = _by_first(found)
    items: list[Item] = [Item("yes or no", words[0].text)] if _asks_yes_or_no(words) else []
    corrections: list[tuple[str, str]] = []
    at = 0
    while at < len(words):
        if unit := _unit_at(words, at, lexicon, items):
            if items[-1].kind == "number":
                items[-1] = replace(items[-1], unit=" ".join(w.lower for w in words[at : at + unit]))
            at += unit
            continue
        if words[at].lower == "times" and items and items[-1].position + 1 >= at - 1 and _counts_times(items):
            at += 1
            continue
        item, used = _item_at(words, at, lexicon, extra, today, items[-1] if items else None)
        described = item is not None and item.kind == "role" and lexicon.described_by(words[at].stem, alone=False)
        if item is not None and (item.kind == "unknown" or described):
            corrected = _corrected(words, at, lexicon, extra, today)
            if corrected:
                item, used, said = corrected
                corrections.extend([(words[at].text, said)] if said else [])
        if item is not None:
            item = replace(item, sentence=words[at].sentence, position=at, stem=words[at].stem)
            items.append(with_neighbours(item, words[:at]))
        at += used
    return Linked(tuple(items), tuple(corrections))


def _counts_times(items: list[Item]) -> bool:
    """Note at "3 times", "how many times" that it is not rows that are numbered or counted."""
    last = items[-1]
    if last.kind == "number" and not last.unit:
        items[-1] = replace(last, unit="times")
    elif last.kind == "count" and last.text == "how many":
        items[-1] = replace(last, text="how many times")
    else:
        return False
    return True


def _unit_at(words: Sequence[Word], at: int, lexicon: Lexicon, items: list[Item]) -> int:
    """Return how many words only say the unit that numbers are kept in anyway: 20 kg, area in square metres."""
    before = items[-1] if items else None
    used = unit_said([w.lower for w in words[at : at + 3]], lexicon.units)
    if not used and words[at].stem in CURRENCIES and before is not None and before.kind == "number":
        return 1
    measured = before is not None and before.kind == "number" and lexicon.is_flat
    kept = {unit_of(m.column or "") for m in before.columns} & lexicon.units if before is not None else set()
    again = bool(kept) and lexicon.is_flat  # "energy (kWh)": which unit it is kept in, and nothing else
    if not used or before is None or (lexicon.names_at(words[at:]) and not (measured or again)):
        return 0
    if before.kind == "in" and before.text == "in":
        items.pop()
    return used if before.kind in {"number", "in"} or kept else 0


def _asks_yes_or_no(words: Sequence[Word]) -> bool:
    lowers = tuple(w.lower for w in words[:3])
    begins = lowers[:1] and lowers[0] in {"is", "are", "does", "do", "did", "has", "was", "were"}
    return bool(begins) and not any(lowers[:n] in _PHRASES for n in (2, 3))


_Extra = dict[str, list[Value]]


def _by_first(found: Iterable[Value]) -> _Extra:
    by_first: _Extra = defaultdict(list)
    for value in found:
        words = split(value.text)
        if words:
            by_first[words[0].stem].append(value)
    return by_first


def _item_at(
    words: Sequence[Word], at: int, lexicon: Lexicon, extra: _Extra, today: date, before: Item | None
) -> tuple[Item | None, int]:
    word, rest = words[at], words[at : at + 12]
    if word.quoted:
        return _quoted(rest, lexicon, extra), 1
    if len(word.text) == 1 and word.capital and before is not None and before.columns:
        letters = [m for used, m in lexicon.letters(word) if m.col in {c.col for c in before.columns}]
        if letters:
            return _named_item(word.text, (), tuple(letters), word), 1  # "grade A"
    if word.lower in {"first", "last"} and _ranks(rest, before, lexicon):
        return Item("superlative", word.lower, (word.lower == "last", "late" if word.lower == "last" else "early")), 1
    lowers = tuple(w.lower for w in rest if not w.quoted)
    computed = before is not None and before.kind in {"aggregate", "superlative"}
    counted = before is not None and before.kind in {"count", "share"} and singular(word.lower) != word.lower
    named = _named(rest, lexicon, extra, noun=computed or counted)
    operator = _operator(lowers)
    time = _time(rest, lowers, today, before, lexicon, extra)
    if operator and operator[0].kind == "like" and rest[operator[1] :]:
        dated = _time(rest[operator[1] :], lowers[operator[1] :], today, None, lexicon, extra)
        operator = None if dated else operator  # "leases that end in May": no text ends so
    if computed and named and operator and operator[0].kind == "share" and named[0].columns:
        return named  # "the maximum share of …"
    for found in sorted((f for f in (time, operator, named) if f), key=lambda f: -f[1]):
        if (
            named
            and found is operator
            and found[1] == named[1]
            and _name_wins(found[0], named[0], before, lowers[1] if len(lowers) > 1 else None)
            and not (found[0].kind == "aggregate" and _names_number(rest[found[1] :], lexicon))
        ):
            return named
        return found
    if word.lower == "overdue":
        return Item("overdue", word.text, Period(None, today, word.text)), 1
    if word.lower in _PARTICLES and at and not any(w.stem in _ASKING for w in words[max(0, at - 2) : at]):
        return Item("unknown", word.text), 1  # "came back", "still out": not what came or was
    after = before is not None and before.position + len(before.text.split()) == at
    if word.lower == "value" and after and before is not None and before.kind == "aggregate":
        return Item("amount", word.text), 1
    if word.lower == "time" and after and before is not None and before.kind in {"aggregate", "verb", "name"}:
        return Item("unknown", word.text), 1  # "total waiting time": no name here, and more than a filler
    if word.lower == "time" and at and words[at - 1].lower == "on":
        return Item("unknown", word.text), 1  # "arrived on time"
    if word.lower in WEIGHTY and tells_which(rest, before, lexicon):
        return Item("unknown", word.text), 1
    if word.lower == "together" and after and before is not None and is_act(before) and lowers[1:2] != ("with",):
        return Item("unknown", word.text), 1  # "bought together": what goes with what
    return _single(word, before, at > 0 and words[at - 1].stem == "be"), 1


def _names_number(rest: Sequence[Word], lexicon: Lexicon) -> bool:
    """Whether a number follows, of which a total is computed: "the biggest total budget"."""
    named = [m for _, m in lexicon.names_at(rest) if m.column is not None and m.score >= EXACT]
    return bool(named) and all(lexicon.column(m.col).kind == "number" for m in named)


def _ranks(rest: Sequence[Word], before: Item | None, lexicon: Lexicon) -> bool:
    """Whether "first" or "last" ranks by date: "joined first", "the last 5 orders", "the first order"."""
    if before is not None and before.kind in {"verb", "name"} and _ends(rest):
        return True
    named = [m for used, m in lexicon.names_at(rest) if used > 1]
    after = rest[1] if len(rest) > 1 else None
    if after is None or named:
        return False
    if len(rest) > 2 and after.number is not None and singular(rest[2].lower) in UNITS:
        return False  # "revenue last 30 days": no ranking of days
    enough = PART if lexicon.is_flat else SYNONYM  # "the last movement", of stock movements
    tables = [m for used, m in lexicon.names_at(rest[1:]) if m.column is None and m.score >= enough]
    return after.number is not None or bool(tables)


def _ends(rest: Sequence[Word]) -> bool:
    """Whether the clause ends after the first word."""
    return (
        len(rest) == 1
        or rest[1].sentence != rest[0].sentence
        or rest[1].lower in {",", "in", "and", "of", "at", "among"}
    )


def _single(word: Word, before: Item | None, passive: bool) -> Item | None:
    if word.number is not None:
        return Item("number", word.text, word.number)
    if word.lower in NOISE or not word.text[0].isalnum():
        return None
    if word.lower == "left" and passive:
        return None  # "reviews that were left": written, not gone from somewhere
    if word.stem in ROLES:
        return Item("role", word.text, ROLES[word.stem])
    if word.stem in LIGHT_VERBS and not word.lower.endswith("ings"):  # "takings" are more than what somebody takes
        return Item("verb", word.text)
    return Item("unknown", word.text, capital=word.capital)


def _operator(lowers: tuple[str, ...]) -> tuple[Item, int] | None:
    best: tuple[Item, int] | None = None
    for length in range(min(len(lowers), _LONGEST_PHRASE), 0, -1):
        found = _PHRASES.get(lowers[:length])
        bought = lowers[:2] == ("ordered", "in") and lowers[2:3] and lowers[2] not in SORTINGS and length <= 2
        if found and not bought:
            best = Item(found[0], " ".join(lowers[:length]), found[1]), length
            break
    first = lowers[0]
    if best is None or best[1] == 1:
        if (told := _direction(lowers)) is not None:
            return told
        for length in (4, 3, 2):
            grain = LONG_GRAINS.get(lowers[:length])
            if grain:
                return Item("grain", " ".join(lowers[:length]), grain), length
        if first in GRAINS:
            return Item("grain", first, GRAINS[first]), 1
        if first in {"most", "least"} and lowers[1:2] and lowers[1] in GRADED:
            return Item("superlative", " ".join(lowers[:2]), (first == "most", lowers[1])), 2
        if lowers[:2] == ("longest", "serving"):
            return Item("superlative", "longest serving", (True, "serving")), 2
        if first in SUPERLATIVES and best is None:
            return Item("superlative", first, SUPERLATIVES[first]), 1
        if first in COMPARATIVES and best is None:
            used = 2 if lowers[1:2] == ("than",) else 1
            return Item("comparative", " ".join(lowers[:used]), COMPARATIVES[first]), used
    return best


def _direction(lowers: tuple[str, ...]) -> tuple[Item, int] | None:
    """Return "cheapest first" or "most expensive first" as an order."""
    graded = lowers[0] in {"most", "least"} and lowers[1:2] and lowers[1] in GRADED
    used = 2 if graded or lowers[:2] == ("longest", "serving") else 1
    if lowers[0] not in SUPERLATIVES or lowers[used : used + 1] != ("first",):
        return None
    greatest = SUPERLATIVES[lowers[0]][0]
    return Item("direction", " ".join(lowers[: used + 1]), "desc" if greatest else "asc"), used + 1


def _time(
    rest: Sequence[Word], lowers: tuple[str, ...], today: date, before: Item | None, lexicon: Lexicon, extra: _Extra
) -> tuple[Item, int] | None:
    if before is not None and before.kind in {"compare", "comparative", "than"} and rest[0].number is not None:
        return None
    try:
        if lowers[:2] in _WITHIN:
            used = 3 if lowers[2:3] == ("the",) else 2
            days = read_period(lowers[used:], today)
            if days is None:
                return None
            used += days[1]  # "at the end of May": which days those are is not said
            return Item("unknown", " ".join(w.text for w in rest[:used])), used
        read = read_period(lowers, today)
    except NoSuchDay as error:
        return Item("no date", str(error)), len(str(error).split())
    if read is None:
        return None
    period, used = read
    if period.alike is not None and not period.alike.unit and (before is None or before.kind not in _BESIDE):
        return None  # "shipped a day earlier": of nothing that is said
    if period.weekdays and _named(rest[used - 1 :], lexicon, extra):
        return None  # "on Mondays" where a column holds the days by their names
    return Item("period", " ".join(w.text for w in rest[:used]), period), used


def _named(rest: Sequence[Word], lexicon: Lexicon, extra: _Extra, noun: bool = False) -> tuple[Item, int] | None:
    names = lexicon.names_at(rest)
    first = rest[0]
    if _is_noise(first):
        names = [n for n in names if first.lower == "overall" and n[0] > 1]
    if (first.stem in LIGHT_VERBS and not is_verb(first) and not noun) or first.lower in NOUNS:
        names = [n for n in names if n[0] > 1 or n[1].score >= EXACT]
    names = [n for n in names if n[0] == 1 or not _is_noise(rest[n[0] - 1])]
    if rest[1:2] and rest[1].lower == "by" and not is_verb(first):
        names = [n for n in names if n[0] != 2]  # "days to close by trade": not who closed
    values = lexicon.values_at(rest, extra.get(first.stem, ()))
    if is_verb(first):  # "written" is no value "Writing", and what somebody opened, as a date tells, need not be open
        done = first.stem in LIGHT_VERBS or _any_date((m for _, m in names), lexicon)
        values = [v for v in values if v[0] > 1 or v[1].spells(first) or not done]
        values = [v for v in values if v[0] > 1 or ends_alike(first.lower, v[1].value or "")]
    longest = max((used for used, _ in [*names, *values]), default=0)
    if not longest:
        return None
    kept = tuple(m for used, m in names if used == longest)
    held = tuple(m for used, m in values if used == longest)
    text = " ".join(w.text for w in rest[:longest])
    after = rest[longest : longest + 1]
    if after and after[0].lower in {"name", "names"} and kept and all(m.column is not None for m in kept) and not held:
        longest += 1  # "region name" says no more than "region"
    elif after and (singular(first.lower), singular(after[0].lower)) in COMPOUNDS and kept and not held:
        longest += 1  # "email address" no street
    elif after and after[0].lower in {"date", "dates", "day"} and kept and not held and _any_date(kept, lexicon):
        longest += 1  # nor "discharge date" more than "discharged on"
    if longest == 1 and is_verb(first) and not held and all(m.score < EXACT for m in kept):
        tables, columns = tuple(m for m in kept if not m.column), tuple(m for m in kept if m.column)
        return Item("verb", text, meanings=kept, tables=tables, columns=columns), 1
    return _named_item(text, kept, held, first), longest


def _any_date(meanings: Iterable[Meaning], lexicon: Lexicon) -> bool:
    return any(m.column is not None and lexicon.column(m.col).kind == "date" for m in meanings)


def _is_noise(word: Word) -> bool:
    return word.lower in NOISE and word.lower not in NOUNS


def _named_item(text: str, names: tuple[Meaning, ...], values: tuple[Meaning, ...], word: Word) -> Item:
    return Item(
        "name",
        text,
        GRAINS.get(word.lower),
        (*names, *values),
        capital=word.capital,
        tables=tuple(m for m in names if m.column is None),
        columns=tuple(m for m in names if m.column is not None),
        values=values,
    )


def _quoted(rest: Sequence[Word], lexicon: Lexicon, extra: _Extra) -> Item:
    inner = split(rest[0].text)
    everything = [v for values in extra.values() for v in values]
    values = tuple(m for used, m in lexicon.values_at(inner, everything) if used == len(inner))
    return Item("name", rest[0].text, None, values, quoted=True, values=values)


def _name_wins(operator: Item, named: Item, before: Item | None, after: str | None) -> bool:
    """Whether words that are an operator as well as a name are meant as the name."""
    if operator.kind in _FILLERS or not named.meanings:
        return False
    if operator.kind == "aggregate" and after is not None and after in _COMPARING:
        return any(m.score >= EXACT for m in named.columns)  # "have a total over 10"
    if before is not None and before.kind in {"aggregate", "superlative", "order", "compare"}:
        return any(m.score >= EXACT for m in named.meanings)
    return len(operator.text.split()) > 1 or (
        operator.kind == "grain" and any(m.score >= EXACT for m in (*named.columns, *named.tables))
    )


def _corrected(
    words: Sequence[Word], at: int, lexicon: Lexicon, extra: _Extra, today: date
) -> tuple[Item, int, str] | None:
    """Return what an unknown word means by its description in the catalog, or as a misspelling."""
    word = words[at]
    if word.stem in MONEY_EARNED:
        return None
    described = tuple(lexicon.described_by(word.stem, alone=not is_verb(word)))
    if described and not word.capital and is_verb(word):
        return Item("verb", word.text, meanings=described, columns=tuple(m for m in described if m.column)), 1, ""
    if described and not word.capital:
        return _named_item(word.text, described, (), word), 1, " ".join(_names_of(described, lexicon))
    near = lexicon.nearest_name(word)
    if near is None:
        return None
    changed = [*words[:at], replace(word, stem=near, lower=near), *words[at + 1 :]]
    item, used = _item_at(changed, at, lexicon, extra, today, None)
    return (item, used, near) if item is not None and item.kind == "name" else None


def _names_of(meanings: Iterable[Meaning], lexicon: Lexicon) -> Iterable[str]:
    for m in meanings:
        yield lexicon.naming.say_column(m.table, m.column) if m.column else lexicon.naming.say_table(m.table)


_PHRASES: dict[tuple[str, ...], tuple[str, str]] = {
    tuple(phrase.split()): (kind, value)
    for kind, values in OPERATORS.items()
    for value, phrases in values.items()
    for phrase in phrases
}
_LONGEST_PHRASE = max(len(p) for p in _PHRASES)
