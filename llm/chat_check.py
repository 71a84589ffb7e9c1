"""Asks the chat endpoints whether they are there, without making them write anything."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from errors import ModelUnavailable
from llm.chat import ChatModel
from llm.chat_faults import sentence
from llm.pool import Breakage, CallFailed, EndpointState, Fault, Health, classify

SECONDS = 3.0
"""How long an endpoint may take."""

GOOD_FOR = 15.0
"""Seconds that a good answer stands: an endpoint that is paid for need not be asked at every look."""


@dataclass(frozen=True)
class _Found:
    """What a look at an endpoint found."""

    fault: Fault | None
    successes: int
    """How many requests it had answered by then."""
    at: float


class ChatCheck:
    """Asks each endpoint for its list of models, over the chat model's own connections and with its key."""

    def __init__(self, model: ChatModel) -> None:
        self._models = model.models
        self._pool = model.pool
        self._found: dict[str, _Found] = {}

    async def __call__(self) -> None:
        """Return when any endpoint answers and takes our key; raises ModelUnavailable otherwise."""
        now = time.monotonic()
        names = [name for name in self._models if not self._is_good(name, now)]
        faults = await asyncio.gather(*(self._fault_of(name) for name in names))
        answered = {state.name: state.successes for state in self._pool.states}
        self._found |= {name: _Found(fault, answered[name], now) for name, fault in zip(names, faults, strict=True)}
        # Of all of them, as it is known by now: another look may have found more meanwhile.
        known = [fault for name in self._models if (fault := self._found[name].fault) is not None]
        if len(known) == len(self._models):
            raise self._told(known)

    def _is_good(self, name: str, now: float) -> bool:
        found = self._found.get(name)
        return found is not None and found.fault is None and now < found.at + GOOD_FOR

    def endpoints(self) -> tuple[EndpointState, ...]:
        """Return how each endpoint is, by what it was asked; what a look found counts until it answers again."""
        return tuple(self._as_found(state) for state in self._pool.states)

    def _as_found(self, state: EndpointState) -> EndpointState:
        found = self._found.get(state.name)
        if found is None or found.fault is None or found.successes != state.successes:
            return state
        return replace(state, health=Health.OPEN, is_up=False, reason=found.fault.reason)

    async def _fault_of(self, name: str) -> Fault | None:
        try:
            async with asyncio.timeout(SECONDS):
                await self._models[name].check()
        except TimeoutError:
            return classify(Breakage.TIMEOUT)
        except CallFailed as failed:
            status = failed.fault.status
            # Any other status shows that it answers: some have no such list, or would have it asked for differently.
            if status is None or status in (401, 402, 403, 429) or status >= 500:
                return failed.fault
        return None

    def _told(self, faults: list[Fault]) -> ModelUnavailable:
        if len(faults) == 1:
            [model] = self._models.values()
            return sentence(faults[0], model.endpoint)
        whys = "; ".join(f"{name} {fault.reason}" for name, fault in zip(self._models, faults, strict=True))
        return ModelUnavailable(f"No model endpoint answers at the moment: {whys}.")
