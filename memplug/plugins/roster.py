"""The plugins that are loaded, each of them alone, and the way to call one of their hooks."""

from __future__ import annotations

import difflib
import inspect
import logging
import threading
import time
from typing import TYPE_CHECKING

import pluggy

from memplug.exceptions import PluginError
from memplug.plugins import hookspecs
from memplug.plugins.isolation import Attempt, attempt, described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memplug.plugins.choice import Choice
    from memplug.plugins.info import Row

log = logging.getLogger("memplug.plugins")

#: What goes wrong while a plugin is loaded is told under this name in place of a hook's.
LOAD = "load"


class Roster:
    """pluggy finds and checks the implementations; everything that pluggy does not isolate is done here.

    Args:
        choice: Which plugins the user wants, and how strictly.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.rows: list[Row] = []
        self.lock = threading.RLock()
        self._pluggy = pluggy.PluginManager(hookspecs.GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self._hooks = tuple(sorted(name for name in vars(self._pluggy.hook) if not name.startswith("_")))

    def load(self, row: Row, get: Callable[[], object]) -> None:
        """Loads one plugin, or says in its row why not.

        Raises:
            PluginError: It failed and `Choice.strict` is set, or the caller gave it: then it is the caller who
                has to know, and at once.
        """
        self.rows.append(row)
        reason = self.choice.against(row)
        if reason is not None:
            row.state, row.reason = "disabled", reason
            return
        started = time.perf_counter()
        error = attempt(lambda: self._register(row, get())).error
        row.load_ms = (time.perf_counter() - started) * 1000
        if error is not None:
            self.fail(row, LOAD, error, raises=row.origin == "given")

    def implementations(self, hook: str) -> list[tuple[Row, pluggy.HookImpl]]:
        """The implementations of a hook in the order of loading, but ``tryfirst`` before and ``trylast`` behind."""
        rows = {row.name: (place, row) for place, row in enumerate(self.rows) if row.hooks}
        found = [(*rows[impl.plugin_name], impl) for impl in self._hook(hook).get_hookimpls()]
        found.sort(key=lambda one: (one[2].trylast - one[2].tryfirst, one[0]))
        return [(row, impl) for _, row, impl in found]

    def call(self, row: Row, impl: pluggy.HookImpl, hook: str, arguments: Mapping[str, object]) -> Attempt[object]:
        """Calls one implementation alone, with those of the arguments that it takes.

        The error, where there is one, is a `PluginError` with what the plugin raised as its ``__cause__``.
        """
        positional = [arguments[name] for name in impl.argnames]
        named = {name: arguments[name] for name in impl.kwargnames if name in arguments}
        started = time.perf_counter()
        tried = attempt(lambda: _synchronous(impl.function(*positional, **named)))
        if self.choice.trace:
            log.info("%s of %s took %.2f ms", hook, row.name, (time.perf_counter() - started) * 1000)
        return tried if tried.error is None else Attempt(error=failure(row, hook, tried.error))

    def fail(self, row: Row, hook: str, error: BaseException, *, raises: bool = False) -> None:
        """Marks a plugin as failed, and logs it once.

        Raises:
            PluginError: `Choice.strict` is set, or ``raises``.
        """
        with self.lock:
            reason = _reason(hook, error)
            row.state = "failed"
            row.reason = f"{row.reason}; {reason}" if row.reason else reason
        self.report(row, hook, error, raises=raises)

    def report(self, row: Row, hook: str, error: BaseException, *, raises: bool = False) -> None:
        """Counts a failed call, and logs the first one of each hook.

        Raises:
            PluginError: `Choice.strict` is set, or ``raises``.
        """
        wrapped = error if isinstance(error, PluginError) else failure(row, hook, error)
        with self.lock:
            row.errors += 1
            known = hook in row.reported
            row.reported.add(hook)
        if raises or self.choice.strict:
            raise wrapped
        if not known:
            log.warning("plugin %s: %s", row.label, _reason(hook, error))
            log.debug("plugin %s failed in %s", row.name, hook, exc_info=error)

    def named(self, plugin: object) -> str | None:
        """The name under which an object is registered already."""
        return next((row.name for row in self.rows if self._pluggy.get_plugin(row.name) is plugin), None)

    def _register(self, row: Row, plugin: object) -> None:
        if plugin is None or isinstance(plugin, type):
            raise TypeError("a plugin is a module or an object, and not a class or None")
        twin = self.named(plugin)
        if twin is not None:
            row.state, row.reason = "disabled", f"the same plugin is loaded as {twin!r}"
            return
        if self._pluggy.has_plugin(row.name):
            raise LookupError(f"another plugin is called {row.name!r} already, and stays")
        checked = attempt(lambda: self._checked(row, plugin))
        if checked.error is not None:
            self._remove(row.name)
            raise checked.error
        row.hooks = checked.result or ()

    def _checked(self, row: Row, plugin: object) -> tuple[str, ...]:
        """Registers with pluggy and then checks for what pluggy lets through in silence."""
        self._pluggy.register(plugin, name=row.name)
        found = [(hook, impl) for hook in self._pluggy.get_hookcallers(plugin) or () for impl in hook.get_hookimpls()]
        own = [(hook.name, impl) for hook, impl in found if impl.plugin is plugin]
        if not own:
            raise TypeError("it has no function marked with @memplug.hookimpl")
        for hook, impl in own:
            self._check(hook, impl)
        return tuple(sorted({hook for hook, _ in own if hook in self._hooks}))

    def _check(self, hook: str, impl: pluggy.HookImpl) -> None:
        if hook not in self._hooks and not impl.optionalhook:
            near = difflib.get_close_matches(hook, self._hooks, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._hooks)}"
            raise NameError(f"unknown hook {hook!r}; {hint}")
        if impl.wrapper or impl.hookwrapper:
            raise TypeError(f"{hook!r} is a wrapper; memplug calls each implementation alone")

    def _remove(self, name: str) -> None:
        if self._pluggy.has_plugin(name):
            self._pluggy.unregister(name=name)

    def _hook(self, name: str) -> pluggy.HookCaller:
        caller: pluggy.HookCaller = getattr(self._pluggy.hook, name)
        return caller


def failure(row: Row, hook: str, error: BaseException) -> PluginError:
    """The error to raise where a plugin failed, with what it raised as the cause."""
    words = f"plugin {row.label} failed in {hook}: {described(error)}"
    retryable = getattr(error, "retryable", False) is True
    wrapped = PluginError(words, plugin=row.name, hook=hook, retryable=retryable)
    wrapped.__cause__ = error
    return wrapped


def _reason(hook: str, error: BaseException) -> str:
    """Why, in a line: without saying twice which plugin and hook it was."""
    inner = error.__cause__ if isinstance(error, PluginError) and error.__cause__ is not None else error
    words = str(inner) if isinstance(inner, PluginError) else described(inner)
    return words if hook == LOAD else f"{hook}: {words}"


def _synchronous(result: object) -> object:
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("it is an async function; hooks are synchronous")
    return result
