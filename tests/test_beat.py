"""What need not be exact wakes the process together."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat import BEAT, beat_after, rest
from llm.chat_wire import Interval


@given(st.floats(0, 1e9), st.floats(0, 3_600))
def test_the_next_beat_is_after_the_rest_and_before_one_more_has_passed(now: float, seconds: float) -> None:
    beat = beat_after(now, seconds)
    assert -1e-6 < beat - (now + seconds) < BEAT + 1e-6
    assert math.isclose(beat / BEAT, round(beat / BEAT), abs_tol=1e-4)


@given(st.floats(0, 1e6))
def test_a_stream_is_read_on_the_beat(now: float) -> None:
    tick = Interval(BEAT).tick_after(now)
    assert tick == pytest.approx(beat_after(tick - BEAT / 2, 0), abs=1e-6)


async def test_a_rest_goes_on_to_the_beat() -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    await rest(0.01)
    assert clock() > beat_after(began, 0.01) - 0.005
