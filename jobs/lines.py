"""Reads a job's lines and writes its answers and errors beside the event loop: each line once, however often killed.

A line is done when it stands, whole, in the answers or in the errors; nothing else remembers what was done. All
processes of a run append to the same two files, one write of whole lines at a time. Files of their own for each of them
would have to be merged at the end, and a merge that is killed would need a memory of its own; here a kill leaves one
torn line for each process at most, which `lines_files` finds and cuts out when the job goes on. That works because
every line begins with `{"line":`: half a line with another one behind it is never JSON. (O_APPEND is atomic among the
processes of one machine, not among machines on a network folder: Ray's shards are written by the driver alone.)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from jobs.lines_files import Share, claim_files, join_files, open_requests, places_done
from jobs.lines_reader import Batch, Reader
from jobs.lines_writer import Writer, as_line, open_writer


class Entry(NamedTuple):
    """One line of the input."""

    place: int
    """Its number, from 1: what makes it itself."""
    fields: dict[str, Any]
    """The line's JSON object."""


@dataclass
class Counts:
    """How far the job is; the bytes include lines that other processes, or an earlier run, have answered."""

    answered: int = 0
    failed: int = 0
    skipped: int = 0
    """Lines that an earlier run has answered."""
    retries: int = 0
    """Requests that were sent again; the job counts them."""
    pending: int = 0
    """Lines that are read and neither answered nor failed; the job counts them."""
    bytes_read: int = 0
    bytes_total: int = 0


@dataclass
class Lines:
    """The lines of one process; made by `open_lines`."""

    _reader: Reader
    _writer: Writer
    _thread: ThreadPoolExecutor
    counts: Counts = field(default_factory=Counts)

    async def entries(self) -> AsyncGenerator[list[Entry], None]:
        """Yield what is still to do, in the input's order, some 256 lines at a time; the next are read meanwhile.

        A line that is no JSON object goes to the errors by itself. Raises FileUnusable.
        """
        loop = asyncio.get_running_loop()
        ahead = loop.run_in_executor(self._thread, self._reader.read)
        try:
            while batch := await ahead:
                ahead = loop.run_in_executor(self._thread, self._reader.read)
                self._count(batch)
                for place, text, reason in batch.broken:
                    self.failed(Entry(place, {"input": text}), reason)
                if batch.read:
                    yield list(map(Entry._make, batch.read))
        finally:
            # Nobody waits for what was read ahead, so nobody hears its failure either.
            ahead.add_done_callback(lambda read: read.cancelled() or read.exception())

    def _count(self, batch: Batch) -> None:
        self.counts.skipped += batch.skipped
        self.counts.bytes_read = batch.position

    def saved(self, entry: Entry, record: dict[str, Any]) -> None:
        """Write the answer, soon: `record` behind the line's number, its "id" and its "input". Never blocks."""
        self.counts.answered += 1
        self._writer.put_answer(as_line(entry.place, entry.fields, record))

    def failed(self, entry: Entry, error: str, **more: Any) -> None:
        """Write the error, soon, like `saved`."""
        self.counts.failed += 1
        self._writer.put_error(as_line(entry.place, entry.fields, {"error": error, **more}))

    @property
    def has_room(self) -> bool:
        """Whether the writer keeps up; `room` waits until it does."""
        return self._writer.has_room

    async def room(self) -> None:
        """Return when the writer keeps up; raises FileUnusable where it cannot write any more."""
        await self._writer.room()


@asynccontextmanager
async def open_lines(
    requests: Path, save: Path, errors: Path, *, resume: bool, share: Share = (0, 1)
) -> AsyncIterator[Lines]:
    """Open the job's files; at the end, also of a job that was stopped, everything that was saved is written.

    With `resume`, lines that stand in `save` are skipped, and those that stand in `errors` are tried again: what
    failed most often is an endpoint that was away, and who goes on wants those answers. The errors begin anew.
    Without it, files that hold anything are refused.

    With a share (k, n), this is one of n processes, for every n-th line; the process that starts them holds
    `claim_files` meanwhile, and `resume` is its to judge. Raises FileUnusable.
    """
    closing = ExitStack()
    try:
        with anyio.CancelScope(shield=True):
            loop = asyncio.get_running_loop()
            lines = await asyncio.to_thread(_open, requests, save, errors, resume, share, loop, closing)
        yield lines
    finally:
        with anyio.CancelScope(shield=True):
            await asyncio.to_thread(closing.close)
    await lines.room()


def _open(
    requests: Path,
    save: Path,
    errors: Path,
    resume: bool,
    share: Share,
    loop: asyncio.AbstractEventLoop,
    closing: ExitStack,
) -> Lines:
    if share[1] == 1:
        done = closing.enter_context(claim_files(requests, save, errors, resume=resume)).done
    else:
        closing.enter_context(join_files(errors))
        done = places_done(save)
    file = closing.enter_context(open_requests(requests))
    thread = closing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="lines-reader"))
    writer = closing.enter_context(open_writer(save, errors, loop))
    return Lines(Reader(file, done, share), writer, thread, Counts(bytes_total=os.fstat(file.fileno()).st_size))
