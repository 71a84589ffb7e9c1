"""Serves the chat, the copilot page, health, metrics and the API from one ASGI app on uvloop."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from beat import beat_after
from errors import SettingsInvalid
from settings import Settings, read_settings
from web.app import build_web, check_exposure
from web.desk import desk_of
from web.guests import guests_of

log = logging.getLogger("quaestor.server")

ROOT = Path(__file__).resolve().parent

BACKLOG = 4_096
"""Connections that may wait until they are taken; as many as Linux allows by default."""

ENOUGH_FILES = 4_096
"""Open files with which 1,500 people are served: a socket each, another one to the model, and some to spare."""


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""As glibc's malloc.h has them. Unless they are set, the thresholds grow with what was freed, and less comes back."""

LONGEST_HEAD = 64 * 1024
"""Bytes that may come without a request's head, or a piece of its body, becoming whole: parsers keep them all."""

HEAD_SECONDS = 30.0
"""How long a connection may send nothing that is whole; a phone on a bad line needs some."""

MOST_WAITING = 16
"""Requests that may wait on a connection while another of it is answered: one piece of 256 KB holds thousands."""

STALLED_SECONDS = 60.0
"""How long a client may take nothing of what waits for it: its rows, and its turn, are kept from others meanwhile."""

TICK_SECONDS = 1.0
"""Between two looks of an idle server: each wakes the processor, and the replies' date changes no faster."""


def build_app(settings: Settings) -> FastAPI:
    """Return the app; Chainlit loads `app.py` on the way, which reads the same settings for itself.

    Raises SettingsInvalid.
    """
    # Chainlit looks for its files where it was started from, once, while it is imported.
    os.environ.setdefault("CHAINLIT_APP_ROOT", str(ROOT))
    import chainlit.server
    from chainlit.config import config
    from chainlit.utils import mount_chainlit

    # A mounted app's own lifespan is not run; Chainlit's would end the process by force besides.
    async def start() -> None:
        if config.code.on_app_startup:
            await config.code.on_app_startup()

    async def stop() -> None:
        if config.code.on_app_shutdown:
            await config.code.on_app_shutdown()

    # A page of another origin that shows the chat would look for the picture there.
    mark = base64.b64encode((ROOT / "public" / "mark.svg").read_bytes()).decode()
    config.ui.default_avatar_file_url = f"data:image/svg+xml;base64,{mark}"

    app = build_web(settings, desk_of(settings), guests_of(settings), start, stop)
    config.run.host, config.run.port = settings.host, settings.port
    chainlit.server.app.state.is_guarded = True  # By ours, before it.
    mount_chainlit(app, target=str(ROOT / "app.py"), path="")  # Last: it answers every path that is nobody's.
    return app


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises SettingsInvalid where the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsInvalid(
            f"Quaestor cannot listen on {host} port {port} ({error.strerror}): "
            "choose another with QUAESTOR_HOST and QUAESTOR_PORT."
        ) from None


def allow_files() -> None:
    """Raise the limit of open files as far as we may; a limit that is too low for many people is told."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):
        pass  # macOS names no limit as the hard one, and then does not take it.
    if 0 <= soft < ENOUGH_FILES:
        log.warning("Only %d files may be open: past %d people at once some are turned away.", soft, soft // 2 - 50)


def share_heap() -> None:
    """Let all threads share one heap, and give what is free in it back to the system, where the C library is glibc.

    By itself each thread gets a heap of its own and keeps what it once took: a tenth more memory with a hundred people.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # Another C library, or Windows.
        return
    for option, value in ((M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, 128 * 1024), (M_MMAP_THRESHOLD, 128 * 1024)):
        mallopt(option, value)


def configure(app: FastAPI) -> uvicorn.Config:
    """Return how the app is served."""
    return uvicorn.Config(
        app,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http=HttpProtocol,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # Socket.IO pings by itself.
        log_config=None,  # The root logger's handler hides secrets; uvicorn's own would not.
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's; it lets nobody keep a connection, or fill the memory, with a request that does not get on."""

    _got_on = False
    _waiting = 0
    _late: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)
        # uvicorn tells the last request alone.
        self.pipeline.clear()
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._got_on = False
        super().data_received(data)
        if self._got_on:
            self._waiting = 0
            return
        self._waiting += len(data)
        if self._waiting > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        elif self._late is None:
            self._wait()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_WAITING:
            raise ValueError  # It ends the parser, and uvicorn says that the request is invalid.
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._get_on()
        super().on_headers_complete()
        self.flow.resume_reading()  # Else nobody would notice that who sent another one leaves.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._get_on()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade()
        # In a ring, the protocol and its parser wait for Python's collector.
        self.parser = None  # type: ignore[assignment]  # As uvicorn does where a connection ends.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self._see_taken, left)

    def _see_taken(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            self.transport.abort()  # Closing it would wait for the client.

    def _stop_watching(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _get_on(self) -> None:
        self._got_on = True
        self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class QuietServer(uvicorn.Server):
    """uvicorn's server; it looks once a second, and not ten times, whether it should end, and a signal wakes it."""

    _wake: Callable[[], object] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; a signal ends that, too: a file may be read for minutes, and nobody is served yet."""
        starting = asyncio.current_task()
        assert starting is not None
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, starting.cancel)
        try:
            await super().startup(sockets)
        except asyncio.CancelledError:
            logging.getLogger("uvicorn.error").disabled = True  # It would tell how each part ends with a traceback.
            raise
        finally:
            self._wake = None

    async def main_loop(self) -> None:
        woken, clock = asyncio.Event(), asyncio.get_running_loop().time
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, woken.set)
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout_at(beat_after(clock(), TICK_SECONDS)):
                    await woken.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; a question that ends with it is no fault, whose traceback each would leave in the log."""
        logging.getLogger("uvicorn.error").addFilter(_tells_a_fault)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._wake is not None:
            self._wake()


def _tells_a_fault(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def main() -> None:
    """Serve until stopped; a setting that cannot work ends it with one sentence."""
    share_heap()
    try:
        settings = read_settings()
        check_exposure(settings, settings.host)
        listening = listen(settings.host, settings.port)
        config = configure(build_app(settings))
    except SettingsInvalid as error:
        sys.exit(str(error))
    allow_files()
    with suppress(KeyboardInterrupt, asyncio.CancelledError):  # Stopped while it started.
        QuietServer(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
