"""What may differ between deployments, read once from the environment."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from errors import SettingsInvalid


class Settings(BaseSettings):
    """Every setting, its default and its environment variable (`QUAESTOR_` + the name, or the alias)."""

    model_config = SettingsConfigDict(env_prefix="QUAESTOR_", extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: SecretStr | None = None
    """The database to ask, as SQLAlchemy writes it (it may hold a password), or a path; None asks the sample."""
    descriptions: Path | None = None
    """A TOML file that describes tables and columns in the words of the people who ask."""
    knowledge: Path = Path("knowledge")
    """A folder of what people wrote down: glossary.md, instructions.md and questions.jsonl; see docs/knowledge.md."""
    schema_refresh: float = Field(3_600, ge=0, le=604_800)
    """Seconds after which the server looks again what the database holds; 0 waits for SQL that does not fit."""
    home: Path = Path(".quaestor")
    """Where the sample database, the index, the embedding model and the login's signing key live."""

    openai_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str | None = Field(None, validation_alias=AliasChoices("OPENAI_BASE_URL"))
    model: str = "gpt-4.1-mini"
    """The model's name at the endpoint."""
    model_timeout: float = Field(60, gt=0, le=3_600)
    """Seconds for one whole call of the model."""
    context_tokens: int = Field(16_000, ge=2_000)
    """How much of the model's context a prompt may fill."""
    model_sees: Literal["all", "names"] = "all"
    """What of the database is shown to the models: `names` keeps rows and values from them; see docs/privacy.md."""

    config: Path = Path("quaestor.toml")
    """A TOML file that names the model endpoints (`[[endpoints]]`); none need be there, unless it is named."""
    redis_url: SecretStr | None = None
    """A Redis through which several processes keep the endpoints' limits together; it may hold a password."""

    embedding_model: str | None = None
    """An embedding model at the same endpoint; None embeds locally."""
    qdrant_url: str | None = Field(None, validation_alias=AliasChoices("QDRANT_URL"))
    qdrant_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("QDRANT_API_KEY"))

    row_limit: int = Field(1_000, ge=1, le=10_000)
    """Rows fetched for one answer."""
    query_timeout: float = Field(30, gt=0, le=86_400)
    """Seconds one statement may run in the database."""
    question_limit: int = Field(4_000, ge=100)
    """Characters of a question."""
    questions_at_once: int = Field(500, ge=1)
    """Questions answered at the same time; the others wait, and are told their place."""
    queue_limit: int = Field(2_000, ge=0)
    """Questions that may wait; past it one is turned away at once."""
    statements_at_once: int = Field(8, ge=1, le=100)
    """Statements that the database is given at the same time."""
    extension: str | None = None
    """`module:function` that takes the Asker and returns the one to use: see docs/extending.md."""
    today: date | None = Field(None, ge=date(1970, 1, 1), le=date(2999, 12, 31))
    """What "last month" counts from; None is the day of the question."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65_535)
    allow_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Other origins whose pages may open the chat (the copilot), comma-separated: `https://intranet.example`."""
    cookie_samesite: Literal["lax", "strict", "none"] = Field(
        "lax", validation_alias=AliasChoices("CHAINLIT_COOKIE_SAMESITE")
    )
    """For Chainlit, which reads it itself; `none` lets a page of another site hold the copilot with its login."""
    users: SecretStr | None = None
    """`name:password` pairs, comma-separated; where set, the chat, the API and the metrics ask for a login."""
    reviewers: Annotated[tuple[str, ...], NoDecode] = ()
    """Who of them may save an answer as reviewed, comma-separated; without a login, who sits at the machine may."""
    allow_anonymous: bool = False
    """Serve without a login on an address that is not loopback."""

    @field_validator("openai_api_key", "qdrant_api_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        key = value.get_secret_value().strip() if value else ""
        if not key.isprintable():
            raise ValueError("it holds a line end, or what is not seen")
        # `chainlit run` sets this one wherever CI is set; no endpoint takes it.
        return SecretStr(key) if key and key != "sk-FAKE-OPENAI-API-KEY" else None

    @field_validator("extension")
    @classmethod
    def _names_a_function(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[\w.]+:\w+", value):
            raise ValueError("write it like module:function")
        return value

    @field_validator("allow_origins", "reviewers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("allow_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Return them as browsers write them. A `*` is none: with it, any page could ask with a visitor's login."""
        written = tuple(origin.rstrip("/").lower() for origin in origins)
        for origin in written:
            if not re.fullmatch(r"https?://[\w.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?", origin):
                raise ValueError(f"{origin} is no origin; write each like https://intranet.example, without a path")
        return written

    @property
    def has_openai(self) -> bool:
        """Whether the environment names a model endpoint."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def doubtful(self) -> Path:
        """Where the questions are kept whose answers people doubted, a JSON object a line."""
        return self.home / "doubtful.jsonl"


def read_settings(database_url: str | None = None) -> Settings:
    """Read the environment and, after it, the working directory's `.env`; a database named here goes before both.

    Raises SettingsInvalid with one sentence that names the first wrong setting.
    """
    try:
        # Chainlit reads this file as well, so the chat would know a login that the API does not.
        settings = Settings(_env_file=".env")
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        name = name if name.isupper() else f"QUAESTOR_{name.upper()}"
        raise SettingsInvalid(
            f"The setting {name} cannot be used: {first['msg'].removeprefix('Value error, ')}."
        ) from None
    _check_home(settings.home)
    if "config" in settings.model_fields_set and not settings.config.is_file():
        raise SettingsInvalid(f"QUAESTOR_CONFIG names {settings.config}, and there is no such file.")
    return settings.model_copy(update={"database_url": SecretStr(database_url)}) if database_url else settings


def _check_home(home: Path) -> None:
    """Make the home folder; raises SettingsInvalid where nothing can be written there."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsInvalid(f"QUAESTOR_HOME cannot be {home}: {error.strerror}. Name a folder to write in.") from None
    if not os.access(home, os.W_OK):
        raise SettingsInvalid(f"QUAESTOR_HOME cannot be {home}: nothing may be written there. Name another folder.")
