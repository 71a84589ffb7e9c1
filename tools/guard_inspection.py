"""Inspects one statement, from its text to its names; everything the guard decides is decided here.

It runs in the guard's worker (tools/guard_worker.py), because sqlglot can be made to take very long.
"""

from __future__ import annotations

import logging

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import TokenType

from errors import SQLRefused
from tools.catalog import Catalog, Dialect
from tools.guard_bombs import check_bombs
from tools.guard_growth import check_growth
from tools.guard_names import Names, Resolver
from tools.guard_premises import Premise, read_premises
from tools.guard_rules import check_beginning, check_calls, check_kind, check_nodes, check_table_texts, check_words
from tools.guard_text import agree, read_text

# It warns of statements that it cannot parse, and quotes them.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

UNREADABLE = "The SQL could not be read as one plain query: write it more simply."


class Inspector:
    """Inspects statements for one database."""

    def __init__(self, dialect: Dialect, catalog: Catalog | None) -> None:
        self._dialect = dialect
        self._grammar = Grammar.get_or_raise(dialect)
        self._names = Names(dialect, catalog)

    def inspect(self, sql: str) -> tuple[str, tuple[str, ...], list[Premise]]:
        """Return the text that may run, the tables it reads and what its answer takes for granted.

        Raises SQLRefused, and nothing else.
        """
        try:
            return self._inspect(sql)
        except SQLRefused:
            raise
        except ParseError as error:
            raise SQLRefused(_parse_complaint(error)) from None
        except (SqlglotError, RecursionError):
            raise SQLRefused(UNREADABLE) from None
        except Exception:
            # Whatever the parser or a rule did not expect is refused: the guard fails closed.
            raise SQLRefused(UNREADABLE) from None

    def _inspect(self, sql: str) -> tuple[str, tuple[str, ...], list[Premise]]:
        sql = sql.strip(" \t\r\n")
        pieces = read_text(sql, self._dialect)
        tokens = self._grammar.tokenize(sql)
        check_beginning(tokens)
        if not agree(pieces, sql, tokens):
            raise SQLRefused(UNREADABLE)
        end = len(sql)
        if tokens and tokens[-1].token_type is TokenType.SEMICOLON:
            end = tokens.pop().start
        check_words(tokens, self._dialect)
        statement = check_kind(self._grammar.parser().parse(tokens, sql), self._dialect)
        nodes = list(statement.walk())  # Once for all the rules: a walk takes longer than most of them.
        check_nodes(nodes, self._dialect)
        check_calls(tokens, nodes, self._dialect)
        check_table_texts(nodes, sql)
        tables = Resolver(self._names, sql).resolve(statement, nodes)
        check_bombs(nodes, self._dialect)
        check_growth(statement)
        return sql[:end].rstrip(" \t\r\n"), tables, _premises(statement)


def _premises(statement: exp.Expr) -> list[Premise]:
    """Return what people read of the statement. It decides nothing, so what it does not expect refuses nothing."""
    try:
        return read_premises(statement)
    except Exception:
        return []


def _parse_complaint(error: ParseError) -> str:
    first = error.errors[0] if error.errors else {}
    line, column = first.get("line"), first.get("col")
    if line is None or column is None:
        return UNREADABLE
    return f"The SQL could not be read near line {line}, column {column}: only plain queries (SELECT) are allowed."
