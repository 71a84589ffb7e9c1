"""What goes on beside a block ends with it, and leaves nothing."""

from __future__ import annotations

import asyncio
import gc

import anyio
import pytest

from agents.beside import beside


class Work:
    """Goes on until it may end, and knows whether it was stopped."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.begun = asyncio.Event()
        self.was_stopped = False

    async def go_on(self) -> str:
        try:
            self.begun.set()
            await self.may_end.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # As what lets go of a statement takes a moment.
            self.was_stopped = True
            raise
        return "done"


async def test_the_block_may_wait_for_what_goes_on_beside_it() -> None:
    work = Work()
    async with beside(work.go_on(), "work") as going_on:
        await work.begun.wait()
        work.may_end.set()
        assert await going_on == "done"
    assert not work.was_stopped


async def test_what_is_left_when_the_block_ends_is_stopped_and_has_let_go() -> None:
    work = Work()
    async with beside(work.go_on(), "work"):
        await work.begun.wait()
    assert work.was_stopped


async def test_what_goes_on_is_stopped_with_a_block_that_fails() -> None:
    work = Work()
    with pytest.raises(KeyError, match="the block"):
        async with beside(work.go_on(), "work"):
            await work.begun.wait()
            raise KeyError("the block")
    assert work.was_stopped


async def test_what_goes_on_is_stopped_with_a_block_that_is_cancelled() -> None:
    work = Work()
    with anyio.CancelScope() as scope:
        async with beside(work.go_on(), "work") as going_on:
            await work.begun.wait()
            scope.cancel()
            await going_on
    assert scope.cancelled_caught and work.was_stopped


async def test_what_it_fails_with_is_raised_where_it_is_waited_for() -> None:
    async def fail() -> None:
        raise KeyError("the work")

    with pytest.raises(KeyError, match="the work"):
        async with beside(fail(), "work") as going_on:
            await going_on


async def test_what_was_stopped_does_not_wait_for_pythons_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        async with beside(Work().go_on(), "work"):
            await asyncio.sleep(0)
        assert not [each for each in gc.get_objects() if type(each) is Work]
    finally:
        gc.enable()
