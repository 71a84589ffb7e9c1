"""Asks a chat model for one JSON object of a known shape."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from errors import ModelMisbehaved

if TYPE_CHECKING:  # LangChain takes a second to import, and a house without a model need not wait for it.
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

log = logging.getLogger("quaestor.model")

AFTER_AN_ANSWER = "Ask again; if it happens every time, set QUAESTOR_MODEL to another model."

TRIES = 100
"""Braces at which the object may begin: each try may read the whole reply, on the event loop."""

Messages = Sequence[tuple[str, str]]
"""What is said to a model: ("system" | "human" | "ai", text), in order."""

Shape = TypeVar("Shape", bound=BaseModel)
Asked = TypeVar("Asked")

_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED_JSON = re.compile(r"```json\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)


def json_agent(
    prompt: Callable[[Asked], Messages],
    model: BaseChatModel,
    name: str,
    shape: type[Shape],
    *,
    rescue: Callable[[str], Shape | None] = lambda text: None,
) -> Runnable[Asked, Shape]:
    """Return an agent that puts the prompt to the model and reads its reply; `name` tells the endpoint the shape.

    An endpoint that takes no `response_format` is asked again without; the prompt itself must describe the shape
    too. The prompt's function runs on the event loop: it may take a few milliseconds at the most. `rescue` may make
    something of a reply that holds no JSON. Raises ModelMisbehaved for one that cannot be used.
    """

    from llm.chat_agent import ChatAgent

    def read(message: BaseMessage) -> Shape:
        return read_json(str(message.text), shape, rescue)

    strict = {"name": name, "strict": True, "schema": strict_schema(shape)}
    return ChatAgent(prompt, model, {"type": "json_schema", "json_schema": strict}, read)


def read_json(text: str, shape: type[Shape], rescue: Callable[[str], Shape | None] = lambda text: None) -> Shape:
    """Return the object in a model's reply, wherever it stands in it; raises ModelMisbehaved where there is none."""
    # Half of a surrogate pair can neither be shown nor sent on.
    text = _THOUGHTS.sub("", text.encode("utf-8", "replace").decode()).strip()
    fenced = _FENCED_JSON.search(text)
    for candidate in ([fenced[1]] if fenced else []) + [text]:
        for start in islice((i for i, char in enumerate(candidate[:20_000]) if char == "{"), TRIES):
            try:
                found, _ = json.JSONDecoder(strict=False).raw_decode(candidate, start)
                json.dumps(found, ensure_ascii=False).encode()
                return shape.model_validate(found)
            except (json.JSONDecodeError, UnicodeEncodeError, ValidationError, RecursionError):
                continue
    if (rescued := rescue(text)) is not None:
        return rescued
    log.warning("the model answered %d characters without a usable %s", len(text), shape.__name__)
    raise ModelMisbehaved(f"The model answered in a form that cannot be used. {AFTER_AN_ANSWER}")


def strict_schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Return a shape's JSON schema as endpoints want it where it binds: every property required, and no others."""
    schema = shape.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        part["required"] = list(part["properties"])
        part["additionalProperties"] = False
        for field in part["properties"].values():
            field.pop("default", None)
            field.pop("title", None)
    return schema
