"""Two servers that share one home and ask the same file, which changes while one of them still reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.browser.conftest import Served, serve


def _rows(served: Served, question: str = "how many sales") -> Any:
    answer = httpx.post(f"{served.url}/api/ask", json={"question": question}, timeout=60).json()
    assert answer["status"] == "answered", answer
    return answer["rows"]


def test_who_reads_a_file_goes_on_while_another_server_reads_it_anew(tmp_path: Path) -> None:
    file, home = tmp_path / "sales.csv", tmp_path / "home"
    file.write_text("city,amount\nRome,1\nOslo,2\n")
    with serve(home, QUAESTOR_DATABASE_URL=str(file)) as first:
        assert _rows(first) == [[2]]
        file.write_text("town,price\nRome,1\nOslo,2\nBonn,3\n")
        with serve(home, QUAESTOR_DATABASE_URL=str(file)) as second:
            assert _rows(second) == [[3]]
            assert _rows(second, "total price per town") == [["Bonn", 3], ["Oslo", 2], ["Rome", 1]]
            assert _rows(first) == [[2]]
            assert _rows(first, "total amount per city") == [["Oslo", 2], ["Rome", 1]]
        assert _rows(first) == [[2]]
        assert "Traceback" not in first.log.read_text() + second.log.read_text()
