"""Asks a chat endpoint whether it is there, without making it write anything."""

from __future__ import annotations

import time

import openai
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from llm.chat_faults import Endpoint, translate

SECONDS = 3.0
"""How long the endpoint may take."""

GOOD_FOR = 15.0
"""Seconds that a good answer stands: an endpoint that is paid for need not be asked at every look."""


class ChatCheck:
    """Asks for the endpoint's list of models, over the chat model's own connections and with its key."""

    def __init__(self, model: BaseChatModel) -> None:
        """Take a model of `open_chat_model`."""
        assert isinstance(model, ChatOpenAI), type(model)
        self._client = model.root_async_client.with_options(timeout=SECONDS, max_retries=0)
        self._endpoint = Endpoint.of(str(self._client.base_url), model.model_name)
        self._good_until = 0.0

    async def __call__(self) -> None:
        """Return when the endpoint answers and takes our key; raises ModelUnavailable otherwise."""
        if time.monotonic() < self._good_until:
            return
        try:
            await self._client.models.with_raw_response.list()
        except Exception as error:
            # Any other status shows that it answers: some have no such list, or would have it asked for differently.
            status = error.status_code if isinstance(error, openai.APIStatusError) else 500
            if status in (401, 402, 403, 429) or status >= 500:
                raise translate(error, self._endpoint) from None
        self._good_until = time.monotonic() + GOOD_FOR
