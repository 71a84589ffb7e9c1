"""Keeps a free port for the test that will use it: one that was merely found free may be taken by then."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_port() -> Iterator[int]:
    """Yield a port of 127.0.0.1 at which nobody answers, and which the system gives to nobody until the block is left.

    Who names it may listen on it all the same, as Linux has it: servers set SO_REUSEADDR, and so do we.
    """
    with socket.socket() as keeping:
        keeping.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeping.bind(("127.0.0.1", 0))
        yield int(keeping.getsockname()[1])
