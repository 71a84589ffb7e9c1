"""Removes the copies of files that nobody asks any more: older versions of them, and those of files long unnamed."""

from __future__ import annotations

import fcntl
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from tools.files import FOLDER, IN_USE, VERSION

LATELY = 60.0
"""Seconds in which a server that was told of an older version has opened it."""
LONG = 30 * 86_400.0
"""Seconds after which files that no server was started with are not asked for any more."""


def remove_unused(copies: Path, new: Path) -> None:
    """Remove the other versions of what is `new`, and of other files those long not asked for; never one in use."""
    now = time.time()
    # By their names: where a person's own files lie at QUAESTOR_HOME/files, those stay.
    for version in (*copies.glob(f"{FOLDER}/{VERSION}*"), *copies.glob(f"{FOLDER}/spare")):
        is_ours = version.parent == new.parent
        with suppress(FileNotFoundError):  # Another process has moved or removed it.
            age = now - max(version.stat().st_mtime, 0 if is_ours else version.parent.stat().st_mtime)
            if version != new and age > (LATELY if is_ours else LONG):
                _remove(version)


def _remove(version: Path) -> None:
    with ExitStack() as closing:
        try:
            held = closing.enter_context((version / IN_USE).open("rb"))
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            pass  # One whose removal broke off; a spare one is younger than a month, or was left.
        except OSError:
            return  # Somebody asks it.
        shutil.rmtree(version, ignore_errors=True)
