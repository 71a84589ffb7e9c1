"""Figures as the requester's benchmark writes them."""

from __future__ import annotations

from typing import Any


def our_run(per_s: float, seconds: int, **changes: Any) -> dict[str, Any]:
    run = {
        "seconds": seconds,
        "per_s": per_s,
        "by_second": [int(per_s) - 1_000, *[int(per_s)] * (seconds - 1)],
        "core_busy": 0.99,
        "model_cpu_share": 0.31,
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
    "raw": {"per_s": 160_000.0},
    "aiohttp": {"per_s": 15_000.0},
    "ours": [our_run(50_000, 60), our_run(52_000, 15)],
    "bare": [{"per_s": 60_000.0}, {"per_s": 62_000.0}, {"per_s": 61_000.0}],
    "peers": {
        "openai": {"package": "openai", "version": "3.1", "in_flight": 16, "per_s": 800.0},
        "openai-aiohttp": {"package": "openai", "version": "3.1", "in_flight": 64, "per_s": 12_750.0},
        "litellm": {"package": "litellm", "version": "1.2", "in_flight": 16, "error": "No index.\nIts trace."},
    },
    "limited": [limited_run(500, 0.4), limited_run(1_000, 2.1), limited_run(5_000, 2.0)],
    "memory": [
        our_run(0, 1, lines=n, peak_mib=mib) for n, mib in ((10_000, 100.0), (100_000, 109.0), (1_000_000, 110))
    ],
    "took_s": 300,
}
