"""A LangChain runnable that asks a chat model for one object of a known shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig

from errors import RequestRejected

Shape = TypeVar("Shape")
Asked = TypeVar("Asked")


class ChatAgent(Runnable[Asked, Shape]):
    """prompt | model | read, without what LangChain's sequence adds to each call: two threads and three runs.

    `wanted` is the request's `response_format`; an endpoint that takes none is asked again without.
    """

    def __init__(
        self,
        prompt: Callable[[Asked], Sequence[tuple[str, str]]],
        model: BaseChatModel,
        wanted: dict[str, Any],
        read: Callable[[BaseMessage], Shape],
    ) -> None:
        self._prompt = prompt
        self._model = model
        self._wanted = wanted
        self._read = read

    def invoke(self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any) -> Shape:
        messages = list(self._prompt(input))
        try:
            reply = self._model.invoke(messages, config, response_format=self._wanted, **kwargs)
        except RequestRejected:
            reply = self._model.invoke(messages, config, **kwargs)
        return self._read(reply)

    async def ainvoke(self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any) -> Shape:
        messages = list(self._prompt(input))
        try:
            reply = await self._model.ainvoke(messages, config, response_format=self._wanted, **kwargs)
        except RequestRejected:
            reply = await self._model.ainvoke(messages, config, **kwargs)
        return self._read(reply)
