"""A Qdrant over HTTP for the tests, which can be stopped and started again: the client's in-memory Qdrant behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from qdrant_client import QdrantClient, models

from tests.ports import kept_port


class QdrantServer:
    """Answers what the index asks a server; it keeps its collections while it is stopped."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._kept = QdrantClient(":memory:")
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=2**26)
        one = "/collections/{name}"
        app.router.add_get(f"{one}/exists", self._exists)
        app.router.add_put(one, self._create)
        app.router.add_put(f"{one}/points", self._upsert)
        app.router.add_post(f"{one}/points/scroll", self._scroll)
        app.router.add_post(f"{one}/points/delete", self._delete)
        app.router.add_post(f"{one}/points/query", self._query)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def close(self) -> None:
        self._kept.close()

    async def _exists(self, request: web.Request) -> web.Response:
        return _told({"exists": self._kept.collection_exists(request.match_info["name"])})

    async def _create(self, request: web.Request) -> web.Response:
        asked = models.CreateCollection.model_validate(await request.json())
        vectors = asked.vectors if isinstance(asked.vectors, dict) else {}
        self._kept.create_collection(
            request.match_info["name"], vectors_config=vectors, sparse_vectors_config=asked.sparse_vectors
        )
        return _told(True)

    async def _upsert(self, request: web.Request) -> web.Response:
        asked = models.PointsList.model_validate(await request.json())
        self._kept.upsert(request.match_info["name"], asked.points)
        return _told({"operation_id": 0, "status": "completed"})

    async def _scroll(self, request: web.Request) -> web.Response:
        asked = models.ScrollRequest.model_validate(await request.json())
        points, offset = self._kept.scroll(request.match_info["name"], limit=asked.limit or 10, offset=asked.offset)
        return _told({"points": [point.model_dump(mode="json") for point in points], "next_page_offset": offset})

    async def _delete(self, request: web.Request) -> web.Response:
        asked = models.PointIdsList.model_validate(await request.json())
        self._kept.delete(request.match_info["name"], asked.points)
        return _told({"operation_id": 0, "status": "completed"})

    async def _query(self, request: web.Request) -> web.Response:
        asked = models.QueryRequest.model_validate(await request.json())
        answer = self._kept.query_points(
            request.match_info["name"],
            prefetch=asked.prefetch,
            query=asked.query,
            using=asked.using,
            query_filter=asked.filter,
            limit=asked.limit or 10,
            with_payload=asked.with_payload or False,
        )
        return _told(answer.model_dump(mode="json"))


def _told(result: Any) -> web.Response:
    return web.json_response({"result": result, "status": "ok", "time": 0.0})


@asynccontextmanager
async def qdrant_server() -> AsyncIterator[QdrantServer]:
    with kept_port() as port:
        server = QdrantServer(port)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
            server.close()
