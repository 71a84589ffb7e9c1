"""Writes a report as Markdown."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from jobs.evaluation.figures import Sheet
from jobs.evaluation.outcome import Outcome, Sample
from jobs.evaluation.report import TEXT_LENGTH, Report, rows_told, sql_lines
from tools.wording import clean


def as_markdown(report: Report) -> str:
    parts = ["# Evaluation", f"{_text(report.summary)}."]
    parts += _changes(report)
    for sheet in report.sheets:
        parts += _sheet(sheet)
    parts.append(f"## Answered, and not right: {len(report.failures)}")
    for outcome in report.failures:
        parts += _failure(outcome)
    parts.append(f"## Declined, though the data holds it: {len(report.declined)}")
    parts += [_declined(outcome) for outcome in report.declined]
    return "\n\n".join(parts) + "\n"


def _changes(report: Report) -> list[str]:
    if not report.changes:
        return []
    assert report.compared is not None
    lines = [f"- {len(ids)} {what}{': ' if ids else ''}{_text(', '.join(ids))}" for what, ids in report.changes]
    return ["## Since the baseline", _text(report.compared.summary), "\n".join(lines)]


def _sheet(sheet: Sheet) -> list[str]:
    if not sheet.lines:
        return []
    note = [_text(sheet.note)] if sheet.note else []
    shown = sheet.explained
    return [f"## {shown.title}", _table(shown.head, shown.lines), *note]


def _failure(outcome: Outcome) -> list[str]:
    return [
        f"### {_text(outcome.case.id)}: {_text(outcome.case.question)}",
        f"{_text(outcome.database)} · {_text(outcome.kind)} · {outcome.verdict}: {_text(outcome.note)}",
        *_query("Right", outcome.gold_sql, outcome.gold),
        *_query("Answered", outcome.sql or "", outcome.answer),
    ]


def _query(name: str, sql: str, sample: Sample | None) -> list[str]:
    if not sql:
        return []
    rows = [_table(sample.columns, sample.rows)] if sample and sample.rows else []
    return [f"{name} ({rows_told(sample)}):", _code(sql), *rows]


def _declined(outcome: Outcome) -> str:
    return f"- {_text(outcome.case.id)}: {_text(outcome.case.question)} → *{_text(outcome.note)}*"


def _code(sql: str) -> str:
    # Indented, because a fence could be closed by what stands in it.
    return "\n".join(f"    {line}" for line in sql_lines(sql))


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    rule = "|".join("---" for _ in head)
    return "\n".join([_line(head), f"|{rule}|", *map(_line, lines)])


def _line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


def _text(value: Any) -> str:
    """Return the value as text that is neither Markdown nor HTML, on one line."""
    text = html.escape(clean("" if value is None else str(value), TEXT_LENGTH), quote=False)
    for mark in "\\`*_[]|#":
        text = text.replace(mark, f"\\{mark}")
    return text
