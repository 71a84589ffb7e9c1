"""The beat at which the process wakes for what need not be exact: one waking for all of it, and not one for each.

A processor that has slept finds its caches cold, and pays for that with every waking, however little there is to do.
"""

from __future__ import annotations

import asyncio
import math

BEAT = 0.15
"""Seconds from one beat to the next, counted on the event loop's clock from its zero."""


def beat_after(now: float, seconds: float) -> float:
    """Return when the first beat is, `seconds` or more after `now`; all three by the event loop's clock."""
    return BEAT * math.ceil((now + seconds) / BEAT)


async def rest(seconds: float) -> None:
    """Sleep so long, and on to the next beat."""
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(beat_after(now, seconds) - now)
