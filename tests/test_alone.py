"""A test that measures has the machine to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ALONE_PY = Path(__file__).with_name("alone.py")
NOTES = """
import os
from pathlib import Path
import pytest

@pytest.fixture(autouse=True)
def note(request):
    with Path("notes").open("a", buffering=1) as notes:
        notes.write(f"+{request.node.name}\\n")
        yield
        notes.write(f"-{request.node.name}\\n")
"""
BESIDE = """
import pytest

@pytest.mark.parametrize("n", range(300))
def test_beside(n):
    pass
"""
ALONE = """
import pytest

@pytest.mark.parametrize("n", range(100))
@pytest.mark.parametrize("how", [pytest.param("alone", marks=pytest.mark.alone), "beside"])
def test_a(how, n):
    pass
"""


def test_nothing_runs_beside_a_test_that_is_alone(tmp_path: Path) -> None:
    # A copy has a room of its own: in ours this very test may be.
    files = {"conftest.py": NOTES, "alone.py": ALONE_PY.read_text(), "pytest.ini": "[pytest]\nmarkers = alone\n"}
    for name, text in (files | {"test_beside.py": BESIDE, "test_alone.py": ALONE}).items():
        (tmp_path / name).write_text(text)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHONPATH"))}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "alone", "-n", "2", "--dist", "loadfile"],
        cwd=tmp_path,
        env=env | {"PYTHONPATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    running: set[str] = set()
    together = []
    for line in (tmp_path / "notes").read_text().splitlines():
        if line.startswith("+"):
            running.add(line[1:])
        else:
            running.remove(line[1:])
        if len(running) > 1:
            together.append(" ".join(sorted(running)))
    assert together, "the workers were never at work together"
    assert not [names for names in together if "alone" in names]
