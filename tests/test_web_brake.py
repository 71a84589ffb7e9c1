"""How whoever guesses passwords is slowed down, at the API's door and at the chat's, over real HTTP."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path

import httpx
import pytest

from errors import TooManyTries
from tests.asked import offline_settings
from tests.web_fixture import Web, running, small_shop
from web.brake import AT_A_SITE, HOUR, IN_A_NETWORK, MOST_REMEMBERED, ON_A_NAME, Brake
from web.guests import Guests

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chainlit.config import config

    from chat.login import SECRET
    from tests.login_fixture import chat_of

HERE, THERE = "192.0.2.1", "198.51.100.7"


class Clock:
    """Time, which passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 5_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guests(clock: Clock) -> Guests:
    return Guests("ann:plum,bob:pear", Brake(clock))


@pytest.fixture
async def web(tmp_path: Path, guests: Guests) -> AsyncIterator[Web]:
    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings, guests) as web:
        yield web


async def tries(client: httpx.AsyncClient, password: str, name: str = "ann", at: str = HERE) -> httpx.Response:
    """Ask the API something that costs nothing, with a password, through a proxy that names this address."""
    return await client.get("/api/", auth=(name, password), headers={"x-forwarded-for": at})


IN, OUT, WAIT = 404, 401, 429
"""There is nothing at this address, for who gets in."""


async def test_after_five_wrong_passwords_the_next_one_waits_the_right_one_too(web: Web, clock: Clock) -> None:
    assert [(await tries(web.client, f"plum{n}")).status_code for n in range(6)] == [OUT] * 5 + [WAIT]
    refused = await tries(web.client, "plum")
    assert (refused.status_code, refused.headers["retry-after"]) == (WAIT, "2")
    assert refused.json() == {"detail": "Too many passwords were wrong. Wait 2 seconds before you try again."}
    clock.seconds += 2
    assert (await tries(web.client, "plum")).status_code == IN
    # A right password makes good for its own name: whoever mistypes again has five tries again.
    assert [(await tries(web.client, f"plum{n}")).status_code for n in range(6)] == [OUT] * 5 + [WAIT]


async def test_nobody_is_locked_out_by_who_guesses_on_their_name_elsewhere(web: Web) -> None:
    for n in range(20 * (ON_A_NAME + 1)):
        await tries(web.client, f"plum{n}", at=f"203.0.113.{n % 20}")
    assert (await tries(web.client, "plum", at="203.0.113.1")).status_code == WAIT
    assert (await tries(web.client, "plum", at=THERE)).status_code == IN


async def test_of_two_hundred_tries_at_the_same_time_five_are_looked_at(web: Web) -> None:
    together = await asyncio.gather(*(tries(web.client, f"plum{n}") for n in range(200)))
    assert sorted(response.status_code for response in together) == [OUT] * ON_A_NAME + [WAIT] * (200 - ON_A_NAME)
    told = (await web.client.get("/metrics", auth=("ann", "plum"), headers={"x-forwarded-for": THERE})).text
    assert f'quaestor_failed_logins_total{{why="wrong"}} {ON_A_NAME}.0' in told
    assert f'quaestor_failed_logins_total{{why="too_many"}} {200 - ON_A_NAME}.0' in told


async def test_one_password_for_many_names_is_no_way_around(web: Web) -> None:
    statuses = [(await tries(web.client, "pear", name=f"name{n}")).status_code for n in range(200)]
    assert statuses == [OUT] * IN_A_NETWORK + [WAIT] * (200 - IN_A_NETWORK)
    assert (await tries(web.client, "pear", name="bob")).status_code == WAIT


async def test_whoever_has_a_login_gets_no_more_tries_by_logging_in_between(web: Web) -> None:
    looked_at = 0
    for n in range(100):
        looked_at += (await tries(web.client, f"plum{n}", name=f"name{n % 20}")).status_code == OUT
        await tries(web.client, "pear", name="bob")
    assert looked_at == IN_A_NETWORK


async def test_another_address_of_the_same_ipv6_network_is_the_same(web: Web) -> None:
    first = int(IPv6Address("2001:db8:1:2::"))
    statuses = [(await tries(web.client, "x", at=str(IPv6Address(first + 7**n)))).status_code for n in range(20)]
    assert statuses == [OUT] * ON_A_NAME + [WAIT] * 15
    assert (await tries(web.client, "plum", at="2001:db8:1:3::1")).status_code == IN
    assert (await tries(web.client, "plum", at="::ffff:192.0.2.1")).status_code == IN
    assert [(await tries(web.client, "x", at=f"::ffff:192.0.2.{n}")).status_code for n in range(9)] == [OUT] * 9


def test_who_has_all_the_networks_of_a_site_has_the_sites_tries(guests: Guests) -> None:
    assert looked_at(guests, (f"2001:db8:1:{n:x}::1" for n in range(5_000))) == AT_A_SITE
    assert guests.know("ann", "plum", "2001:db8:2::1")


async def test_an_address_that_no_trusted_proxy_names_is_nobodys(
    tmp_path: Path, guests: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.1")
    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings, guests) as web:
        statuses = [(await tries(web.client, "x", at=f"203.0.113.{n}")).status_code for n in range(9)]
    assert statuses == [OUT] * ON_A_NAME + [WAIT] * 4


async def test_whether_it_is_ready_is_told_to_everybody_and_tells_nothing_of_a_password(web: Web) -> None:
    for n in range(ON_A_NAME):
        await web.client.get("/readyz", auth=("ann", f"plum{n}"))
    ready = await web.client.get("/readyz", auth=("ann", "plum"))
    assert (ready.status_code, ready.json()["parts"]["model"]) == (200, {"ok": True})


async def test_the_log_names_who_is_guessed_at_and_no_password_also_where_it_was_typed_as_a_name(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await tries(web.client, "guessed")
        await tries(web.client, "", name="my-password")
        await tries(web.client, "plum")
    lines = [record.getMessage() for record in caplog.records if record.name == "quaestor.login"]
    assert lines == [
        f"a wrong password for ann from '{HERE}'; the next try waits 0 s",
        f"a wrong password for a name that nobody has from '{HERE}'; the next try waits 0 s",
    ]


# --- the chat's own login


@pytest.fixture
def own_secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(SECRET, "of thirty-two bytes, as one should be")
    monkeypatch.setattr(config.code, "password_auth_callback", None)
    yield


async def logs_in(chat: httpx.AsyncClient, password: str, name: str = "ann", at: str = HERE) -> httpx.Response:
    form = {"username": name, "password": password}
    return await chat.post("/login", data=form, headers={"x-forwarded-for": at})


@pytest.mark.usefixtures("own_secret")
async def test_the_chats_login_has_the_same_brake_and_the_same_count(web: Web, guests: Guests, clock: Clock) -> None:
    async with chat_of(guests) as chat:
        assert [(await logs_in(chat, f"plum{n}")).status_code for n in range(3)] == [401] * 3
        assert [(await tries(web.client, f"plum{n}")).status_code for n in range(3)] == [OUT, OUT, WAIT]
        refused = await logs_in(chat, "plum")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert refused.json()["detail"].startswith("Too many passwords were wrong. Wait 2 seconds")
        assert "set-cookie" not in refused.headers
        assert (await logs_in(chat, "plum", at=THERE)).status_code == 200
        clock.seconds += 2
        assert "access_token" in (await logs_in(chat, "plum")).cookies


@pytest.mark.usefixtures("own_secret")
async def test_a_password_that_is_no_text_is_a_wrong_one_as_any_other(guests: Guests) -> None:
    async with chat_of(guests) as chat:
        form = chat.build_request("POST", "/login", files={"username": (None, "ann"), "password": (None, "+2AA-")})
        kind = form.headers["content-type"] + "; charset=utf-7"
        answers = [
            await chat.post("/login", content=form.read(), headers={"content-type": kind}) for _ in range(ON_A_NAME + 1)
        ]
    assert [answer.status_code for answer in answers] == [401] * ON_A_NAME + [429]


@pytest.mark.usefixtures("own_secret")
async def test_two_hundred_logins_at_the_same_time_are_five_tries(guests: Guests) -> None:
    async with chat_of(guests) as chat:
        together = await asyncio.gather(*(logs_in(chat, f"plum{n}") for n in range(200)))
    assert sorted(response.status_code for response in together) == [401] * ON_A_NAME + [429] * (200 - ON_A_NAME)


# --- the brake by itself


def looked_at(guests: Guests, addresses: Iterator[str]) -> int:
    """Return how many wrong passwords from these addresses were looked at."""
    looked = 0
    for address in addresses:
        with suppress(TooManyTries):
            looked += not guests.know("ann", "x", address)
    return looked


def test_each_further_wrong_password_doubles_the_pause_up_to_as_many_an_hour(clock: Clock) -> None:
    brake, pauses = Brake(clock), []
    for _ in range(40):
        pauses.append(brake.take("ann", HERE, is_right=False))
        clock.seconds += pauses[-1]
        brake.check("ann", HERE)
    assert [round(pause) for pause in pauses[:9]] == [0, 0, 0, 0, 2, 4, 8, 16, 31]
    # In the long run, as many are looked at as are forgiven.
    assert pauses[-1] == pytest.approx(HOUR / ON_A_NAME, rel=0.01)


def test_an_office_whose_people_mistype_now_and_then_never_waits(clock: Clock) -> None:
    brake = Brake(clock)
    for n in range(24 * (IN_A_NETWORK - 1)):
        assert brake.take(f"name{n % 40}", HERE, is_right=False) == 0
        clock.seconds += HOUR / (IN_A_NETWORK - 1)


def test_it_remembers_so_many_and_no_more_and_long_names_in_part(clock: Clock) -> None:
    brake = Brake(clock)
    for n in range(ON_A_NAME):
        brake.take("a" * 10_000 + str(n), HERE, is_right=False)
    with pytest.raises(TooManyTries):
        brake.check("a" * 10_000, HERE)
    for n in range(2 * MOST_REMEMBERED):
        brake.take("ann", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", is_right=False)
    assert {len(ledger._kept) for ledger in (brake._on_a_name, brake._in_a_network, brake._at_a_site)} == {
        MOST_REMEMBERED
    }
