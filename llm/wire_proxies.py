"""Knows which proxy the environment names for an address."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from endpoints import is_address
from errors import SettingsInvalid


def check_proxies() -> None:
    """Return where every HTTP proxy that the environment names has an address; raises SettingsInvalid."""
    for scheme in ("http", "https", "all"):
        proxy = _whole(getproxies().get(scheme, ""))
        if proxy.startswith(("http://", "https://")) and not is_address(proxy):
            raise SettingsInvalid(f"{scheme.upper()}_PROXY is no address: write it like http://proxy.example:3128.")


def proxy_of(url: str) -> str | None:
    """Return the proxy's URL (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY); None where there is none on the way."""
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or (parts.hostname and proxy_bypass(parts.hostname)):
        return None
    return _whole(proxy)


def _whole(proxy: str) -> str:
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
