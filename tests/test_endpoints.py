"""The endpoints come from quaestor.toml, with their keys from the environment, or are the one of the environment."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from endpoints import Endpoint, read_endpoints
from errors import SettingsInvalid

DEFAULT = Endpoint("http://localhost:11434/v1", "qwen3-coder")

TWO = """
[[endpoints]]
base_url = "https://api.openai.com/v1"
model = "gpt-4.1-mini"
key = "OPENAI_API_KEY"
weight = 3
requests_per_minute = 10_000
tokens_per_minute = 2_000_000
in_flight = 200

[[endpoints]]
base_url = "http://localhost:8001/v1"
model = "qwen3-coder"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "quaestor.toml"
    file.write_text(text)
    return file


def test_without_a_file_the_endpoint_of_the_environment_is_the_only_one(tmp_path: Path) -> None:
    assert read_endpoints(tmp_path / "quaestor.toml", DEFAULT) == (DEFAULT,)


def test_a_file_about_something_else_leaves_the_default(tmp_path: Path) -> None:
    assert read_endpoints(written(tmp_path, "[[databases]]\nname = 'shop'\n"), DEFAULT) == (DEFAULT,)


def test_the_file_names_endpoints_and_the_environment_holds_their_keys(tmp_path: Path) -> None:
    openai, local = read_endpoints(written(tmp_path, TWO), DEFAULT, {"OPENAI_API_KEY": "sk-hunter2"})
    assert openai == Endpoint(
        "https://api.openai.com/v1",
        "gpt-4.1-mini",
        SecretStr("sk-hunter2"),
        weight=3,
        requests_per_minute=10_000,
        tokens_per_minute=2_000_000,
        in_flight=200,
    )
    assert (openai.name, local.name) == ("api.openai.com/gpt-4.1-mini", "localhost/qwen3-coder")
    assert local.key is None and local.weight == 1
    assert "hunter2" not in repr(openai)


def test_two_keys_of_one_model_are_told_apart_by_name(tmp_path: Path) -> None:
    both = read_endpoints(written(tmp_path, '[[endpoints]]\nmodel = "m"\n' * 3), DEFAULT, {})
    assert [endpoint.name for endpoint in both] == [
        "api.openai.com/m",
        "api.openai.com/m #2",
        "api.openai.com/m #3",
    ]


def test_another_provider_has_an_address_of_its_own(tmp_path: Path) -> None:
    text = '[[endpoints]]\nmodel = "claude"\nprovider = "anthropic"\n'
    [endpoint] = read_endpoints(written(tmp_path, text), DEFAULT, {})
    assert (endpoint.base_url, endpoint.name) == ("", "anthropic/claude")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[endpoints]]\nmodel = 1 2", "is not TOML"),
        ('[endpoints]\nmodel = "m"', r"two brackets"),
        ("endpoints = [3]", "Endpoint 1 of QUAESTOR_CONFIG cannot be used"),
        ('[[endpoints]]\nbase_url = "http://a/v1"', "model: Field required"),
        ('[[endpoints]]\nmodel = "m"\nweight = 0', "weight: Input should be greater than 0"),
        ('[[endpoints]]\nmodel = "m"\nweight = nan', "weight: "),
        ('[[endpoints]]\nmodel = "m"\nin_flight = 0', "in_flight: "),
        ('[[endpoints]]\nmodel = "m"\nwieght = 2', "wieght: Extra inputs are not permitted"),
        ('[[endpoints]]\nmodel = "m"\nkey = "sk-hunter2"', "key: "),
        ('[[endpoints]]\nmodel = "m"\nkey = "NOT_SET"', "takes its key from NOT_SET, and that is not set"),
        ('[[endpoints]]\nmodel = "m"\nbase_url = "localhost:1"', "has no address"),
        ('[[endpoints]]\nmodel = "m"\nbase_url = "http://a..b/v1"', "has no address"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_that_names_it(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsInvalid, match=complaint) as error:
        read_endpoints(written(tmp_path, text), DEFAULT, {})
    assert "hunter2" not in str(error.value)


def test_an_address_that_cannot_be_read_has_a_name_all_the_same() -> None:
    assert Endpoint("http://u:hunter2@[::1", "m").name == "openai/m"


def test_a_key_of_two_lines_is_told_by_the_name_of_its_variable(tmp_path: Path) -> None:
    text = written(tmp_path, '[[endpoints]]\nmodel = "m"\nkey = "MINE"')
    assert read_endpoints(text, DEFAULT, {"MINE": "hunter2\n"})[0].key == SecretStr("hunter2")
    with pytest.raises(SettingsInvalid, match=r"^The key in MINE cannot be used: it holds a line end"):
        read_endpoints(text, DEFAULT, {"MINE": "hunter2\nhunter3"})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be read: Is a directory"):
        read_endpoints(tmp_path, DEFAULT)
