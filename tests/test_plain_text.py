"""No link, image or HTML of a model's making reaches the page."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm.plain_text import LINK_GONE, PlainText, plain

# what the model says, what is shown
SAID = {
    "plain prose": ("Rome sold 1,204.50 more than Oslo.", "Rome sold 1,204.50 more than Oslo."),
    "image": ("See ![x](https://evil.example/?d=42) now.", "See (x) now."),
    "image with a title": ('![x](https://evil.example/a "t")', "(x)"),
    "link": ("Ask [the boss](https://evil.example) first.", "Ask (the boss) first."),
    "link without scheme": ("[x](//evil.example/a)", "(x)"),
    "script link": ("[x](javascript:alert(1))", "(x))"),
    "reference link": ("[a][1] and ![b][1]", "(a)(1) and (b)(1)"),
    "definition": ("[1]: https://evil.example/x", f"(1): {LINK_GONE}"),
    "definition in angles": ("[1]: <https://evil.example/x>", "(1): "),
    "autolink": ("<https://evil.example>", ""),
    "bare address": ("At https://evil.example/?d=42, they say.", f"At {LINK_GONE} they say."),
    "bare www": ("www.evil.example/x and more", f"{LINK_GONE} and more"),
    "scheme in a long s": ("At http\u017f://evil.example/x", f"At {LINK_GONE}"),
    "www in capitals": ("WwW.evil.example/x", LINK_GONE),
    "mail link": ("write to mailto:a@b.example", f"write to {LINK_GONE}"),
    "tag": ("<img src=x onerror=alert(1)>Hello", "Hello"),
    "closing tag": ("<b>bold</b>", "bold"),
    "comment": ("a <!-- hidden --> b", "a  b"),
    "tag that never ends": ("a <img src=x", "a < img src=x"),
    "less than": ("3 < 4 and a<b", "3 < 4 and a< b"),
    "brackets in a value": ("the status [deleted]", "the status (deleted)"),
    "exclamation mark": ("Up 12 %! And [more]!", "Up 12 %! And (more)!"),
    "address in brackets": ("[https://evil.example](https://evil.example)", f"({LINK_GONE})"),
    "space before the target": ("[x] (https://evil.example)", f"(x) ({LINK_GONE})"),
    "new line in the target": ("[x](https://evil\n.example)", f"(x)({LINK_GONE}\n.example)"),
    "right to left": ("total \u202e42", "total 42"),
    "half a character": ("total \ud83d42", "total 42"),
    "thoughts": ("<think>The user wants…</think>\n\nRome sold most.", "Rome sold most."),
    "thoughts that never end": ("<think>The user wants", ""),
    "other scripts": ("罗马卖得最多共 42 件。", "罗马卖得最多共 42 件。"),
    "money and time": ("At 10:30 it was $5; ratio 3:1.", "At 10:30 it was $5; ratio 3:1."),
}


def streamed(pieces: list[str]) -> str:
    clean = PlainText()
    return "".join([clean.feed(piece) for piece in pieces]) + clean.end()


@pytest.mark.parametrize("said, shown", SAID.values(), ids=SAID.keys())
def test_a_text_is_shown_without_what_could_leave_the_page(said: str, shown: str) -> None:
    assert streamed([said]) == shown


@pytest.mark.parametrize("said, shown", SAID.values(), ids=SAID.keys())
def test_it_is_the_same_letter_by_letter(said: str, shown: str) -> None:
    assert streamed(list(said)) == shown


@pytest.mark.parametrize("said, shown", SAID.values(), ids=SAID.keys())
def test_it_is_the_same_wherever_it_is_cut_in_two(said: str, shown: str) -> None:
    for cut in range(len(said)):
        assert streamed([said[:cut], said[cut:]]) == shown


def test_an_address_is_not_put_together_by_what_was_taken_out() -> None:
    for said in ("ht\u200btps://evil.example/x", "https:<b>//evil.example/x", "ww\x00w.evil.example"):
        shown = streamed([said])
        assert "https://" not in shown and "www." not in shown, shown


def test_words_are_not_held_back_until_the_end() -> None:
    clean = PlainText()
    assert clean.feed("The first") == "The "
    assert clean.feed(" answer, ") == "first answer, "


ALPHABET = st.sampled_from(
    ["[", "]", "(", ")", "!", "<", ">", "h", "https:", "//", "www.", "x", " ", "\n", ":", "a/b", "é"]
)


@given(st.lists(ALPHABET, max_size=40))
@example(["!", "[", "x", "]", "(", "https:", "//", "x", ")"])
def test_no_mixture_of_marks_makes_a_link_an_image_or_a_tag(pieces: list[str]) -> None:
    shown = streamed(pieces)
    assert "[" not in shown and "]" not in shown
    assert not re.search(r"(?:[A-Za-z][\w+.\-]*://|www\.)\w", shown)
    assert not any(f"<{letter}" in shown for letter in "hxwa/!")


def test_a_sentence_of_a_model_becomes_one_short_line() -> None:
    assert plain("One\n\n[two](http://x)   three", 100) == "One (two) three"
    assert plain("word " * 100, 20) == "word word word word…"


def test_a_very_long_word_is_read_in_one_go() -> None:
    # Quadratic searching would take a minute here.
    assert streamed(["a" * 50_000 + "://x"]).endswith(LINK_GONE)
