"""What is said before the first question."""

from __future__ import annotations

from pathlib import Path

from bootstrap import open_asker
from chat.greeting import greeting, log_line
from errors import DatabaseUnavailable
from tests.asked import offline_settings


async def test_it_names_the_database_what_it_is_about_and_who_answers(tmp_path: Path) -> None:
    async with open_asker(offline_settings(tmp_path)) as asker:
        said = greeting(asker, None)
        assert "**sample**, 14 tables" in said
        assert "about orders, stores, customers and products" in said
        assert "The **offline analyst** answers" in said
        assert log_line(asker, "http://localhost:8000").endswith(
            "at http://localhost:8000, answered by the offline analyst."
        )


def test_where_nobody_can_answer_it_says_why_letter_for_letter() -> None:
    said = greeting(None, DatabaseUnavailable("There is no database file at *shop*.db."))
    assert "**It cannot answer yet.** There is no database file at \\*shop\\*.db." in said
