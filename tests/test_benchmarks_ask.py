"""`python -m benchmarks ask`: the starter questions, asked on the day that the settings name."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import date
from pathlib import Path

import pytest

from agents.ask import Asker
from agents.events import Event
from agents.question import Question
from benchmarks.ask import ask


def test_the_questions_are_asked_on_the_settings_day(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("QUAESTOR_DATABASE_URL", raising=False)
    monkeypatch.setenv("QUAESTOR_HOME", str(tmp_path))
    monkeypatch.setenv("QUAESTOR_TODAY", "2021-05-20")
    days: set[date] = set()
    answered = Asker.ask

    def noted(asker: Asker, question: Question) -> AsyncGenerator[Event]:
        days.add(question.today)
        return answered(asker, question)

    monkeypatch.setattr(Asker, "ask", noted)
    ask(rounds=1)
    assert days == {date(2021, 5, 20)}
    assert "0 not answered" in capsys.readouterr().out
