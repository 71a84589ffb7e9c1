"""The health that the image's check asks for, at the real server."""

from __future__ import annotations

import httpx

from tests.browser.conftest import Served


def test_a_server_that_is_up_says_that_it_is_well(offline: Served) -> None:
    # The chat's page answers on every path that is nobody's, so a status of 200 alone would say nothing.
    assert httpx.get(f"{offline.url}/healthz").json() == {"status": "ok"}
