"""Reads the lines of a job's input that are still to do, so many at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

from errors import FileUnusable
from jobs.lines_files import Places, Share

BATCH_LINES = 256
"""Parsing these holds the interpreter for half a millisecond, and the event loop with it."""

BATCH_BYTES = 1 << 20

LINE_BYTES = 32 << 20
"""A longer line is not read: it would have to be held in memory whole."""

TEXT_SHOWN = 1_000
"""Characters of a line that is no JSON object, in the errors."""


@dataclass
class Batch:
    """What one read brought."""

    position: int = 0
    """Bytes of the input before the next line."""
    read: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """Place, beginning, and what is wrong, of lines that hold no JSON object."""
    skipped: int = 0


class Reader:
    """Reads in the input's order. One thread at a time calls it."""

    def __init__(self, file: BinaryIO, done: Places, share: Share) -> None:
        self._file = file
        self._done = done
        self._share = share
        self._place = 0
        self._position = 0

    def read(self) -> Batch | None:
        """Return the next lines that are still to do, or None at the end; raises FileUnusable."""
        batch = Batch()
        start = self._position
        k, n = self._share
        try:
            while len(batch.read) < BATCH_LINES and self._position - start < BATCH_BYTES:
                if not (line := self._file.readline(LINE_BYTES)):
                    break
                self._place += 1
                self._position += len(line)
                if (self._place - 1) % n != k:
                    self._pass_over(line)
                elif self._place in self._done:
                    batch.skipped += 1
                    self._pass_over(line)
                elif self._pass_over(line):
                    batch.broken.append(
                        (self._place, _beginning(line), f"The line is longer than {LINE_BYTES:,} bytes.")
                    )
                else:
                    _parse(self._place, line, batch)
        except OSError as error:
            raise FileUnusable(f"The requests cannot be read any further: {error.strerror}.") from error
        batch.position = self._position
        return batch if self._position > start else None

    def _pass_over(self, line: bytes) -> bool:
        """Go to the end of a line that was read in part; return whether there was more of it than may be."""
        if len(line) < LINE_BYTES or line.endswith(b"\n"):
            return False
        while (more := self._file.readline(LINE_BYTES)) and not more.endswith(b"\n"):
            self._position += len(more)
        self._position += len(more)
        return True


def _parse(place: int, line: bytes, batch: Batch) -> None:
    try:
        fields = orjson.loads(line)
    except ValueError:
        if place == 1 and line.startswith(b"\xef\xbb\xbf"):
            return _parse(place, line[3:], batch)
        if line.isspace() or not line:
            return
        try:
            fields = json.loads(line)  # takes half a surrogate pair, which people's exports do hold
        except ValueError:
            batch.broken.append((place, _beginning(line), 'The line is not JSON: write {"input": "…"}.'))
            return
        except RecursionError:
            batch.broken.append((place, _beginning(line), "The line is nested too deeply."))
            return
    if isinstance(fields, dict):
        batch.read.append((place, fields))
    else:
        batch.broken.append((place, _beginning(line), 'The line is no JSON object: write {"input": "…"}.'))


def _beginning(line: bytes) -> str:
    return line[: 4 * TEXT_SHOWN].decode(errors="replace").strip()[:TEXT_SHOWN]
