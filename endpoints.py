"""Reads which model endpoints there are: the `[[endpoints]]` of quaestor.toml, or the one of the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from errors import SettingsInvalid

OPENAI = "https://api.openai.com/v1"
OPENAI_PROTOCOL = "openai"
"""The provider of whatever speaks OpenAI's protocol, wherever it is."""


@dataclass(frozen=True)
class Places:
    """Where an endpoint's parts are set: what a person looks at when one of them is wrong."""

    base_url: str = "OPENAI_BASE_URL"
    model: str = "QUAESTOR_MODEL"
    key: str = "OPENAI_API_KEY"


@dataclass(frozen=True)
class Endpoint:
    """One model at one address, and how much it may be given. The key never stands in a repr."""

    base_url: str
    """Empty for a provider's own."""
    model: str
    key: SecretStr | None = None
    """None where the server takes any key, as Ollama and llama.cpp do."""
    weight: float = 1.0
    """Its share of the requests, beside the other endpoints' weights."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    in_flight: int | None = None
    """Requests that may be under way at the same time; None is no limit."""
    provider: str = OPENAI_PROTOCOL
    """The name that LangChain's `init_chat_model` knows."""
    name: str = ""
    """What metrics and the log call it; the host and the model where it has no name of its own."""
    settings: Places = field(default=Places(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            try:
                host = urlsplit(self.base_url).hostname or self.base_url or self.provider
            except ValueError:  # It is no address, and whoever opens it says so.
                host = self.provider
            object.__setattr__(self, "name", f"{host}/{self.model}")


_Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Written(BaseModel):
    """One `[[endpoints]]` as it stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=False)

    model: Annotated[str, Field(min_length=1)]
    base_url: str = ""
    key: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")] | None = None
    weight: _Amount = 1.0
    requests_per_minute: _Amount | None = None
    tokens_per_minute: _Amount | None = None
    in_flight: Annotated[int, Field(ge=1)] | None = None
    provider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = OPENAI_PROTOCOL
    name: str = ""


def read_endpoints(
    config: Path, default: Endpoint | None, environment: Mapping[str, str] = os.environ
) -> tuple[Endpoint, ...]:
    """Return the endpoints that the file names, in its order, each under a name of its own.

    Where there is no such file, or it names no endpoint, the default is the only one, or there is none. Keys are
    read from the environment variables that the file names. Raises SettingsInvalid with one sentence.
    """
    written = _tables(config)
    if not written:
        return (default,) if default else ()
    return _with_names_of_their_own([_endpoint(table, place, environment) for place, table in enumerate(written, 1)])


def _whole(config: Path) -> dict[str, object]:
    """Return what stands in the file; where there is none, nothing does."""
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsInvalid(f"{config} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise SettingsInvalid(f"{config} is not TOML: {error}.") from None


def _tables(config: Path) -> list[object]:
    tables = _whole(config).get("endpoints", [])
    if not isinstance(tables, list):
        raise SettingsInvalid(f"{config} names its endpoints wrongly: write [[endpoints]] above each, in two brackets.")
    return tables


def _endpoint(table: object, place: int, environment: Mapping[str, str]) -> Endpoint:
    where = f"Endpoint {place} of QUAESTOR_CONFIG"
    try:
        written = _Written.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"{where} cannot be used: {field}: {first['msg']}.") from None
    base_url = written.base_url or (OPENAI if written.provider == OPENAI_PROTOCOL else "")
    if base_url and not is_address(base_url):
        raise SettingsInvalid(f"{where} has no address: write base_url like http://localhost:11434/v1.")
    key = environment.get(written.key, "").strip() if written.key else ""
    if not key.isprintable():
        raise SettingsInvalid(f"The key in {written.key} cannot be used: it holds a line end, or what is not seen.")
    if written.key and not key:
        raise SettingsInvalid(f"{where} takes its key from {written.key}, and that is not set.")
    here = Places(f"{where}: its base_url", f"{where}: its model", written.key or f"{where}: its key")
    told = {"base_url": base_url, "key": SecretStr(key) if key else None, "settings": here}
    return Endpoint(**{**written.model_dump(), **told})


def is_address(base_url: str) -> bool:
    """Return whether it can be the address of an endpoint."""
    try:
        parts = urlsplit(base_url.strip())
        host = (parts.hostname or "").encode("idna")  # As it will be looked up: http://a..b/v1 names nobody.
        return parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:  # A port that is none, or a host.
        return False


def read_hedging(config: Path) -> bool:
    """Return whether the file asks for hedging (`hedge = true`); raises SettingsInvalid."""
    hedge = _whole(config).get("hedge", False)
    if not isinstance(hedge, bool):
        raise SettingsInvalid(f"{config} says hedge = {hedge!r}: write true or false.")
    return hedge


def _with_names_of_their_own(endpoints: list[Endpoint]) -> tuple[Endpoint, ...]:
    seen: dict[str, int] = {}
    for endpoint in endpoints:
        seen[endpoint.name] = count = seen.get(endpoint.name, 0) + 1
        if count > 1:
            object.__setattr__(endpoint, "name", f"{endpoint.name} #{count}")
    return tuple(endpoints)
