"""The chat model over one endpoint: what it sends, and what each fault becomes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, SecretStr

from endpoints import Endpoint
from errors import ModelMisbehaved, ModelUnavailable, SettingsInvalid
from llm.chat import open_chat_model
from llm.chat_json import Messages, json_agent, read_json

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

ASKED = [("human", "Good morning, how are you today?")]

# fault, what is raised, and the words by which a person knows what to do
FAULTS = [
    ("refuse", ModelUnavailable, "HTTP 503"),
    ("rate-limit", ModelUnavailable, "too many requests"),
    ("rate-limit-wait", ModelUnavailable, "too many requests"),
    ("quota", ModelUnavailable, "quota is used up"),
    ("bad-key", ModelUnavailable, "The model endpoint refused the key: check OPENAI_API_KEY."),
    ("no-model", ModelUnavailable, "check QUAESTOR_MODEL"),
    ("too-long", ModelMisbehaved, "QUAESTOR_CONTEXT_TOKENS"),
    ("hang", ModelUnavailable, "did not answer in time"),
    ("reset", ModelUnavailable, "cannot be reached, or broke off"),
    ("reset-middle", ModelUnavailable, "broke off"),
    ("malformed", ModelUnavailable, "does not speak the chat protocol|broke off before its end"),
    ("no-finish", ModelUnavailable, "broke off before its end"),
    ("length", ModelMisbehaved, "cut off at its length limit"),
    ("filtered", ModelMisbehaved, "held the answer back"),
    ("stall", ModelUnavailable, "(did not answer|end of its answer) in time"),
    ("error-object", ModelUnavailable, "reported an error instead of an answer"),
    ("html", ModelUnavailable, "OPENAI_BASE_URL"),
    ("empty-body", ModelUnavailable, "OPENAI_BASE_URL"),
    ("empty-choices", ModelUnavailable, "OPENAI_BASE_URL"),
]


async def streamed(model: BaseChatModel) -> str:
    return "".join([str(chunk.text) async for chunk in model.astream(ASKED)])


async def test_a_whole_answer_comes_back(model_server: StandIn) -> None:
    async with model_server.open() as model:
        answer = await model.ainvoke(ASKED)
    assert answer.text == "You said: Good morning, how are you today?"


async def test_a_streamed_answer_comes_back_whole(model_server: StandIn) -> None:
    async with model_server.open() as model:
        assert await streamed(model) == "You said: Good morning, how are you today?"


async def test_the_key_travels_as_a_bearer_token(model_server: StandIn) -> None:
    async with model_server.open() as model:
        await model.ainvoke(ASKED)
    assert model_server.requests[0].headers["Authorization"] == "Bearer sk-test-0123456789"


@pytest.mark.parametrize("fault, kind, words", FAULTS)
async def test_a_fault_of_a_whole_answer_is_one_sentence(
    model_server: StandIn, fault: str, kind: type[Exception], words: str
) -> None:
    model_server.will_fail(fault)
    async with model_server.open(timeout=0.6) as model:
        with pytest.raises(kind, match=words) as raised:
            await model.ainvoke(ASKED)
    assert "sk-test" not in str(raised.value)


@pytest.mark.parametrize("fault, kind, words", FAULTS)
async def test_a_fault_of_a_stream_is_one_sentence(
    model_server: StandIn, fault: str, kind: type[Exception], words: str
) -> None:
    model_server.will_fail(fault)
    async with model_server.open(timeout=1.2, idle=0.6) as model:
        with pytest.raises(kind, match=words) as raised:
            await streamed(model)
    assert "sk-test" not in str(raised.value)


@pytest.mark.parametrize(
    "name, temperature", [("llama3.1:8b", 0), ("gpt-4.1-mini", 0), ("o4-mini", None), ("openai/gpt-6", None)]
)
async def test_only_models_that_take_a_temperature_get_one(
    model_server: StandIn, name: str, temperature: float | None
) -> None:
    async with model_server.open(name) as model:
        await model.ainvoke(ASKED)
    assert model_server.requests[0].body.get("temperature") == temperature


@pytest.mark.parametrize("fault, times", [("refuse", 4), ("bad-key", 1), ("too-long", 1), ("length", 1)])
async def test_only_a_request_that_may_yet_succeed_is_sent_again(model_server: StandIn, fault: str, times: int) -> None:
    async with model_server.open(f"standin+{fault}") as model:
        with pytest.raises(ModelUnavailable):
            await model.ainvoke(ASKED)
    assert len(model_server.requests) == times


async def test_a_stream_of_comments_ends_at_the_idle_limit_long_before_the_deadline(model_server: StandIn) -> None:
    async with asyncio.timeout(10), model_server.open("standin+stall", timeout=60, idle=0.3) as model:
        with pytest.raises(ModelUnavailable, match="in time"):
            await streamed(model)


async def test_an_error_in_the_middle_of_a_stream_is_one_sentence(model_server: StandIn) -> None:
    async with model_server.open("standin+error-middle") as model:
        with pytest.raises(ModelUnavailable, match="reported an error in the middle of its answer"):
            await streamed(model)


async def test_a_slow_drip_ends_at_the_deadline(model_server: StandIn) -> None:
    model_server.will_say("word " * 500)
    model_server.speaks(tokens_per_second=20)
    async with asyncio.timeout(10), model_server.open(timeout=0.5, idle=5) as model:
        with pytest.raises(ModelUnavailable, match="QUAESTOR_MODEL_TIMEOUT"):
            await streamed(model)


async def test_nobody_listening_is_one_sentence_with_the_address() -> None:
    # Port 1 is never bound by an ordinary process.
    async with open_chat_model([Endpoint("http://127.0.0.1:1/v1", "m")]) as model:
        with pytest.raises(ModelUnavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            await model.ainvoke(ASKED)


async def test_an_unknown_path_names_the_settings_to_check(model_server: StandIn) -> None:
    async with open_chat_model([Endpoint(model_server.base_url + "/wrong", "m")]) as model:
        with pytest.raises(ModelUnavailable, match="check QUAESTOR_MODEL"):
            await model.ainvoke(ASKED)


@pytest.mark.parametrize("base_url", ["nonsense", "http://", "ftp://host/v1", "http://host:99999/v1"])
async def test_an_address_that_is_none_is_a_wrong_setting(base_url: str) -> None:
    with pytest.raises(SettingsInvalid, match="OPENAI_BASE_URL"):
        async with open_chat_model([Endpoint(base_url, "m")]):
            pass


async def test_credentials_in_the_address_go_into_a_header_and_nowhere_else(
    model_server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    base_url = model_server.base_url.replace("http://", "http://anna:geheim@")
    with caplog.at_level(logging.DEBUG):
        async with open_chat_model([Endpoint(base_url, "standin")]) as model:
            await model.ainvoke(ASKED)
        async with open_chat_model([Endpoint(base_url, "standin+no-model")]) as model:
            with pytest.raises(ModelUnavailable) as raised:
                await model.ainvoke(ASKED)
    assert model_server.requests[0].headers["Authorization"] == "Basic YW5uYTpnZWhlaW0="
    assert "geheim" not in caplog.text + str(raised.value)


async def test_a_key_that_the_endpoint_repeats_reaches_neither_the_log_nor_the_traceback(
    model_server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        endpoint = Endpoint(model_server.base_url, "standin+bad-key", SecretStr("sk-very-secret"))
        async with open_chat_model([endpoint]) as model:
            try:
                await model.ainvoke(ASKED)
            except ModelUnavailable:
                logging.getLogger().exception("failed")
    assert "refused the key" in caplog.text
    assert "sk-very-secret" not in caplog.text


async def test_leaving_a_stream_closes_the_request(model_server: StandIn) -> None:
    model_server.will_say("word " * 500)
    model_server.speaks(tokens_per_second=20)
    async with model_server.open() as model:

        async def listen() -> None:
            async for _ in model.astream(ASKED):
                heard.set()

        heard = asyncio.Event()
        listening = asyncio.create_task(listen())
        await heard.wait()
        listening.cancel()
        await asyncio.wait([listening])
    async with asyncio.timeout(5):
        await model_server.requests[0].broken_off.wait()


async def test_a_scripted_json_answer_that_was_filtered_is_not_used(model_server: StandIn) -> None:
    model_server.will_say('{"sunny": true} {"sunny": true}')
    model_server.will_fail("filtered")
    async with model_server.open() as model:
        with pytest.raises(ModelMisbehaved, match="held the answer back"):
            await json_agent(ask_for_weather, model, "weather", Weather).ainvoke("Rome")


class Weather(BaseModel):
    sunny: bool
    degrees: int = 0


def ask_for_weather(place: str) -> Messages:
    return [("human", f"What is the weather in {place}?")]


async def test_a_json_answer_is_asked_for_by_its_schema(model_server: StandIn) -> None:
    model_server.will_say('{"sunny": true, "degrees": 21}')
    async with model_server.open() as model:
        weather = await json_agent(ask_for_weather, model, "weather", Weather).ainvoke("Rome")
    assert weather == Weather(sunny=True, degrees=21)
    wanted = model_server.requests[0].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["name"] == "weather"
    assert wanted["json_schema"]["schema"]["required"] == ["sunny", "degrees"]
    assert wanted["json_schema"]["schema"]["additionalProperties"] is False


async def test_an_endpoint_without_response_format_is_asked_again_without(model_server: StandIn) -> None:
    model_server.will_say('Here you are:\n```json\n{"sunny": false}\n```\nHave a nice day!')
    model_server.will_fail("no-response-format")
    async with model_server.open() as model:
        weather = await json_agent(ask_for_weather, model, "weather", Weather).ainvoke("Rome")
    assert weather == Weather(sunny=False)
    assert ["response_format" in request.body for request in model_server.requests] == [True, False]


async def test_json_that_was_cut_off_is_not_used_even_where_it_parses(model_server: StandIn) -> None:
    model_server.will_say('{"sunny": true}  and much more text follows here')
    model_server.will_fail("length")
    async with model_server.open() as model:
        with pytest.raises(ModelMisbehaved, match="cut off"):
            await json_agent(ask_for_weather, model, "weather", Weather).ainvoke("Rome")


@pytest.mark.parametrize(
    "text",
    [
        '{"sunny": true, "degrees": 3}',
        '```json\n{"sunny": true, "degrees": 3}\n```',
        'Sure! {"sunny": true, "degrees": 3} Anything else?',
        '<think>{"sunny": false}? No.</think>{"sunny": true, "degrees": 3}',
        'I thought of {this} and {"that": 1}, but: {"sunny": true, "degrees": 3}',
    ],
)
def test_json_is_found_wherever_it_stands_in_a_reply(text: str) -> None:
    assert read_json(text, Weather) == Weather(sunny=True, degrees=3)


@pytest.mark.parametrize(
    "text",
    ["", "It is sunny.", '{"sunny": tr', '{"sunny": "who knows"}', "[]", "{" * 5_000, '{"sunny": true, "\\ud800": 3}'],
)
def test_a_reply_without_usable_json_is_misbehaviour(text: str) -> None:
    with pytest.raises(ModelMisbehaved, match="form that cannot be used"):
        read_json(text, Weather)
