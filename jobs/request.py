"""`python -m jobs request REQUESTS.jsonl`: asks models for an answer to every line of a file, and saves the answers."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from pydantic import SecretStr

from endpoints import Endpoint
from errors import SettingsInvalid
from jobs.command import run_command
from jobs.engine import Engine, Files, Run, Tell, files_of
from jobs.lines import open_lines
from jobs.request_endpoints import chosen_endpoints
from jobs.sending import Sender
from llm.requester import open_requester
from settings import read_settings

TOLD_SECONDS = 0.5
NEW_BEFORE_LOOKING = 20_000
"""New objects before the garbage collector looks: a line leaves no cycles, and Python's 700 cost a tenth of all."""
OTHER_FILES = 128
"""Files that a process has open beside its connections."""


@dataclass(frozen=True)
class Options:
    """How one process asks."""

    endpoints: tuple[Endpoint, ...]
    concurrency: int
    attempts: int
    seconds: float
    """For one attempt."""
    per_second: float | None
    redis_url: SecretStr | None

    def shared_by(self, processes: int, place: int) -> Options:
        """Return what one of so many processes may take of it; a rate that Redis keeps is theirs together."""
        if processes == 1:
            return self
        share = 1 if self.redis_url is not None else processes
        return replace(
            self,
            endpoints=tuple(_part(endpoint, processes, share) for endpoint in self.endpoints),
            concurrency=max(1, (self.concurrency + place) // processes),
            per_second=self.per_second and self.per_second / share,
        )


def _part(endpoint: Endpoint, processes: int, share: int) -> Endpoint:
    requests, tokens, in_flight = endpoint.requests_per_minute, endpoint.tokens_per_minute, endpoint.in_flight
    return replace(
        endpoint,
        requests_per_minute=requests and requests / share,
        tokens_per_minute=tokens and tokens / share,
        in_flight=in_flight and max(1, in_flight // processes),
    )


def request(
    requests: Annotated[
        Path | None, typer.Argument(metavar="REQUESTS", help='JSON lines: {"input": "…"}, or {"messages": […], …}.')
    ] = None,
    requests_filepath: Annotated[
        Path | None, typer.Option("--requests_filepath", help="The same as the argument.")
    ] = None,
    save_filepath: Annotated[
        Path | None, typer.Option("--save_filepath", help="The answers.", show_default="REQUESTS with .answers.jsonl")
    ] = None,
    errors_filepath: Annotated[
        Path | None,
        typer.Option("--errors_filepath", help="What failed.", show_default="errors.jsonl beside the answers"),
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            metavar="URL=WEIGHT",
            help="Ask here instead of at the configured endpoints; repeat it for several.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model to ask everywhere.")] = None,
    max_requests_per_second: Annotated[
        float | None,
        typer.Option("--max_requests_per_second", min=0.001, help="For all endpoints.", show_default="no limit"),
    ] = None,
    max_attempts: Annotated[
        int, typer.Option("--max_attempts", min=1, help="How often one line is asked at most.")
    ] = 4,
    concurrency: Annotated[int, typer.Option(min=1, max=20_000, help="Requests under way at the same time.")] = 256,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one request.")] = 120.0,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; the limits are for all together.")] = 1,
    engine: Annotated[Engine, typer.Option(help="Where it runs.")] = Engine.LOCAL,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="Show how far it is.", show_default="on a terminal")
    ] = None,
) -> None:
    """Send each line of a file to a model, and save its answers.

    Thousands a second, as JSON lines.

    Exit code: 0 all lines are answered, 1 some failed or no endpoint could be used, 2 wrong use, 130 stopped by Ctrl-C.
    """

    def prepare() -> tuple[Run, Files]:
        if (lines := requests or requests_filepath) is None:
            raise SettingsInvalid("Name the file with the requests: python -m jobs request REQUESTS.jsonl.")
        files = files_of(lines, save_filepath, errors_filepath, resume=resume)
        settings = read_settings()
        options = Options(
            endpoints=chosen_endpoints(settings, endpoint or (), model),
            concurrency=concurrency,
            attempts=max_attempts,
            seconds=timeout,
            per_second=max_requests_per_second,
            redis_url=settings.redis_url,
        )
        return partial(send_share, options), files

    run_command(prepare, engine, workers, progress=progress, done=("line is answered", "lines are answered"))


def send_share(options: Options, files: Files, shares: int, tell: Tell) -> None:
    """Send one process's lines; raises KeyboardInterrupt where a signal has stopped it."""
    gc.set_threshold(NEW_BEFORE_LOOKING)
    options = options.shared_by(shares, files.share[0])
    _make_room_for_connections(options)
    if uvloop.run(_send(options, files, tell)):
        raise KeyboardInterrupt


def _make_room_for_connections(options: Options) -> None:
    """Let the process open as many files as it may need; raises SettingsInvalid where the machine does not let it."""
    most = OTHER_FILES + options.concurrency * len(options.endpoints)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= most:
        return
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    # Connections to several endpoints are seldom all open at the same time.
    if allowed < OTHER_FILES + options.concurrency:
        raise SettingsInvalid(
            f"This machine lets a process open {allowed:,} files, too few for --concurrency {options.concurrency}: "
            "lower it, or raise `ulimit -n`."
        )


async def _send(options: Options, files: Files, tell: Tell) -> bool:
    """Send the lines, and return whether a signal has stopped it."""
    async with (
        open_lines(files.requests, files.save, files.errors, resume=files.resume, share=files.share) as lines,
        open_requester(
            options.endpoints,
            seconds=options.seconds,
            attempts=options.attempts,
            max_requests_per_second=options.per_second,
            redis_url=options.redis_url,
        ) as requester,
    ):
        sender = Sender(lines, requester)
        with _stopped_by_signals(sender):
            async with _telling(sender, tell):
                await sender.send(options.concurrency)
    return sender.is_stopped


@contextmanager
def _stopped_by_signals(sender: Sender) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, sender.stop)
    try:
        yield
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


@asynccontextmanager
async def _telling(sender: Sender, tell: Tell) -> AsyncIterator[None]:
    """Tell how far the sender is, now and then and at the end."""

    async def keep_telling() -> None:
        answered_before = -1
        while True:
            await asyncio.sleep(TOLD_SECONDS)
            tell(sender.counts)
            # Whoever sees no answers come is told why, once for each time that they stop.
            if sender.counts.answered != answered_before and (obstacle := sender.obstacle):
                answered_before = sender.counts.answered
                typer.echo(obstacle, err=True)

    telling = asyncio.create_task(keep_telling())
    try:
        yield
    finally:
        telling.cancel()
        tell(sender.counts)
