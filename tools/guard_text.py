"""Refuses SQL text that two readers could take differently, before any parser sees it.

A parser and a database must agree on where a string, a quoted name or a comment ends; where they do not, the
guard checks one statement and the database runs another. So the text is cut up here by a small lexer of our own,
whatever is ambiguous is refused, and `agree` compares the cut with sqlglot's tokens afterwards.

Sources: the lexical chapters of the manuals of SQLite ("SQL Language Expressions"), PostgreSQL (4.1 "Lexical
Structure"), MySQL (9.1 "Literal Values", 9.7 "Comments") and DuckDB ("Literal Types").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from sqlglot.tokenizer_core import Token, TokenType

from errors import SQLRefused
from tools.catalog import Dialect

MAX_CHARACTERS = 20_000
MAX_DEPTH = 60
"""Parentheses, brackets and braces inside one another; sqlglot needs some Python frames for each."""

_LOST = "so it cannot be told for certain how the database reads it"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")

# Each alternative takes a whole piece; possessive quantifiers keep the time linear in the text.
_COMMON = r"""
(?P<space>[ \t\r\n]++)
|(?P<hint>/\*[!+]|/\*M!)
|(?P<block>/\*(?:(?!\*/)(?!/\*)[\s\S])*+\*/)
|(?P<nested>/\*)
"""
_LINE_COMMENT = r"|(?P<line>--[^\n]*+)"
_PLAIN_STRING = r"|(?P<string>'(?:[^']|'')*+')"
_DOUBLE_NAME = r'|(?P<name>"(?:[^"]|"")*+")'
_REST = r"""
|(?P<unicode_escape>[uU]&['"])
|(?P<word>[^\W\d](?:\w)*+)
|(?P<open>[(\[{])|(?P<close>[)\]}])
|(?P<unclosed>['"`])
|(?P<sign>[0-9.,;=<>+*/%|&^~!?:@\#-])
|(?P<stray>[\s\S])
"""
_BACKSLASH_STRINGS = r"""|(?P<string>'(?:[^'\\]|''|\\[\s\S])*+'|"(?:[^"\\]|""|\\[\s\S])*+")"""
_BACKTICK_NAME = r"|(?P<name>`(?:[^`]|``)*+`)"
_MYSQL_COMMENT = r"|(?P<line>--(?=[ \t\r\n]|\Z)[^\n]*+|\#[^\n]*+)|(?P<bare_dashes>--)"


def _lexer(*parts: str) -> re.Pattern[str]:
    return re.compile(_COMMON + "".join(parts) + _REST, re.VERBOSE)


_ESCAPE_STRING = r"|(?P<string>(?:[eE]'(?:[^'\\]|''|\\[\s\S])*+')|(?:'(?:[^']|'')*+'))"
_LEXERS: dict[Dialect, re.Pattern[str]] = {
    "sqlite": _lexer(_LINE_COMMENT, _PLAIN_STRING, r"""|(?P<name>"(?:[^"]|"")*+"|`(?:[^`]|``)*+`|\[[^\]\[]*+\])"""),
    "duckdb": _lexer(_LINE_COMMENT, _ESCAPE_STRING, _DOUBLE_NAME),
    "postgres": _lexer(_LINE_COMMENT, _ESCAPE_STRING, _DOUBLE_NAME),
    "mysql": _lexer(_MYSQL_COMMENT, _BACKSLASH_STRINGS, _BACKTICK_NAME),
}
# What MySQL reads when its sql_mode has NO_BACKSLASH_ESCAPES.
_MYSQL_PLAIN = _lexer(_MYSQL_COMMENT, r"""|(?P<string>'(?:[^']|'')*+'|"(?:[^"]|"")*+")""", _BACKTICK_NAME)

_COMPLAINTS = {
    "hint": "Executable comments and optimizer hints (/*! … */, /*+ … */) are not allowed: remove the comment.",
    "nested": "A comment is nested or not closed: remove the comment.",
    "unicode_escape": "Names and strings with Unicode escapes (U&) are not allowed: write the characters themselves.",
    "unclosed": "A quotation mark is not closed: write a quote inside a text twice, as in 'it''s'.",
    "bare_dashes": "Two dashes without a space after them are read as a comment or as two minus signs: add a space.",
}


@dataclass(frozen=True)
class Pieces:
    """Where the quoted parts of a statement stand, and how much code there is beside them."""

    quoted: tuple[tuple[int, int], ...]
    """First and last offset of each string or quoted name, in order."""
    code: int
    """Characters of code: neither space, nor comment, nor quoted."""


def read_text(sql: str, dialect: Dialect) -> Pieces:
    """Return the pieces of the text; raises SQLRefused where they cannot be told for certain."""
    if len(sql) > MAX_CHARACTERS:
        raise SQLRefused(f"The SQL is longer than {MAX_CHARACTERS:,} characters: ask for less at once.")
    if found := _CONTROL.search(sql):
        raise SQLRefused(
            f"The SQL holds the control character U+{ord(found[0]):04X}, {_LOST}:"
            " only spaces, tabs and line ends are allowed."
        )
    pieces = _cut(sql, _LEXERS[dialect])
    if dialect == "mysql" and "\\" in sql:
        _refuse_two_readings(sql, pieces)
    return pieces


def agree(pieces: Pieces, sql: str, tokens: Sequence[Token]) -> bool:
    """Whether sqlglot's tokens quote the same parts of the text and cover the same code."""
    quoted = []
    code = 0
    for token in tokens:
        # 0x1f and 0b01 are such tokens too, without quotes.
        if token.token_type in _QUOTED_TOKENS and sql[token.end] in "'\"`]":
            quoted.append((token.start, token.end))
        else:
            piece = sql[token.start : token.end + 1]
            code += len(piece) if piece.isalnum() else len("".join(piece.split()))
    if len(quoted) != len(pieces.quoted):
        return False
    # A token of sqlglot begins at its prefix (x'…', e'…'), which is code to our lexer.
    prefixes = 0
    for (start, end), (token_start, token_end) in zip(pieces.quoted, quoted, strict=True):
        if end != token_end or not 0 <= start - token_start <= 1:
            return False
        prefixes += start - token_start
    return code + prefixes == pieces.code


_QUOTED_TOKENS = frozenset(
    {
        TokenType.STRING,
        TokenType.IDENTIFIER,
        TokenType.BYTE_STRING,
        TokenType.HEX_STRING,
        TokenType.BIT_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.RAW_STRING,
        TokenType.UNICODE_STRING,
        TokenType.HEREDOC_STRING,
    }
)


def _cut(sql: str, lexer: re.Pattern[str]) -> Pieces:
    quoted: list[tuple[int, int]] = []
    code = depth = 0
    for piece in lexer.finditer(sql):
        kind = piece.lastgroup or "stray"
        match kind:
            case "word":
                if not piece[0].isascii():
                    _check_characters(piece[0])
                code += piece.end() - piece.start()
            case "space":
                pass
            case "sign" | "open" | "close":
                code += 1
                depth += (kind == "open") - (kind == "close")
                if depth > MAX_DEPTH:
                    raise SQLRefused(f"The SQL nests more than {MAX_DEPTH} parentheses: write it flatter.")
            case "string":
                quoted.append((piece.start(), piece.end() - 1))
            case "name":
                _check_characters(piece[0])
                quoted.append((piece.start(), piece.end() - 1))
            case "line" | "block":
                _check_characters(piece[0])
            case "stray":
                _refuse_character(piece[0])
            case _:
                raise SQLRefused(_COMPLAINTS[kind])
    return Pieces(tuple(quoted), code)


def _refuse_two_readings(sql: str, escaped: Pieces) -> None:
    try:
        plain = _cut(sql, _MYSQL_PLAIN)
    except SQLRefused:
        return  # Only one reading makes sense of the text.
    if plain != escaped:
        raise SQLRefused(f"A backslash stands before a quotation mark, {_LOST}: write the quote twice instead.")


# Separators other than the plain space, controls, formats (zero-width, direction marks), private and unassigned.
_ODD = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"})
# Letters by their category, blank on the page.
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"


def _check_characters(text: str) -> None:
    """Raise SQLRefused where a name or a comment holds a character that some reader may take for a space or an end."""
    if text.isascii():
        return
    for character in text:
        if not character.isascii() and (character in _BLANK_LETTERS or unicodedata.category(character) in _ODD):
            _refuse_character(character)


_CURLY_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00b4"


def _refuse_character(character: str) -> NoReturn:
    if character in _CURLY_QUOTES:
        raise SQLRefused("The SQL holds a typographic quotation mark: use the plain ' and \".")
    if character == "$":
        raise SQLRefused("Dollar signs are not allowed outside of texts and quoted names: quote the text with '…'.")
    shown = f" ({character})" if character.isprintable() and not character.isspace() else ""
    raise SQLRefused(
        f"The SQL holds the character U+{ord(character):04X}{shown} outside of a text, {_LOST}: remove it."
    )
