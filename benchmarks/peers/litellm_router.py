"""LiteLLM's Router over weighted endpoints, as its documentation has it: `simple-shuffle`, its fastest strategy."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.peers.side_by_side import MODEL, Ask, run

WEIGHTS = (5, 3, 2)


@asynccontextmanager
async def open_router(urls: Sequence[str]) -> AsyncIterator[Ask]:
    # It would fetch a list of prices over the network.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm import Router  # type: ignore[import-not-found, unused-ignore]  # only its own environment has it

    deployments = [
        {
            "model_name": MODEL,
            # A model whose price it knows: it would spend longer on one whose price it does not.
            "litellm_params": {"model": "openai/gpt-4o-mini", "api_base": url, "api_key": "none", "weight": weight},
        }
        for url, weight in zip(urls, WEIGHTS, strict=True)
    ]
    router = Router(model_list=deployments, routing_strategy="simple-shuffle", num_retries=2)

    async def ask(question: str) -> str | None:
        answer = await router.acompletion(model=MODEL, messages=[{"role": "user", "content": question}])
        said: str | None = answer.choices[0].message.content
        return said

    yield ask


if __name__ == "__main__":
    run({"litellm": open_router})
