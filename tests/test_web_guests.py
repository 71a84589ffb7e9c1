"""Who gets in."""

from __future__ import annotations

import base64

import pytest

from errors import SettingsInvalid
from web.brake import Brake
from web.guests import Guests

HERE = "192.0.2.1"


def test_a_person_needs_the_password_that_goes_with_the_name() -> None:
    guests = Guests("ann:plum, ben:pear:with:colons", Brake())
    assert guests.know("ann", "plum", HERE)
    assert guests.know("ben", "pear:with:colons", HERE)
    assert not guests.know("ann", "pear:with:colons", HERE)
    assert not guests.know("cay", "plum", HERE)
    assert not guests.know("cay", "", HERE)


@pytest.mark.parametrize("pairs", ["", " , ", "ann", "ann:", ":plum", "ann:plum,ben"])
def test_users_without_a_password_are_refused(pairs: str) -> None:
    with pytest.raises(SettingsInvalid, match="QUAESTOR_USERS must hold name:password pairs"):
        Guests(pairs, Brake())


def basic(name_and_password: str) -> str:
    return "Basic " + base64.b64encode(name_and_password.encode()).decode()


@pytest.mark.parametrize(
    ("header", "knows"),
    [
        (basic("ann:plum"), True),
        (basic("ann:plum").replace("Basic", "bAsIc"), True),
        (basic("zoë:ñandú:1"), True),
        (basic("ann:pear"), False),
        (basic("ann:"), False),
        (basic("ann"), False),
        (basic(":plum"), False),
        (basic("ann:plum") + "!", False),
        ("Basic", False),
        ("Basic /w==", False),
        ("Bearer " + base64.b64encode(b"ann:plum").decode(), False),
        ("ann:plum", False),
        ("", False),
        (None, False),
    ],
)
def test_a_request_names_a_guest_as_http_basic_writes_it(header: str | None, knows: bool) -> None:
    assert Guests("ann:plum,zoë:ñandú:1", Brake()).know_basic(header, HERE) is knows
