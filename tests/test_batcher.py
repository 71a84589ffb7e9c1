"""Calls that arrive together run together: in order, each with its own answer, and none disturbed by another."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm.batcher import Batcher


class Gate:
    """A run that waits until it is let go, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Semaphore(0)
        self.go = asyncio.Semaphore(0)

    async def run(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.begun.release()
        await self.go.acquire()
        return [ValueError(f"no {item}") if item < 0 else item * 10 for item in items]


async def ask_all(batcher: Batcher[int, int], items: Sequence[int]) -> list[asyncio.Task[int]]:
    async def ask(item: int) -> int:
        return await batcher(item)

    tasks = [asyncio.create_task(ask(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_a_lone_call_runs_at_once() -> None:
    gate = Gate()
    [task] = await ask_all(Batcher(gate.run, most=8), [1])
    await gate.begun.acquire()
    gate.go.release()
    assert await task == 10
    assert gate.batches == [[1]]


async def test_calls_of_one_moment_share_a_run() -> None:
    gate = Gate()
    tasks = await ask_all(Batcher(gate.run, most=8), [1, 2, 3])
    gate.go.release()
    assert await asyncio.gather(*tasks) == [10, 20, 30]
    assert gate.batches == [[1, 2, 3]]


async def test_what_arrives_during_a_run_is_the_next_run() -> None:
    gate = Gate()
    batcher = Batcher(gate.run, most=3)
    first = await ask_all(batcher, [1])
    await gate.begun.acquire()
    later = await ask_all(batcher, [2, 3, 4, 5])
    for _ in range(3):
        gate.go.release()
    assert await asyncio.gather(*first, *later) == [10, 20, 30, 40, 50]
    assert gate.batches == [[1], [2, 3, 4], [5]]


async def test_so_many_runs_are_under_way_side_by_side_as_are_allowed() -> None:
    gate = Gate()
    batcher = Batcher(gate.run, most=8, at_once=2)
    tasks = []
    for item in range(5):
        tasks += await ask_all(batcher, [item])
        if item < 2:
            await gate.begun.acquire()
    assert gate.batches == [[0], [1]]
    for _ in range(3):
        gate.go.release()
    assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40]
    assert gate.batches == [[0], [1], [2, 3, 4]]


async def test_the_error_of_one_item_is_its_own() -> None:
    gate = Gate()
    tasks = await ask_all(Batcher(gate.run, most=8), [1, -2, 3])
    gate.go.release()
    one, two, three = await asyncio.gather(*tasks, return_exceptions=True)
    assert (one, three) == (10, 30)
    assert isinstance(two, ValueError)


@pytest.mark.parametrize("wrong", [OSError("down"), None], ids=["raised", "too few answers"])
async def test_the_error_of_a_run_reaches_all_of_its_callers_and_no_later_one(wrong: OSError | None) -> None:
    broken = True

    async def run(items: Sequence[int]) -> list[int | Exception]:
        if not broken:
            return list(items)
        if wrong:
            raise wrong
        return []

    batcher = Batcher(run, most=8)
    failures = await asyncio.gather(*await ask_all(batcher, [1, 2]), return_exceptions=True)
    assert [type(failure) for failure in failures] == [OSError if wrong else ValueError] * 2
    broken = False
    assert await batcher(3) == 3


async def test_the_first_callers_context_is_not_the_runs() -> None:
    asker = contextvars.ContextVar("asker", default="nobody")

    async def run(items: Sequence[int]) -> list[str]:
        return [asker.get() for _ in items]

    asker.set("Ann")
    assert await Batcher(run, most=8)(1) == "nobody"


def test_one_batcher_serves_one_event_loop_after_another() -> None:
    async def run(items: Sequence[int]) -> list[int]:
        return list(items)

    batcher = Batcher(run, most=8)

    async def ask(item: int) -> int:
        return await batcher(item)

    assert [asyncio.run(ask(item)) for item in range(3)] == [0, 1, 2]


def test_a_loop_that_ends_leaves_nothing_behind_for_the_next() -> None:
    async def run(items: Sequence[int]) -> list[int]:
        if items[0] < 0:
            await asyncio.Event().wait()
        return list(items)

    batcher = Batcher(run, most=1)

    async def leave() -> None:
        await ask_all(batcher, [-1, 5])

    async def ask() -> int:
        return await batcher(7)

    asyncio.run(leave())
    assert asyncio.run(ask()) == 7


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 6), st.none() | st.integers(0, 6))), st.integers(1, 5))
@example([(0, 0, None), (0, 3, None)], 1)  # the second comes in the very turn in which the first one's run ends
def test_whoever_leaves_the_others_get_their_answers_in_order(
    callers: list[tuple[int, int, int | None]], most: int
) -> None:
    """Each caller comes after some turns of the loop, and may leave after some more."""
    begun: list[int] = []

    async def run(items: Sequence[int]) -> list[int]:
        assert 1 <= len(items) <= most
        begun.extend(items)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [item * 10 for item in items]

    async def turns(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def all_ask() -> None:
        batcher = Batcher(run, most=most)
        came: list[int] = []

        async def call(item: int, comes: int) -> int:
            await turns(comes)
            came.append(item)
            return await batcher(item)

        async def leave(task: asyncio.Task[int], leaves: int) -> None:
            await turns(leaves)
            task.cancel()

        tasks = [asyncio.create_task(call(item, comes)) for item, comes, _ in callers]
        leaving = [leave(task, each[2]) for task, each in zip(tasks, callers, strict=True) if each[2] is not None]
        await asyncio.gather(*leaving)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for (item, _, leaves), answer in zip(callers, answers, strict=True):
            assert answer == item * 10 or (leaves is not None and isinstance(answer, asyncio.CancelledError))
        arrivals = iter(came)
        assert all(item in arrivals for item in begun)  # in the order they came, some left out

    asyncio.run(asyncio.wait_for(all_ask(), 20))  # Nobody waits for a run that never comes.
