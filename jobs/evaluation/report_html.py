"""Writes a report as one HTML page, each failure beside the query that is right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from jobs.evaluation.figures import Sheet
from jobs.evaluation.outcome import Outcome, Sample
from jobs.evaluation.report import TEXT_LENGTH, Report, rows_told, sql_lines
from tools.wording import clean

# The colours are those of public/theme.json.
STYLE = """
:root {
  color-scheme: light dark;
  --ground: light-dark(hsl(40 30% 98%), hsl(172 16% 9%)); --card: light-dark(#fff, hsl(172 14% 12%));
  --words: light-dark(hsl(168 25% 11%), hsl(150 12% 91%)); --quiet: light-dark(hsl(165 8% 37%), hsl(160 7% 66%));
  --line: light-dark(hsl(45 14% 86%), hsl(172 10% 22%)); --mark: light-dark(hsl(175 77% 26%), hsl(172 52% 50%));
  --wrong: light-dark(hsl(8 68% 45%), hsl(8 65% 58%));
}
body {
  font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif;
  background: var(--ground); color: var(--words); max-width: 75rem; margin: 2.5rem auto; padding: 0 1rem;
}
h1 { font: 400 2.4rem/1.2 Georgia, 'DejaVu Serif', 'Times New Roman', serif; margin: 0 0 .4rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1rem; margin: .2rem 0; overflow-wrap: anywhere; }
.note { color: var(--quiet); margin: .2rem 0 .6rem; }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; padding: 0; list-style: none; }
.figures li { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: .7rem 1.1rem; }
.figures strong { display: block; font: 400 1.7rem/1.2 Georgia, 'DejaVu Serif', serif; color: var(--mark); }
.figures span { color: var(--quiet); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem 1.1rem .3rem 0; text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 500; } td.number, th.number { text-align: right; }
pre { font: .8rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  background: #14211f; color: hsl(150 12% 91%); border-radius: .5rem; padding: .7rem .9rem; margin: .3rem 0 .5rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: .8rem 1.1rem; }
section + section { margin-top: .9rem; }
section .note em { color: var(--wrong); font-style: normal; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
.pair > div { min-width: 0; }
"""

_NUMBER = re.compile(r"-?[\d,]+(\.\d+)?%?|\d+ of \d+|")


def as_html(report: Report) -> str:
    body = [f'<h1>Evaluation</h1><p class="note">{_text(report.summary)}.</p>', _figures(report), *_changes(report)]
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


def _figures(report: Report) -> str:
    told = "".join(
        f"<li><strong>{_text(figure)}</strong><span>{_text(what)}</span></li>" for figure, what in report.headlines
    )
    return f'<ul class="figures">{told}</ul>'


def _changes(report: Report) -> list[str]:
    if not report.changes:
        return []
    lines = [(what, len(ids), ", ".join(ids)) for what, ids in report.changes]
    assert report.compared is not None
    told = f'<p class="note">{_text(report.compared.summary)}</p>'
    return ["<h2>Since the baseline</h2>", told, _table(("what", "cases", "ids"), lines)]


def _sheet(sheet: Sheet) -> str:
    note = f'<p class="note">{_text(sheet.note)}</p>' if sheet.note else ""
    shown = sheet.explained
    return f"<h2>{_text(shown.title)}</h2>{_table(shown.head, shown.lines)}{note}"


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
    return f"<div>{name}, {rows_told(sample)}<pre>{_text_lines(sql)}</pre>{rows}</div>"


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a table whose columns of numbers end at the right."""
    lines = [[_text(cell) for cell in line] for line in lines]
    columns = list(zip(*lines, strict=True)) or [() for _ in head]
    numbers = [any(cells) and all(map(_NUMBER.fullmatch, cells)) for cells in columns]

    def row(cells: Sequence[str], tag: str) -> str:
        marks = (' class="number"' if number else "" for number in numbers)
        return "<tr>" + "".join(f"<{tag}{m}>{c}</{tag}>" for m, c in zip(marks, cells, strict=True)) + "</tr>"

    body = "".join(row(line, "td") for line in lines)
    return f'<div class="scroll"><table>{row([_text(name) for name in head], "th")}{body}</table></div>'


def _text_lines(sql: str) -> str:
    return "\n".join(map(escape, sql_lines(sql)))


def _text(value: Any) -> str:
    return escape("" if value is None else clean(str(value), TEXT_LENGTH))
