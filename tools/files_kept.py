"""Removes the copies of files that nobody asks any more: older versions of them, and those of files long unnamed."""

from __future__ import annotations

import fcntl
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from tools.files import IN_USE

LATELY = 60.0
"""Seconds in which a server that was told of an older version has opened it."""
LONG = 30 * 86_400.0
"""Seconds after which files that no server was started with are not asked for any more."""


def remove_unused(copies: Path, new: Path) -> None:
    """Remove the other versions of what is `new`, and of other files those long not asked for; never one in use."""
    now = time.time()
    for folder in copies.iterdir():
        is_ours = folder == new.parent
        for version in folder.iterdir():
            age = now - max(version.stat().st_mtime, 0 if is_ours else folder.stat().st_mtime)
            if version.is_dir() and version != new and age > (LATELY if is_ours else LONG):
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
