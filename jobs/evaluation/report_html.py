"""Writes a report as one HTML page, each failure beside the query that is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from jobs.evaluation.figures import Sheet
from jobs.evaluation.outcome import Outcome, Sample
from jobs.evaluation.report import TEXT_LENGTH, Report, rows_told
from tools.wording import clean

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentcolor 20%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top; }
pre { white-space: pre-wrap; border: 1px solid var(--line); border-radius: 6px; padding: .6rem; margin: .3rem 0; }
section { border-top: 1px solid var(--line); padding: .6rem 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 1rem; }
.pair > div { min-width: 0; }
.note { opacity: .75; }
"""


def as_html(report: Report) -> str:
    body = [f"<h1>Evaluation</h1><p>{_text(report.summary)}.</p>", *_changes(report)]
    body += [_sheet(sheet) for sheet in report.sheets if sheet.lines]
    body.append(f"<h2>Answered, and not right: {len(report.failures)}</h2>")
    body += [_failure(outcome) for outcome in report.failures]
    body.append(f"<h2>Declined, though the data holds it: {len(report.declined)}</h2>")
    body.append(_table(("id", "question", "reason"), [(o.case.id, o.case.question, o.note) for o in report.declined]))
    page = "\n".join(body)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><body>\n{page}\n</body></html>\n'
    )


def _changes(report: Report) -> list[str]:
    if not report.changes:
        return []
    lines = [(what, len(ids), ", ".join(ids)) for what, ids in report.changes]
    return ["<h2>Since the baseline</h2>", _table(("what", "cases", "ids"), lines)]


def _sheet(sheet: Sheet) -> str:
    note = f'<p class="note">{_text(sheet.note)}</p>' if sheet.note else ""
    return f"<h2>{_text(sheet.title)}</h2>{_table(sheet.head, sheet.lines)}{note}"


def _failure(outcome: Outcome) -> str:
    return (
        f"<section><h3>{_text(outcome.case.id)}: {_text(outcome.case.question)}</h3>"
        f'<p class="note">{_text(outcome.database)} · {_text(outcome.kind)} · {outcome.verdict}: '
        f"{_text(outcome.note)}</p>"
        f'<div class="pair">{_query("Right", outcome.gold_sql, outcome.gold)}'
        f"{_query('Answered', outcome.sql or '', outcome.answer)}</div></section>"
    )


def _query(name: str, sql: str, sample: Sample | None) -> str:
    if not sql:
        return ""
    rows = _table(sample.columns, sample.rows) if sample and sample.rows else ""
    return f"<div>{name}, {rows_told(sample)}<pre>{_lines(sql)}</pre>{rows}</div>"


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    def row(cells: Sequence[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(line, 'td') for line in lines)}</table>"


def _lines(sql: str) -> str:
    return "\n".join(map(_text, sql.splitlines()))


def _text(value: Any) -> str:
    return escape("" if value is None else clean(str(value), TEXT_LENGTH))
