"""Asks the chat endpoints whether they are there, without making them write anything."""

from __future__ import annotations

import asyncio
import time

from errors import ModelUnavailable
from llm.chat import ChatModel
from llm.chat_faults import sentence
from llm.pool import Breakage, CallFailed, Fault, classify

SECONDS = 3.0
"""How long an endpoint may take."""

GOOD_FOR = 15.0
"""Seconds that a good answer stands: an endpoint that is paid for need not be asked at every look."""


class ChatCheck:
    """Asks each endpoint for its list of models, over the chat model's own connections and with its key."""

    def __init__(self, model: ChatModel) -> None:
        self._models = model.models
        self._good_until = 0.0

    async def __call__(self) -> None:
        """Return when any endpoint answers and takes our key; raises ModelUnavailable otherwise."""
        if time.monotonic() < self._good_until:
            return
        faults = await asyncio.gather(*(self._fault_of(name) for name in self._models))
        if None not in faults:
            raise self._told([fault for fault in faults if fault is not None])
        self._good_until = time.monotonic() + GOOD_FOR

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
