"""The command line: `python -m benchmarks COMMAND`, a file each."""

import sys

import typer

from benchmarks.api import api
from benchmarks.ask import ask
from benchmarks.bench import bench
from benchmarks.bench_servers import RunFailed
from benchmarks.chat import chat
from benchmarks.endpoints import endpoints
from benchmarks.flow import flow
from benchmarks.kills import kills
from benchmarks.model_command import model
from benchmarks.page import PageGone
from benchmarks.reference.command import reference
from benchmarks.requester import requester
from errors import AskError

app = typer.Typer(
    help="A stand-in model, and how long a question takes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (api, ask, chat, model, reference, flow, kills, requester, endpoints, bench):
    app.command()(command)


def main() -> None:
    """Run the command; an error that a person can mend is one sentence on stderr and exit code 1."""
    try:
        app()
    except (AskError, PageGone, RunFailed) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
