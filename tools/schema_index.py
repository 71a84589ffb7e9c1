"""Keeps one collection of Qdrant in step with the entries it should hold, and looks things up in it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio
from asyncer import asyncify
from pydantic import SecretStr

from errors import ModelUnavailable
from tools.reflection import Progress
from tools.schema_entries import Entry
from tools.schema_store import EntryStore, Hit, Vector
from tools.schema_vectors import VectorFile

log = logging.getLogger(__name__)

EMBEDDED_AT_ONCE = 256


class Embedder(Protocol):
    name: str
    """Names the model: vectors of two names cannot be compared."""

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text, in their order; raises ModelUnavailable."""

    async def aclose(self) -> None:
        """Let go of connections and memory."""


@dataclass(frozen=True)
class BroughtUp:
    """What bringing an index up to its entries came to."""

    embedded: int
    """Texts that had to be embedded, because they are new or changed."""
    removed: int
    """Entries of an earlier time that are gone."""


@dataclass(frozen=True)
class _Embedded:
    vectors: dict[str, Vector] = field(default_factory=dict)
    """By the ids of their entries."""
    made: int = 0
    """How many were not kept from an earlier start."""
    forgotten: int = 0
    """How many were kept for texts that are gone."""

    @property
    def dimensions(self) -> int | None:
        return len(next(iter(self.vectors.values()))) if self.vectors else None


class Index:
    """One collection: our own Qdrant's, or a server's where there is a URL.

    Without an embedder, or where it does not answer, words alone are matched. The embedder is its opener's to close.
    """

    def __init__(
        self,
        name: str,
        vectors: Path,
        embedder: Embedder | None,
        qdrant_url: str | None = None,
        qdrant_api_key: SecretStr | None = None,
    ) -> None:
        self.thread = anyio.CapacityLimiter(1)
        """What blocks runs in it, one at a time."""
        self._name = name
        self._vectors = VectorFile(vectors)
        self._embedder = embedder
        self._url = qdrant_url
        self._api_key = qdrant_api_key
        self._store: EntryStore | None = None

    @property
    def has_meaning(self) -> bool:
        """Whether entries are found by their meaning, too."""
        return self._embedder is not None

    async def bring_up(
        self, entries: Sequence[Entry], progress: Progress | None = None, *, rebuild: bool = False
    ) -> BroughtUp:
        """Bring the collection up to these entries; only those that are new or changed are embedded and put.

        Raises IndexUnavailable.
        """
        store = await asyncify(self._open_store, limiter=self.thread)()

        def compare() -> tuple[dict[str, str], dict[str, str]]:
            if rebuild:
                store.drop()
            return {entry.id: entry.digest(self._model) for entry in entries}, store.digests()

        digests, known = await asyncify(compare, limiter=self.thread)()
        new = [entry for entry in entries if known.get(entry.id) != digests[entry.id]]
        try:
            embedded = await self._embed(new, digests, progress, reuse=not rebuild)
        except ModelUnavailable as error:
            log.warning("until the next start the schema is matched by words alone: %s", error)
            self._embedder = None
            await self.aclose()
            return await self.bring_up(entries, progress)
        gone = list(known.keys() - digests.keys())

        def put() -> None:
            store.create(embedded.dimensions)
            store.put(new, digests, embedded.vectors)
            store.remove(gone)

        await asyncify(put, limiter=self.thread)()
        # Our own Qdrant begins empty, so what is gone shows in the vectors kept from the earlier start.
        return BroughtUp(embedded.made, max(len(gone), embedded.forgotten))

    async def vector(self, text: str) -> Vector | None:
        """Return the text's vector, None where there is no embedder or it does not answer."""
        if self._embedder is not None:
            try:
                return (await self._embedder.embed([text]))[0]
            except ModelUnavailable as error:
                log.warning("this question is matched by words alone: %s", error)
        return None

    def search(self, text: str, vector: Vector | None) -> list[Hit]:
        """Return the nearest entries; it blocks, so call it in `thread`. See EntryStore.search."""
        return self._opened.search(text, vector)

    def nearest(self, kind: str, vector: Vector, limit: int) -> list[Hit]:
        """Return the entries of a kind nearest in meaning; it blocks. See EntryStore.nearest.

        None are near where the embedder has failed since it made the vector: nothing is matched by meaning then.
        """
        return self._opened.nearest(kind, vector, limit) if self.has_meaning else []

    async def probe(self) -> None:
        """Return when the index answers; raises IndexUnavailable otherwise."""
        await asyncify(self._opened.probe, limiter=self.thread)()

    async def aclose(self) -> None:
        """Close the collection."""
        if self._store:
            await asyncify(self._store.close, limiter=self.thread)()
            self._store = None

    @property
    def _opened(self) -> EntryStore:
        assert self._store is not None, "bring_up comes first"
        return self._store

    @property
    def _model(self) -> str:
        return self._embedder.name if self._embedder else ""

    def _open_store(self) -> EntryStore:
        if self._store:
            return self._store
        # Either takes its time to import, so it is imported here, in a thread.
        if self._url is None:
            from tools.schema_own import OwnStore

            self._store = OwnStore()
        else:
            from tools.schema_server import ServerStore, connect

            client = connect(self._url, self._api_key.get_secret_value() if self._api_key else None)
            # Vectors of another model have another length, so each model has a collection of its own.
            self._store = ServerStore(client, f"{self._name}-{hashlib.sha256(self._model.encode()).hexdigest()[:6]}")
        return self._store

    async def _embed(
        self, entries: Sequence[Entry], digests: dict[str, str], progress: Progress | None, *, reuse: bool
    ) -> _Embedded:
        if self._embedder is None:
            return _Embedded()
        kept = await asyncify(self._vectors.read, limiter=self.thread)() if reuse else {}
        old = kept.keys() - set(digests.values())
        wanted = [entry for entry in entries if entry.kind != "value"]
        missing = [entry for entry in wanted if digests[entry.id] not in kept]
        for start in range(0, len(missing), EMBEDDED_AT_ONCE):
            batch = missing[start : start + EMBEDDED_AT_ONCE]
            vectors = await self._embedder.embed([entry.text for entry in batch])
            kept.update((digests[entry.id], vector) for entry, vector in zip(batch, vectors, strict=True))
            if progress:
                progress("Embedding", min(start + EMBEDDED_AT_ONCE, len(missing)), len(missing))
        if missing or old:
            current = {digest: kept[digest] for digest in digests.values() if digest in kept}
            await asyncify(self._vectors.replace, limiter=self.thread)(current)
        return _Embedded({entry.id: kept[digests[entry.id]] for entry in wanted}, len(missing), len(old))
