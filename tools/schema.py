"""Stores a database's tables, columns and values in Qdrant, and finds those a question is about."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio
from asyncer import asyncify
from pydantic import SecretStr

from errors import ModelUnavailable
from tools.catalog import Catalog, Found, Table, Value
from tools.recent import Recent
from tools.reflection import Progress
from tools.schema_catalog import catalog_key, load_catalog
from tools.schema_entries import Entry, entries_of
from tools.schema_joins import JoinGraph
from tools.schema_store import EntryStore, Hit
from tools.schema_values import ValueLookup
from tools.schema_vectors import VectorFile

__all__ = ["Embedder", "Progress", "Schema", "Stored", "open_schema"]

log = logging.getLogger(__name__)

VALUES_IN_MEMORY = 500
"""Values in our own Qdrant. More of them cost each question time and find no more tables; those that a question
spells out are found by `ValueLookup`, which knows them all."""
VALUES_ON_SERVER = 50_000
EMBEDDED_AT_ONCE = 256
TABLES = 8
COLUMNS_FOUND = 30
QUESTION_LENGTH = 2_000
"""Characters of a question that are searched for; what comes after them finds nothing new."""
QUESTIONS_KEPT = 256
"""Questions whose findings are remembered; the catalog and its index stay as they are while they are open."""
JOINED = 4
"""So many of the nearest tables are joined with each other by way of the tables between them."""

# What a table's likeness is made of: its own, its nearest columns', each less than the one before, and its values'.
OWN, COLUMN, VALUE, NAMED = 0.5, 1.0, 0.3, 0.1
FADING = 0.7


class Embedder(Protocol):
    name: str
    """Names the model: vectors of two names cannot be compared."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector per text, in their order; raises ModelUnavailable."""

    async def aclose(self) -> None:
        """Let go of connections and memory."""


@dataclass(frozen=True)
class Stored:
    """What storing a catalog came to."""

    tables: int
    columns: int
    values: int
    """How many the index holds of each."""
    embedded: int
    """Texts that had to be embedded, because they are new or changed."""
    removed: int
    """Entries of an earlier catalog that are gone."""


@dataclass(frozen=True)
class _Embedded:
    vectors: dict[str, list[float]] = field(default_factory=dict)
    """By the ids of their entries."""
    made: int = 0
    """How many were not kept from an earlier start."""
    forgotten: int = 0
    """How many were kept for texts that are gone."""

    @property
    def dimensions(self) -> int | None:
        return len(next(iter(self.vectors.values()))) if self.vectors else None


@asynccontextmanager
async def open_schema(
    database_url: str,
    *,
    home: Path,
    embedder: Embedder | None = None,
    qdrant_url: str | None = None,
    qdrant_api_key: SecretStr | None = None,
    descriptions: Path | None = None,
    progress: Progress | None = None,
    rebuild: bool = False,
) -> AsyncIterator[Schema]:
    """Read the database where it is new or changed, bring its index up to date, and open it for questions.

    Raises DatabaseUnavailable, IndexUnavailable or SettingsInvalid. `rebuild` reads and embeds everything anew.
    """
    folder = home / "index" / await asyncify(catalog_key)(database_url)
    catalog = await asyncify(load_catalog)(
        database_url, folder, descriptions=descriptions, refresh=rebuild, progress=progress
    )
    schema = await Schema.open(
        catalog, folder, embedder, qdrant_url, qdrant_api_key, progress=progress, rebuild=rebuild
    )
    try:
        yield schema
    finally:
        await schema.aclose()


class Schema:
    """One database's catalog and its index; `open` is its only maker."""

    stored: Stored
    """What opening it stored."""
    _lookup: ValueLookup

    @classmethod
    async def open(
        cls,
        catalog: Catalog,
        folder: Path,
        embedder: Embedder | None = None,
        qdrant_url: str | None = None,
        qdrant_api_key: SecretStr | None = None,
        *,
        progress: Progress | None = None,
        rebuild: bool = False,
    ) -> Schema:
        """Return the schema, its index brought up to the catalog; it closes the embedder, also where this fails.

        Without an embedder, or where it does not answer, words alone are matched. Raises IndexUnavailable.
        """
        schema = cls(catalog, folder, embedder, qdrant_url, qdrant_api_key)
        try:
            schema._lookup = await asyncify(ValueLookup, limiter=schema._thread)(catalog)
            schema.stored = await schema._bring_up(progress, rebuild)
        except BaseException:
            await schema.aclose()
            raise
        return schema

    def __init__(
        self,
        catalog: Catalog,
        folder: Path,
        embedder: Embedder | None,
        qdrant_url: str | None,
        qdrant_api_key: SecretStr | None,
    ) -> None:
        self.catalog = catalog
        self._name = folder.name
        self._vectors = VectorFile(folder / "vectors.sqlite")
        self._embedder = self._given_embedder = embedder
        self._url = qdrant_url
        self._api_key = qdrant_api_key
        self._store: EntryStore | None = None
        self._joins = JoinGraph(catalog)
        self._thread = anyio.CapacityLimiter(1)
        self._recent: Recent[Found] = Recent(QUESTIONS_KEPT)

    async def _bring_up(self, progress: Progress | None, rebuild: bool) -> Stored:
        """Bring the index up to the catalog; only entries that are new or changed are embedded and put."""
        store = await asyncify(self._open_store, limiter=self._thread)()
        entries = entries_of(self.catalog, values_kept=VALUES_ON_SERVER if self._url else VALUES_IN_MEMORY)
        digests = {entry.id: entry.digest(self._model) for entry in entries}

        def kept() -> dict[str, str]:
            if rebuild:
                store.drop()
            return store.digests()

        known = await asyncify(kept, limiter=self._thread)()
        new = [entry for entry in entries if known.get(entry.id) != digests[entry.id]]
        try:
            embedded = await self._embed(new, digests, progress, reuse=not rebuild)
        except ModelUnavailable as error:
            log.warning("until the next start the schema is matched by words alone: %s", error)
            self._embedder = None
            return await self._bring_up(progress, rebuild=False)
        gone = list(known.keys() - digests.keys())

        def put() -> None:
            store.create(embedded.dimensions)
            store.put(new, digests, embedded.vectors)
            store.remove(gone)

        await asyncify(put, limiter=self._thread)()
        return _stored(entries, embedded, len(gone))

    async def find(self, question: str, *, limit: int = TABLES) -> Found:
        """Return at most `limit` tables and those that join them, nearest first, with the columns and values named.

        A database of no more tables than that is returned whole. Raises IndexUnavailable.
        """
        question = question[:QUESTION_LENGTH]
        if found := self._recent.get(key := f"{limit} {question}"):
            return found
        vector = await self._vector(question)
        found = await asyncify(self._search, limiter=self._thread)(question, vector, limit)
        if vector or not self._embedder:  # Else the words alone were matched, because the embedder was down.
            self._recent.put(key, found)
        return found

    async def probe(self) -> None:
        """Return when the index answers; raises IndexUnavailable otherwise."""
        assert self._store is not None
        await asyncify(self._store.probe, limiter=self._thread)()

    async def aclose(self) -> None:
        """Close the index, and the embedder it was given."""
        if self._given_embedder:
            await self._given_embedder.aclose()
        if self._store:
            await asyncify(self._store.close, limiter=self._thread)()

    @property
    def _model(self) -> str:
        return self._embedder.name if self._embedder else ""

    def _open_store(self) -> EntryStore:
        if self._store:
            self._store.close()
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
        kept = await asyncify(self._vectors.read, limiter=self._thread)() if reuse else {}
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
            await asyncify(self._vectors.replace, limiter=self._thread)(current)
        return _Embedded({entry.id: kept[digests[entry.id]] for entry in wanted}, len(missing), len(old))

    async def _vector(self, question: str) -> list[float] | None:
        if self._embedder is not None:
            try:
                return (await self._embedder.embed([question]))[0]
            except ModelUnavailable as error:
                log.warning("this question is matched by words alone: %s", error)
        return None

    def _search(self, question: str, vector: list[float] | None, limit: int) -> Found:
        assert self._store is not None
        hits = self._store.search(question, vector)
        values = self._lookup.find(question)
        ranked = self._rank(hits, values)
        names = self._with_bridges([table.name for table in ranked], limit)
        order = {name: place for place, name in enumerate(names)}
        known = [hit for hit in hits if hit.kind == "column" and hit.table in order]
        return Found(
            tables=tuple(table for name in names if (table := self.catalog.table(name))),
            values=tuple(sorted((v for v in values if v.table in order), key=lambda value: -len(value.text))),
            columns=tuple((hit.table, hit.column) for hit in known[:COLUMNS_FOUND]),
        )

    def _rank(self, hits: Sequence[Hit], values: Sequence[Value]) -> list[Table]:
        """Return every table, nearest first, by its own likeness and that of its columns and values."""
        scores: dict[str, float] = defaultdict(float)
        weights: dict[tuple[str, str], float] = {}
        for hit in hits:  # nearest first
            start = {"table": OWN, "column": COLUMN, "value": VALUE}[hit.kind]
            weight = weights.get((hit.table, hit.kind), start)
            scores[hit.table] += weight * hit.score
            weights[hit.table, hit.kind] = weight * FADING
        for table in {value.table for value in values}:
            scores[table] += NAMED
        return sorted(self.catalog, key=lambda table: -scores[table.name])

    def _with_bridges(self, ranked: list[str], limit: int) -> list[str]:
        """Return the nearest tables up to the limit, with room made for those that join the very nearest."""
        if len(ranked) <= limit:
            return ranked
        nearest = ranked[: min(JOINED, limit)]
        chosen = nearest + self._joins.bridges(nearest)
        return chosen + [name for name in ranked if name not in chosen][: max(0, limit - len(chosen))]


def _stored(entries: Sequence[Entry], embedded: _Embedded, gone: int) -> Stored:
    counts = Counter(entry.kind for entry in entries)
    # Our own Qdrant begins empty, so what is gone shows in the vectors kept from the earlier start.
    removed = max(gone, embedded.forgotten)
    return Stored(counts["table"], counts["column"], counts["value"], embedded.made, removed)
