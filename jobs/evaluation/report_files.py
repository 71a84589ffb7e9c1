"""Writes a report into a folder: for people as Markdown and HTML, for programs an outcome a line."""

from __future__ import annotations

import json
from pathlib import Path

from errors import SettingsInvalid
from jobs.evaluation.outcome import Outcome
from jobs.evaluation.report import Report
from jobs.evaluation.report_html import as_html
from jobs.evaluation.report_markdown import as_markdown


def write_report(folder: Path, report: Report) -> None:
    """Write evaluation.md, evaluation.html and outcomes.jsonl into the folder; raises SettingsInvalid."""
    texts = {
        "evaluation.md": as_markdown(report),
        "evaluation.html": as_html(report),
        "outcomes.jsonl": "".join(map(_line, report.outcomes)),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsInvalid(f"The report cannot be written into {folder}: {error.strerror}.") from None


def _line(outcome: Outcome) -> str:
    told = {
        "id": outcome.case.id,
        "database": outcome.database,
        "kind": outcome.kind,
        "verdict": outcome.verdict,
        "note": outcome.note,
        # SQL that was written on the way to declining is no answer.
        "sql": None if outcome.verdict == "declined" else outcome.sql,
        "tables": outcome.found,
        "repairs": outcome.repairs,
        "milliseconds": round(outcome.seconds * 1_000, 1),
        "tokens": outcome.tokens,
    }
    return json.dumps(told, ensure_ascii=False) + "\n"
