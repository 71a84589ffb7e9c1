"""Whatever a text holds, the page shows it letter for letter: nothing in it becomes markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chat.markdown import MarkdownStream, as_markdown


def streamed(*pieces: str) -> str:
    stream = MarkdownStream()
    return "".join([stream.feed(piece) for piece in pieces]) + stream.end()


@pytest.mark.parametrize(
    "text",
    [
        "Nothing to hide, at 10:30 in order_items (3 of 5).",
        "![a](https://evil.example/a.png)",
        "[a][1] and <https://evil.example>\n[1]: https://evil.example",
        "<img src=x onerror=alert(1)> &lt;b&gt;",
        "**bold** _it_ __it__ `code` ``` ~~no~~",
        "# head\n- list\n+ list\n1. list\n12) list\n---\n===",
        "| a | b |\n| - | - |\n| 1 | 2 |",
        "see www.evil.example or mail me@evil.example",
        ":::warning\nx\n:::",
        "a \\* b \\",
        "a :name b",
    ],
)
def test_plain_text_leaves_nothing_for_markdown_to_read(text: str) -> None:
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = markdown.parse(as_markdown(text))
    assert {block.type for block in blocks} == {"paragraph_open", "inline", "paragraph_close"}
    pieces = [piece for block in blocks for piece in block.children or ()]
    assert {piece.type for piece in pieces} <= {"text", "softbreak"}
    assert "".join(piece.content or "\n" for piece in pieces).replace("\u2060", "") == text
    for address in ("://", "www.", "e@"):
        assert address not in as_markdown(text)


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\u2028"])
def test_a_line_may_end_in_any_way_and_begins_no_heading(ending: str) -> None:
    assert as_markdown(f"a{ending}# b") == "a\n\\# b"


def test_plain_text_stays_readable_where_there_is_nothing_to_hide() -> None:
    words = (
        "At 10:30 the question has 100,000 characters (at most 4,000 are read): put it shorter, or set OPENAI_API_KEY."
    )
    assert as_markdown(words) == words


WRONG_WITHIN_A_WORD = [
    "* a",
    "https://evil",
    "www.evil",
    "a_b _c_",
    ":name",
    "a: b",
    "::",
    "12. x",
    "a\r\n# b",
    "  # b",
]


@pytest.mark.parametrize("text", WRONG_WITHIN_A_WORD)
def test_a_text_is_written_the_same_wherever_it_is_cut(text: str) -> None:
    assert streamed(*text) == as_markdown(text)
    for cut in range(len(text)):
        assert streamed(text[:cut], text[cut:]) == as_markdown(text)


def test_words_are_not_held_back() -> None:
    stream = MarkdownStream()
    assert stream.feed("The total is 12") == "The total is 12"
    assert stream.feed(" in order_") == " in order"
    assert stream.feed("items.") == "_items."


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet="ab12价 `*_[]()<>!#|~&;\\-+.:/@w\n", max_size=6), max_size=6))
def test_no_text_becomes_markup_wherever_it_stands(pieces: list[str]) -> None:
    markdown = MarkdownIt("gfm-like", {"html": True}).disable("linkify")
    for blocks in (markdown.parse(streamed("It is ", *pieces, ".")), markdown.parse(streamed(*pieces, "."))):
        assert {block.type for block in blocks} == {"paragraph_open", "inline", "paragraph_close"}
        inside = [child for block in blocks for child in block.children or []]
        assert {child.type for child in inside} <= {"text", "text_special", "softbreak", "hardbreak"}
        # A page links bare addresses in a second pass, over text alone.
        assert not re.search(r"://|www\.|[\w.+-]@", "".join(child.content for child in inside))
