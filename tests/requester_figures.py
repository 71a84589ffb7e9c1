"""Figures as the requester's benchmark writes them."""

from __future__ import annotations

from typing import Any


def pace(per_s: float, cpu_us: float) -> dict[str, float]:
    return {"per_s": per_s, "cpu_us": cpu_us, "model_cpu_share": 0.31}


def our_run(per_s: float, seconds: int, **changes: Any) -> dict[str, Any]:
    run = {
        "seconds": seconds,
        "by_second": [int(per_s) - 1_000, *[int(per_s)] * (seconds - 1)],
        **pace(per_s, 20.0),
        "cpu_share": 0.99,
        "peak_mib": 110.0,
        "shares_percent": [50.1, 30.0, 19.9],
        "weights_off_percent": 0.5,
        "saved": round(seconds * per_s),
        "lost": 0,
        "twice": 0,
        "wrong": 0,
        "failed": 0,
    }
    return {**run, **changes}


def limited_run(limit: int, off: float) -> dict[str, Any]:
    by_second = [limit, round(limit * (1 - off / 100))]
    return {**our_run(limit, 10), "limit": limit, "by_second": by_second, "fullest": limit + 3, "off_percent": off}


FIGURES: dict[str, Any] = {
    "kept": 60,
    "in_flight": 256,
    "weights": [5, 3, 2],
    "raw": pace(160_000, 5.0),
    "aiohttp": pace(15_000, 65.0),
    "ours": [our_run(50_000, 60), our_run(52_000, 15)],
    "bare": [pace(60_000, 16.0), pace(62_000, 17.0), pace(61_000, 16.4)],
    "proxied": {"ours": [our_run(13_000, 60)], "bare": [pace(16_000, 62.0), pace(16_500, 60.0)]},
    "peers": {
        "openai": {"package": "openai", "version": "3.1", "in_flight": 16, **pace(800, 1_250.0)},
        "openai-aiohttp": {"package": "openai", "version": "3.1", "in_flight": 64, **pace(12_750, 78.0)},
        "litellm": {"package": "litellm", "version": "1.2", "in_flight": 16, "error": "No index.\nIts trace."},
    },
    "limited": [limited_run(500, 0.4), limited_run(1_000, 2.1), limited_run(5_000, 2.0)],
    "memory": [
        our_run(0, 1, lines=n, peak_mib=mib) for n, mib in ((10_000, 100.0), (100_000, 109.0), (1_000_000, 110))
    ],
    "took_s": 300,
}
