"""Reads what sales brought in, and what was sold, where no column's name says so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agents.offline.english.vocabulary import (
    ADDED,
    COSTS,
    FLOWS,
    NOT_ADDED,
    OF_ONE,
    PEOPLE,
    PROFITS,
    SOLD,
    SPENT,
    STAFF,
)
from agents.offline.english.words import singular, split, stem
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, Meaning
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.meaning.units import unit_of
from agents.offline.plan import Col, Function, Measure
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_profit import take_profit

MONEY_NAMES = frozenset("revenu sale turnov turnover incom income proce proceed".split())
"""Stems of words that name the sum well: "amount" and "money" do not."""

_AMOUNTS = frozenset("amount total price cost fee fine value sum".split())


def take_money(r: Reader, function: Function = "sum") -> Measure:
    """revenue, sales, earned: the sum of what the sales brought in"""
    item = r.take()
    if item.stem in PROFITS:
        return take_profit(r, item, function, tables_said(r))
    if item.stem == "spend" and (spent := _spent_on(r)) is not None:
        return replace(spent, function=function)
    dims = tables_said(r)
    people = {*dims, r.subject, *(m.table for i in r.items for m in i.values)}
    if item.text.lower().startswith("earn") and any(STAFF & set(r.naming.table(t)) for t in people):
        raise NotUnderstood("I found nothing in this database about what people earn.")
    held = [{m.table for m in i.values} for i in r.items]
    narrowed = [t for tables in held if len(tables) == 1 for t in tables]  # "revenue for the product …"
    found = r.resolver.money(tuple(dict.fromkeys((*dims, *narrowed)))) if narrowed else None
    found = found or r.resolver.money(tuple(dict.fromkeys(dims))) or r.resolver.money(tuple(dims[:1]))
    found = found or r.resolver.money(())
    if found is None:
        raise NotUnderstood(f"I found no amounts in this database that could be “{item.text}”.")
    parts = " times ".join(f"{found.table}.{c}" for c in (found.column, found.times) if c)
    said = item.text.lower() if item.kind != "verb" and item.stem in MONEY_NAMES else "revenue"
    if r.lexicon.is_flat and COSTS & set(r.naming.table(found.table)):
        said = _said_of_expenses(r, item, found.table)
    r.assumptions.append(f"{said[:1].upper()}{said[1:]} {'are' if said == 'sales' else 'is'} the sum of {parts}.")
    return Measure(function, found.table, found.column, found.times, said=said)


def _said_of_expenses(r: Reader, item: Item, table: str) -> str:
    """Return "spending" for the sum of what went out; declines to call it what came in."""
    spent = bool(SPENT & set(r.naming.table(table)))  # of refunds and budgets nobody spent or earned anything
    if (item.kind != "verb" and item.stem in MONEY_NAMES) or not (spent or item.stem in {"money", "amount"}):
        raise NotUnderstood(f"The {r.naming.say_table(table)} hold money that went out, and no “{item.text.lower()}”.")
    return "spending" if spent else "amount"


def tables_said(r: Reader) -> list[str]:
    """Return the tables that what sales brought in is asked of, or grouped by."""
    grouped = [g.table for g in r.groups]
    named = [m.table for i in r.items for m in i.tables if m.score >= EXACT and not r.resolver.is_money(i.text)]
    return grouped + named + _tables_grouped_by(r)


def _tables_grouped_by(r: Reader) -> list[str]:
    """Return the tables of the columns after "by" and "per", where only one table has such a column."""
    after = [i for before, i in pairwise(r.items) if before.kind in {"by", "per"} and i.kind == "name" and not i.tables]
    held = [{m.table for m in i.columns if m.score >= EXACT} for i in after]
    return [tables.pop() for tables in held if len(tables) == 1]


def _spent_on(r: Reader) -> Measure | None:
    """Return the cost of what money is spent on, like campaigns; None where it is what somebody buys."""
    on, named = r.peek(), r.peek(1)
    table = r.resolver.table(named) if named is not None and named.kind == "name" and not named.values else None
    if on is None or on.text != "on" or table is None:
        return None
    words = {c.name: set(r.naming.column(table, c.name)) for c in r.lexicon.table(table).columns}
    costs = [name for name, said in words.items() if COSTS & said and not OF_ONE & said]
    if len(costs) != 1 or not r.resolver.is_numeric(Col(table, costs[0])):
        return None
    r.take(), r.take()
    r.subject = table
    return Measure("sum", table, costs[0])


def take_how_much(r: Reader) -> None:
    """how much did customers spend; how much did we refund; how much does it weigh"""
    asked = r.take()
    item = r.peek()
    if (
        item is not None
        and item.kind == "verb"
        and item.position == asked.position + len(asked.text.split())
        and not item.columns
    ):
        raise r.not_understood(item)  # "how much rent": a thing, not what somebody does
    if item is not None and item.kind in {"name", "verb"} and item.columns and not _any_superlative(r):
        column = r.resolver.column(item, r.context, numeric=True)
        if column is not None and not (r.resolver.is_money(item.text) and item.tables):
            r.take()
            r.measures.append(Measure("sum", column.table, column.name))
            return
    index = next((n for n, i in enumerate(r.items) if n >= r.at and _brings_money(r, i)), None)
    if index is not None and r.items[index].stem == "mak" and _names_staff(r):
        raise r.not_understood(r.items[index])  # what people make is their wage
    if index is not None:
        r.items.insert(r.at, r.items.pop(index))
        r.measures.append(take_money(r))
        return
    _amount_named_later(r, asked)


def _names_staff(r: Reader) -> bool:
    tables = {m.table for i in r.items for m in (*i.tables, *i.values)}
    words = {w for t in tables for c in r.lexicon.table(t).columns for w in r.naming.column(t, c.name)}
    return bool(words & {"salary", "wage"})


def _amount_named_later(r: Reader, asked: Item) -> None:
    """how much did members pay in fines: the number that is named after the verb"""
    for n, item in enumerate(r.items[r.at :], r.at):
        column = r.resolver.column(item, r.context, numeric=True) if item.kind == "name" and item.columns else None
        if column is not None:
            if not _any_superlative(r):
                del r.items[n]
                r.measures.append(Measure("sum", column.table, column.name))
            return
    amount = _amount_billed(r) or _amount_done(r)
    if amount is None or _any_superlative(r):
        raise r.not_understood(asked)
    r.measures.append(Measure("sum", amount.table, amount.name))


def _amount_billed(r: Reader) -> Col | None:
    """how much did we invoice: the amount of the things that the verb is called as"""
    item = r.peek()
    table = r.resolver.table(item) if item is not None and item.kind == "name" and not item.values else None
    if item is None or table is None or singular(item.text.lower()) != item.text.lower():
        return None
    amount = main_amount(r, table)
    if amount is not None:
        r.take()
    return amount


def name_amounts(r: Reader) -> None:
    """Read "billing" and "invoicing" as the sum of what bills and invoices amount to; else leave it unknown."""
    for n, item in enumerate(r.items):
        table = r.resolver.table(item) if item.kind == "name" and not item.values else None
        word = item.text.lower()
        if table is None or not word.endswith("ing") or r.naming.table(table)[-1].endswith("ing"):
            continue
        amount = main_amount(r, table) if stem(word) == stem(r.naming.table(table)[-1]) else None
        if amount is None:
            continue
        column = (Meaning(table, amount.name),)
        named = replace(item, tables=(), columns=column, meanings=column)
        r.items[n : n + 1] = [Item("aggregate", "total", "sum", position=item.position), named]
        r.assumptions.append(f"“{item.text}” is the sum of {table}.{amount.name}.")
        return


def _amount_done(r: Reader) -> Col | None:
    """how much did members pay; how much was collected in fees: the one amount of what was done"""
    for n, item in enumerate(r.items[r.at :], r.at):
        table = r.resolver.table(item) if item.kind == "name" else None
        if table is not None and r.items[n - 1].kind == "in" and r.items[n - 1].text == "in":
            return main_amount(r, table)
    done: set[str] = set()
    for n, item in enumerate(r.items[r.at :], r.at):
        named = [m for _, m in r.lexicon.names_at(split(item.text))] if item.kind == "verb" else []
        dates = tuple(m for m in named if m.column is not None and r.lexicon.column(m.col).kind == "date")
        done |= {m.table for m in dates}
        r.items[n] = replace(item, columns=item.columns or dates)
    return main_amount(r, done.pop()) if len(done) == 1 else None


def _any_superlative(r: Reader) -> bool:
    return any(i.kind == "superlative" for i in r.items[r.at :])


def _brings_money(r: Reader, item: Item) -> bool:
    if item.kind not in {"name", "verb", "unknown"}:
        return False
    exact = any(m.score >= EXACT and r.lexicon.column(m.col).kind == "number" for m in item.columns)
    return not exact and (
        r.resolver.is_money(item.text) or (item.kind == "verb" and item.stem in SOLD | {"bring", "mak", "tak"})
    )


def asks_what_was_made(r: Reader) -> bool:
    """Whether "how much did we make" is asked: of what sales brought in, where it names nothing else."""
    return any(i.kind == "how much" for i in r.items) and any(_brings_money(r, i) for i in r.items)


def main_amount(r: Reader, table: str) -> Col | None:
    """Return the one amount of money that a thing has: what "orders over 500" are over."""
    words = {c.name: r.naming.column(table, c.name) for c in r.lexicon.table(table).columns if c.kind == "number"}
    found = [name for name, said in words.items() if said[-1] in _AMOUNTS]
    if len(found) != 1 or PEOPLE & set(r.naming.table(table)):
        return None
    return Col(table, found[0])


def called_amount(r: Reader, table: str) -> Col | None:
    """Return the column that is called amount and no more, where a thing has other money beside it, like a tax."""
    called = [c.name for c in r.lexicon.table(table).columns if r.naming.column(table, c.name) == ("amount",)]
    return Col(table, called[0]) if called else None


def wage_of(r: Reader, verb: Item) -> Col | None:
    """Return the column of what people earn, where the question is about people who do."""
    return r.resolver.degree("paid", r.context) if verb.stem == "earn" else None


def sold_of(r: Reader, measure: Measure) -> Measure:
    """Return what a count means where something was sold: pieces where the sales know their quantity."""
    daily = counted_daily(r, measure)
    if daily != measure:
        return daily
    if any(i.kind == "not" for i in r.items) or PEOPLE & set(r.naming.table(measure.table)):
        return measure
    if not any(i.kind == "verb" and i.stem in SOLD for i in r.items):
        return measure
    pieces = r.resolver.pieces(measure.table) if measure.function == "count" else None
    pieces = pieces or _pieces_of_lines(r, measure)
    if pieces is None:
        return measure
    r.assumptions.append(f"What was sold is the sum of {pieces.table}.{pieces.column}.")
    return pieces


def _pieces_of_lines(r: Reader, measure: Measure) -> Measure | None:
    """Return how many pieces one flat file's lines sold: "how many mugs did we sell", but not how many lines."""
    quantity, things = r.resolver.quantity(measure.table), {"product", "item", "article", "good"}
    if quantity is None or r.subject_named or measure.function not in {"count", "distinct"}:
        return None
    if measure.column is not None and not things & set(r.naming.column(measure.table, measure.column)):
        return None
    flat = len(r.lexicon.catalog.tables) == 1 and r.resolver.money_of(measure.table) is not None
    return Measure("sum", measure.table, quantity) if flat and not any(i.kind == "distinct" for i in r.items) else None


def is_added(r: Reader, column: Col) -> bool:
    """Whether a number is added up wherever it is asked for by month or by kind."""
    words = set(r.naming.column(column.table, column.name))
    if NOT_ADDED & words or not r.resolver.is_numeric(column):
        return False
    daily = counted_daily(r, Measure("count", column.table)) == Measure("sum", column.table, column.name)
    return daily or bool(ADDED & words) or (bool(COSTS & words) and not OF_ONE & words) or is_flow(r, column)


def is_flow(r: Reader, column: Col) -> bool:
    """Whether rows of one flat file add to a number, as trips do to a month's tips: it is said that they are added."""
    words, flat = set(r.naming.column(column.table, column.name)), len(r.lexicon.catalog.tables) == 1
    plain = not (NOT_ADDED | OF_ONE | {"average", "mean"}) & words and r.resolver.is_numeric(column)
    flows = bool(FLOWS & words) or unit_of(column.name) in {"min", "mins", "kwh", "mwh", "kcal"}
    return flat and plain and flows and not ADDED & words


def counted_daily(r: Reader, measure: Measure) -> Measure:
    """Return the measure, or the sum of what a table counts for each day: of visits the visitors."""
    table = r.lexicon.table(measure.table)
    keyed_by_day = any(c.kind == "date" and c.name in table.primary_key for c in table.columns)
    numbers = [
        c for c in table.columns if c.kind == "number" and not any(c.name in key.columns for key in table.foreign_keys)
    ]
    if measure.function != "count" or not keyed_by_day or len(numbers) != 1 or numbers[0].name in table.primary_key:
        return measure
    own, said = r.naming.table(table.name)[-1], r.naming.column(table.name, numbers[0].name)[-1]
    if min(len(own), len(said)) < 5 or own[:5] != said[:5]:
        return measure
    r.assumptions.append(f"What is counted is the sum of {table.name}.{numbers[0].name}.")
    return Measure("sum", table.name, numbers[0].name)


def brought_in(r: Reader) -> Measure | None:
    """Return the revenue that the best of the subject's rows are ranked by, and say so."""
    found = r.resolver.money((r.subject,))
    if found is None or found.table == r.subject:
        return None
    parts = " times ".join(f"{found.table}.{c}" for c in (found.column, found.times) if c)
    r.assumptions.append(f"The ranking of {r.naming.say_table(r.subject)} goes by revenue, the sum of {parts}.")
    return replace(found, said="revenue")


def sold_in_file(r: Reader) -> Measure | None:
    """Return how many pieces of a flat file's products were sold, or what its shops brought in, and say which."""
    column = r.columns[0] if len(r.columns) == 1 and r.lexicon.is_flat else None
    found, things = r.resolver.money_of(r.subject), {"product", "item", "article", "good"}
    if column is None or r.lexicon.column(column).kind != "text" or found is None or r.measures or r.groups:
        return None
    what, pieces = r.naming.say_column(column.table, column.name), r.resolver.quantity(column.table)
    if pieces is not None and things & set(r.naming.column(column.table, column.name)):
        number = r.naming.say_column(column.table, pieces)
        r.assumptions.append(f"The {r.naming.many(what)} are ranked by the {number} that was sold.")
        return Measure("sum", column.table, pieces)
    r.assumptions.append(f"The {r.naming.many(what)} are ranked by revenue.")
    return replace(found, said="revenue")


def sold_lines(r: Reader) -> str | None:
    """Return the table whose rows are sales of the subject's rows."""
    found = r.resolver.pieces(r.subject) or r.resolver.money((r.subject,))
    return found.table if found is not None and found.table != r.subject else None
