"""A chart is chosen where it says more than a table, and what it shows is always letter for letter the data."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.chart import Chart, choose_chart, draw
from tools.sql_runner import Rows

EVIL = "<a href='javascript:alert(1)'>x</a>"


def rows(columns: str, *values: tuple[Any, ...], truncated: bool = False) -> Rows:
    return Rows(tuple(columns.split()), values, truncated, 0.0)


def months(count: int = 12, of: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    stamps = [f"{2025 + n // 12}-{n % 12 + 1:02}" for n in range(count)]
    return [(m, g, 10 * n + 1) for n, m in enumerate(stamps) for g in of] if of else [
        (m, 10 * n + 1) for n, m in enumerate(stamps)
    ]  # fmt: skip


def figure(chart: Chart | None, of: Rows) -> dict[str, Any]:
    """Draw the chart; Plotly takes it and JSON holds it, or the test fails."""
    assert chart is not None
    drawn = draw(chart, of)
    go.Figure(drawn)  # raises on a property that Plotly does not know
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn
    return drawn


STORES = [("Kiel", 12), ("Ulm", 30), ("Bern", 7)]
HOURS = [(day, hour, day * hour + 1) for day in range(7) for hour in range(24)]

CHOICES: dict[str, tuple[str, Rows, str | None]] = {
    "a single number": ("How many?", rows("count", (1204,)), "number"),
    "a ranking": ("top stores", rows("store revenue", *STORES), "bar"),
    "months": ("revenue per month", rows("month revenue", *months()), "line"),
    "dates": ("x", rows("day orders", *[(date(2026, 1, d), d) for d in range(1, 9)]), "line"),
    "quarters": ("x", rows("quarter orders", ("2026-Q1", 1), ("2026-Q2", 2), ("2026-Q3", 3)), "line"),
    "years as numbers": ("x", rows("year orders", (2023, 1), (2024, 2), (2025, 9)), "line"),
    "two years": ("x", rows("year orders", (2024, 2), (2025, 9)), "bar"),
    "weekdays": ("x", rows("weekday orders", *[(str(d), d) for d in range(7)]), "bar"),
    "months and stores": ("x", rows("month store orders", *months(of=("Kiel", "Ulm"))), "line"),
    "shares over months": ("share of each store", rows("month store orders", *months(of=("Kiel", "Ulm"))), "area"),
    "an area that was asked for": ("as an area chart", rows("month revenue", *months()), "area"),
    "months and many stores": ("x", rows("month store n", *months(of=tuple("ABCDEFGHIJ"))), "heatmap"),
    "weekday and hour": ("x", rows("weekday hour visits", *HOURS), "heatmap"),
    "two groups": ("x", rows("store kind n", *[(s, k, 3) for s in "ABCD" for k in ("tea", "coffee")]), "bar"),
    "two large groups": ("x", rows("store kind n", *[(s, k, 3) for s in "ABCDEFGH" for k in "stuvwxyz"]), "heatmap"),
    "two measures over many rows": ("x", rows("price weight", *[(n, n * n) for n in range(40)]), "scatter"),
    "named points": ("x", rows("name price weight", *[(f"p{n}", n, n * n) for n in range(40)]), "scatter"),
    "parts of a whole": ("x", rows("kind share_percent", ("a", 50.0), ("b", 30.0), ("c", 20.0)), "pie"),
    "a share of a count": ("what share has each", rows("kind orders", *STORES), "pie"),
    "a pie that was asked for": ("as a pie chart", rows("kind orders", *STORES), "pie"),
    "averages are no parts": ("breakdown", rows("kind average_price", *STORES), "bar"),
    "negative parts": ("as a pie chart", rows("kind profit", ("a", 3), ("b", -1)), "bar"),
    "seven parts": ("share of each", rows("kind orders", *[(k, 1) for k in "abcdefg"]), "bar"),
    "identifiers as labels": ("top customers", rows("customer_id orders", (7, 3), (9, 2)), "bar"),
    # where a table says more
    "no rows": ("x", rows("store revenue"), None),
    "no columns": ("x", Rows((), (), False, 0.0), None),
    "only text": ("x", rows("store city", ("a", "b"), ("c", "d")), None),
    "identifiers and names": ("x", rows("id name", (1, "a"), (2, "b")), None),
    "phone numbers": ("x", rows("name phone", ("a", 4912345), ("b", 4954321)), None),
    "postcodes": ("x", rows("name zip_code", ("a", 24103), ("b", 89073)), None),
    "years alone": ("x", rows("name birth_year", ("a", 1980), ("b", 1990)), None),
    "one row of many columns": ("x", rows("name price weight", ("a", 1, 2)), None),
    "one name and its number": ("who earned the most", rows("name revenue", ("a", 1)), None),
    "too many names": ("x", rows("name revenue", *[(f"n{n}", n) for n in range(31)]), None),
    "nothing but NULL": ("x", rows("name revenue", ("a", None), ("b", None)), None),
    "a single NULL": ("x", rows("revenue", (None,)), None),
    "long text": ("x", rows("review stars", ("words " * 30, 1), ("more " * 30, 2)), None),
    "a list of orders": ("x", rows("day amount", (date(2026, 1, 1), 1), (date(2026, 1, 1), 2)), None),
    "three groups": ("x", rows("a b c n", ("x", "y", "z", 1), ("x", "y", "w", 2)), None),
    "one name twice in the head": ("x", Rows(("n", "n"), ((1, 2), (3, 4)), False, 0.0), None),
}


@pytest.mark.parametrize(("question", "of", "kind"), CHOICES.values(), ids=CHOICES)
def test_the_rows_shape_and_the_questions_words_choose_the_chart(question: str, of: Rows, kind: str | None) -> None:
    chart = choose_chart(question, of)
    assert (chart and chart.kind) == kind
    if chart:
        figure(chart, of)


def test_years_and_identifiers_are_never_measures() -> None:
    of = rows(
        "customer_id name year orders", (1, "a", 2024, 5), (2, "a", 2025, 6), (3, "b", 2024, 6), (4, "b", 2025, 9)
    )
    chart = choose_chart("orders", of)
    assert chart == Chart("bar", "Orders by name and year", "name", ("orders",), "year")


def test_measures_of_one_unit_and_size_share_an_axis_and_a_change_does_not() -> None:
    of = rows("store this_year last_year change_percent", ("Kiel", 120.0, 100.0, 20.0), ("Ulm", 80.0, 100.0, -20.0))
    chart = choose_chart("compare", of)
    assert chart is not None
    assert chart.y == ("this_year", "last_year")
    assert [trace["name"] for trace in figure(chart, of)["data"]] == ["This year", "Last year"]


def test_a_first_and_a_last_name_are_one_label() -> None:
    of = rows("first_name last_name revenue", ("Ann", "Lee", 3.5), ("Ann", "Ek", 2.5))
    drawn = figure(choose_chart("best customers", of), of)
    assert drawn["layout"]["xaxis"]["ticktext"] == ["Ann Lee", "Ann Ek"]


def test_axes_are_named_in_words() -> None:
    of = rows("store_name order_count", ("Kiel", 1204), ("Ulm", 3))
    drawn = figure(choose_chart("x", of), of)
    assert drawn["layout"]["xaxis"]["title"]["text"] == "Store name"
    assert drawn["layout"]["yaxis"]["title"]["text"] == "Order count"
    assert drawn["data"][0]["hovertext"] == ["Kiel · Order count: 1,204", "Ulm · Order count: 3"]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("fare_eur", "Fare (€)"),
        ("average_rate_eur_h", "Average rate (€/h)"),
        ("energy_kwh", "Energy (kWh)"),
        ("floor_area_m2", "Floor area (m²)"),
        ("delay_min", "Delay (min)"),
        ("price_min", "Price min"),
        ("total_km", "Total km"),
        ("eur", "Eur"),
    ],
)
def test_the_unit_that_a_measures_name_ends_with_stands_in_brackets(column: str, words: str) -> None:
    of = rows(f"store {column}", ("Kiel", 1204), ("Ulm", 3))
    assert figure(choose_chart("x", of), of)["layout"]["yaxis"]["title"]["text"] == words


def test_money_percentages_and_counts_are_said_as_what_they_are() -> None:
    def hover(column: str, *values: Any) -> list[str]:
        of = rows(f"store {column}", *[(f"s{n}", v) for n, v in enumerate(values)])
        return [text.split(": ")[1] for text in figure(choose_chart("x", of), of)["data"][0]["hovertext"]]

    assert hover("revenue", Decimal("12345.6"), 3) == ["12,345.60", "3.00"]
    assert hover("revenue", 12345, 3) == ["12,345", "3"]
    assert hover("discount_pct", 12.5, 3) == ["12.5%", "3%"]
    assert hover("return_share", 0.25, 0.75) == ["25%", "75%"]
    assert hover("orders", 1_000_000, 3) == ["1,000,000", "3"]
    assert hover("revenue", None, 3) == ["no value", "3"]


def test_long_labels_lie_and_a_ranking_is_read_from_the_top() -> None:
    long = rows("name n", ("A rather long name of a product", 1), ("B", 5))
    ranked = rows("name n", ("A", 9), ("B", 5), ("C", 1))
    unranked = rows("name n", ("A", 1), ("B", 5), ("C", 2))
    assert [figure(choose_chart("x", of), of)["data"][0]["orientation"] for of in (long, ranked, unranked)] == [
        "h",
        "h",
        "v",
    ]
    assert figure(choose_chart("x", ranked), ranked)["layout"]["yaxis"]["autorange"] == "reversed"


def test_time_runs_from_left_to_right_however_the_rows_are_sorted() -> None:
    of = rows("month revenue", *reversed(months(3)))
    drawn = figure(choose_chart("x", of), of)["data"][0]
    assert drawn["x"] == ["2025-01-01T00:00:00", "2025-02-01T00:00:00", "2025-03-01T00:00:00"]
    assert drawn["y"] == [1, 11, 21]
    assert drawn["hovertext"][0] == "January 2025 · Revenue: 1"


def test_a_timestamp_that_was_cut_to_its_month_is_said_as_a_month() -> None:
    of = rows("month orders", *[(datetime(2026, m, 1), m) for m in (1, 2, 3)])
    assert figure(choose_chart("x", of), of)["data"][0]["hovertext"][0] == "January 2026 · Orders: 1"


def test_an_axis_of_bars_names_its_months_in_short_and_the_hover_whole() -> None:
    of = rows("month orders", ("2025-11", 1), ("2025-12", 2), ("2026-01", 3), ("2026-02", 4))
    bars = figure(choose_chart("as bars", of), of)
    assert bars["layout"]["xaxis"]["ticktext"] == ["Nov 2025", "Dec", "Jan 2026", "Feb"]
    assert bars["data"][0]["hovertext"][1] == "December 2025 · Orders: 2"


def test_two_things_of_one_name_stay_two() -> None:
    of = rows("name revenue", ("Ann", 3), ("Ann", 2), ("Bo", 1))
    bars = figure(choose_chart("x", of), of)
    assert bars["data"][0]["y"] == [0, 1, 2]
    assert bars["layout"]["yaxis"]["ticktext"] == ["Ann", "Ann", "Bo"]
    pie = figure(choose_chart("as a pie", of), of)["data"][0]
    assert len(set(pie["labels"])) == 3


def test_a_pie_is_labelled_beside_its_slices_and_a_hover_stands_on_a_colour_of_its_own() -> None:
    shares = rows("kind share_percent", ("a", 50.0), ("b", 30.0), ("c", 20.0))
    counts = rows("kind orders", *STORES)
    for of, told in ((shares, "text"), (counts, "text+percent")):
        drawn = figure(choose_chart("as a pie", of), of)
        assert drawn["data"][0]["textposition"] == "outside"
        assert drawn["data"][0]["hoverinfo"] == told, "a share is said once"
        assert drawn["layout"]["hoverlabel"]["bgcolor"] not in drawn["data"][0]["marker"]["colors"]


def test_labels_that_look_like_numbers_or_dates_stay_labels() -> None:
    of = rows("size orders", ("42", 3), ("2026-01-01x", 2), ("1e5", 9))
    assert figure(choose_chart("x", of), of)["layout"]["xaxis"]["ticktext"] == ["42", "2026-01-01x", "1e5"]


@pytest.mark.parametrize("kind", ["bar", "pie", "line", "heatmap", "scatter", "number"])
def test_no_value_and_no_column_name_becomes_markup(kind: str) -> None:
    name = "<b>n</b>"
    of = {
        "bar": Rows((name, EVIL), ((EVIL, 2), ("$x$ & co", 1)), False, 0.0),
        "pie": Rows((name, "orders"), ((EVIL, 2), ("$x$ & co", 1)), False, 0.0),
        "line": Rows(
            ("month", name, EVIL), tuple((f"2026-{m:02}", g, m) for m in (1, 2, 3) for g in (EVIL, "$x$")), False, 0.0
        ),
        "heatmap": Rows(
            (name, "b", EVIL), tuple((f"{EVIL}{a}", f"$x${b}", a) for a in range(8) for b in range(8)), False, 0.0
        ),
        "scatter": Rows((name, EVIL, "b"), tuple((f"{EVIL}{n}", n, n) for n in range(40)), False, 0.0),
        "number": Rows((EVIL,), ((1,),), False, 0.0),
    }[kind]
    chart = choose_chart("a pie chart" if kind == "pie" else "x", of)
    drawn = json.dumps(figure(chart, of))
    assert chart is not None and chart.kind == kind
    assert not re.search(r"[<>$]", drawn)
    assert "&lt;a href" in drawn or "&lt;b" in drawn


def test_hidden_and_turning_characters_are_left_out_of_labels() -> None:
    of = rows("name n", ("a\u202eb\u0000\nc", 1), ("日本 ☕ é", 2))
    assert figure(choose_chart("x", of), of)["layout"]["xaxis"]["ticktext"] == ["ab c", "日本 ☕ é"]


def test_numbers_that_no_browser_can_hold_leave_a_gap() -> None:
    of = rows("name n", ("a", float("nan")), ("b", float("inf")), ("c", Decimal("1e400")), ("d", 10**30), ("e", -5))
    assert figure(choose_chart("x", of), of)["data"][0]["y"] == [None, None, None, 1e30, -5]


def test_the_ground_is_clear_and_the_colours_tell_apart() -> None:
    of = rows("month store orders", *months(of=("Kiel", "Ulm", "Bern")))
    drawn = figure(choose_chart("x", of), of)
    layout = drawn["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert [t["line"]["color"] for t in drawn["data"]] == ["#009E73", "#E69F00", "#0072B2"]
    assert layout["showlegend"] and "title" not in layout
    assert layout["xaxis"]["automargin"] and layout["yaxis"]["automargin"]


def test_many_lines_get_room_for_their_names_which_stand_in_the_lines_order() -> None:
    few, many = (rows("month store orders", *months(of=tuple(stores))) for stores in ("ABC", "ABCDEFG"))
    layouts = [figure(choose_chart("x", of), of)["layout"] for of in (few, many)]
    assert layouts[0]["height"] < layouts[1]["height"]
    assert {layout["legend"]["traceorder"] for layout in layouts} == {"normal"}


def test_a_gap_in_the_table_is_a_gap_in_the_heat_map() -> None:
    cells = [(a, b, 1) for a in "ABCDEFGH" for b in "stuvwxyz" if (a, b) != ("A", "t")]
    of = rows("store kind n", *cells)
    trace = figure(choose_chart("x", of), of)["data"][0]
    assert sum(v is None for line in trace["z"] for v in line) == 1


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(Decimal("NaN")),
    st.decimals(allow_nan=False), st.text(max_size=9), st.dates(),
    st.datetimes(), st.times(), st.binary(max_size=3), st.sampled_from(["2026-01", "2026-Q1", "7", "Monday"]),
)  # fmt: skip
NAMES = st.sampled_from(["id", "month", "year", "store", "share", "revenue", "weekday", "first_name", "a<b"])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_the_rows_hold_a_chart_can_be_drawn_or_none_is_chosen(data: st.DataObject) -> None:
    names = data.draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    # One kind of value a column, as databases give them; SQLite mixes them, so one column may be mixed.
    kinds = [data.draw(st.sampled_from([CELLS, st.integers(0, 40), st.floats(), st.text(max_size=5)])) for _ in names]
    values = data.draw(st.lists(st.tuples(*kinds), max_size=12))
    of = Rows(tuple(names), tuple(values), False, 0.0)
    question = data.draw(st.sampled_from(["x", "as a pie chart", "share", "scatter", "heatmap", "area", "line chart"]))
    if chart := choose_chart(question, of):
        assert figure(chart, of)["data"], "nothing is drawn"


NOVEMBER = date(2026, 11, 20)


@pytest.mark.parametrize("today", [NOVEMBER, date(2026, 11, 30), date(2026, 12, 1), None])
def test_the_way_to_a_month_that_still_runs_is_dotted(today: date | None) -> None:
    of = rows("month revenue", ("2026-09", 10), ("2026-10", 12), ("2026-11", 4))
    chart = choose_chart("revenue per month as a line", of, today=today)
    assert chart is not None and chart.is_unfinished == (today == NOVEMBER)
    lines = figure(chart, of)["data"]
    assert [(line["y"], line["line"].get("dash")) for line in lines] == (
        [([10, 12], None), ([12, 4], "dot")] if today == NOVEMBER else [([10, 12, 4], None)]
    )
    assert lines[-1]["hovertext"][-1] == "November 2026 · Revenue: 4" + (" so far" if today == NOVEMBER else "")


def test_a_year_that_still_runs_is_a_pale_bar() -> None:
    of = rows("year revenue", (2024, 10), (2025, 12), (2026, 9))
    chart = choose_chart("revenue by year as bars", of, today=NOVEMBER)
    assert chart is not None
    assert figure(chart, of)["data"][0]["marker"]["opacity"] == [1, 1, 0.45]


def test_a_line_that_ended_before_the_month_that_runs_is_whole() -> None:
    values = [(month, store, 5) for month in ("2026-09", "2026-10", "2026-11") for store in ("Bonn", "Ulm")]
    of = rows("month store revenue", *values[:-1])  # Ulm has closed.
    chart = choose_chart("revenue per month and store", of, today=NOVEMBER)
    assert chart is not None
    drawn = figure(chart, of)
    assert [(line["name"], len(line["x"]), line.get("showlegend")) for line in drawn["data"]] == [
        ("Bonn", 2, None),
        ("Bonn", 2, False),
        ("Ulm", 2, None),
    ]
    assert drawn["layout"]["showlegend"]
