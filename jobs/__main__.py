"""The command line: `python -m jobs COMMAND`, a file each."""

import sys

import typer

from errors import AskError
from jobs.ask import ask
from jobs.batch import batch
from jobs.check import check
from jobs.evaluate import evaluate
from jobs.index import index
from jobs.request import request

app = typer.Typer(
    help="Ask a database in plain words, from the command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Its boxes cut long options off, where a terminal has 80 columns.
)
for command in (ask, batch, check, index, evaluate, request):
    app.command()(command)


def main() -> None:
    """Run the command; an error that a person can mend is one sentence on stderr and exit code 1."""
    try:
        app()
    except AskError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
