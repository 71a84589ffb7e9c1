"""`python -m benchmarks reference`: serves the reference app with `chainlit run`, as its documentation says."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.model_server import MODEL
from settings import read_settings

ROOT = Path(__file__).resolve().parent.parent.parent
APP = Path(__file__).resolve().parent / "app.py"


def reference(
    port: Annotated[int, typer.Option(help="Where to listen.", min=1, max=65_535)] = 8100,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    model_url: Annotated[str, typer.Option(help="The model, e.g. the stand-in's.")] = "http://127.0.0.1:9100/v1",
) -> None:
    """Serve the plain Chainlit and LangChain app that ours is measured against."""
    folder = read_settings().home.resolve() / "reference"
    folder.mkdir(exist_ok=True)
    surroundings = {
        **os.environ,
        "OPENAI_BASE_URL": model_url,
        "OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "none"),
        "QUAESTOR_MODEL": os.environ.get("QUAESTOR_MODEL", MODEL),
        # Its configuration is the one that Chainlit writes there by itself, not ours.
        "CHAINLIT_APP_ROOT": str(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    # This very process becomes `chainlit run`, so whoever started it measures and stops the right one.
    command = [sys.executable, "-m", "chainlit", "run", str(APP), "--headless", "--host", host, "--port", str(port)]
    os.execve(sys.executable, command, surroundings)
