"""The command line of the benchmarks: `python -m benchmarks model`."""

from __future__ import annotations

import typer

from benchmarks.model_command import model

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
app.command("model")(model)


@app.callback()
def benchmarks() -> None:
    """Stand-ins, load and measurements."""


if __name__ == "__main__":
    app()
