"""Words are split, stemmed and counted so that a question and a database's names can meet."""

from __future__ import annotations

import pytest

from agents.offline.english.words import name_words, split, stem


@pytest.mark.parametrize(
    "words",
    [
        ("release", "released", "releases", "releasing"),
        ("city", "cities"),
        ("ship", "shipped", "shipping"),
        ("person", "people", "persons"),
        ("category", "categories"),
        ("box", "boxes"),
        ("buy", "bought"),
        ("rate", "rated", "rates"),
    ],
)
def test_inflected_forms_share_their_stem(words: tuple[str, ...]) -> None:
    assert len({stem(w) for w in words}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("custom", "customer"), ("status", "state"), ("address", "add"), ("news", "new")]
)
def test_other_words_keep_theirs(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_quotes_keep_a_text_together_whatever_their_form() -> None:
    for question in ('called "New York"', "called 'New York'", "called “New York”", "called `New York`"):
        assert [(w.text, w.quoted) for w in split(question)] == [("called", False), ("New York", True)]


def test_numbers_are_read_with_their_signs_and_sizes() -> None:
    numbers = {w.text: w.number for w in split("1,250 or 3.5 or $40k or 2m or seven") if w.number is not None}
    assert numbers == {"1,250": 1250, "3.5": 3.5, "$40k": 40_000, "2m": 2_000_000, "seven": 7}


def test_a_contraction_is_two_words_and_a_possessive_one_of_its_own() -> None:
    assert [w.lower for w in split("don't show Anna's orders")] == ["do", "not", "show", "anna", "'s", "orders"]


def test_sentences_are_counted() -> None:
    assert [w.sentence for w in split("Which store? Give its name.")] == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "words"),
    {
        "OrderItem_ID2": ("order", "item", "id", "2"),
        "customer_name": ("customer", "name"),
        "HTTPStatus": ("http", "status"),
        "total": ("total",),
    }.items(),
)
def test_an_identifier_is_taken_apart(name: str, words: tuple[str, ...]) -> None:
    assert name_words(name) == words


def test_nothing_in_a_question_of_signs_breaks_it() -> None:
    assert split("\x00 ??? ... ''' \" %% \\ 🙂") is not None
