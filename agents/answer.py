"""One question's answer, gathered from its events and written as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from math import isfinite
from typing import Any

from agents.events import (
    ChartDrawn,
    Declined,
    Event,
    Failed,
    FellBack,
    Finished,
    FollowupsSuggested,
    QueryDrawn,
    QueryRan,
    ReceiptWritten,
    Refused,
    RowsFound,
    SQLComplained,
    SQLWritten,
    Status,
    TablesFound,
    TextChunk,
    Waiting,
)
from agents.receipt import Receipt
from tools.sql_runner import Rows


@dataclass
class Answer:
    """One question's answer. It has no attribute that JSON cannot carry."""

    question: str
    status: Status = "failed"
    sql: str | None = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    truncated: bool = False
    answer: str = ""
    assumptions: list[str] = field(default_factory=list)
    followups: list[str] = field(default_factory=list)
    asks: bool = False
    """Whether the answer asks which of the follow-ups was meant."""
    chart: dict[str, Any] | None = None
    queries: list[dict[str, Any]] = field(default_factory=list)
    """Of an investigation; see `query_as_json`."""
    receipt: dict[str, Any] | None = None
    database: str = ""
    analyst: str = ""
    fallback: dict[str, Any] | None = None
    """Where no model could be reached: the `analyst` who went on, from which `part` on, and the `reason`."""

    def take(self, event: Event) -> None:
        """Keep what the event tells. Ten thousand rows take a tenth of a second: take them in a thread."""
        match event:
            case FellBack(analyst=analyst, part=part):
                self.fallback = asdict(event)
                self.analyst = analyst if part == "question" else self.analyst
            case SQLWritten(draft=draft):
                self.sql, self.assumptions = draft.sql, list(draft.assumptions)
            case RowsFound(rows=rows):
                self.columns, self.truncated = list(rows.columns), rows.truncated
                self.rows = values_as_json(rows)
            case ChartDrawn(chart=chart):
                self.chart = asdict(chart)
            case TextChunk(text=text):
                self.answer += text
            case QueryRan():
                self.queries.append(query_as_json(event))
            case QueryDrawn(number=number, chart=chart):
                next(query for query in self.queries if query["number"] == number)["chart"] = asdict(chart)
            case FollowupsSuggested(questions=questions):
                self.followups = list(questions)
            case ReceiptWritten(receipt=receipt):
                self.receipt = receipt_as_json(receipt)
            case Declined(reason=reason, suggestions=suggestions, asks=asks):
                self.answer, self.followups, self.asks = reason, list(suggestions), asks
            case Refused(reason=reason) | Failed(reason=reason):
                self.answer = f"{self.answer}\n{reason}".strip()
            case Finished(status=status):
                self.status = status
            case Waiting() | TablesFound() | SQLComplained():
                pass  # Told to those who watch; the answer stands without them.

    def as_text(self, **more: Any) -> str:
        """Return the answer as one line of JSON, with what else is to stand in it."""
        # Not `asdict`: it would copy every row.
        return json.dumps({**vars(self), **more}, ensure_ascii=False, allow_nan=False)


def receipt_as_json(receipt: Receipt) -> dict[str, Any]:
    """Return {"assumed": [{"kind", "text", "instead"}], "tables": [{"name", "rows"}], "newest", "trusted", …}."""
    return {
        "assumed": [{**asdict(one), "instead": list(one.instead)} for one in receipt.assumed],
        "tables": [{"name": name, "rows": rows} for name, rows in receipt.tables],
        "newest": receipt.newest.isoformat() if receipt.newest else None,
        "trusted": receipt.trusted,
        "names_only": receipt.names_only,
    }


def query_as_json(ran: QueryRan) -> dict[str, Any]:
    """Return {"number", "why", "sql", "columns", "rows", "truncated", "complaint"}; no columns where it did not run."""
    rows = ran.rows or Rows((), (), truncated=False, seconds=0.0)
    told = {"number": ran.number, "why": ran.why, "sql": ran.sql, "columns": list(rows.columns)}
    return {**told, "rows": values_as_json(rows), "truncated": rows.truncated, "complaint": ran.complaint}


def values_as_json(rows: Rows) -> list[list[Any]]:
    return [[as_json(value) for value in row] for row in rows.values]


def as_json(value: Any) -> Any:
    """Return the value as JSON can carry it: decimals as numbers, dates in ISO form, bytes in hexadecimal.

    JSON knows neither NaN nor infinity: they become None.
    """
    match value:
        case float() | Decimal() if not isfinite(value):
            return None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time_of_day():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return value
