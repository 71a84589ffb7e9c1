"""Measures how long each stage of a question takes, apart from the time it waits in a line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stages:
    """The stages of one question, from when this was made."""

    seconds: dict[str, float] = field(default_factory=dict)
    """How long each stage took, without its waits; 0.0 until it ends. All waits together are the stage "wait"."""
    began: dict[str, float] = field(default_factory=dict)
    """When each stage began first, in seconds from the start."""
    start: float = field(default_factory=time.perf_counter)

    @property
    def ended(self) -> dict[str, float]:
        """How long each stage took that has ended by now."""
        return {stage: spent for stage, spent in self.seconds.items() if spent}

    @property
    def has_waited(self) -> bool:
        return "wait" in self.seconds

    def add_wait(self, seconds: float) -> None:
        self.seconds["wait"] = self.seconds.get("wait", 0.0) + seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block, which may be a stage that went on before."""
        began, waited = time.perf_counter(), self.seconds.get("wait", 0.0)
        self.seconds.setdefault(name, 0.0)
        self.began.setdefault(name, began - self.start)
        try:
            yield
        finally:
            waited = self.seconds.get("wait", 0.0) - waited
            self.seconds[name] += time.perf_counter() - began - waited
