"""The offline narrator says in plain sentences what the rows hold, and nothing that they do not."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.offline.narrator import OfflineNarrator
from agents.offline.telling.clues import Clues, read_clues
from agents.question import Draft, Question
from tools.sql_runner import Rows

TODAY = date(2026, 11, 21)
TOP = "SELECT p.name, SUM(i.a) AS revenue FROM products p JOIN items i ON i.p = p.id GROUP BY 1 ORDER BY revenue DESC"
PER_STORE = "SELECT store, SUM(amount) AS revenue FROM orders GROUP BY store"
PER_MONTH = "SELECT STRFTIME('%Y-%m', d) AS month, SUM(amount) AS revenue FROM orders GROUP BY 1 ORDER BY 1"
COUNT = "SELECT COUNT(*) AS count FROM customers"


async def told(
    question: str,
    sql: str,
    columns: str,
    *values: tuple[Any, ...],
    truncated: bool = False,
    assumptions: tuple[str, ...] = (),
    reading: str | None = None,
) -> list[str]:
    pieces: list[str] = []

    async def say(piece: str) -> None:
        pieces.append(piece)

    draft = Draft(sql, reading or question, assumptions)
    await OfflineNarrator().narrate(
        Question(question, TODAY), draft, Rows(tuple(columns.split()), values, truncated, 0.0), say
    )
    return pieces


async def text(*of: Any, **more: Any) -> str:
    return "".join(await told(*of, **more))


# --- one value

# question, the count, what is said
COUNTS = [
    ("How many customers are there?", 1204, "There are 1,204 customers."),
    ("how many customers are there in Kiel", 1, "There is 1 customer in Kiel."),
    ("How many customers do we have?", 0, "There are no customers."),
    ("How many orders were there last month?", 3, "There were 3 orders last month."),
    ("How many orders were placed last month?", 3, "3 orders were placed last month."),
    ("How many products have never been sold?", 0, "No products have never been sold."),
    ("How many customers live in Berlin?", 312, "312 customers live in Berlin."),
    ("How many customers?", 2, "There are 2 customers."),
    # The subject stands after the verb, so the sentence cannot be turned by rules.
    ("How many orders did Ann place?", 7, "The count is 7."),
    ("How many orders have we shipped?", 7, "The count is 7."),
    ("How many customers live in Berlin?", 1, "The count is 1."),
    ("Are there customers without orders?", 12, "Yes: 12."),
    ("Are there customers without orders?", 0, "No, there are none."),
    ("Number of customers", 5, "The count is 5."),
]


@pytest.mark.parametrize(("question", "count", "sentence"), COUNTS, ids=[f"{q} {n}" for q, n, _ in COUNTS])
async def test_a_count_is_told_in_the_questions_own_words(question: str, count: int, sentence: str) -> None:
    assert await text(question, COUNT, "count", (count,)) == sentence


async def test_a_single_value_is_told_with_what_it_is() -> None:
    total = "SELECT SUM(amount) AS total_amount FROM orders"
    assert await text("What was our revenue last quarter?", total, "total_amount", (12345.6,)) == (
        "The revenue last quarter was 12,345.60."
    )
    assert await text("What is the average rating?", "SELECT AVG(r) FROM t", "AVG(r)", (4.128,)) == (
        "The average rating is 4.13."
    )
    assert await text("revenue please", total, "total_amount", (Decimal("-1234.50"),)) == (
        "The total amount is -1,234.50."
    )
    assert await text("first order?", "SELECT MIN(d) AS first_order FROM o", "first_order", (date(2024, 3, 5),)) == (
        "The first order is 5 March 2024."
    )
    assert await text("share of tea", "SELECT 1 AS share_percent", "share_percent", (33.33,)) == "The share is 33.3%."
    assert await text("is it open", "SELECT open FROM s", "open", (True,)) == "Yes."


async def test_an_empty_aggregate_is_told_as_no_value_rather_than_as_nothing() -> None:
    assert await text(
        "What is the average price?", "SELECT AVG(p) AS average_price FROM t", "average_price", (None,)
    ) == ("There is no value for the average price: nothing that matches holds one.")


async def test_a_follow_up_is_told_in_the_words_of_its_reading() -> None:
    said = await text("and in Kiel?", COUNT, "count", (3,), reading="How many customers are there in Kiel?")
    assert said == "There are 3 customers in Kiel."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("and in Ulm?", "In Ulm: the count is 3."),
        ("what about Ulm?", "Ulm: the count is 3."),
        ("and how many of them live in Ulm?", "3 of them live in Ulm."),
        ("the count", "The count is 3."),
    ],
)
async def test_what_was_changed_is_told_and_not_the_first_questions_words(changed: str, said: str) -> None:
    reading = f"How many customers live in Kiel? → {changed}"
    assert await text(changed, COUNT, "count", (3,), reading=reading) == said


# --- rankings and groups


async def test_a_top_list_is_told_with_the_questions_verb_and_only_what_the_rows_support() -> None:
    products = [("Espresso Forte", 12345.6), ("Sencha", 9000.0), ("Assam", 8000.0), ("Mocha", 1.5), ("Chai", 1.0)]
    question = "Which five products earned the most last quarter?"
    assert await told(question, f"{TOP} LIMIT 5", "name revenue", *products) == [
        "Espresso Forte earned the most with 12,345.60, followed by Sencha (9,000.00), Assam (8,000.00), Mocha (1.50) "
        "and Chai (1.00).",
        " Together the five come to 29,348.10.",
    ]


async def test_a_whole_ranking_tells_the_leaders_share() -> None:
    said = await text("revenue by product", TOP, "name revenue", ("Sencha", 75), ("Assam", 15), ("Chai", 10))
    assert said == (
        "Sencha has the highest revenue with 75, followed by Assam (15) and Chai (10). "
        "Together the three come to 100, of which Sencha is 75%."
    )


async def test_those_that_are_level_are_all_named_or_counted() -> None:
    stores = [("Kiel", 5), ("Ulm", 9), ("Bern", 5), ("Bonn", 9), ("Köln", 9), ("Jena", 9)]
    said = await told("revenue per store", PER_STORE, "store revenue", *stores)
    assert said[1] == " Four of them have the highest revenue, 9; Kiel and Bern the lowest, 5."
    said = await told("revenue per month", PER_MONTH, "month revenue", ("2025-01", 3), ("2025-02", 7), ("2025-03", 3))
    assert said[1] == " The highest was February 2025 with 7, the lowest January 2025 and March 2025 with 3."


async def test_a_long_ranking_names_its_head_and_its_end() -> None:
    said = await told("revenue by product", f"{TOP} LIMIT 8", "name revenue", *[(f"P{n}", 80 - n) for n in range(8)])
    assert said[:2] == [
        "P0 has the highest revenue with 80, followed by P1 (79), P2 (78), P3 (77) and P4 (76).",
        " The last of the eight is P7 with 73.",
    ]


async def test_a_tie_is_told_as_a_tie() -> None:
    said = await told("top products", f"{TOP} LIMIT 3", "name revenue", ("A", 9), ("B", 9), ("C", 1))
    assert said[0] == "A and B have the highest revenue, 9 each, followed by C (1)."
    said = await told("top products", f"{TOP} LIMIT 3", "name revenue", ("A", 9), ("B", 9), ("C", 9))
    assert said[0] == "All 3 products have the same revenue: 9."


async def test_the_lowest_first_is_told_as_the_lowest() -> None:
    sql = TOP.replace("DESC", "ASC LIMIT 3")
    said = await told("worst products", sql, "name revenue", ("A", 1), ("B", 2), ("C", 3))
    assert said[0] == "A has the lowest revenue with 1, followed by B (2) and C (3)."


async def test_the_one_that_leads_is_told_with_its_number() -> None:
    most = "SELECT city, COUNT(*) AS customers FROM customers GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    assert await text("Which city has the most customers?", most, "city customers", ("Kiel", 12)) == (
        "Kiel has the most customers, with 12."
    )
    assert await text("the best city", most, "city customers", ("Kiel", 12)) == (
        "Kiel has the highest number of customers: 12."
    )
    one = "SELECT city, COUNT(*) AS customers FROM customers WHERE city = 'Kiel' GROUP BY 1"
    assert (
        await text("customers in Kiel", one, "city customers", ("Kiel", 12)) == "Kiel: the number of customers is 12."
    )


async def test_groups_are_told_by_their_extremes_and_their_gaps() -> None:
    said = await told(
        "revenue per store", PER_STORE, "store revenue", ("Kiel", 12.5), ("Ulm", 30), (None, 2), ("Bern", None)
    )
    assert said == [
        "There are 4 stores.",
        " Ulm has the highest revenue, 30.00; (no store) the lowest, 2.00.",
        " For one of them there is no revenue.",
        " Together the four come to 44.50, of which Ulm is 67.4%.",
    ]


@pytest.mark.parametrize(
    "computed", ["AVG(price)", "COUNT(DISTINCT customer)", "MAX(price)", "100.0 * SUM(a) / SUM(b)"]
)
async def test_what_must_not_be_added_up_is_not_added_up(computed: str) -> None:
    sql = f"SELECT kind, {computed} AS number FROM t GROUP BY kind ORDER BY 2 DESC"
    said = await text("x per kind", sql, "kind number", ("Tea", 12.5), ("Coffee", 3.0), ("Cups", 1.0))
    assert "ogether" not in said
    assert "Tea" in said


async def test_a_count_of_different_values_is_told_as_one() -> None:
    sql = "SELECT COUNT(DISTINCT city) AS different_cities FROM customers"
    asked = "how many different cities do customers have"
    assert await text(asked, sql, "different_cities", (12,)) == "There are 12 different cities."
    assert await text(asked, sql, "different_cities", (1,)) == "There is 1 different city."


async def test_no_total_is_told_where_the_sql_cannot_be_read() -> None:
    said = await text("x per kind", "this is no SQL ((", "kind revenue", ("Tea", 12.5), ("Coffee", 3.0), ("Cups", 1.0))
    assert said == "Tea has the highest revenue with 12.50, followed by Coffee (3.00) and Cups (1.00)."


async def test_figures_of_two_periods_are_no_years_though_they_look_like_some() -> None:
    said = await text("compare", "SELECT 1, 2, 3", "this_year last_year change_percent", (2327, 1832, 27.02))
    assert said.startswith("This year: 2,327; last year: 1,832. That is a rise of 495 (+27.0%).")
    said = await text("compare", "SELECT 1, 2, 3", "october september change_percent", (33, 19, 73.68))
    assert said.startswith("October: 33; September: 19.")


async def test_a_sentence_begins_with_a_capital_where_the_data_has_a_small_word_and_a_code_stays() -> None:
    sql = "SELECT reason, COUNT(*) AS number_of_returns FROM returns GROUP BY reason ORDER BY number_of_returns DESC"
    asked = "reason number_of_returns"
    assert (await text("Reasons?", sql, asked, ("changed mind", 5), ("defective", 2))).startswith("Changed mind has")
    assert (await text("Reasons?", sql, asked, ("order_items", 5), ("defective", 2))).startswith("order_items has")
    assert (await text("Reasons?", sql, asked, ("iPhone", 5), ("defective", 2))).startswith("iPhone has")


async def test_a_having_leaves_groups_out_so_no_share_is_told() -> None:
    sql = f"{PER_STORE} HAVING SUM(amount) > 5"
    said = await text("stores above 5", sql, "store revenue", ("Kiel", 12), ("Ulm", 30))
    assert said.endswith("Together the two come to 42.")


# --- time


async def test_a_series_is_told_from_its_first_to_its_last_whole_period() -> None:
    months = [(f"2026-{m:02}", 100 * m) for m in range(1, 12)]
    assert await told("revenue per month", PER_MONTH, "month revenue", *months) == [
        "Revenue went from 100 in January 2026 to 1,000 in October 2026: a rise of 900 (+900.0%).",
        " The highest was October 2026 with 1,000, the lowest January 2026 with 100.",
        " November 2026 is not over yet: 1,100 so far.",
        " The 11 months come to 6,600 in all.",
    ]


async def test_a_series_sorted_backwards_is_told_forwards() -> None:
    sql = "SELECT YEAR(d) AS year, AVG(price) AS average_price FROM t GROUP BY 1 ORDER BY 1 DESC"
    said = await text("x", sql, "year average_price", (2025, 8.0), (2024, 9.5), (2023, 10.0))
    assert said == (
        "Average price went from 10.00 in 2023 to 8.00 in 2025: a fall of 2.00 (-20.0%). "
        "The highest was 2023 with 10.00, the lowest 2025 with 8.00."
    )


async def test_no_percentage_is_told_from_zero_or_below() -> None:
    quarters = "SELECT q AS quarter, SUM(x) AS profit FROM t GROUP BY 1 ORDER BY 1"
    said = await told("x", quarters, "quarter profit", ("2025-Q1", 0), ("2025-Q2", 12))
    assert said == ["Profit went from 0 in Q1 2025 to 12 in Q2 2025: a rise of 12."]
    said = await told("x", quarters, "quarter profit", ("2025-Q1", -4), ("2025-Q2", -4))
    assert said == ["Profit went from -4 in Q1 2025 to -4 in Q2 2025: no change."]


async def test_a_weekday_and_a_month_of_year_are_told_by_name() -> None:
    sql = "SELECT STRFTIME('%w', d) AS weekday, COUNT(*) AS visits FROM t GROUP BY 1 ORDER BY 1"
    said = await text("visits per weekday", sql, "weekday visits", ("0", 5), ("1", 9), ("2", 7))
    assert "Monday has the highest number of visits, 9; Sunday the lowest, 5." in said
    sql = "SELECT STRFTIME('%m', d) AS month_of_year, COUNT(*) AS visits FROM t GROUP BY 1 ORDER BY 1"
    assert "March has the highest" in await text("x", sql, "month_of_year visits", ("01", 5), ("03", 9), ("04", 7))


async def test_two_periods_are_told_with_their_difference() -> None:
    sql = "SELECT SUM(a) AS last_month, SUM(b) AS month_before_last, 1 AS change_percent FROM t"
    assert await text("compare", sql, "last_month month_before_last change_percent", (120.0, 100.0, 20.0)) == (
        "Last month: 120; month before last: 100. That is a rise of 20 (+20.0%)."
    )
    assert await text("compare", "SELECT SUM(a), SUM(b) FROM t", "revenue_2025 revenue_2026", (100, 80)) == (
        "Revenue 2026: 80; revenue 2025: 100. That is a fall of 20 (-20.0%)."
    )


async def test_two_periods_of_several_groups_are_told_by_the_largest_moves() -> None:
    sql = "SELECT store, SUM(a), SUM(b), 1 FROM t GROUP BY 1"
    changes = [("Kiel", 120.0, 100.0, 20.0), ("Ulm", 80.0, Decimal(100), -20.0), ("Bern", None, 3.0, None)]
    assert await told("compare", sql, "store this_year last_year change_percent", *changes) == [
        "This year against last year, for 3 stores.",
        " The largest rise is Kiel: from 100 to 120 (+20.0%).",
        " The largest fall is Ulm: from 100 to 80 (-20.0%).",
        " This year is not over yet.",
    ]


async def test_two_groups_are_told_by_their_corners() -> None:
    sql = "SELECT store, month, COUNT(*) AS orders FROM t GROUP BY 1, 2"
    cells = [(s, f"2026-{m:02}", m * len(s)) for s in ("Kiel", "Ulm") for m in (1, 2, 3)]
    assert await text("orders by store and month", sql, "store month orders", *cells) == (
        "The rows cover 2 stores and 3 months. The highest number of orders is 12, for Kiel and March 2026; "
        "the lowest is 3, for Ulm and January 2026. All of them come to 42."
    )


# --- lists, and what is left out


async def test_a_list_is_told_by_its_length_and_its_first_few() -> None:
    products = [(f"P{n}",) for n in range(7)]
    assert await text("Which products have no reviews?", "SELECT p.name FROM products p", "name", *products) == (
        "There are 7 products: P0, P1, P2, P3, P4 and 2 more."
    )
    assert (
        await text("x", "SELECT name FROM categories", "name", ("Tea",), ("Tea",)) == "There are 2 rows: Tea and Tea."
    )


async def test_a_first_and_a_last_name_are_told_as_one() -> None:
    sql = "SELECT first_name, last_name FROM customers"
    people = [("Ann", "Lee"), ("Bo", "Ek")]
    assert await text("x", sql, "first_name last_name", *people) == "There are 2 customers: Ann Lee and Bo Ek."
    sql = "SELECT first_name, last_name, SUM(x) AS revenue FROM c GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 2"
    said = await text("top", sql, "first_name last_name revenue", ("Ann", "Lee", 5), ("Bo", "Ek", 2))
    assert said.startswith("Ann Lee has the highest revenue with 5, followed by Bo Ek (2).")


async def test_no_rows_are_told_with_what_was_taken_for_granted() -> None:
    said = await told("orders in May?", "SELECT 1", "n", assumptions=("May is 1 to 31 May 2026.",))
    assert said == ["No rows match: orders in May.", " May is 1 to 31 May 2026."]


async def test_cut_rows_are_never_counted_or_added_up() -> None:
    rows = [(f"P{n}", 100 - n) for n in range(10)]
    said = await told("x", TOP, "name revenue", *rows, truncated=True)
    assert said == [
        "There are more rows than fit: these are the first 10.",
        " P0 has the highest revenue with 100, followed by P1 (99), P2 (98), P3 (97) and P4 (96).",
    ]
    said = await told("x", "SELECT name FROM t", "name", *[(f"P{n}",) for n in range(10)], truncated=True)
    assert said[1] == " They begin with P0, P1, P2, P3 and P4."


async def test_one_row_of_many_columns_is_told_by_its_columns() -> None:
    row = (1, "Ann", "Kiel", datetime(2000, 2, 3, 14, 30), None)
    assert await text("who is 1", "SELECT * FROM c", "id name city born phone", row) == (
        "One row matches: ID 1, name Ann, city Kiel, born 3 February 2000, 14:30 and phone (none)."
    )
    wide = " ".join(f"c{n}" for n in range(12))
    assert (await text("x", "SELECT * FROM c", wide, tuple("abcdefghijkl"))).endswith("c7 h and 4 more columns.")


# --- the database's words are data

HOSTILE = [
    "![x](https://evil/)", "[a](b)", "[a]: https://evil", "<img src=x>", "*b*", "_i_", "`code`", "a|b", "# head",
    "1. one", "- item", "> quote", "~~no~~", "&lt;b&gt;", "www.evil.example", "a@evil.example", "\\[a](b)", "``` js",
    "a\n\n# b", "`https://evil`", "[a][b]", "---", "+ plus", "HTTPS://EVIL/`x`",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_value_is_said_letter_for_letter(value: str) -> None:
    assert " ".join(value.split()) in await text("x", "SELECT name FROM t", "name", (value,), ("Tea",))


# --- what the SQL tells


def test_the_sql_tells_what_a_column_was_computed_by_through_casts_and_ctes() -> None:
    within = "SELECT city, COUNT(*) AS n FROM c GROUP BY 1"
    sql = f"WITH t AS ({within}) SELECT city, CAST(n AS INT) AS n FROM t ORDER BY 2 DESC"
    clues = read_clues(sql)
    assert (clues.function(0), clues.function(1)) == (None, "count")
    assert (clues.ordered_by, clues.descending, clues.partial) == (1, True, False)
    assert clues.adds_up(1)


def test_a_star_over_one_subquery_is_read_through() -> None:
    clues = read_clues("SELECT *, a / n AS x FROM (SELECT t.city AS a, SUM(v) AS n FROM towns AS t GROUP BY 1) AS p")
    assert clues.functions == (None, "sum", None)
    assert clues.tables == ("towns", None, None)


def test_a_limit_inside_leaves_groups_out_as_well() -> None:
    assert read_clues("SELECT a, n FROM (SELECT a, COUNT(*) AS n FROM t GROUP BY 1 LIMIT 3) AS x").partial
    assert not read_clues("SELECT a, COUNT(*) FROM t GROUP BY 1").partial


@pytest.mark.parametrize(
    "sql", ["", "((", "DELETE FROM t", "SELECT " + "(" * 500, "SELECT * FROM t", "SELECT 1;" * 9000]
)
def test_sql_that_cannot_be_read_gives_no_clues(sql: str) -> None:
    assert read_clues(sql) == Clues()


VALUES = st.one_of(
    st.none(), st.integers(), st.floats(), st.just(Decimal("NaN")),
    st.decimals(allow_nan=False), st.text(max_size=6), st.dates(), st.datetimes(),
    st.booleans(), st.binary(max_size=3), st.sampled_from(["2026-01", "2026-Q1", "3"]),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.data())
async def test_whatever_the_rows_hold_something_is_said(data: st.DataObject) -> None:
    names = ["month", "store", "revenue", "last_year", "this_year", "share", "id", "first_name", "last_name"]
    columns = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    kinds = [
        data.draw(st.sampled_from([VALUES, st.integers(-3, 40), st.floats(), st.text(max_size=4)])) for _ in columns
    ]
    values = data.draw(st.lists(st.tuples(*kinds), max_size=8))
    order = data.draw(st.sampled_from(["", " ORDER BY 1 DESC", f" ORDER BY {len(columns)} LIMIT 8"]))
    sql = f"SELECT {', '.join(f'SUM({c}) AS {c}' for c in columns)} FROM t{order}"
    said = await text("How many?", sql, " ".join(columns), *values, truncated=data.draw(st.booleans()))
    assert said.endswith(".")
