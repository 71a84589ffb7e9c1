"""The progress line says what is done, how fast, and when it will be done."""

from __future__ import annotations

import time

import pytest

from jobs.lines import Counts
from jobs.progress import Rate, described, duration, progress, remaining_lines


def test_the_line_says_what_is_done_how_fast_and_what_is_left() -> None:
    counts = Counts(answered=1_000, failed=3, skipped=500, retries=12, pending=497, bytes_read=20, bytes_total=100)
    assert remaining_lines(counts) == 497 + 4 * 2_000
    assert described(counts, 84.97) == "1,500 answered · 3 failed · 12 retries · 85/s · 2 min left"


def test_what_has_not_begun_has_no_time_left() -> None:
    assert described(Counts(bytes_total=100), 0.0) == "0 answered · 0.0/s"


def test_the_rate_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rate = Rate()
    told = []
    for place in range(1, 41):
        now += 1.0
        told.append(rate.of(Counts(answered=100 * min(place, 20), failed=0)))
    assert told[0] == told[19] == 100.0
    assert told[24] == pytest.approx(50.0, abs=10)
    assert told[-1] == 0.0


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (5_900, "98 min"), (11_100, "3 h 5 min")]
)
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_where_no_line_can_be_written_over_one_is_printed_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress(True) as tell:
        for _ in range(50):
            now += 0.5
            tell(Counts(answered=int(now) * 10 - 1_000))
    with progress(False) as tell:
        tell(Counts(answered=1))
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines() == ["100 answered · 10/s", "200 answered · 10/s"]
