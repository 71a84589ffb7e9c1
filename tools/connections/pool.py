"""Keeps connections open between queries."""

from __future__ import annotations

import threading
from typing import Generic, Protocol, TypeVar


class _Closeable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closeable)


class Pool(Generic[C]):
    """Idle connections, the last used first. The runner's thread limit bounds how many there ever are."""

    def __init__(self) -> None:
        self._idle: list[C] = []
        self._closed = False
        self._lock = threading.Lock()

    def take(self) -> C | None:
        """Return an idle connection, which may have gone stale, or None."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def keep(self, connection: C) -> None:
        """Take the connection back; it is closed where the pool is."""
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle now, and what comes back later."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for connection in idle:
            connection.close()
