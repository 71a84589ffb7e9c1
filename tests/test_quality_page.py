"""The page about quality shows what the command prints over our own questions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from jobs.evaluation.asking import ask_cases
from jobs.evaluation.cases import read_cases
from jobs.evaluation.report import Report
from jobs.evaluation.report_markdown import as_markdown
from tests.asked import QUESTIONS, offline_settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "quality.md"
TODAY = date(2026, 11, 20)


async def test_the_figures_of_our_own_questions_are_those_that_are_printed(tmp_path: Path) -> None:
    cases = read_cases([QUESTIONS / "sample.jsonl"])
    settings = offline_settings(tmp_path, today=TODAY)
    analyst, outcomes = await ask_cases(cases, settings, None, tell=lambda outcome: None)
    report = as_markdown(Report(analyst, TODAY, tuple(outcomes)))
    ours = PAGE.read_text(encoding="utf-8").split("## Our own questions\n")[1].split("\n## ")[0]
    for heading in ("By kind of question", "Tables found"):
        table = report.split(f"## {heading}\n\n")[1].split("\n\n")[0]
        assert table in ours, f"docs/quality.md should show:\n{table}"
