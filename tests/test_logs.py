"""No password or key reaches the log, not even inside a traceback."""

import io
import logging
from collections.abc import Iterator

import pytest

from logs import hide_secrets
from settings import Settings


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setenv("OPENAI_API_KEY", "correct-horse")
    monkeypatch.setenv("QUAESTOR_USERS", "ann:battery,ben:staple")
    monkeypatch.setenv("QUAESTOR_DATABASE_URL", "postgresql://ada:p%40ss%3Aw@db.example/shop")
    hide_secrets(Settings())
    yield stream


def test_a_settings_secret_is_hidden(written: io.StringIO) -> None:
    logging.getLogger("x").error("refused the key %s", "correct-horse")
    assert written.getvalue() == "refused the key •••\n"


def test_a_password_in_a_url_is_hidden_in_a_traceback_too(written: io.StringIO) -> None:
    try:
        raise OSError("no route to postgresql://ada:hunter2@db.example/shop")
    except OSError:
        logging.getLogger("x").exception("lost the database")
    assert "hunter2" not in written.getvalue()
    assert "db.example/shop" in written.getvalue()


@pytest.mark.parametrize("secret", ["battery", "staple", "p@ss:w", "p%40ss%3Aw"])
def test_a_password_inside_a_setting_is_hidden(written: io.StringIO, secret: str) -> None:
    logging.getLogger("x").error("login failed with %s", secret)
    assert written.getvalue() == "login failed with •••\n"


def test_what_looks_like_a_key_is_hidden(written: io.StringIO) -> None:
    logging.getLogger("x").error("Incorrect API key provided: sk-proj-abcdef123456")
    assert "abcdef" not in written.getvalue()


@pytest.mark.parametrize("name", ["engineio.server", "socketio.server"])
def test_a_library_writes_nothing_past_the_log(
    written: io.StringIO, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = io.StringIO()
    monkeypatch.setattr(logging.getLogger(name), "handlers", [logging.StreamHandler(alone)])
    hide_secrets(Settings())
    logging.getLogger(name).error("failed with %s", "correct-horse")
    assert (alone.getvalue(), written.getvalue()) == ("", "failed with •••\n")
