"""Checks a parsed statement: its kind, every node in it, and every word that stands before a parenthesis.

Two nets lie over one another, because a tree alone forgets how a function was written: sqlglot reads many names
into one node. The first looks at each node of the tree, the second at the tokens, and both know only what is
allowed. Source of the shapes: sqlglot 30.30, `expressions/` and `parser.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlglot import exp
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from errors import SQLRefused
from tools.catalog import Dialect
from tools.guard_functions import BOUNDED, FUNCTIONS, TABLE_FUNCTIONS
from tools.guard_nodes import NODES, PARTS, TYPES
from tools.guard_reserved import check_table_name

MAX_TYPE_DEPTH = 5
"""`DECIMAL(DECIMAL(…` and `ARRAY[ARRAY[…` cost sqlglot twice the time per level: they are checked before it parses."""

_SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
_SESSION_WORDS = frozenset(
    """current_user session_user system_user current_role current_catalog current_schema current_database
    current_schemas current_setting""".split()
)

# Words of the grammar that stand before a parenthesis without calling anything.
_GRAMMAR = frozenset(
    """select from where and or not in on as over by having when then else case between like ilike exists any all some
    union except intersect distinct values using filter group join lateral limit offset qualify is xor div escape
    only materialized rollup cube row array interval to regexp rlike glob similar zone symmetric exclude rename
    pivot unpivot columns against within end mod with overlaps index key partition
    decimal numeric dec varchar char character nchar nvarchar varying bit varbit float real double time timestamp
    timestamptz datetime binary varbinary struct map enum string bpchar int integer bigint smallint tinyint
    """.split()
)
_QUANTIFIERS = frozenset({"all", "any", "some"})
_GRAMMAR_PHRASES = frozenset(
    {
        "group by",
        "order by",
        "partition by",
        "grouping sets",
        "within group",
        "similar to",
        "not in",
        "is not",
        "member of",
    }
)
_SAMPLERS = frozenset({"system", "bernoulli", "reservoir", "tablesample", "sample"})

# What the exponential guess looks at: a word that may begin a type, before a parenthesis.
_TYPE_TOKENS = frozenset(Parser.TYPE_TOKENS)
_STRINGS = frozenset(
    {TokenType.STRING, TokenType.HEX_STRING, TokenType.BIT_STRING, TokenType.BYTE_STRING, TokenType.NATIONAL_STRING}
)
_FORBIDDEN_TOKENS = frozenset({TokenType.HEREDOC_STRING, TokenType.UNICODE_STRING, TokenType.RAW_STRING})


_OPERAND_ENDS = _STRINGS | {
    TokenType.VAR,
    TokenType.IDENTIFIER,
    TokenType.NUMBER,
    TokenType.R_PAREN,
    TokenType.R_BRACKET,
}


def check_kind(statements: Sequence[exp.Expr | None], dialect: Dialect) -> exp.Expr:
    """Return the one statement; raises SQLRefused unless there is exactly one and it is a query."""
    found = [s for s in statements if s is not None]
    if not found:
        raise SQLRefused("There is no SQL: write a SELECT.")
    if len(found) > 1:
        raise SQLRefused("Only one statement is allowed: send the first one alone.")
    statement = found[0]
    query = statement
    while isinstance(query, exp.Subquery):
        query = query.this
    kinds: tuple[type[exp.Expr], ...] = (exp.Select, exp.SetOperation, exp.Values)
    if dialect == "duckdb":
        kinds = (*kinds, exp.Pivot)
    if not isinstance(query, kinds):
        raise SQLRefused(f"{_statement_name(statement)} is not allowed: only queries that read (SELECT) are.")
    return statement


def _statement_name(statement: exp.Expr) -> str:
    return type(statement).__name__.upper()


def check_nodes(nodes: Sequence[exp.Expr], dialect: Dialect) -> None:
    """Raise SQLRefused where the tree holds a node, or a part of a node, that no plain query needs."""
    for node in nodes:
        kind = type(node)
        if kind not in NODES:
            raise SQLRefused(_complaint(node))
        if allowed := PARTS.get(kind):
            for part, value in node.args.items():
                if value and part not in allowed:
                    raise SQLRefused(_PART_COMPLAINTS.get(part) or f"{_shown(part)} is not allowed in a query here.")
        if kind is exp.Column:
            _check_column(node, dialect)
            if dialect == "postgres" and node.args.get("table"):
                _check_scalar_row(node, nodes)
        elif kind in _INDEX_PARTS and dialect != "mysql":
            raise SQLRefused(_complaint(node))
        elif kind in (exp.Table, exp.Lateral) and isinstance(node.this, exp.Func):
            _check_table_function(node.this, dialect)
        elif kind in (exp.Table, exp.Lateral) and not node.args.get("db") and isinstance(node.this, exp.Identifier):
            _check_session_word(node.this, dialect)
        elif kind is exp.Dot and dialect == "postgres":
            _check_field(node)
        elif kind is exp.Anonymous and node.name.lower() not in FUNCTIONS[dialect] | _QUANTIFIERS:
            raise SQLRefused(_call_complaint(node.name, dotted=False, quoted=False, known=False))
        elif kind is exp.TableAlias and node.this is None:
            raise SQLRefused("A list of columns stands where a table's alias was expected.")
        elif kind is exp.DataType and node.this not in TYPES and not _is_own_type(node, dialect):
            raise SQLRefused(f"The type {node.sql()} is not allowed: cast to one of the database's own types.")
        elif kind is exp.In and node.args.get("field") is not None:
            _check_in(node.args["field"], dialect)


_PART_COMPLAINTS = {
    "into": "SELECT INTO is not allowed: a query may only read.",
    "locks": "Locking rows (FOR UPDATE, FOR SHARE) is not allowed: a query may only read.",
    "hint": "Optimizer hints are not allowed: remove them.",
    "hints": "Optimizer hints are not allowed: remove them.",
}


def _shown(part: str) -> str:
    return part.strip("_").replace("_", " ").upper()


def _complaint(node: exp.Expr) -> str:
    match node:
        case exp.Parameter() | exp.SessionParameter() | exp.Placeholder():
            return "Variables and parameters are not allowed: write the value itself."
        case exp.Command() | exp.DML() | exp.DDL() if not isinstance(node, exp.Query):
            return f"{_statement_name(node)} is not allowed: only queries that read (SELECT) are."
        case exp.Func():
            return f"The function {node.sql_name()} is not allowed here."
    return f"{type(node).__name__} is not allowed in a query here."


def _check_column(column: exp.Expr, dialect: Dialect) -> None:
    identifier = column.this
    if not isinstance(identifier, exp.Identifier):
        return
    name = identifier.name.lower()
    if dialect == "postgres" and name in _SYSTEM_COLUMNS:
        raise SQLRefused(f"The system column {name} is not allowed.")
    if identifier.args.get("quoted") or column.args.get("table"):
        return
    _check_session_word(identifier, dialect)


def _check_session_word(identifier: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused at a word that calls a function without parentheses; PostgreSQL knows them in FROM too."""
    name = identifier.name.lower()
    if identifier.args.get("quoted"):
        return
    if name in _SESSION_WORDS or (name == "user" and dialect == "postgres"):
        raise SQLRefused(f"{name.upper()} tells about the session, not about the data: it is not allowed.")


_BEGINNINGS = frozenset(
    {TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN, TokenType.FROM, TokenType.PIVOT}
    | {TokenType.UNPIVOT, TokenType.TABLE}
)


def check_beginning(tokens: Sequence[Token]) -> None:
    """Raise SQLRefused unless the first word may begin a query. sqlglot does not cut up what others begin."""
    if not tokens:
        raise SQLRefused("There is no SQL: write a SELECT.")
    if tokens[0].token_type not in _BEGINNINGS:
        shown = tokens[0].text[:40].upper()
        raise SQLRefused(f"{shown} is not allowed: only queries that read (SELECT) are.")


_INDEX_PARTS = (exp.IndexTableHint, exp.Partition)

# PostgreSQL's functions of one argument that do more than compute, and its extensions'.
_DOING = re.compile(
    r"pg_|lo_|reg|to_reg|has_|txid_|ts_|inet_|dblink|crosstab|connectby|xml|xpath|oid|(?:cur|last|next|set)val"
    r"|.*(?:read|writ|file|exec|import|export|http|url|curl|setting|config|sleep|query|send|notif|lock|_xml|descr|_ls"
    r"|sql|cron|priv|user|role|shell|system|load)",
)
_TYPES_REFUSED = re.compile(
    r"pg_|reg|any|.*(?:_handler|trigger)$|(?:oid|oidvector|int2vector|xid|xid8|cid|tid|xml|aclitem|refcursor|cstring"
    r"|internal|record|void|unknown|jsonpath|gtsvector|txid_snapshot)$"
)


def _check_field(dot: exp.Expr) -> None:
    """Raise SQLRefused where `(x).name` may call the function of that name, as it does in PostgreSQL.

    Measured on 18.4: `SELECT ('/etc/hostname'::text).pg_read_file` reads the file. A column's field is let through
    unless a function that does anything is called so.
    """
    field, owner = dot.expression, dot.this
    while isinstance(owner, exp.Paren | exp.Dot):
        owner = owner.this
    name = field.name.lower()
    if isinstance(field, exp.Star) or name in ("key", "value"):
        return
    known = name in FUNCTIONS["postgres"] or _DOING.match(name)
    if known or not isinstance(field, exp.Identifier) or not isinstance(owner, exp.Column):
        raise SQLRefused(f"A field may not be taken with a dot here: (…).{field.name[:60]} could call a function.")


def _check_scalar_row(column: exp.Expr, nodes: Sequence[exp.Expr]) -> None:
    """Raise SQLRefused at `f.name` where f is a function's row: to PostgreSQL a single value, which name() may take."""
    name = column.name.lower()
    if name not in FUNCTIONS["postgres"] and _DOING.match(name) is None:
        return
    for source in nodes:
        if not isinstance(source, exp.Table | exp.Lateral | exp.Unnest | exp.GenerateSeries):
            continue
        if isinstance(source, exp.Table | exp.Lateral) and not isinstance(source.this, exp.Func):
            continue
        alias = source.args.get("alias")
        label = alias.name.lower() if alias is not None else ""
        named = alias is not None and any(c.name.lower() == name for c in alias.args.get("columns") or ())
        if label in ("", column.args["table"].name.lower()) and not named:
            raise SQLRefused(f"The function's row has no column {name[:60]}: name its columns, as in f(…) AS f(a).")


def _is_own_type(node: exp.Expr, dialect: Dialect) -> bool:
    """Whether the type is one that the database's owner made, an enum for instance: a plain name, not a system's."""
    name = node.args.get("kind")
    return (
        dialect == "postgres"
        and node.this == exp.DataType.Type.USERDEFINED
        and isinstance(name, exp.Identifier)
        and not name.args.get("quoted")
        and not node.expressions
        and _TYPES_REFUSED.match(name.name.lower()) is None
    )


# What sqlglot makes of generate_series, range, unnest and json_table; the tokens tell which of them it was.
_TABLE_FUNCTION_NODES = (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.Unnest, exp.Explode, exp.JSONTable)


def _check_table_function(call: exp.Func, dialect: Dialect) -> None:
    if isinstance(call, _TABLE_FUNCTION_NODES) or dialect == "postgres":
        return
    name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
    if name.lower() not in TABLE_FUNCTIONS[dialect]:
        raise SQLRefused(f"The function {name[:60]} is not allowed in FROM.")


def _check_in(field: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused at `x IN t`, where SQLite reads a table; DuckDB reads a list."""
    if dialect != "duckdb":
        raise SQLRefused("IN needs a list or a subquery in parentheses.")
    if isinstance(field, exp.Column):
        check_table_name([part.name for part in field.parts], dialect, known=False)


def check_words(tokens: Sequence[Token], dialect: Dialect) -> None:
    """Raise SQLRefused where the tokens alone show something that may not be there, before they are parsed."""
    depths: list[bool] = []
    previous = TokenType.SEMICOLON
    for token in tokens:
        kind = token.token_type
        if kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
            depths.append(previous in _TYPE_TOKENS)
            if depths[-1] and sum(depths) > MAX_TYPE_DEPTH:
                raise SQLRefused(f"Types or casts are nested more than {MAX_TYPE_DEPTH} deep: write it flatter.")
        elif kind in (TokenType.R_PAREN, TokenType.R_BRACKET) and depths:
            depths.pop()
        elif kind in _FORBIDDEN_TOKENS:
            raise SQLRefused("Dollar-quoted texts and Unicode escapes are not allowed: quote the text with '…'.")
        elif kind is TokenType.SEMICOLON:
            raise SQLRefused("Only one statement is allowed: send the first one alone.")
        elif kind is TokenType.L_BRACE and (dialect != "duckdb" or previous is TokenType.L_BRACE):
            raise SQLRefused("Braces are not allowed: write the value itself.")
        elif token.text in ("@", "@@") and kind not in _STRINGS and previous not in _OPERAND_ENDS:
            raise SQLRefused("Variables and parameters are not allowed: write the value itself.")
        elif kind is TokenType.INTO and dialect != "duckdb":
            raise SQLRefused("INTO is not allowed: a query may only read.")
        previous = kind


def check_calls(tokens: Sequence[Token], nodes: Sequence[exp.Expr], dialect: Dialect) -> None:
    """Raise SQLRefused where a word before a parenthesis is no allowed function, grammar or alias of this query."""
    functions = FUNCTIONS[dialect]
    aliases: frozenset[int] | None = None
    for before, token, following in zip([None, *tokens], tokens, tokens[1:], strict=False):
        quoted = token.token_type is TokenType.IDENTIFIER
        if following.token_type is not TokenType.L_PAREN or not (quoted or _is_word(token)):
            continue
        word = token.text.lower() if token.text.isascii() else token.text
        dotted = before is not None and before.token_type is TokenType.DOT
        foreign = dotted and dialect != "duckdb"
        if dotted and word in BOUNDED:
            raise SQLRefused(f"The function {word} may not follow a dot: write {word}(…) with all its arguments.")
        if quoted or foreign or not (word in functions or (not dotted and _is_grammar(word, before))):
            aliases = _alias_positions(nodes) if aliases is None else aliases
            if token.start not in aliases:
                raise SQLRefused(_call_complaint(token.text, foreign, quoted, word in functions))


def check_table_texts(nodes: Sequence[exp.Expr], sql: str) -> None:
    """Raise SQLRefused where a text stands for a table: DuckDB reads the file of that name."""
    for node in nodes if "'" in sql else ():
        if isinstance(node, exp.Table) and node.this is not None and sql[node.this.meta.get("start", 0)] == "'":
            raise SQLRefused(f"A text stands where a table was expected: {node.name[:60]}.")


def _is_word(token: Token) -> bool:
    return token.token_type not in _STRINGS and (token.text[:1].isalpha() or token.text[:1] == "_")


def _is_grammar(word: str, before: Token | None) -> bool:
    if word in _SAMPLERS:
        return word.endswith("sample") or (before is not None and before.text.lower().endswith("sample"))
    return word in _GRAMMAR or " ".join(word.split()) in _GRAMMAR_PHRASES


def _call_complaint(name: str, dotted: bool, quoted: bool, known: bool) -> str:
    shown = name[:60]
    if known and dotted:
        return f"The function {shown} may not be called through a schema: write its name alone."
    if known and quoted:
        return f"The function {shown} may not be written in quotes: write its name alone."
    return f"The function {shown} is not allowed: only functions that compute from their arguments are."


def _alias_positions(nodes: Sequence[exp.Expr]) -> frozenset[int]:
    """Return the offsets of the names that carry a column list: `WITH t(a, b) AS …`, `FROM f() AS t(a, b)`."""
    names: Iterable[exp.Identifier | None] = (
        alias.this for alias in nodes if isinstance(alias, exp.TableAlias) and alias.args.get("columns")
    )
    return frozenset(name.meta["start"] for name in names if isinstance(name, exp.Identifier) and "start" in name.meta)
