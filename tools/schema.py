"""Stores a database's tables, columns and values in Qdrant, and finds those a question is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from asyncer import asyncify
from pydantic import SecretStr

from tools.catalog import Catalog, Found, Table, Value
from tools.recent import Recent
from tools.reflection import Progress
from tools.schema_catalog import catalog_key, load_catalog
from tools.schema_entries import Entry, entries_of
from tools.schema_index import BroughtUp, Embedder, Index
from tools.schema_joins import JoinGraph
from tools.schema_store import Hit
from tools.schema_values import ValueLookup

__all__ = ["Embedder", "Progress", "Schema", "Stored", "open_schema"]

VALUES_IN_MEMORY = 500
"""Values in our own Qdrant. More of them cost each question time and find no more tables; those that a question
spells out are found by `ValueLookup`, which knows them all."""
VALUES_ON_SERVER = 50_000
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
    reading = await asyncify(load_catalog)(
        database_url, folder, descriptions=descriptions, refresh=rebuild, progress=progress
    )
    schema = await Schema.open(
        reading.catalog, folder, embedder, qdrant_url, qdrant_api_key, progress=progress, rebuild=rebuild
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
            schema._lookup = await asyncify(ValueLookup, limiter=schema._index.thread)(catalog)
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
        self._embedder = embedder
        self._values_kept = VALUES_ON_SERVER if qdrant_url else VALUES_IN_MEMORY
        self._index = Index(folder.name, folder / "vectors.sqlite", embedder, qdrant_url, qdrant_api_key)
        self._joins = JoinGraph(catalog)
        self._recent: Recent[Found] = Recent(QUESTIONS_KEPT)

    async def _bring_up(self, progress: Progress | None, rebuild: bool) -> Stored:
        entries = await asyncify(entries_of)(self.catalog, values_kept=self._values_kept)
        return _stored(entries, await self._index.bring_up(entries, progress, rebuild=rebuild))

    async def find(self, question: str, *, limit: int = TABLES) -> Found:
        """Return at most `limit` tables and those that join them, nearest first, with the columns and values named.

        A database of no more tables than that is returned whole. Raises IndexUnavailable.
        """
        question = question[:QUESTION_LENGTH]
        if found := self._recent.get(key := f"{limit} {question}"):
            return found
        vector = await self._index.vector(question)
        found = await asyncify(self._search, limiter=self._index.thread)(question, vector, limit)
        if vector or not self._index.has_meaning:  # Else the words alone were matched, because the embedder was down.
            self._recent.put(key, found)
        return found

    async def probe(self) -> None:
        """Return when the index answers; raises IndexUnavailable otherwise."""
        await self._index.probe()

    async def aclose(self) -> None:
        """Close the index, and the embedder it was given."""
        if self._embedder:
            await self._embedder.aclose()
        await self._index.aclose()

    def _search(self, question: str, vector: list[float] | None, limit: int) -> Found:
        hits = self._index.search(question, vector)
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


def _stored(entries: Sequence[Entry], brought: BroughtUp) -> Stored:
    counts = Counter(entry.kind for entry in entries)
    return Stored(counts["table"], counts["column"], counts["value"], brought.embedded, brought.removed)
