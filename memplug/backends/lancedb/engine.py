"""Imports LanceDB, and remembers what it wants to run at the interpreter's end.

In a forked child that must not run: it waits for threads that the fork left behind, in the parent's name, for ever.
"""

from __future__ import annotations

import atexit
import importlib
import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_endings: list[Callable[..., Any]] = []


def _registered(ending: Callable[..., Any], *arguments: Any, **named: Any) -> Callable[..., Any]:
    if getattr(ending, "__module__", None) in {None, "builtins"} or "lancedb" in str(ending.__module__):
        _endings.append(ending)
    return _register(ending, *arguments, **named)


_register = atexit.register
if "lancedb" not in sys.modules:
    # Its native part registers a function that has no name to find it by later.
    atexit.register = cast("Any", _registered)
    try:
        importlib.import_module("lancedb")
    finally:
        atexit.register = _register


def forget_endings() -> None:
    """Keeps LanceDB from waiting at the end of this process, which is a forked child and does not use it."""
    for ending in _endings:
        atexit.unregister(ending)
