"""The sample database: three years of a coffee and tea retailer, made anew for any day."""

from __future__ import annotations

import tomllib

from data.fill import ensure_sample
from data.schema import DESCRIPTIONS

STARTERS: tuple[str, ...] = tuple(tomllib.loads(DESCRIPTIONS.read_text(encoding="utf-8"))["starters"])
"""Good first questions."""

__all__ = ["DESCRIPTIONS", "STARTERS", "ensure_sample"]
