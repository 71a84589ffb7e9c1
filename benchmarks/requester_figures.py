"""Makes figures of what the stand-in counted and the requester saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from benchmarks.fast_model import TICKS_PER_SECOND

_SAVED = re.compile(rb'\{"line":(\d+),"input":"[^"#]*#(\d+)[^"]*","response":"[^"#]*#(\d+)[^"]*",.*\}\n')


@dataclass(frozen=True)
class Counted:
    """The requests of one run, as the stand-in counted them."""

    ticks: tuple[int, ...]
    """Requests in each hundredth of a second, at all endpoints together, from the first request on."""
    ports: tuple[int, ...]
    """Requests at each endpoint."""
    statuses: Mapping[str, int]
    """Answers, by their status."""

    @property
    def requests(self) -> int:
        return sum(self.ticks)

    def by_second(self, begin: int, seconds: int) -> list[int]:
        """Return the requests of each of so many seconds, from second `begin` on; fewer where it ended before."""
        whole = range(begin, min(begin + seconds, len(self.ticks) // TICKS_PER_SECOND))
        return [sum(self.ticks[n * TICKS_PER_SECOND : (n + 1) * TICKS_PER_SECOND]) for n in whole]

    @property
    def fullest(self) -> int:
        """Return the most requests that came in within any stretch of a second."""
        sums = list(accumulate(self.ticks, initial=0))
        ends = range(TICKS_PER_SECOND, len(sums))
        return max((sums[end] - sums[end - TICKS_PER_SECOND] for end in ends), default=sums[-1])


def counted(told: Mapping[str, Any]) -> Counted:
    """Return what `GET /counts` tells."""
    ports = list(told["ports"].values())
    longest = max(len(port["ticks"]) for port in ports)
    ticks = [sum(port["ticks"][n] for port in ports if n < len(port["ticks"])) for n in range(longest)]
    first = next((n for n, count in enumerate(ticks) if count), longest)
    statuses: dict[str, int] = {}
    for port in ports:
        for status, count in port["statuses"].items():
            statuses[status] = statuses.get(status, 0) + count
    return Counted(tuple(ticks[first:]), tuple(sum(port["ticks"]) for port in ports), statuses)


def weights_off(ports: Sequence[int], weights: Sequence[float]) -> float:
    """Return by how many percent the endpoint that is farthest from its weight has more or less than that."""
    everything, weight = sum(ports), sum(weights)
    return max(100 * abs(got / everything / (due / weight) - 1) for got, due in zip(ports, weights, strict=True))


def rate_off(by_second: Sequence[int], limit: float) -> float:
    """Return by how many percent the second that is farthest from the limit has more or less than that."""
    return max(100 * abs(count / limit - 1) for count in by_second)


@dataclass(frozen=True)
class Saved:
    """What was found in a file of answers."""

    lines: int
    """Answers that are well."""
    twice: int
    """Answers to a line that had one already."""
    wrong: int
    """Lines that cannot be read, or hold the answer to another one's question."""


def read_saved(lines: Iterable[bytes], most: int) -> Saved:
    """Return what the saved lines are; `most` is how many lines were to be asked."""
    seen = bytearray(most + 1)
    well = twice = wrong = 0
    for line in lines:
        found = _SAVED.fullmatch(line)
        if found is None or found[2] != found[3] or int(found[1]) > most:
            wrong += 1
        elif seen[int(found[1])]:
            twice += 1
        else:
            seen[int(found[1])] = 1
            well += 1
    return Saved(well, twice, wrong)
