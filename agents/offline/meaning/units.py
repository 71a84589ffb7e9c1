"""Knows the units that numbers are kept in by the ends of their columns' names, and how people say them."""

from __future__ import annotations

from collections.abc import Sequence

from agents.offline.english.words import name_words
from tools.catalog import Catalog, Column
from tools.wording import ONLY_OF

_SAID = {
    "eur euro euros": "eur | euro | euros",
    "usd dollars": "usd | dollar | dollars",
    "gbp": "gbp | pound | pounds",
    "chf": "chf | franc | francs",
    "cent cents": "cent | cents",
    "pence": "pence",
    "kg": "kg | kilo | kilos | kilogram | kilograms",
    "gram grams": "g | gram | grams",
    "sqm m2": "sqm | m2 | square metre | square metres | square meter | square meters",
    "sqft": "sqft | square foot | square feet",
    "km": "km | kilometre | kilometres | kilometer | kilometers",
    "cm": "cm | centimetre | centimetres | centimeter | centimeters",
    "mm": "mm | millimetre | millimetres | millimeter | millimeters",
    "kwh": "kwh | kilowatt hour | kilowatt hours",
    "mwh": "mwh | megawatt hours",
    "kw": "kw | kilowatt | kilowatts",
    "litre litres liter liters": "l | litre | litres | liter | liters",
    "ml": "ml | millilitre | millilitres | milliliter | milliliters",
    "ms": "ms | millisecond | milliseconds",
    "sec secs seconds": "s | sec | second | seconds",
    "mins": "min | mins | minutes",
    "min": "min | mins | minutes",
    "celsius c": "celsius | degrees celsius | degrees | c",
    "kcal": "kcal | kilocalories",
}
"""The ends of names, and how people say that unit."""
PHRASES = {
    end: tuple(tuple(phrase.split()) for phrase in said.split(" | "))
    for ends, said in _SAID.items()
    for end in ends.split()
}


def unit_of(name: str) -> str:
    """Return the unit at the end of a column's name, "eur" of `rent_eur`; "" where there is none."""
    *before, last = name_words(name)
    whole = name.lower().rpartition("_")[2]  # the "m2" of an area is one word
    found = next((u for u in (whole, last) if before and u in PHRASES), "")
    return found if ONLY_OF.get(found, set(before)) & set(before) else ""


def units_of(catalog: Catalog) -> frozenset[str]:
    """Return the units that the numbers of a database are kept in."""
    return frozenset(unit_of(c.name) for t in catalog for c in t.columns if c.kind == "number") - {""}


def kept_in(catalog: Catalog, said: str) -> tuple[str, str] | None:
    """Return the table and the one column of a flat file that is kept in a unit: the distance for "km"."""
    phrase, numbers = tuple(said.split()), [(t.name, c) for t in catalog for c in t.columns if c.kind == "number"]
    found = [(table, c.name) for table, c in numbers if phrase and phrase in PHRASES.get(unit_of(c.name), ())]
    return found[0] if len(catalog.tables) == 1 and len(found) == 1 else None


def unit_alone(catalog: Catalog, column: Column) -> tuple[tuple[str, ...], ...]:
    """Return how people say the unit of a flat file's number where no other is kept in it: "kilometres in May"."""
    said = [p for p in PHRASES.get(unit_of(column.name), ()) if len(p[0]) > 1]
    return tuple(p for p in said if column.kind == "number" and kept_in(catalog, " ".join(p)) is not None)


def unit_said(words: Sequence[str], units: frozenset[str]) -> int:
    """Return how many of the lower-case words say one of the units, 0 where the first says none of them."""
    said = (phrase for unit in units for phrase in PHRASES[unit])
    return max((len(p) for p in said if tuple(words[: len(p)]) == p), default=0)
