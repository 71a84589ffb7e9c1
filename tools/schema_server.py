"""Keeps entries in one collection of a Qdrant server, and finds those nearest to a question."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import qdrant_edge
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from errors import IndexUnavailable
from tools.schema_entries import Entry
from tools.schema_store import FOUND, GONE, MEANING, NEAREST, NEAREST_VALUES, VALUE_WORDS, WORDS, Hit, Vector

log = logging.getLogger(__name__)

SERVER_SECONDS = 5
"""How long one call of a Qdrant server may take."""
CONFLICT = 409
AT_ONCE = 256
"""Points in one call of a server."""


def connect(url: str, api_key: str | None) -> QdrantClient:
    """Return a client of the server at the URL; nothing is sent yet."""
    try:
        return QdrantClient(url=url, api_key=api_key, timeout=SERVER_SECONDS, check_compatibility=False)
    except ValueError:
        raise IndexUnavailable("QDRANT_URL cannot be read: write it like http://localhost:6333.") from None


class ServerStore:
    """One collection, see schema_store.EntryStore."""

    def __init__(self, client: QdrantClient, collection: str) -> None:
        self._client = client
        self._collection = collection
        self._words = qdrant_edge.Bm25()

    def probe(self) -> None:
        """Return when the collection is there; raises IndexUnavailable otherwise."""
        with _translated():
            if self._client.collection_exists(self._collection):
                return
        raise IndexUnavailable(GONE)

    def digests(self) -> dict[str, str]:
        """Return the digest of each entry kept, by its id."""
        found: dict[str, str] = {}
        with _translated():
            if not self._client.collection_exists(self._collection):
                return found
            offset: Any = None
            while True:
                points, offset = self._client.scroll(
                    self._collection, limit=1_000, offset=offset, with_payload=["digest"], with_vectors=False
                )
                found.update((str(point.id), (point.payload or {}).get("digest", "")) for point in points)
                if offset is None:
                    return found

    def create(self, dimensions: int | None) -> None:
        """Make the collection where there is none; without dimensions it matches words alone."""
        meaning = models.VectorParams(size=dimensions, distance=models.Distance.COSINE) if dimensions else None
        words = models.SparseVectorParams(modifier=models.Modifier.IDF)
        with _translated():
            if self._client.collection_exists(self._collection):
                return
            try:
                self._client.create_collection(
                    self._collection,
                    vectors_config={MEANING: meaning} if meaning else {},
                    sparse_vectors_config={WORDS: words, VALUE_WORDS: words},
                )
            except UnexpectedResponse as error:
                if error.status_code != CONFLICT:  # Another process made it meanwhile.
                    raise

    def drop(self) -> None:
        """Forget every entry, and the collection."""
        with _translated():
            self._client.delete_collection(self._collection)

    def put(self, entries: Sequence[Entry], digests: Mapping[str, str], vectors: Mapping[str, Vector]) -> None:
        """Keep the entries, each with its digest and, where it has one, its vector, by the entries' ids."""
        with _translated():
            for start in range(0, len(entries), AT_ONCE):
                batch = entries[start : start + AT_ONCE]
                points = [self._point(entry, digests[entry.id], vectors.get(entry.id)) for entry in batch]
                self._client.upsert(self._collection, points)

    def remove(self, ids: Sequence[str]) -> None:
        """Forget the entries of these ids."""
        with _translated():
            for start in range(0, len(ids), AT_ONCE):
                self._client.delete(self._collection, list(ids[start : start + AT_ONCE]))

    def search(self, text: str, vector: Vector | None) -> list[Hit]:
        """Return the entries nearest in words and in meaning, fused by their ranks (RRF), nearest first."""
        words = _sparse(self._words.embed_query(text))
        prefetch = [
            models.Prefetch(query=words, using=WORDS, limit=NEAREST),
            models.Prefetch(query=words, using=VALUE_WORDS, limit=NEAREST_VALUES),
        ]
        if vector:
            prefetch.append(models.Prefetch(query=vector, using=MEANING, limit=NEAREST))
        with _translated():
            answer = self._client.query_points(
                self._collection,
                prefetch=prefetch,
                query=models.FusionQuery(fusion=models.Fusion.RRF),
                limit=FOUND,
                with_payload=["kind", "table", "column"],
            )
        return _hits(answer.points)

    def nearest(self, kind: str, vector: Vector, limit: int) -> list[Hit]:
        """Return the entries of this kind nearest in meaning, nearest first; each score is the cosine."""
        of_kind = models.FieldCondition(key="kind", match=models.MatchValue(value=kind))
        with _translated():
            answer = self._client.query_points(
                self._collection,
                query=vector,
                using=MEANING,
                query_filter=models.Filter(must=[of_kind]),
                limit=limit,
                with_payload=["kind", "table", "column"],
            )
        return _hits(answer.points)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _point(self, entry: Entry, digest: str, vector: Vector | None) -> models.PointStruct:
        sparse = _sparse(self._words.embed_document(entry.text))
        vectors: dict[str, Any] = {VALUE_WORDS if entry.kind == "value" else WORDS: sparse}
        if vector:
            vectors[MEANING] = vector
        payload = {"kind": entry.kind, "table": entry.table, "column": entry.column, "digest": digest}
        return models.PointStruct(id=entry.id, vector=vectors, payload=payload)


def _hits(points: Sequence[models.ScoredPoint]) -> list[Hit]:
    return [Hit(**(point.payload or {}), score=point.score, id=str(point.id)) for point in points]


def _sparse(vector: Any) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever the client raises into one sentence; its own text may hold the server's address and key."""
    try:
        yield
    except (ApiException, QdrantException, ValueError) as error:  # ValueError: an answer that is no JSON
        log.warning("Qdrant failed: %s", type(error).__name__)
        raise IndexUnavailable(
            "The schema index does not answer: check that Qdrant runs at QDRANT_URL, or unset it."
        ) from None
