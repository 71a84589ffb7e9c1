"""The line before what takes only so many at once: fair, told where it stands, and without ghosts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import anyio
import pytest

from errors import TooBusy
from tools.line import Line


class Person:
    """Waits for a turn, and keeps it until told to go."""

    def __init__(self, line: Line, *, is_told: bool = True, behind: bool = False) -> None:
        self.places: list[int] = []
        self.told = asyncio.Event()
        self.go = asyncio.Event()
        self.has_turn = asyncio.Event()
        self._line = line
        tell = self._tell if is_told else None
        self.task = asyncio.create_task(self._wait(tell, behind))

    async def _tell(self, place: int) -> None:
        self.places.append(place)
        self.told.set()

    async def _wait(self, tell: Callable[[int], Awaitable[None]] | None, behind: bool) -> None:
        async with self._line.turn(tell, behind=behind):
            self.has_turn.set()
            await self.go.wait()

    async def is_told(self, place: int) -> None:
        with anyio.fail_after(20):
            while self.places[-1:] != [place]:
                self.told.clear()
                await self.told.wait()


async def people(line: Line, number: int) -> list[Person]:
    """Return this many people, come in this order."""
    all_of_them = []
    for _ in range(number):
        all_of_them.append(Person(line))
        await asyncio.sleep(0)
    return all_of_them


async def end(*several: Person) -> None:
    for person in several:
        person.task.cancel()
    await asyncio.wait([person.task for person in several])


async def test_who_finds_a_turn_free_is_told_nothing() -> None:
    line = Line(2)
    first, second = await people(line, 2)
    assert first.has_turn.is_set() and second.has_turn.is_set()
    assert (first.places, second.places, line.in_turn, line.waiting) == ([], [], 2, 0)
    await end(first, second)
    assert line.in_turn == 0


async def test_first_come_first_served() -> None:
    line = Line(1)
    everybody = await people(line, 5)
    for now, later in itertools.pairwise(everybody):
        assert line.in_turn == 1
        now.go.set()
        await later.has_turn.wait()
    assert [person.places for person in everybody] == [[], [1, 0], [2, 0], [3, 0], [4, 0]]
    await end(*everybody)


async def test_who_comes_when_a_turn_ends_does_not_pass_who_waited() -> None:
    line = Line(1)
    first, second = await people(line, 2)
    first.go.set()
    await first.task
    third = Person(line)
    await second.has_turn.wait()
    await third.is_told(1)
    assert not third.has_turn.is_set()
    await end(second, third)


async def test_a_place_is_told_again_when_it_has_changed() -> None:
    line = Line(1, seconds_between=0.01)
    everybody = await people(line, 4)
    last = everybody[3]
    await last.is_told(3)
    everybody[0].go.set()
    await last.is_told(2)
    await end(everybody[2])
    await last.is_told(1)
    everybody[1].go.set()
    await last.is_told(0)
    assert last.places == [3, 2, 1, 0]
    await end(last)


async def test_a_place_is_told_at_most_once_an_interval() -> None:
    line = Line(1, seconds_between=600)
    everybody = await people(line, 9)
    for person in everybody[:-2]:
        person.go.set()
    await everybody[-2].has_turn.wait()
    assert everybody[-1].places == [8]
    everybody[-2].go.set()
    await everybody[-1].is_told(0)
    await end(everybody[-1])


async def test_far_behind_only_every_fifth_step_is_worth_telling() -> None:
    line = Line(1, seconds_between=0.001)
    everybody = await people(line, 101)
    last = everybody[-1]
    for now, later in itertools.pairwise(everybody):
        now.go.set()
        await later.has_turn.wait()
        await asyncio.sleep(0.003)
    assert last.places[0] == 100 and last.places[-1] == 0
    steps = [before - after for before, after in zip(last.places, last.places[1:-1], strict=False)]
    assert all(step >= max(1, before // 5) for before, step in zip(last.places, steps, strict=False))
    assert len(last.places) < 30
    await end(last)


async def test_past_the_most_that_wait_one_is_turned_away_at_once() -> None:
    line = Line(1, most_waiting=1)
    everybody = await people(line, 2)
    with pytest.raises(TooBusy) as raised:
        async with line.turn():
            pytest.fail("there was no turn to have")
    assert raised.value.retry_after is not None and 1 <= raised.value.retry_after <= 60
    assert (line.in_turn, line.waiting) == (1, 1)
    await end(*everybody)


async def test_who_stops_waiting_leaves_no_ghost() -> None:
    line = Line(1)
    first, second, third = await people(line, 3)
    await end(second)
    assert line.waiting == 1
    first.go.set()
    await third.has_turn.wait()
    await end(third)
    assert (line.in_turn, line.waiting) == (0, 0)


async def test_who_is_stopped_just_as_the_turn_comes_passes_it_on() -> None:
    line = Line(1)
    first, second, third = await people(line, 3)
    first.go.set()
    await first.task  # The turn is the second's now, who has not run since.
    second.task.cancel()
    await third.has_turn.wait()
    assert line.in_turn == 1
    await end(third)


async def test_who_cannot_be_told_leaves_the_line() -> None:
    line = Line(1)

    async def broken(place: int) -> None:
        raise ConnectionError

    (first,) = await people(line, 1)
    with pytest.raises(ConnectionError):
        async with line.turn(broken):
            pytest.fail("there was no turn to have")
    assert line.waiting == 0
    await end(first)


async def test_what_goes_behind_comes_after_everybody() -> None:
    line = Line(1)
    first = Person(line)
    behind = Person(line, behind=True)
    await asyncio.sleep(0)
    second = Person(line)
    await asyncio.sleep(0)
    first.go.set()
    await second.has_turn.wait()
    assert not behind.has_turn.is_set()
    second.go.set()
    await behind.has_turn.wait()
    assert behind.places == []
    await end(behind)


async def test_a_turn_that_fails_is_passed_on() -> None:
    line = Line(1)
    with pytest.raises(ZeroDivisionError):
        async with line.turn():
            raise ZeroDivisionError
    assert line.in_turn == 0


async def test_a_storm_of_two_thousand_is_served_to_the_last() -> None:
    line, served = Line(50), 0

    async def ask(number: int) -> None:
        nonlocal served
        async with line.turn():
            assert line.in_turn <= 50
            await asyncio.sleep(0)
            if number % 7 == 0:
                raise asyncio.CancelledError
            served += 1

    ended = await asyncio.gather(*(ask(number) for number in range(2_000)), return_exceptions=True)
    assert served == len([e for e in ended if e is None]) == 2_000 - 286
    assert (line.in_turn, line.waiting) == (0, 0)
