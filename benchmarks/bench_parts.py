"""What `make bench` measures: which app, how many people, how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

App = Literal["ours", "reference", "simulated"]

ANSWER_TOKENS = 100


@dataclass(frozen=True)
class ChatRun:
    """People who ask one app in the chat."""

    name: str
    app: App
    users: int
    over: float
    """Seconds within which they ask."""
    tokens: int = ANSWER_TOKENS
    """How long each answer is."""
    minutes: float = 0.0
    """Where set, so many people come and go for so long."""
    timeout: float = 60.0
    """Seconds that one question may take."""

    @property
    def longest(self) -> float:
        """Return the seconds after which the run has failed."""
        return 60 * self.minutes + self.over + self.timeout + 60


@dataclass(frozen=True)
class TurnsRun:
    """People who ask ours, then the reference, and so on by turns.

    A machine that others share is quicker at one time than at another, and what a lightly loaded server takes hangs on
    that: each turn compares two runs of one time, and the report shows the turn of the median ratio.
    """

    name: str
    users: int
    over: float
    turns: int
    """How often each is asked; odd, so that one of them is the median."""
    tokens: int = ANSWER_TOKENS

    def of(self, app: App) -> ChatRun:
        """Return what one app is asked in a turn."""
        return ChatRun(f"{self.name}-{app}", app, self.users, self.over, self.tokens)


@dataclass(frozen=True)
class ApiRun:
    """Questions that come to our /api/ask at a rate."""

    name: str
    rate: float
    seconds: float


@dataclass(frozen=True)
class FlowRun:
    """The flow of guardrails, as threads and as tasks."""

    name: str
    users: int
    rate: float
    seconds: float


@dataclass(frozen=True)
class AskRun:
    """The starter questions one after the other, stage by stage."""

    name: str
    rounds: int


@dataclass(frozen=True)
class RequesterRun:
    """A file of requests: ours beside the bare loop of its client and beside others' clients."""

    name: str
    kept: int
    """Seconds for which ours is to keep its pace up."""
    again: tuple[int, ...]
    """Seconds of its further runs; each stands between two of the bare loop."""
    each: int
    """Seconds of every other run."""
    limits: tuple[int, ...] = (500, 1_000, 5_000)
    """Requests a second that it is limited to."""
    lines: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """How long the files are at which its memory is looked at."""


@dataclass(frozen=True)
class EndpointsRun:
    """Questions over three endpoints, two of which fail halfway."""

    name: str
    rate: float
    seconds: float


Run = ChatRun | TurnsRun | ApiRun | FlowRun | AskRun | EndpointsRun | RequesterRun
Part = tuple[Run, ...]

REQUESTER = RequesterRun("requester", kept=60, again=(15, 15), each=10)
REQUESTER_QUICK = RequesterRun("requester", kept=4, again=(), each=2, limits=(500,), lines=(10_000, 20_000))

FULL: dict[str, Part] = {
    # Every question once: the model works out its replies now, and only gives them again while others are measured.
    "prepare": (ChatRun("prepare-ours", "ours", 200, 20), ChatRun("prepare-reference", "reference", 200, 20)),
    "light": (TurnsRun("light", 60, 30, turns=5),),
    "tokens": (
        ChatRun("short-ours", "ours", 40, 25, tokens=1),
        ChatRun("short-reference", "reference", 40, 25, tokens=1),
        ChatRun("long-ours", "ours", 40, 25, tokens=400),
        ChatRun("long-reference", "reference", 40, 25, tokens=400),
    ),
    "middle": (ChatRun("middle-ours", "ours", 100, 20), ChatRun("middle-reference", "reference", 100, 20)),
    "rush": (ChatRun("rush-ours", "ours", 500, 10), ChatRun("rush-reference", "reference", 500, 10)),
    "crowd": (
        ChatRun("crowd-ours", "ours", 1_500, 60),
        ChatRun("crowd-simulated", "simulated", 1_500, 60),
        ChatRun("crowd-reference", "reference", 1_500, 60),
    ),
    "api": (ApiRun("api", 25, 30),),
    "flow": (FlowRun("flow", 1_000, 200, 40),),
    "visits": (ChatRun("visits", "ours", 100, 0, minutes=10),),
    "ask": (AskRun("ask", 20),),
    "endpoints": (EndpointsRun("endpoints", 20, 30),),
    "requester": (REQUESTER,),
}
"""The whole of it, about three quarters of an hour."""

QUICK: dict[str, Part] = {
    "light": (TurnsRun("light", 8, 4, turns=1),),
    "tokens": (
        ChatRun("short-ours", "ours", 8, 4, tokens=1),
        ChatRun("short-reference", "reference", 8, 4, tokens=1),
        ChatRun("long-ours", "ours", 8, 4, tokens=200),
        ChatRun("long-reference", "reference", 8, 4, tokens=200),
    ),
    "rush": (ChatRun("rush-ours", "ours", 40, 2), ChatRun("rush-reference", "reference", 40, 2)),
    "crowd": (ChatRun("crowd-ours", "ours", 100, 6), ChatRun("crowd-simulated", "simulated", 100, 6)),
    "api": (ApiRun("api", 5, 4),),
    "flow": (FlowRun("flow", 100, 40, 5),),
    "visits": (ChatRun("visits", "ours", 10, 0, minutes=0.3),),
    "ask": (AskRun("ask", 1),),
    "endpoints": (EndpointsRun("endpoints", 5, 3),),
    "requester": (REQUESTER_QUICK,),
}
"""A few minutes, to see that all of it runs; its figures say little."""
