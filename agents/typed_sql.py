"""Tells SQL that a person typed from a question in words, without parsing it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

LONGEST = 20_000
"""Characters. A longer text is not looked at."""

_NAME = r"[\w\"`\[\].]+"

# How every statement but a SELECT begins. "delete all customers" and "update prices" are orders in words.
_BEGINNINGS = re.compile(
    rf"""(?:
      insert\s+(?:or\s+\w+\s+)?into\s+{_NAME}\s*(?:\(|select\b|values\b|default\b)
    | replace\s+into\s+{_NAME}
    | update\s+{_NAME}(?:\s+(?:as\s+)?\w+)?\s+set\s+{_NAME}\s*=
    | delete\s+from\s+{_NAME}\s*(?:;|$|where\b|using\b|returning\b)
    | drop\s+(?:table|view|index|schema|database|column|trigger|function)\s+(?:if\s+exists\s+)?{_NAME}\s*
      (?:;|,|$|cascade\b)
    | truncate\s+(?:table\s+)?{_NAME}\s*(?:;|$|cascade\b)
    | alter\s+(?:table|view|role|user|database)\s+{_NAME}\s+\w
    | create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unique\s+)?(?:table|view|index|function|trigger|role|user)\s+
      (?:if\s+not\s+exists\s+)?{_NAME}\s*(?:\(|as\b|on\b|with\b)
    | with\s+(?:recursive\s+)?{_NAME}\s*(?:\([^)]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(
    | values\s*\(
    | (?:grant|revoke)\s+\w+(?:\s*,\s*\w+)*\s+on\s+{_NAME}\s+(?:to|from)\s
    | merge\s+into\s+{_NAME}
    | copy\s+(?:{_NAME}|\([^)]*\))\s+(?:to|from)\s
    | pragma\s+\w+\s*(?:[(=;]|$)
    | attach\s+(?:database\s+)?'
    | call\s+{_NAME}\s*\(
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/|\()+", re.DOTALL)
_EXPLAIN = re.compile(r"\Aexplain\s+(?:query\s+plan\s+|analyze\s+|verbose\s+|\([^)]*\)\s*)*", re.IGNORECASE)

_SQL_MARKS = {
    TokenType.STAR,
    TokenType.EQ,
    TokenType.NEQ,
    TokenType.LT,
    TokenType.GT,
    TokenType.LTE,
    TokenType.GTE,
    TokenType.DOT,
    TokenType.SEMICOLON,
    TokenType.L_PAREN,
    TokenType.WHERE,
    TokenType.GROUP_BY,
    TokenType.ORDER_BY,
    TokenType.JOIN,
    TokenType.LIMIT,
}


_SESSION_WORDS = (
    TokenType.CURRENT_USER,
    TokenType.SESSION_USER,
    TokenType.CURRENT_ROLE,
    TokenType.CURRENT_SCHEMA,
    TokenType.CURRENT_CATALOG,
    TokenType.CURRENT_DATE,
    TokenType.CURRENT_TIME,
    TokenType.CURRENT_TIMESTAMP,
)
# Names in MySQL, which the standard's tokens do not know as quoted.
_BACKTICKS = re.compile(r"`[^`\n]+`")


def looks_like_sql(text: str) -> bool:
    """Return whether the text is meant as a statement: "select name from customers", not "select the best product".

    It need not be valid, or allowed: that is for the guard to say.
    """
    if len(text) > LONGEST:
        return False
    statement = _EXPLAIN.sub("", _COMMENTS.sub("", text, count=1), count=1)
    if _BEGINNINGS.match(statement):
        return True
    return statement[:6].lower() == "select" and _is_select(statement)


def _is_select(statement: str) -> bool:
    try:
        tokens: Sequence[Token] = Tokenizer().tokenize(_BACKTICKS.sub('"x"', statement))
    except TokenError:  # A quote that does not end, as in "what's".
        return False
    kinds = [token.token_type for token in tokens]
    if len(kinds) < 2 or kinds[0] != TokenType.SELECT or statement.rstrip().endswith("?"):
        return False
    if TokenType.FROM not in kinds:  # SELECT 1, SELECT now(), SELECT 'x'
        is_call = len(kinds) > 2 and kinds[2] == TokenType.L_PAREN
        return is_call or kinds[1] in (TokenType.NUMBER, TokenType.STRING, TokenType.L_PAREN, *_SESSION_WORDS)
    # Words in a row: SQL has two at most (a table and its short name), and prose has few of SQL's marks.
    longest = _longest_run(kinds)
    if _SQL_MARKS & set(kinds):
        return longest <= 2
    # Quoted names and words of the session are no words in a row.
    return longest == 1 or (longest == 0 and kinds[1] in (TokenType.IDENTIFIER, *_SESSION_WORDS))


def _longest_run(kinds: Sequence[TokenType]) -> int:
    longest = run = 0
    for kind in kinds:
        run = run + 1 if kind == TokenType.VAR else 0
        longest = max(longest, run)
    return longest
