"""Knows the units that numbers are kept in by the ends of their columns' names, and how people say them."""

from __future__ import annotations

from collections.abc import Sequence

from agents.offline.english.words import name_words
from tools.catalog import Catalog

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
    "celsius": "celsius | degrees celsius",
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
    if before and whole in PHRASES:
        return whole
    return last if before and last in PHRASES else ""


def units_of(catalog: Catalog) -> frozenset[str]:
    """Return the units that the numbers of a database are kept in."""
    return frozenset(unit_of(c.name) for t in catalog for c in t.columns if c.kind == "number") - {""}


def unit_said(words: Sequence[str], units: frozenset[str]) -> int:
    """Return how many of the lower-case words say one of the units, 0 where the first says none of them."""
    said = (phrase for unit in units for phrase in PHRASES[unit])
    return max((len(p) for p in said if tuple(words[: len(p)]) == p), default=0)
