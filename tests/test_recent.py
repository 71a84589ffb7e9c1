"""What was found is remembered within bounds, and forgotten in the right order."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from tools.recent import Recent


def test_the_one_not_asked_for_longest_is_forgotten_first() -> None:
    recent = Recent[int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(text) for text in "abc"] == [1, None, 3]


def test_a_value_is_forgotten_when_its_time_is_over() -> None:
    now = 0.0
    recent = Recent[str](9, seconds=60, clock=lambda: now)
    recent.put("a", "old")
    now = 60.0
    assert recent.get("a") == "old"
    now = 60.1
    assert recent.get("a") is None
    recent.put("a", "new")
    assert recent.get("a") == "new"


def test_a_text_longer_than_all_texts_may_be_is_not_remembered() -> None:
    recent = Recent[int](9, characters=3)
    recent.put("abcd", 1)
    assert recent.get("abcd") is None


@given(st.lists(st.tuples(st.sampled_from(["a", "bb", "ccc", "dddd", "eeeee"]), st.booleans())))
def test_it_holds_what_was_used_last_and_no_more_than_its_bounds(steps: list[tuple[str, bool]]) -> None:
    recent = Recent[str](3, characters=9)
    expected: OrderedDict[str, None] = OrderedDict()
    for text, puts in steps:
        if puts:
            recent.put(text, text.upper())
            expected.pop(text, None)
            expected[text] = None
            while len(expected) > 3 or sum(map(len, expected)) > 9:
                expected.popitem(last=False)
        else:
            assert recent.get(text) == (text.upper() if text in expected else None)
            if text in expected:
                expected.move_to_end(text)
