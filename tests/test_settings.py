"""Settings are read once, documented once, and never show a secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from errors import SettingsInvalid
from settings import Settings, read_settings

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def variable_of(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias.choices[0] if alias else f"QUAESTOR_{name.upper()}"  # type: ignore[union-attr,return-value]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_readme_with_its_default(name: str) -> None:
    row = next((line for line in README.splitlines() if line.startswith(f"| `{variable_of(name)}` |")), None)
    assert row, f"{variable_of(name)} is missing from the README's table"
    default = Settings.model_fields[name].default
    if isinstance(default, int | float | str) and not isinstance(default, bool):
        assert f"`{default}`" in row


@pytest.mark.parametrize(
    ("name", "value"),
    [("ROW_LIMIT", "many"), ("QUERY_TIMEOUT", "inf"), ("MODEL_TIMEOUT", "nan"), ("TODAY", "9999-12-31")],
)
def test_a_setting_that_cannot_work_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"QUAESTOR_{name}", value)
    with pytest.raises(SettingsInvalid, match=rf"^The setting QUAESTOR_{name} cannot be used: .*\.$"):
        read_settings()


def test_an_extension_that_names_no_function_is_told_how_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUAESTOR_EXTENSION", "extras.py")
    with pytest.raises(SettingsInvalid, match=r"EXTENSION cannot be used: write it like module:function\.$"):
        read_settings()


def test_secrets_never_stand_in_a_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUAESTOR_DATABASE_URL", "postgresql://ada:hunter2@localhost/shop")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("QUAESTOR_USERS", "ada:hunter2")
    assert "hunter2" not in repr(read_settings())


def test_an_endpoint_without_a_key_is_a_model_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert not read_settings().has_openai
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:11434/v1")
    assert read_settings().has_openai


def test_a_key_is_read_without_the_end_of_its_line_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2\n")
    assert read_settings().openai_api_key == SecretStr("sk-hunter2")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2\nsk-another")
    with pytest.raises(SettingsInvalid, match=r"OPENAI_API_KEY cannot be used: .* line end") as error:
        read_settings()
    assert "hunter2" not in str(error.value)


def test_the_key_that_chainlit_makes_up_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-FAKE-OPENAI-API-KEY")
    assert not read_settings().has_openai


def test_origins_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUAESTOR_ALLOW_ORIGINS", "https://intranet.example/, http://127.0.0.1:9000")
    assert read_settings().allow_origins == ("https://intranet.example", "http://127.0.0.1:9000")


def test_origins_are_read_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUAESTOR_ALLOW_ORIGINS", "HTTPS://Intranet.Example/, http://[::1]:3000,")
    assert read_settings().allow_origins == ("https://intranet.example", "http://[::1]:3000")


@pytest.mark.parametrize(
    "origin", ["*", "intranet.example", "https://intranet.example/page", "https://*.example", "https://a;b"]
)
def test_what_is_no_origin_is_refused_before_anybody_is_let_in_by_it(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("QUAESTOR_ALLOW_ORIGINS", f"https://intranet.example,{origin}")
    with pytest.raises(SettingsInvalid, match=r"^The setting QUAESTOR_ALLOW_ORIGINS cannot be used: .* is no origin; "):
        read_settings()


def test_a_cookie_setting_that_chainlit_does_not_know_is_told_before_chainlit_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAINLIT_COOKIE_SAMESITE", "None")
    with pytest.raises(SettingsInvalid, match=r"^The setting CHAINLIT_COOKIE_SAMESITE cannot be used: "):
        read_settings()


def test_a_home_that_is_a_file_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("in the way")
    monkeypatch.setenv("QUAESTOR_HOME", str(home))
    with pytest.raises(SettingsInvalid, match=r"^QUAESTOR_HOME cannot be .*home: File exists\."):
        read_settings()


def test_a_config_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings().config == Path("quaestor.toml")
    monkeypatch.setenv("QUAESTOR_CONFIG", "endpoints.toml")
    with pytest.raises(SettingsInvalid, match=r"^QUAESTOR_CONFIG names endpoints.toml, and there is no such file\."):
        read_settings()


def test_a_file_of_settings_is_read_after_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QUAESTOR_USERS=ann:plum\nQUAESTOR_PORT=9000\nHISTORY_PASSWORD=of-another-service\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUAESTOR_USERS", raising=False)
    monkeypatch.setenv("QUAESTOR_PORT", "9001")
    settings = read_settings()
    assert settings.users is not None and settings.users.get_secret_value() == "ann:plum"
    assert settings.port == 9001
