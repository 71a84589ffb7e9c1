"""A database in which every value is a canary, and a model that is shown names only and writes down what it is told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb

from agents.answer import Answer
from agents.ask import Asker
from agents.events import SQLWritten
from agents.names_only import blank_table
from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Complaint, Draft, Question, Turn
from benchmarks.model_answers import Analyst as ModelAnalyst
from benchmarks.model_server import MODEL, ModelServer, serving
from bootstrap import open_asker
from errors import QuestionUnclear
from settings import Settings
from tests.asked import offline_settings
from tests.model_fixture import Nobody
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog

Kind = Literal["sqlite", "duckdb"]
KINDS: tuple[Kind, ...] = ("sqlite", "duckdb")

TODAY = date(2026, 11, 20)
MARK = "ZQX"
"""Every text of the database begins like this, and no word that a person types here does: they type it small."""
CITIES = ("ZQXobel", "ZQXurim", "ZQXanto", "ZQXtwin")
STATES = ("ZQXpaid", "ZQXlate", "ZQXtwin")
NUMBERS = 7_310_400_000
"""Every number of the database begins with the first six of these digits."""
FIRST_DAY = date(1931, 3, 7)
CUSTOMERS = 1_213
ORDERS = 2_657

WHY_EMPTY = "How many orders came from zqxobal?"
MENDED = "What are the names of the customers as numbers?"
UNCLEAR = "How many are there?"
READINGS = ("How many customers are there?", "How many orders are there?")
REVIEWED = "What do our best customers buy?"
NEAR_REVIEWED = "What do the best customers of ours buy the most of?"
BROKEN_REVIEW = "Who buys nothing at all?"

COUNT_OF_CITY = (
    "SELECT COUNT(*) AS orders FROM orders AS o JOIN customers AS c ON c.id = o.customer_id WHERE c.city = '{}'"
)
REVIEWED_SQL = "SELECT id, total FROM orders WHERE state = 'ZQXpaid' AND total > 7310400001.5 -- not ZQXlate"
MISTAKEN: dict[Kind, str] = {
    "sqlite": "SELECT nope FROM customers",
    "duckdb": "SELECT CAST(name AS INTEGER) AS n FROM customers",
}
"""DuckDB tells the value in its complaint."""


@dataclass(frozen=True)
class Writes:
    """Writes for a model: by rules that know names only, and a few questions by heart."""

    rules: OfflineWriter
    kind: Kind

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """See agents.parts.Writer."""
        match question.text:
            case text if text == WHY_EMPTY:
                return Draft(COUNT_OF_CITY.format("zqxobal"), text)
            case text if text in (MENDED, BROKEN_REVIEW) and complaint is None:
                return Draft(MISTAKEN[self.kind], text)
            case text if text in (MENDED, BROKEN_REVIEW, NEAR_REVIEWED):
                return Draft("SELECT name FROM customers", text)
            case text if text == UNCLEAR:
                raise QuestionUnclear("Customers or orders?", READINGS)
        return await self.rules.write(question, found, complaint)


@dataclass
class Scene:
    """Somebody who asks, and all that the model's endpoint was sent."""

    asker: Asker
    settings: Settings
    server: ModelServer
    values: tuple[str, ...]
    turns: list[Turn] = field(default_factory=list)

    async def ask(self, text: str, *, follows: bool = False, mode: Literal["ask", "investigate"] = "ask") -> Answer:
        """Return the answer; one that follows is asked after all that were answered since the last that does not."""
        if not follows:
            self.turns.clear()
        answer, draft = Answer(text), None
        async with aclosing(self.asker.ask(Question(text, TODAY, tuple(self.turns), mode))) as events:
            async for event in events:
                answer.take(event)
                draft = event.draft if isinstance(event, SQLWritten) else draft
        if answer.status == "answered" and draft:
            self.turns.append(Turn(text, draft.reading, draft.sql))
        return answer

    @property
    def sent(self) -> list[str]:
        """The bodies of all requests, oldest first."""
        return [json.dumps(received.body, ensure_ascii=False) for received in self.server.received]

    def leaked(self, texts: Sequence[str] | None = None) -> list[str]:
        """Return what the texts, by default those that were sent, hold of the database's values."""
        told = "\n".join(self.sent if texts is None else texts)
        return [value for value in self.values if value in told]


def make_database(folder: Path, kind: Kind) -> str:
    """Return the URL of a new database of canaries."""
    customers = [
        (NUMBERS + n, f"ZQX{n:04}nam", CITIES[n % 4], (FIRST_DAY + timedelta(days=n)).isoformat())
        for n in range(CUSTOMERS)
    ]
    orders = [
        (
            NUMBERS + 5_000 + n,
            NUMBERS + n % CUSTOMERS,
            STATES[n % 3],
            NUMBERS + n + 0.25,
            FIRST_DAY + timedelta(days=3 * n),
        )
        for n in range(ORDERS)
    ]
    orders_in_text = [(*order[:4], order[4].isoformat()) for order in orders]
    listed = ", ".join(f"'{state}'" for state in STATES)
    state = f"ENUM({listed})" if kind == "duckdb" else "VARCHAR(20)"
    tables = (
        "CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(40), city VARCHAR(40), since DATE)",
        f"CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT REFERENCES customers (id), state {state}, "
        "total DOUBLE PRECISION, placed DATE)",
    )
    file = folder / f"canaries.{kind}"
    connection: Any = sqlite3.connect(file) if kind == "sqlite" else duckdb.connect(str(file))
    with closing(connection):
        for table in tables:
            connection.execute(table)
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", customers)
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders_in_text)
        connection.commit()
    return f"{kind}:///{file}"


def write_knowledge(folder: Path) -> None:
    """Keep two questions with reviewed SQL, one of which the database does not take."""
    folder.mkdir(parents=True)
    saved = ((REVIEWED, REVIEWED_SQL), (BROKEN_REVIEW, "SELECT nope FROM orders WHERE state = 'ZQXpaid'"))
    (folder / "questions.jsonl").write_text("".join(json.dumps({"question": q, "sql": s}) + "\n" for q, s in saved))


@asynccontextmanager
async def canary_scene(folder: Path, kind: Kind) -> AsyncIterator[Scene]:
    """Yield a scene with one endpoint, which is shown names only."""
    url = make_database(folder, kind)
    write_knowledge(folder / "home" / "knowledge")
    catalog = read_catalog(url)
    rules = Analyst(Catalog(catalog.name, catalog.dialect, tuple(map(blank_table, catalog))))
    nobody = Nobody()
    server = ModelServer(ModelAnalyst(catalog, Writes(OfflineWriter(rules), kind), nobody, nobody))
    async with serving(server) as base_url:
        (folder / "quaestor.toml").write_text(f'[[endpoints]]\nbase_url = "{base_url}"\nmodel = "{MODEL}"\n')
        settings = offline_settings(folder / "home", database_url=url, today=TODAY).model_copy(
            update={"config": folder / "quaestor.toml", "model_sees": "names"}
        )
        async with open_asker(settings) as asker:
            yield Scene(asker, settings, server, _values(catalog))


def _values(catalog: Catalog) -> tuple[str, ...]:
    """Return what may stand in no request: the beginnings of all values, and what is counted of them."""
    years = [str(FIRST_DAY.year + n) for n in range(25)]
    return (MARK, str(NUMBERS)[:6], *years, str(CUSTOMERS), str(ORDERS))
