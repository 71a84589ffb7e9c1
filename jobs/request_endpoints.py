"""Chooses the endpoints that a file of requests is sent to: those of the command line, else the configured ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from endpoints import OPENAI, Endpoint, is_address, read_endpoints
from errors import SettingsInvalid
from settings import Settings


def chosen_endpoints(settings: Settings, written: Sequence[str], model: str | None) -> tuple[Endpoint, ...]:
    """Return the endpoints of `--endpoint URL=WEIGHT`; where none is given, those of quaestor.toml or the environment.

    `model` is asked at all of them, whatever their own is. Raises SettingsInvalid with one sentence.
    """
    if written:
        endpoints = tuple(_written(one, model or settings.model, settings) for one in written)
        if len({endpoint.base_url for endpoint in endpoints}) < len(endpoints):
            raise SettingsInvalid("Two of the --endpoint are the same address: name each once, with its weight.")
        return tuple(map(_checked, endpoints))
    key, base_url = settings.openai_api_key, settings.openai_base_url
    default = Endpoint(base_url or OPENAI, settings.model, key) if key or base_url else None
    endpoints = read_endpoints(settings.config, default)
    if not endpoints:
        raise SettingsInvalid(
            "No model endpoint is named: give --endpoint http://localhost:8000/v1, or set OPENAI_API_KEY or "
            "OPENAI_BASE_URL."
        )
    return tuple(_checked(_with_model(endpoint, model)) for endpoint in endpoints)


def _checked(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint; raises SettingsInvalid where its address is none, or its key cannot stand in a head."""
    key = endpoint.key.get_secret_value() if endpoint.key is not None else ""
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SettingsInvalid(f"The key of {endpoint.name} holds characters that no key has: copy it again.")
    if not is_address(endpoint.base_url):
        raise SettingsInvalid(f"{endpoint.settings.base_url} is no address: write it like http://localhost:11434/v1.")
    return endpoint


def _written(written: str, model: str, settings: Settings) -> Endpoint:
    url, weight = _split(written.strip())
    if not is_address(url) or not 0 < weight < math.inf:
        raise SettingsInvalid(
            "An --endpoint is written wrongly: write its address and its weight, like http://localhost:8000/v1=3."
        )
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise SettingsInvalid("An --endpoint holds a password: keys are taken from OPENAI_API_KEY alone.")
    return Endpoint(url, model, settings.openai_api_key, weight, name=f"{parts.netloc}{parts.path.rstrip('/')}")


def _split(written: str) -> tuple[str, float]:
    """Return the address and the weight, which is 1 where none is written: an address may hold a "=" itself."""
    url, equals, weight = written.rpartition("=")
    try:
        return (url, float(weight)) if equals else (written, 1.0)
    except ValueError:
        return written, 1.0


def _with_model(endpoint: Endpoint, model: str | None) -> Endpoint:
    if endpoint.provider != "openai":
        raise SettingsInvalid(
            f"The endpoint {endpoint.name} is of the provider {endpoint.provider}, and requests are sent in OpenAI's "
            "protocol alone: name the others with --endpoint."
        )
    if model is None:
        return endpoint
    is_named_after_it = endpoint.name == Endpoint(endpoint.base_url, endpoint.model).name
    return replace(endpoint, model=model, name="" if is_named_after_it else endpoint.name)
