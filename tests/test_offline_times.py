"""Time words are read as days, counted from a given today."""

from __future__ import annotations

from datetime import date

import pytest

from agents.offline.english.times import NoSuchDay, read_period

TODAY = date(2026, 11, 20)

PERIODS = {
    "today": ("2026-11-20", "2026-11-21"),
    "yesterday": ("2026-11-19", "2026-11-20"),
    "this week": ("2026-11-16", "2026-11-23"),
    "last week": ("2026-11-09", "2026-11-16"),
    "this month": ("2026-11-01", "2026-12-01"),
    "last month": ("2026-10-01", "2026-11-01"),
    "last quarter": ("2026-07-01", "2026-10-01"),
    "this year": ("2026-01-01", "2027-01-01"),
    "last year": ("2025-01-01", "2026-01-01"),
    "the last 30 days": ("2026-10-21", "2026-11-21"),
    "the past two weeks": ("2026-11-06", "2026-11-21"),
    "last 3 months": ("2026-08-20", "2026-11-21"),
    "3 months ago": ("2026-08-01", "2026-09-01"),
    "year to date": ("2026-01-01", "2026-11-21"),
    "march": ("2026-03-01", "2026-04-01"),
    "december": ("2025-12-01", "2026-01-01"),
    "march 2024": ("2024-03-01", "2024-04-01"),
    "march of last year": ("2025-03-01", "2025-04-01"),
    "q2": ("2026-04-01", "2026-07-01"),
    "q4 2025": ("2025-10-01", "2026-01-01"),
    "the first quarter of 2023": ("2023-01-01", "2023-04-01"),
    "the second half of 2025": ("2025-07-01", "2026-01-01"),
    "2024": ("2024-01-01", "2025-01-01"),
    "the 1990s": ("1990-01-01", "2000-01-01"),
    "2024-02-29": ("2024-02-29", "2024-03-01"),
    "april 1 , 2023": ("2023-04-01", "2023-04-02"),
    "4 july 2025": ("2025-07-04", "2025-07-05"),
    "since march": ("2026-03-01", None),
    "after 2013": ("2014-01-01", None),
    "before 2020": (None, "2020-01-01"),
    "until may 2025": (None, "2025-06-01"),
    "2014 or later": ("2014-01-01", None),
    "on or after 2025-05-05": ("2025-05-05", None),
    "last year to date": ("2025-01-01", "2025-11-21"),
    "last year 's ytd": ("2025-01-01", "2025-11-21"),
    "ytd 2024": ("2024-01-01", "2024-11-21"),
    "mtd": ("2026-11-01", "2026-11-21"),
    "last month to date": ("2026-10-01", "2026-10-21"),
    "last quarter to date": ("2026-07-01", "2026-08-21"),
    "last week to date": ("2026-11-09", "2026-11-14"),
    "so far this year": ("2026-01-01", "2026-11-21"),
    "2025 to date": ("2025-01-01", "2026-11-21"),
    "the day before yesterday": ("2026-11-18", "2026-11-19"),
    "the day after 2025-12-31": ("2026-01-01", "2026-01-02"),
    "the month before may 2025": ("2025-04-01", "2025-05-01"),
    "between 2022 and 2023": ("2022-01-01", "2024-01-01"),
    "between march and may 2025": ("2025-03-01", "2025-06-01"),
    "from jan 2024 to mar 2024": ("2024-01-01", "2024-04-01"),
}


@pytest.mark.parametrize("words", PERIODS)
def test_a_period_begins_and_ends(words: str) -> None:
    read = read_period(tuple(words.split()), TODAY)
    assert read is not None
    period, used = read
    start, end = PERIODS[words]
    assert (period.start and period.start.isoformat(), period.end and period.end.isoformat()) == (start, end)
    assert used == len(words.split())


@pytest.mark.parametrize("words", ["31 february 2024", "9999-99-99", "2024-02-30", "2024-13", "1/2/2025", "32/1/2025"])
def test_a_date_that_is_none_or_two_is_told(words: str) -> None:
    with pytest.raises(NoSuchDay, match=words):
        read_period(tuple(words.split()), TODAY)


@pytest.mark.parametrize("words", ["customers", "the best", "may be", "quarter", "12"])
def test_other_words_are_no_period(words: str) -> None:
    read = read_period(tuple(words.split()), TODAY)
    assert read is None or read[1] < len(words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    {
        "last quarter": "1 July to 30 September 2026",
        "between december 2025 and january 2026": "1 December 2025 to 31 January 2026",
        "yesterday": "19 November 2026",
        "since 2025": "1 January 2025 and later",
        "before 2020": "up to 31 December 2019",
    }.items(),
)
def test_a_period_is_told_with_both_its_ends(words: str, said: str) -> None:
    read = read_period(tuple(words.split()), TODAY)
    assert read is not None and read[0].describe() == said
