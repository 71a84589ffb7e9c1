"""Two questions ask the same where every word that counts is the same, and not where they are merely near."""

from __future__ import annotations

import pytest

from tools.saved_likeness import differ_in_form_alone, words_that_count

SAME = [
    ("How many orders were there in 2024?", "In 2024, how many orders did we have?"),
    ("How many orders were there in 2024?", "please tell me the number of orders in 2024"),
    ("Show me revenue by store", "What was the revenue per store?"),
    ("Top five products by revenue", "top 5 products by revenue"),
    ("Last month, which stores had the most visitors?", "Which stores had the most visitors last month?"),
    ("Which products weren't returned?", "Which products were not returned?"),
    ("Orders for each city", "orders by city"),
]

OTHER = [
    ("How many orders in 2024?", "How many orders in 2025?"),
    ("Which products were never returned?", "Which products were returned?"),
    ("Which products have no reviews?", "Which products have reviews?"),
    ("Which products weren't returned?", "Which products were returned?"),
    ("Which loyal customers spent the most?", "Which customers spent the most?"),
    ("Which customers spent the most?", "Which customers spent the least?"),
    ("What was our revenue last month?", "What was our profit last month?"),
    ("What was our revenue last month?", "What was our revenue this month?"),
    ("Flights from Rome to Oslo", "Flights from Oslo to Rome"),
    ("Flights from Rome", "Flights to Rome"),
    ("Orders before March 2025", "Orders after March 2025"),
    ("Orders with a discount", "Orders without a discount"),
    ("Products that cost > 100", "Products that cost < 100"),
    ("Balance above -5", "Balance above 5"),
    ("How many US customers are there?", "How many customers are there?"),
    ("Orders served by Will", "Orders served by"),
    ("Products named 'the'", "Products named"),
    ("Price 1.5", "Price 1 5"),
    ("Revenue by store", "Revenue by city"),
    ("Customers of 2023 with orders in 2024", "Customers of 2024 with orders in 2023"),
    ("How many customers are there?", "Which customers are there?"),
    ("Share of orders below 5%", "Share of orders below 5"),
    ("May 2025 revenue", "June 2025 revenue"),
    ("Average price", "Max price"),
    ("What is the list price of tea?", "What is the price of tea?"),
    ("Revenue this month", "Revenue by month"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_only_frames_a_question_does_not_count(one: str, other: str) -> None:
    assert words_that_count(one) == words_that_count(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_changes_a_question_counts(one: str, other: str) -> None:
    mine, others = words_that_count(one), words_that_count(other)
    assert mine != others
    assert not differ_in_form_alone(mine, others)


@pytest.mark.parametrize(
    ("one", "other", "are_forms"),
    [
        ("spent", "spend", True),
        ("returned", "return", True),
        ("placed", "placing", True),
        ("custom", "customer", False),
    ],
)
def test_a_word_may_stand_in_another_form(one: str, other: str, are_forms: bool) -> None:
    assert differ_in_form_alone([one], [other]) is are_forms


def test_a_question_of_nothing_but_frame_has_no_words() -> None:
    assert words_that_count("What is it?") == ()
