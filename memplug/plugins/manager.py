"""The plugin manager: loads plugins, asks them what they bring, and calls their hooks, each plugin alone."""

from __future__ import annotations

import os
from functools import partial
from importlib import metadata
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast

from memplug.exceptions import InputRejected, MemplugError
from memplug.plugins.builtins import BUILTINS
from memplug.plugins.catalogue import Catalogue, called, complete
from memplug.plugins.choice import Choice
from memplug.plugins.info import PluginInfo, Row
from memplug.plugins.installed import installed_plugins
from memplug.plugins.isolation import attempt
from memplug.plugins.registry import BACKENDS, DESCRIBERS, EMBEDDERS, EXTRACTORS, INPUT_TYPES, MODELS, RANKERS, Kind
from memplug.plugins.roster import Roster, failure, log
from memplug.values.draft import Draft
from memplug.values.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import click
    import pluggy

    from memplug.plugins.models import ChatModel, Toolbox
    from memplug.plugins.protocols import (
        Backend,
        BackendRequest,
        Describer,
        Embedder,
        Extractor,
        InputType,
        PlanningExtractor,
        Ranker,
    )
    from memplug.values.scope import Scope

Observer = Literal["after_add", "after_search", "on_delete"]
_PACKAGE = "memplug"


class PluginManager:
    """All plugins of one `Memory`: the built-ins, those that the caller gives, and those that are installed.

    A plugin that fails costs itself only: it is logged once, `plugins` says why, and everything else works.
    Safe to use from several threads.

    Args:
        plugins: Plugins to load besides: modules or objects with functions marked ``@memplug.hookimpl``.
        environ: Where to read the ``MEMPLUG_…`` variables; None means the process's own.
        discover: Whether to load installed plugins.

    Raises:
        PluginError: One of ``plugins`` cannot be loaded, or any plugin where ``MEMPLUG_STRICT_PLUGINS=1``.
    """

    def __init__(
        self, *, plugins: Sequence[object] = (), environ: Mapping[str, str] | None = None, discover: bool = True
    ) -> None:
        self._roster = Roster(Choice.from_environ(os.environ if environ is None else environ))
        self._catalogue = Catalogue(self._roster)
        self._load_builtins()
        self._load_given(plugins)
        if discover:
            self._load_installed()
            self._report_unknown_names()

    def plugins(self) -> list[PluginInfo]:
        """Every plugin that was found, in the order of loading, with what it registers and how it fares."""
        with self._roster.lock:
            self._catalogue.fill()
            return [row.info() for row in self._roster.rows]

    def input_types(self) -> list[InputType]:
        """The input types in the order in which they are asked.

        Those that came later come first, so that a plugin can refine what another one does; the built-ins come
        last, in their own order.
        """
        made = self._catalogue.objects(INPUT_TYPES)
        plugins = {entry.owner.name: entry.owner for entry, _ in made}
        asked = sorted(plugins.values(), key=self._turn)
        return [one for owner in asked for entry, one in made if entry.owner is owner]

    def describers(self) -> list[Describer]:
        """What gives words to media, in the order of registration."""
        return self._all(DESCRIBERS)

    def extractors(self) -> list[Extractor]:
        """What draws further memories from what was said, in the order of registration."""
        return [made for made in self._all(EXTRACTORS) if hasattr(made, "extract")]

    def planners(self) -> list[PlanningExtractor]:
        """Those extractors that are also shown what is known already, and propose changes of it."""
        return [made for made in self._all(EXTRACTORS) if hasattr(made, "plan")]

    def rankers(self) -> list[Ranker]:
        """The rankers in the order of registration."""
        return self._all(RANKERS)

    def backend(self, scheme: str) -> Callable[[BackendRequest], Backend]:
        """The factory of the backend for a URL scheme.

        Raises:
            ConfigError: No plugin registers the scheme; the message names those that are there.
        """
        entry = self._catalogue.entry(BACKENDS, scheme)
        return cast("Callable[[BackendRequest], Backend]", entry.factory)

    def equip(self, toolbox: Toolbox) -> None:
        """Sets what describers and extractors are given to work with; before the first of them is made."""
        self._catalogue.toolbox = toolbox

    def embedder(self, spec: str, endpoint: Endpoint | None = None) -> Embedder:
        """A new embedder, by ``name`` or ``name:argument`` (``openai:text-embedding-3-small``).

        Args:
            spec: Which one.
            endpoint: Where its server is, where it has one.

        Raises:
            ConfigError: No plugin registers the name, or the embedder refuses the argument.
            PluginError: The plugin failed.
        """
        return cast("Embedder", self._named(EMBEDDERS, spec, endpoint))

    def model(self, spec: str, endpoint: Endpoint | None = None) -> ChatModel:
        """A new chat model, by ``name`` or ``name:argument`` (``openai:gpt-5-mini``).

        Args:
            spec: Which one.
            endpoint: Where its server is.

        Raises:
            ConfigError: No plugin registers the name, or the model refuses the argument.
            PluginError: The plugin failed.
        """
        return cast("ChatModel", self._named(MODELS, spec, endpoint))

    def _named(self, kind: Kind, spec: str, endpoint: Endpoint | None) -> object:
        name, _, argument = spec.partition(":")
        entry = self._catalogue.entry(kind, name)
        made = attempt(lambda: complete(kind, called(entry.factory, argument, endpoint or Endpoint(), least=1)))
        if made.error is None:
            return made.result
        if isinstance(made.error, MemplugError):
            raise made.error
        raise failure(entry.owner, f"{kind.noun} {name!r}", made.error) from made.error

    def add_commands(self, cli: click.Group) -> None:
        """Lets each plugin add its commands; what a plugin did before it failed is undone.

        A command that is there already stays: the plugin that would replace it fails.
        """
        for row, impl in self._roster.implementations("register_commands"):
            before = dict(cli.commands)
            error = self._roster.call(row, impl, "register_commands", {"cli": cli}).error
            lost = [name for name, command in before.items() if cli.commands.get(name) is not command]
            problem = error or (ValueError(f"it takes the place of {', '.join(lost)}") if lost else None)
            if problem is None:
                row.registered += [f"command:{name}" for name in cli.commands if name not in before]
                continue
            cli.commands.clear()
            cli.commands.update(before)
            self._roster.fail(row, "register_commands", problem)

    def guard(self, drafts: Sequence[Draft], scope: Scope) -> list[Draft]:
        """What is to be stored, after every ``before_add`` has seen it in the order of loading.

        Raises:
            InputRejected: A plugin refuses the input on purpose.
            PluginError: A plugin failed; then nothing may be stored, since nobody knows what it would have removed.
        """
        guarded = list(drafts)
        for row, impl in self._roster.implementations("before_add"):
            guarded = self._guarded(row, impl, guarded, scope)
        return guarded

    def notify(self, hook: Observer, **arguments: object) -> None:
        """Tells the observers; what one of them raises is logged once and counted, and the next one is told.

        Raises:
            PluginError: An observer failed and ``MEMPLUG_STRICT_PLUGINS=1``.
        """
        for row, impl in self._roster.implementations(hook):
            error = self._roster.call(row, impl, hook, arguments).error
            if error is not None:
                self._roster.report(row, hook, error)

    def close(self) -> None:
        """Lets the objects that plugins made go: those with a ``close`` are told. What one of them raises is logged."""
        for entry, made in self._catalogue.made():
            ending = getattr(made, "close", None)
            error = attempt(ending).error if callable(ending) else None
            if error is not None:
                self._roster.report(entry.owner, "close", error)

    def _guarded(self, row: Row, impl: pluggy.HookImpl, drafts: list[Draft], scope: Scope) -> list[Draft]:
        """The drafts after one guard. It gets the list itself, so that edits in place count as well."""
        tried = self._roster.call(row, impl, "before_add", {"drafts": drafts, "scope": scope})
        error = tried.error
        if error is None:
            answer = drafts if tried.result is None else tried.result
            if isinstance(answer, list | tuple) and all(isinstance(draft, Draft) for draft in answer):
                return list(answer)
            error = failure(row, "before_add", TypeError("it must return a list of drafts, or None"))
        if isinstance(error.__cause__, InputRejected):
            raise error.__cause__
        with self._roster.lock:
            row.errors += 1
        raise error

    def _all(self, kind: Kind) -> list[Any]:
        return [made for _, made in self._catalogue.objects(kind)]

    def _turn(self, owner: Row) -> tuple[int, int]:
        """When a plugin's input types are asked: the caller's, then installed ones, then the built-ins."""
        place = self._roster.rows.index(owner)
        return (2, place) if owner.origin == "builtin" else (int(owner.origin == "installed"), -place)

    def _load_builtins(self) -> None:
        version = attempt(lambda: metadata.version(_PACKAGE)).result
        for name, plugin in BUILTINS:
            row = Row(name=name, origin="builtin", distribution=_PACKAGE, version=version)
            self._roster.load(row, partial(_itself, plugin))

    def _load_given(self, plugins: Iterable[object]) -> None:
        """Those that the caller gives come before installed ones, so that a name they share is the caller's."""
        for plugin in plugins:
            base = _name_of(plugin)
            taken = {row.name for row in self._roster.rows}
            names = (base if number == 1 else f"{base}#{number}" for number in count(1))
            row = Row(name=next(name for name in names if name not in taken), origin="given")
            self._roster.load(row, partial(_itself, plugin))

    def _load_installed(self) -> None:
        for found in installed_plugins():
            row = Row(name=found.name, origin="installed", distribution=found.distribution, version=found.version)
            self._roster.load(row, found.load)

    def _report_unknown_names(self) -> None:
        for variable, name in self._roster.choice.unknown(self._roster.rows):
            log.warning("%s names %r, and there is no such plugin", variable, name)


def _itself(plugin: object) -> object:
    return plugin


def _name_of(plugin: object) -> str:
    """What to call a plugin that came without a name."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    return f"{type(plugin).__module__}.{type(plugin).__qualname__}"
