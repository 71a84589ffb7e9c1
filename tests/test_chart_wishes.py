"""What a person wants of the chart is drawn where the rows allow it, and said where they do not."""

from __future__ import annotations

from datetime import date

import pytest

from agents.question import Question, Turn
from agents.redrawing import read_redrawing, say_redrawn
from tests.test_chart import STORES, figure, months, rows
from tools.chart import choose_chart
from tools.chart_wishes import Wish, is_wish_alone, read_wish, without_wish
from tools.sql_runner import Rows

TODAY = date(2026, 11, 20)

ALONE: dict[str, Wish] = {
    "as a line": Wish("line"),
    "Make it a pie chart, please": Wish("pie"),
    "as bars": Wish("bar"),
    "can you show that as an area chart?": Wish("area"),
    "stacked": Wish(stacked=True),
    "stacked bars instead": Wish("bar", stacked=True),
    "not stacked": Wish(stacked=False),
    "log scale": Wish(log=True),
    "put the y axis on a logarithmic scale": Wish(log=True),
    "linear scale again": Wish(log=False),
    "without a chart": Wish("none"),
    "just as a table": Wish("none"),
    "as a heat map": Wish("heatmap"),
}


@pytest.mark.parametrize(("text", "wish"), ALONE.items(), ids=ALONE)
def test_a_followup_may_speak_of_the_chart_alone(text: str, wish: Wish) -> None:
    assert is_wish_alone(text)
    assert read_wish(text) == wish


@pytest.mark.parametrize(
    "text",
    [
        "and by store?",
        "as a line by store",
        "the same for 2024",
        "show me the rows",
        "How many product lines are there?",
        "Which area has the most stores?",
        "stacked by channel",
        "",
        "?!",
    ],
)
def test_what_asks_for_other_rows_is_no_wish_alone(text: str) -> None:
    assert not is_wish_alone(text)


@pytest.mark.parametrize(
    "question",
    [
        "Which sales area grew most?",
        "How many apple pies did we sell?",
        "orders by product line",
        "Which bar earns most?",
        "How many entries are in the log?",
        "stacked shelves by store",
        "Plots of land by town",
        "Show the charts with the most sales",
        "How many songs were in a chart of 2024?",
        "orders by store, area",
        "revenue by product, lines",
    ],
)
def test_words_that_also_name_charts_are_taken_for_what_the_question_is_about(question: str) -> None:
    assert not read_wish(question)
    assert without_wish(question) == question


@pytest.mark.parametrize(
    ("question", "bare", "wish"),
    [
        ("Revenue by month as a line chart", "Revenue by month", Wish("line")),
        ("Show revenue by store as a pie chart.", "Show revenue by store.", Wish("pie")),
        ("A bar chart of orders by channel", "orders by channel", Wish("bar")),
        ("Show me a chart of revenue by store", "revenue by store", Wish()),
        ("Please draw me a graph of orders per month.", "orders per month.", Wish()),
        ("Create a line chart showing orders per month", "orders per month", Wish("line")),
        ("Plot revenue by month", "revenue by month", Wish()),
        ("revenue by store as a chart?", "revenue by store?", Wish()),
        ("orders by store on a log scale", "orders by store", Wish(log=True)),
        ("revenue by month in a stacked bar chart", "revenue by month", Wish("bar", stacked=True)),
        ("Revenue by month and store, stacked", "Revenue by month and store", Wish(stacked=True)),
        ("orders by store, on a log scale please?", "orders by store", Wish(log=True)),
        ("orders in Kiel, Ulm by store, as bars, stacked", "orders in Kiel, Ulm by store", Wish("bar", stacked=True)),
        ("orders by store without a chart", "orders by store", Wish("none")),
        ("orders by store, as a table", "orders by store", Wish("none")),
    ],
)
def test_a_question_may_say_how_to_draw_its_answer(question: str, bare: str, wish: Wish) -> None:
    assert read_wish(question) == wish
    assert without_wish(question) == bare


def test_rows_are_drawn_as_wished_for() -> None:
    by_month, crossed = rows("month revenue", *months()), rows("month store orders", *months(of=("Kiel", "Ulm")))
    by_store = rows("store orders", *STORES)
    assert [
        (c.kind, c.is_stacked) for c in (choose_chart("as bars", by_month), choose_chart("as bars", crossed)) if c
    ] == [
        ("bar", False),
        ("bar", False),
    ]
    stacked = choose_chart("stacked bars", crossed)
    assert figure(stacked, crossed)["layout"]["barmode"] == "stack"
    many = rows("year category revenue", *((year, c, 5) for c in "abcdefghij" for year in (2023, 2024, 2025)))
    by_category = choose_chart("revenue by category and year, stacked bars", many)
    assert by_category is not None
    assert (by_category.x, by_category.series, by_category.is_stacked) == ("category", "year", True)
    area = choose_chart("stacked", crossed)
    assert area is not None
    assert (area.kind, area.is_stacked) == ("area", True)
    log = choose_chart("log scale", by_store)
    assert log is not None
    assert log.is_log
    drawn = figure(log, by_store)
    assert "log" in {drawn["layout"][f"{side}axis"].get("type") for side in "xy"}
    assert choose_chart("as a table", by_store) is None


@pytest.mark.parametrize(
    ("wish", "of", "said"),
    [
        ("as a line", rows("month revenue", *months()), "The same rows as a line chart."),
        ("as a pie", rows("kind orders", *STORES), "The same rows as a pie chart."),
        (
            "as a pie",
            rows("kind orders", *[(k, 1) for k in "abcdefg"]),
            "These rows do not suit a pie chart, so here they are as a bar chart.",
        ),
        ("stacked bars", rows("kind orders", *STORES), "The same rows as a bar chart: there is nothing to stack."),
        (
            "stacked bars",
            rows("month store orders", *months(of=("Kiel", "Ulm"))),
            "The same rows as a stacked bar chart.",
        ),
        ("log scale", rows("kind orders", *STORES), "The same rows as a bar chart on a logarithmic scale."),
        (
            "log scale",
            rows("kind orders", ("a", 0), ("b", 3), ("c", 9)),
            "The same rows as a bar chart; its scale cannot be logarithmic, because not all values are above zero.",
        ),
        ("without a chart", rows("kind orders", *STORES), "The same rows, without a chart."),
        ("as a line", rows("count", (3,)), "A single number makes no chart."),
        (
            "as a line",
            rows("a b", ("x", "y"), ("z", "w")),
            "These rows make no chart that could be read: the table says more.",
        ),
    ],
)
def test_what_was_drawn_is_said_in_a_sentence(wish: str, of: Rows, said: str) -> None:
    assert say_redrawn(read_wish(wish), choose_chart("", of, read_wish(wish))) == said


def conversation(*asked: str) -> Question:
    *before, last = asked
    return Question(last, TODAY, tuple(Turn(text, "Orders by store", "SELECT 1") for text in before))


def test_wishes_gather_and_the_later_one_counts() -> None:
    redrawing = read_redrawing(conversation("Orders by store as a pie chart", "as bars", "log scale"))
    assert redrawing is not None
    assert redrawing.wish == Wish("bar", log=True)
    assert (redrawing.question.text, redrawing.question.turns) == ("Orders by store as a pie chart", ())
    assert (redrawing.draft.sql, redrawing.draft.reading) == ("SELECT 1", "Orders by store")
    again = read_redrawing(conversation("Orders by store", "log scale", "stacked"))
    assert again is not None
    assert again.wish == Wish(stacked=True)


def test_without_rows_to_draw_a_wish_is_a_question_like_any_other() -> None:
    assert read_redrawing(conversation("as a line")) is None
    assert read_redrawing(conversation("as a line", "as bars")) is None
    assert read_redrawing(conversation("Orders by store", "and by channel?")) is None
