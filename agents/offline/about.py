"""Answers what is asked about the database itself, and what is only said to be polite."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from agents.offline.english.words import split
from agents.offline.meaning.lexicon import SYNONYM, Lexicon
from agents.offline.sql.frame import Names
from tools.catalog import Table

TABLES_ASKED = "What tables are there?"

_COUNTED = 1_000_000
"""Rows up to which a table is counted anew; of a larger one the number that is known is told."""
_LISTED = 200
"""Tables, or columns of one, that are listed at most."""
_NAMED = 3

_WHERE = re.compile(
    r"(?: (?:(?:in|of|inside|within) (?:(?:this|the|your|our|my) )?(?:database|db|schema|data|system)|here|there"
    r"|available|are there|are|is there|is|exist|do (?:you|we) have|can i (?:ask|query)(?: you)?(?: about)?))+$"
)
"""The end of "which tables are there in this database"."""
_TABLES = re.compile(
    r"""(?: (?:(?:what|which|how\ many|number\ of|all|list|show|give|see|display)\ )?(?:me\ )?(?:all\ )?tables
    | (?:(?:show|list|give|see|display)\ )?(?:me\ )?(?:database\ )?(?:schema|data\ model)
    | (?:what\ is|whats|what\ do\ you\ have)\ (?:in|inside)\ (?:(?:this|your|our|my)\ )?(?:database|db|data|dataset)
    | (?:describe|explain|show|tell\ me\ about)\ (?:me\ )?(?:(?:this|your|our|my)\ )?(?:database|db|schema|dataset)
    | (?:what|which)\ (?:data|information|info|topics) )""",
    re.VERBOSE,
)
_COLUMNS = re.compile(
    r"""(?: (?:describe|explain)\ (?P<a>.+)
    | (?:schema|structure|columns|fields)\ (?:of|in|for)\ (?P<b>.+)
    | (?:show|list|give)(?:\ me)?(?:\ all)?\ (?:schema|structure|columns|fields)\ (?:of|in|for)\ (?P<c>.+)
    | (?:what|which)\ (?:columns|fields|attributes)\ (?:does|do|has|have|are\ in|are\ there\ in|is\ in)\ (?P<d>.+?)
      (?:\ (?:have|contain))?
    | (?:what\ is|whats)\ in\ (?P<e>.+\ table)
    | what\ does\ (?P<f>.+?)\ (?:contain|hold)
    | what\ do\ (?:you|we)\ know\ about\ (?P<g>.+)
    | what\ (?:data|information|info)\ do\ (?:you|we)\ have\ (?:on|about)\ (?P<h>.+)
    )""",
    re.VERBOSE,
)
_HELLO = re.compile(
    r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))"
    r"(?: (?:hi|hello|there|quaestor|all|again))*"
)
_THANKS = re.compile(
    r"(?:ok(?:ay)? )?(?:thanks|thank you|thx|cheers|many thanks)(?: (?:a lot|so much|very much|again))?"
)
_ABLE = re.compile(
    r"""(?: (?:(?:can|could)\ you\ )?help(?:\ me)?(?:\ out)? | i\ need\ help | (?:who|what)\ are\ you
    | how\ (?:do|does|can|should)\ (?:i|we|this|it|you)\ (?:use|work|start|begin)(?:\ (?:this|it|you))?
    | what\ (?:can|could|do|should|may)\ (?:you|i|we)\ (?:do|ask|answer|tell\ me|help\ (?:me\ )?with)
      (?:\ (?:you|here|for\ me|this))*(?:\ about)?
    | (?:tell|show)\ me\ what\ (?:you|i|we)\ can\ (?:do|ask)(?:\ you)?
    | (?:what|which)\ (?:(?:kind|kinds|sort|sorts|type|types)\ of\ )?questions?
      \ (?:can|could|should|may|do)\ (?:i|we|you)\ (?:ask|answer|understand)(?:\ (?:you|here))*
    | (?:give|show)\ me\ (?:some\ )?(?:example|sample)(?:s|\ questions)
    | can\ i\ ask\ (?:you\ )?(?:a\ question|something|questions)
    | what\ is\ (?:this|quaestor) | whats\ this | start | where\ do\ (?:i|we)\ (?:start|begin) )""",
    re.VERBOSE,
)
_GREETED = re.compile(rf"^{_HELLO.pattern} (?=.)")
"""A greeting before what is asked."""
_FILLERS = re.compile(r"^(?:(?:so|and|ok|okay|please|well|then) )+|(?: (?:please|then|exactly|thanks|thank you))+$")
_POLITE = re.compile(r"\b(?:please|pls|can you|could you|just|me the|the)\b")


@dataclass(frozen=True)
class About:
    """What is said in answer: rows by a query, or words where there is none."""

    words: str = ""
    sql: str = ""


def about(text: str, lexicon: Lexicon) -> About | None:
    """Return the answer to what is no question about the rows: which tables there are, what they hold, a greeting."""
    said = " ".join(re.sub(r"[^\w\s]", " ", re.sub(r"['\u2019]s\b", " is", text.lower())).split())
    if _HELLO.fullmatch(said):
        return About(f"Hello. {_able(lexicon)}")
    hello, said = ("Hello. " if _GREETED.match(said) else ""), _GREETED.sub("", said)
    if _THANKS.fullmatch(said):
        return About("You are welcome. Here is what else can be asked.")
    if _ABLE.fullmatch(_FILLERS.sub("", said)):
        return About(hello + _able(lexicon))
    plain = " ".join(_POLITE.sub(" ", said.replace("me the", "me")).split())
    asks_for_tables = any(map(_TABLES.fullmatch, (plain, _WHERE.sub("", plain))))
    if asks_for_tables and not _is_name("table", lexicon):
        return About(sql=_tables(lexicon))
    if (found := _COLUMNS.fullmatch(plain)) and (table := _table(found, lexicon)) and not _is_name("column", lexicon):
        return About(sql=_columns(lexicon, table))
    return None


def _able(lexicon: Lexicon) -> str:
    tables = sorted((t for t in lexicon.catalog if not t.is_view), key=lambda t: -(t.row_count or 0))
    named = ", ".join(lexicon.naming.say_table(t.name) for t in tables[:_NAMED])
    more = f" and {len(tables) - _NAMED} more" if len(tables) > _NAMED else ""
    return (
        f"I answer questions about this database: {named}{more}. Ask in plain English how many or how much there is, "
        "which are the highest, or how something developed; I show the query and the rows. I cannot change anything."
    )


def _is_name(word: str, lexicon: Lexicon) -> bool:
    """Whether the database itself knows tables or columns, as a restaurant does."""
    return any(m.score >= SYNONYM for _, m in lexicon.names_at(split(word)))


def _table(found: re.Match[str], lexicon: Lexicon) -> Table | None:
    said = next(filter(None, found.groups()))
    words = split(re.sub(r" table$|^table | records?$| rows$|^(?:our|your|my|each) ", "", said))
    named = {
        m.table for used, m in lexicon.names_at(words) if used == len(words) and not m.column and m.score >= SYNONYM
    }
    return lexicon.table(named.pop()) if len(named) == 1 else None


def _tables(lexicon: Lexicon) -> str:
    names, described = Names(lexicon.catalog), any(t.description for t in lexicon.catalog)
    rows = []
    for table in list(lexicon.catalog)[:_LISTED]:
        small = table.row_count is not None and table.row_count <= _COUNTED
        known = exp.null() if table.row_count is None else exp.Literal.number(table.row_count)
        row = exp.select(
            exp.alias_(exp.Literal.string(table.name), "table_name"),
            exp.alias_(exp.Count(this=exp.Star()) if small else known, "number_of_rows"),
            *([exp.alias_(exp.Literal.string(table.description), "holds")] if described else []),
        )
        rows.append(row.from_(names.table(table.name, None)) if small else row)
    return _one_below_another(rows, lexicon)


def _columns(lexicon: Lexicon, table: Table) -> str:
    described = any(c.description for c in table.columns)
    rows = [
        exp.select(
            exp.alias_(exp.Literal.string(column.name), "column_name"),
            exp.alias_(exp.Literal.string(column.type), "type"),
            *([exp.alias_(exp.Literal.string(column.description), "holds")] if described else []),
        )
        for column in table.columns[:_LISTED]
    ]
    return _one_below_another(rows, lexicon)


def _one_below_another(rows: Iterable[exp.Select], lexicon: Lexicon) -> str:
    return "\nUNION ALL\n".join(row.sql(dialect=lexicon.catalog.dialect) for row in rows)
