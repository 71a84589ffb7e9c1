"""Names the tables that are never the person's data: catalogues, settings, statistics, and files in disguise."""

from __future__ import annotations

import re
import unicodedata

from errors import SQLRefused
from tools.catalog import Dialect

# One list for all dialects: DuckDB answers to sqlite_master and pg_class too.
_SCHEMAS = frozenset(
    """information_schema pg_catalog pg_toast pg_temp mysql performance_schema sys system ndbinfo innodb
    sqlite_master sqlite_schema crdb_internal syscat sysibm""".split()
)
_PREFIXES = ("sqlite_", "pragma_", "pg_", "duckdb_", "information_schema", "performance_schema", "innodb_", "gp_")
# PostgreSQL looks into pg_catalog first, and extensions put views about everybody's queries next to the data.
_PG_TABLES = re.compile(
    r"""pg_(?:stat.*|buffercache.*|freespace.*|qualstats.*|wait_sampling.*|hba_file.*|ident_file.*|file_settings|settings
    |shmem.*|aios|authid|auth_members|shadow|user|users|user_mappings?|roles|group|db_role_setting|dblink.*|cron.*
    |aggregate|am|amop|amproc|attrdef|attribute|available_extension.*|backend_memory.*|cast|class|collation|config
    |constraint|conversion|cursors|database|default_acl|depend|description|enum|event_trigger|extension
    |foreign_data_wrapper|foreign_server|foreign_table|index|indexes|inherits|init_privs|language|largeobject.*|locks
    |matviews|namespace|opclass|operator|opfamily|parameter_acl|partitioned_table|policy|policies|prepared_.*|proc
    |publication.*|range|replication.*|rewrite|rules|seclabels?|sequences?|shdepend|shdescription|shseclabel
    |subscription.*|tables|tablespace|timezone_.*|transform|trigger|ts_.*|type|views)""",
    re.VERBOSE,
)
_TABLES = frozenset(
    """dbstat bytecode tables_used fts3tokenize fsdir zipfile wholenumber generate_series json_each json_tree
    show describe desc summarize pragma
    read_csv read_csv_auto read_json read_json_auto read_json_objects read_parquet parquet_scan read_text read_blob
    arrow_scan pandas_scan seq_scan sniff_csv which_secret""".split()
)

_PATH = re.compile(r"[/\\:*?~\x00]|^\.")
_FILE = re.compile(
    r"\.(?:csv|tsv|txt|psv|dat|log|json|jsonl|ndjson|geojson|parquet|pq|arrow|feather|ipc|avro|orc|xlsx?|ods|xml|ya?ml|toml|ini|cfg"
    r"|conf|env|db|db3|sqlite3?|duckdb|ddb|sql|py|sh|key|pem|pub|gz|bz2|zst|zip|xz|tar|tgz|shp|gpkg|html?|md|pdf)$",
    re.IGNORECASE,
)


# DuckDB reads a file where schema.table names none: FROM sales.csv. Elsewhere that is a table in a schema.
_SCANNED = re.compile(
    r"\.(?:csv|tsv|txt|json|jsonl|ndjson|geojson|parquet|arrow|avro|xlsx|db|duckdb|sqlite|gz|bz2|zst)$", re.IGNORECASE
)


def check_table_name(parts: list[str], dialect: Dialect, *, known: bool) -> None:
    """Raise SQLRefused where a table's name (its parts, the schema first) is a catalogue's or a file's.

    `known` tells that the catalog holds a table of just this name, which then may look like a file.
    """
    written = ".".join(parts)
    folded = [_plain(part) for part in parts]
    catalogue = any(part in _SCHEMAS or part.startswith(("pg_temp", "pg_toast")) for part in folded[:-1])
    prefixed = folded[-1].startswith(_PREFIXES) and not (known and _is_data(folded[-1]))
    if catalogue or prefixed or (not known and folded[-1] in _TABLES):
        raise SQLRefused(f"{written} belongs to the database's own catalogue: only the data's tables may be read.")
    if known:
        return
    file = any(_PATH.search(part) or _FILE.search(part) for part in parts)
    if file or (dialect == "duckdb" and _SCANNED.search(written)):
        raise SQLRefused(f"{written} looks like a file: only the data's tables may be read.")


def _is_data(name: str) -> bool:
    """Whether a table that the catalog knows may begin like a catalogue's."""
    return name.startswith(("pg_", "gp_")) and _PG_TABLES.fullmatch(name) is None


def _plain(name: str) -> str:
    """Return the name without case, accents and look-alikes, as the loosest database compares it."""
    name = name.strip().lower()
    if name.isascii():
        return name
    name = unicodedata.normalize("NFKD", name.casefold()).replace("\N{LATIN SMALL LETTER DOTLESS I}", "i")
    return "".join(c for c in name if not unicodedata.combining(c))
