"""Takes the values out of SQL, of types and of a database's complaints, and leaves the names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from tools.catalog import Dialect

BLANK = "?"
"""Stands in SQL where a value stood."""
GONE = "…"
"""Stands in a complaint where a word stood that may have been one."""

_BARE = re.compile(r"[^\W\d_]\w*")
_MARK = re.compile(r"[-+*/%=<>!|&~^@:;,.()\[\]{}]+")
_QUOTED = re.compile(r'["`\[](.*)["`\]]', re.DOTALL)
_WORDS = re.compile(r"\w+")
_ODD = re.compile(r"[^\w\s.,:;'\"()=<>*/_-]")
_SEVERAL_GONE = re.compile(rf"{GONE}(?:\W*{GONE})+")

# What databases, drivers and the guard say of statements, whatever the data is.
_VOCABULARY = frozenset(
    """
    a about above across add added additional aggregate aggregates alias aliases all allowed alone already ambiguous
    an and another any apply are argument arguments array as ask at backslash base be because before begin beginning
    belongs below between bigint bind binder bit blob bool boolean both bound bounds braces builds but by byte call
    called calls can candidate candidates cannot case cast casted casting casts catalog catalogue cf char character
    characters check checked clause clauses close column columns comment compare comparison complaint complete
    compute computed concat condition constant constraint contain contains control conversion convert converted
    copies correct correlated could count create cross cte dashes data database date dates datetime decimal deep
    deepest default defined depth detail did dimension disk distinct divide division do does dollar domain dot
    double duplicate each either element empty end ends entry equality error errors escape escapes exceeded exceeds
    except executable exist exists exp expected expects explicit expression expressions extract failed far fewer
    field fields file files filter filtered first flatter float follow for form format found from full function
    functions further give given greater group grouped grouping has have having here hint hints hold holds hour id
    identifier if implicit implicitly in incompatible incomplete incorrect index inner input inside instance instead
    int integer intersect interval into invalid invoked is it its itself join joined joins json just key keyword
    known knows lateral left length less let like limit limits line list literal locking long longer looks lost
    lower made make malformed many mark marks match matches maximum may maybe mean meant member members memory
    message minus mode month more most multiple multiplies multiply must mysql name named names natural near need
    needed needs nest nested nests never no nodes non none not nothing null number numbers numeric of off offset on
    once one only operand operands operation operator optimizer or order ordinal out outer output outside over
    overflow own parameter parameters parentheses parse parser part partition parts path perhaps plain plainer
    plpgsql point position postgresql precision prefix prepared previous procedure provide qualified qualify queries
    query quotation quote quoted range read reading reads real reason recursion recursive reference referenced
    references regular relation remove repeats repetition repetitions required reserved result results return
    returned returns right row rows run same scalar schema scope searches second select self send series session set
    several shorter should shown side sign signature signs simply single smallint so some space specified specify
    sql standard stands statement step steps string strings subqueries subquery such sum support supported supports
    symbol syntax system table tables take takes target temporary terminated text texts than that the their them
    there this through time timed times timestamp timestamptz to token too took truncated try tuple twice two type
    types typographic unable unclosed under unexpected unicode union unique unknown unquoted unrecognized
    unsupported unterminated upper usage use used user using valid value values varchar variables varying version
    view views was week were when where which while whose window with within without word would write written wrong
    year you your zero zone
    """.split()
)


def blank_sql(sql: str, dialect: Dialect, names: Collection[str]) -> str:
    """Return the SQL with `?` for every value and without comments; empty where it cannot be read.

    What stays is known, not what goes: words without quotes, marks, and `names`, with quotes or without. SQLite takes
    an unknown name in quotes for a text.
    """
    try:
        return " ".join(_parts(sql, dialect, names))
    except TokenError:
        return ""


def texts_in(sql: str, dialect: Dialect) -> list[str]:
    """Return the texts that stand as values in the SQL. Raises TokenError."""
    return [token.text for token in sqlglot.tokenize(sql, read=dialect) if "STRING" in token.token_type.name]


def blank_type(type_: str) -> str:
    """Return a column's type without the values that it lists: `ENUM('new','paid')` is ENUM."""
    return type_.partition("(")[0].strip() if "'" in type_ or '"' in type_ else type_


def blank_complaint(text: str, sql: str, names: Collection[str]) -> str:
    """Return the complaint with those words only that the SQL or `names` hold, or that complaints are made of.

    Databases put values into their complaints ('invalid input syntax for type date: "…"'), with quotes and without, and
    a value may hold quotes itself: so it is words that are known, not values.
    """
    known = _VOCABULARY.union(*map(_words, (sql, *names)))
    told = _WORDS.sub(lambda word: word[0] if word[0].casefold() in known else GONE, text)
    return _SEVERAL_GONE.sub(GONE, _ODD.sub(lambda mark: mark[0] if mark[0] == GONE else "", told))


def _parts(sql: str, dialect: Dialect, names: Collection[str]) -> Iterator[str]:
    number_ends = -1
    for token in sqlglot.tokenize(sql, read=dialect):
        part = sql[token.start : token.end + 1]
        quoted = _QUOTED.fullmatch(part)
        is_name = part in names or (quoted is not None and quoted[1] in names)
        is_text = "STRING" in token.token_type.name
        # Of 0xFF, not every dialect's tokens know that it is one number.
        is_bare = _BARE.fullmatch(part) and token.start != number_ends
        yield part if not is_text and (is_name or is_bare or _MARK.fullmatch(part)) else BLANK
        number_ends = token.end + 1 if token.token_type is TokenType.NUMBER else -1


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORDS.findall(text)}
