"""Keeps entries in a Qdrant of this process's own, and finds those nearest to a question."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import qdrant_edge
from qdrant_edge import Distance, EdgeShard, EdgeSparseVectorParams, EdgeVectorParams, Modifier, Prefetch, Query

from errors import IndexUnavailable
from tools.schema_entries import Entry
from tools.schema_store import FOUND, GONE, MEANING, NEAREST, NEAREST_VALUES, VALUE_WORDS, WORDS, Hit, Vector

log = logging.getLogger(__name__)

RRF_K = 2
"""What a Qdrant server takes by itself."""
PAYLOAD = ["kind", "table", "column"]


class OwnStore:
    """One collection, see schema_store.EntryStore.

    It is Qdrant Edge, the server's engine as a library: a search takes a fifth of a millisecond where qdrant-client's
    own in-memory mode, written in Python, takes two. The folder it wants lasts as long as the store.
    """

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._shard: EdgeShard | None = None
        self._digests: dict[str, str] = {}
        self._words = qdrant_edge.Bm25()

    def probe(self) -> None:
        """Return when the collection is there; raises IndexUnavailable otherwise."""
        if self._shard is None:
            raise IndexUnavailable(GONE)

    def digests(self) -> dict[str, str]:
        """Return the digest of each entry kept, by its id."""
        return dict(self._digests)

    def create(self, dimensions: int | None) -> None:
        """Make the collection where there is none; without dimensions it matches words alone."""
        if self._shard is not None:
            return
        words = EdgeSparseVectorParams(modifier=Modifier.Idf)
        config = qdrant_edge.EdgeConfig(
            vectors={MEANING: EdgeVectorParams(dimensions, Distance.Cosine)} if dimensions else None,
            sparse_vectors={WORDS: words, VALUE_WORDS: words},
            max_search_threads=1,
            wal_enabled=False,
        )
        with _translated():
            self._folder = TemporaryDirectory(prefix="quaestor-index-")
            self._shard = EdgeShard.create(self._folder.name, config)

    def drop(self) -> None:
        """Forget every entry, and the collection."""
        self.close()
        self._digests.clear()

    def put(self, entries: Sequence[Entry], digests: Mapping[str, str], vectors: Mapping[str, Vector]) -> None:
        """Keep the entries, each with its digest and, where it has one, its vector, by the entries' ids."""
        points = [self._point(entry, vectors.get(entry.id)) for entry in entries]
        if points:
            with _translated():
                self._opened.update(qdrant_edge.UpdateOperation.upsert_points(points))
        self._digests.update((entry.id, digests[entry.id]) for entry in entries)

    def remove(self, ids: Sequence[str]) -> None:
        """Forget the entries of these ids."""
        if ids:
            with _translated():
                self._opened.update(qdrant_edge.UpdateOperation.delete_points(list(ids)))
        for each in ids:
            self._digests.pop(each, None)

    def search(self, text: str, vector: Vector | None) -> list[Hit]:
        """Return the entries nearest in words and in meaning, fused by their ranks (RRF), nearest first."""
        words = self._words.embed_query(text)
        prefetches = [
            Prefetch(NEAREST, query=Query.Nearest(words, using=WORDS)),
            Prefetch(NEAREST_VALUES, query=Query.Nearest(words, using=VALUE_WORDS)),
        ]
        if vector:
            prefetches.append(Prefetch(NEAREST, query=Query.Nearest(vector, using=MEANING)))
        request = qdrant_edge.QueryRequest(
            limit=FOUND,
            prefetches=prefetches,
            query=qdrant_edge.Fusion.Rrf(k=RRF_K),  # type: ignore[arg-type]  # its stub forgets what Rrf is
            with_payload=qdrant_edge.PayloadSelector.Include(PAYLOAD),
        )
        with _translated():
            points = self._opened.query(request)
        return _hits(points)

    def nearest(self, kind: str, vector: Vector, limit: int) -> list[Hit]:
        """Return the entries of this kind nearest in meaning, nearest first; each score is the cosine."""
        request = qdrant_edge.QueryRequest(
            limit=limit,
            query=Query.Nearest(vector, using=MEANING),
            filter=qdrant_edge.Filter(must=[qdrant_edge.FieldCondition("kind", qdrant_edge.MatchValue(kind))]),
            with_payload=qdrant_edge.PayloadSelector.Include(PAYLOAD),
        )
        with _translated():
            return _hits(self._opened.query(request))

    def close(self) -> None:
        """Let go of the memory and the folder."""
        if self._shard is not None:
            self._shard.close()
            self._shard = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def _opened(self) -> EdgeShard:
        if self._shard is None:
            raise RuntimeError("there is no collection")
        return self._shard

    def _point(self, entry: Entry, vector: Vector | None) -> qdrant_edge.Point:
        words = self._words.embed_document(entry.text)
        vectors: dict[str, Any] = {VALUE_WORDS if entry.kind == "value" else WORDS: words}
        if vector:
            vectors[MEANING] = vector
        payload = {"kind": entry.kind, "table": entry.table, "column": entry.column}
        return qdrant_edge.Point(entry.id, vectors, payload)


def _hits(points: Sequence[qdrant_edge.ScoredPoint]) -> list[Hit]:
    return [Hit(**(point.payload or {}), score=point.score, id=str(point.id)) for point in points]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Qdrant Edge's own errors share no base but this one.
        log.warning("the index in this process failed: %s", error)
        raise IndexUnavailable(
            "The schema index cannot be kept: see that temporary files can be written, or set QDRANT_URL."
        ) from error
