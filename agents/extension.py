"""Lets a deployment put agents of its own into the Asker: docs/extending.md shows how."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from agents.ask import Asker
from errors import AskError, SettingsInvalid

log = logging.getLogger("quaestor.extension")


async def extend(asker: Asker, extension: str, closing: AsyncExitStack) -> Asker:
    """Return the Asker that the extension's function makes of this one.

    `extension` is `module:function`; the module is looked up from the working directory, too. The function may be
    sync or async, or return an async context manager, which `closing` then closes. Raises SettingsInvalid where that
    cannot be done; an AskError of the function's own passes.
    """
    function = _find(*extension.split(":"))
    try:
        made = function(asker)
        if isinstance(made, AbstractAsyncContextManager):
            made = await closing.enter_async_context(made)
        elif inspect.isawaitable(made):
            made = await made
    except AskError:
        raise
    except Exception as error:
        log.exception("the extension failed")
        raise _invalid(f"{extension} raised {type(error).__name__} (the log has the details)") from error
    if not isinstance(made, Asker):
        raise _invalid(f"{extension} returned {type(made).__name__}, and not the Asker to use")
    return made


def _find(module: str, name: str) -> Callable[[Asker], Any]:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # Last, so that nothing there hides an installed package.
    try:
        function = getattr(import_module(module), name, None)
    except Exception as error:
        is_absent = isinstance(error, ModuleNotFoundError)
        if not is_absent:  # Only its author can tell what is wrong, by where it is.
            log.exception("the extension could not be imported")
        reason = str(error) if is_absent else f"{type(error).__name__}; the log has the details"
        raise _invalid(f"the module {module} cannot be imported ({reason})") from error
    if not callable(function):
        raise _invalid(f"the module {module} has no function {name}")
    return function  # type: ignore[no-any-return]


def _invalid(reason: str) -> SettingsInvalid:
    return SettingsInvalid(f"The setting QUAESTOR_EXTENSION cannot be used: {reason}.")
