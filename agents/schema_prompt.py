"""Describes the tables that were found to a model, within a budget of tokens."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.prompts import one_line, tokens_in
from tools.catalog import Catalog, Column, Dialect, Found, SavedQuestion, Table, Term, Value
from tools.recent import Recent

log = logging.getLogger("quaestor.prompt")

DESCRIPTION_LONGEST = 200
SAMPLE_LONGEST = 40
VALUES_SHOWN = 12
VALUES_FOUND_SHOWN = 20
NAME_LONGEST = 130
VALUE_LONGEST = 100
LEFT_OUT_TOKENS = 10
"""What the line about columns left out fills, at most."""

_SIMPLE_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_HEAD = re.compile(r"(?:table|view) (.+?)(?: \(\d+ rows\))?(?: -- .*)?\Z")
_WORD = re.compile(r"[^\W_]{3,}")

_TOLD: Recent[tuple[Table, str, dict[str, str]]] = Recent(1_000)
"""The lines of tables, by dialect and name."""


@dataclass
class _Described:
    """A table on its way into the prompt: its lines."""

    table: Table
    head: str
    lines: dict[str, str]
    """By column name, in the table's order."""
    left_out: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(map(tokens_in, self._lines()))

    def text(self) -> str:
        return "\n".join(self._lines())

    def leave_out(self, name: str) -> int:
        """Return how many tokens it saves; the first one brings the line that says so."""
        self.left_out.append(name)
        return tokens_in(self.lines.pop(name)) - (LEFT_OUT_TOKENS if len(self.left_out) == 1 else 0)

    def _lines(self) -> Iterator[str]:
        yield self.head
        yield from self.lines.values()
        if self.left_out:
            yield f"  (and {len(self.left_out)} more columns)"


def describe_tables(found: Found, question: str, dialect: Dialect, room: int) -> str:
    """Return the tables, nearest first, a line for each and one for each column, in at most about `room` tokens.

    Where they do not fit, columns go first that are no key, that the search did not find, and that share no word
    with the question, then tables from the end, then columns of the first table from its end. What was left out
    stands in the log.
    """
    tables = [_described(table, dialect) for table in found.tables]
    total = sum(t.tokens for t in tables)
    near = _words(question) if total > room else set()
    for table in reversed(tables):
        for name in _spare(table.table, near, found) if total > room else ():
            if total <= room:
                break
            total -= table.leave_out(name)
    gone: list[str] = []
    while total > room and len(tables) > 1:
        total -= tables[-1].tokens
        gone.append(tables.pop().table.name)
    if tables:
        for name in reversed(list(tables[0].lines)):
            if total <= room:
                break
            total -= tables[0].leave_out(name)
    _log_what_is_missing(tables, gone)
    return "\n".join(t.text() for t in tables)


def read_tables(text: str, catalog: Catalog) -> tuple[Table, ...]:
    """Return the catalog's tables that `describe_tables` told of, in its order."""
    by_written = {written_name(table.name, catalog.dialect): table for table in catalog}
    heads = (_HEAD.match(line) for line in text.split("\n"))
    return tuple(by_written[head[1]] for head in heads if head and head[1] in by_written)


def describe_values(values: tuple[Value, ...]) -> str:
    """Return a line of JSON for each value of the data that the question seems to name."""
    return "\n".join(
        json.dumps({"table": v.table, "column": v.column, "value": one_line(v.text, VALUE_LONGEST)}, ensure_ascii=False)
        for v in values[:VALUES_FOUND_SHOWN]
    )


def describe_saved(saved: tuple[SavedQuestion, ...]) -> str:
    """Return a line of JSON for each saved question with its reviewed SQL, and the day its dates count from."""
    told = (
        {"question": s.question, "sql": s.sql, **({"written": s.counts_from.isoformat()} if s.counts_from else {})}
        for s in saved
    )
    return "\n".join(json.dumps(each, ensure_ascii=False) for each in told)


def describe_terms(terms: tuple[Term, ...]) -> str:
    """Return a line of JSON for each word of the glossary: its spellings, its meaning, whether that replaces it."""
    told = ({"words": t.names, "means": t.meaning, "synonym": t.is_synonym} for t in terms)
    return "\n".join(json.dumps(each, ensure_ascii=False) for each in told)


def read_terms(text: str) -> tuple[Term, ...]:
    """Return the terms that `describe_terms` told of."""
    found = (json.loads(line) for line in text.split("\n") if line)
    return tuple(Term(tuple(t["words"]), t["means"], t["synonym"]) for t in found)


def describe_instructions(instructions: tuple[str, ...], room: int) -> str:
    """Return a line for each instruction, the first ones that fill at most about `room` tokens."""
    lines: list[str] = []
    for text in instructions:
        room -= tokens_in(text)
        if room < 0:
            log.info("left %d instructions out of the prompt", len(instructions) - len(lines))
            break
        lines.append(f"- {text}")
    return "\n".join(lines)


def read_values(text: str) -> tuple[Value, ...]:
    """Return the values that `describe_values` told of."""
    found = (json.loads(line) for line in text.split("\n") if line)
    return tuple(Value(v["table"], v["column"], v["value"]) for v in found)


def written_name(name: str, dialect: Dialect) -> str:
    """Return a table's or a column's name as SQL must spell it; `schema.table` is quoted part by part."""
    mark = "`" if dialect == "mysql" else '"'

    def part(text: str) -> str:
        return text if _SIMPLE_NAME.fullmatch(text) else mark + text.replace(mark, mark * 2) + mark

    return one_line(".".join(map(part, name.split("."))), NAME_LONGEST)


def _described(table: Table, dialect: Dialect) -> _Described:
    """Return a table with a line for each column; the lines of one told before are remembered."""
    told = _TOLD.get(f"{dialect} {table.name}")
    if told is None or told[0] is not table:
        told = (table, *_lines_of(table, dialect))
        _TOLD.put(f"{dialect} {table.name}", told)
    return _Described(table, told[1], dict(told[2]))


def _lines_of(table: Table, dialect: Dialect) -> tuple[str, dict[str, str]]:
    kind = "view" if table.is_view else "table"
    count = "" if table.row_count is None else f" ({table.row_count} rows)"
    head = f"{kind} {written_name(table.name, dialect)}{count}{_remark(table.description)}"
    return head, {c.name: _column_line(c, table, dialect) for c in table.columns}


def _spare(table: Table, near: set[str], found: Found) -> list[str]:
    """Return the columns that are neither key nor near the question, the last one first."""
    named = {v.column for v in found.values if v.table == table.name}
    named |= {column for name, column in found.columns if name == table.name}
    keys = _keys(table, found)
    return [
        c.name
        for c in reversed(table.columns)
        if c.name not in keys and c.name not in named and not near & _words(_all_text(c))
    ]


def _column_line(column: Column, table: Table, dialect: Dialect) -> str:
    line = f"  {written_name(column.name, dialect)} {one_line(column.type, 40)}"
    if column.primary_key:
        line += " key"
    for key in table.foreign_keys:
        if column.name in key.columns and len(key.referred) == len(key.columns):
            other = key.referred[key.columns.index(column.name)]
            line += f" -> {written_name(key.table, dialect)}.{written_name(other, dialect)}"
    if column.values:
        shown = ", ".join(_quoted(v, SAMPLE_LONGEST) for v in column.values[:VALUES_SHOWN])
        line += f", one of: {shown}" + (", …" if len(column.values) > VALUES_SHOWN else "")
    elif column.samples:
        line += ", e.g. " + ", ".join(_quoted(s, SAMPLE_LONGEST) for s in column.samples[:3])
    return line + _remark(column.description)


def _remark(description: str) -> str:
    return f" -- {one_line(description, DESCRIPTION_LONGEST)}" if description.strip() else ""


def _quoted(text: str, longest: int) -> str:
    return "'" + one_line(text, longest).replace("'", "''") + "'"


def _keys(table: Table, found: Found) -> set[str]:
    """Return the columns of a table by which it is joined."""
    own = {name for key in table.foreign_keys for name in key.columns}
    referred = {
        name for other in found.tables for key in other.foreign_keys if key.table == table.name for name in key.referred
    }
    return own | referred | set(table.primary_key)


def _all_text(column: Column) -> str:
    return " ".join((column.name, column.description, *column.values[:50], *column.samples))


def _words(text: str) -> set[str]:
    """Return the words of a text, lower case, without the plural's s; `unitPrice` and `unit_price` are two words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return {word.lower().removesuffix("s") for word in _WORD.findall(apart)}


def _log_what_is_missing(tables: list[_Described], gone: list[str]) -> None:
    for table in tables:
        if table.left_out:
            log.info("left %d columns of %s out of the prompt", len(table.left_out), table.table.name)
    if gone:
        log.info("left %d tables out of the prompt: %s", len(gone), ", ".join(gone[:20]))
