"""The openai client as its README has it, with the HTTP client that it comes with and with aiohttp under it.

It knows no weights, so it asks one endpoint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from openai import AsyncOpenAI, DefaultAioHttpClient

from benchmarks.peers.side_by_side import MODEL, Ask, run


def open_openai(urls: Sequence[str]) -> AbstractAsyncContextManager[Ask]:
    return _asking(AsyncOpenAI(base_url=urls[0], api_key="none"))


def open_openai_over_aiohttp(urls: Sequence[str]) -> AbstractAsyncContextManager[Ask]:
    return _asking(AsyncOpenAI(base_url=urls[0], api_key="none", http_client=DefaultAioHttpClient()))


@asynccontextmanager
async def _asking(client: AsyncOpenAI) -> AsyncIterator[Ask]:
    async def ask(question: str) -> str | None:
        answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])
        return answer.choices[0].message.content

    async with client:
        yield ask


if __name__ == "__main__":
    run({"openai": open_openai, "openai-aiohttp": open_openai_over_aiohttp})
