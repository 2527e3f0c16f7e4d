"""What the plugins bring, asked for kind by kind when it is first needed, and the objects made of it."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from memplug.exceptions import ConfigError
from memplug.plugins.isolation import attempt
from memplug.plugins.models import Toolbox
from memplug.plugins.registry import KINDS, Entry, Kind, Registrar, Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.plugins.roster import Roster


class Catalogue:
    """The registries of all kinds. Each is filled once, and each object is made once, under the roster's lock.

    Args:
        roster: The plugins to ask.

    Attributes:
        toolbox: What factories that want one are given; set before the first object is made.
    """

    def __init__(self, roster: Roster) -> None:
        self.toolbox = Toolbox()
        self._roster = roster
        self._registries: dict[str, Registry[Any]] = {}
        self._objects: dict[str, dict[str, object]] = {}

    def fill(self) -> None:
        """Asks every plugin for everything. No factory is called."""
        for kind in KINDS:
            self.registry(kind)

    def registry(self, kind: Kind) -> Registry[Any]:
        """The factories of one kind."""
        with self._roster.lock:
            if kind.hook not in self._registries:
                self._registries[kind.hook] = self._filled(kind)
            return self._registries[kind.hook]

    def entry(self, kind: Kind, name: str) -> Entry[Any]:
        """One factory.

        Raises:
            ConfigError: There is none of that name.
        """
        entries = self.registry(kind).entries
        if name not in entries:
            raise ConfigError(
                f"unknown {kind.noun.replace('_', ' ')} {name!r}; known: {', '.join(sorted(entries)) or 'none'}",
                hint=self._failures(),
            )
        return entries[name]

    def objects(self, kind: Kind) -> list[tuple[Entry[Any], Any]]:
        """One object for each factory of a kind, in the order of registration.

        A factory that fails is left out, as is one that says that it has nothing to work with.
        """
        with self._roster.lock:
            registry = self.registry(kind)
            if kind.hook not in self._objects:
                self._objects[kind.hook] = self._made(registry)
            made = self._objects[kind.hook]
            return [(entry, made[name]) for name, entry in registry.entries.items() if name in made]

    def made(self) -> list[tuple[Entry[Any], Any]]:
        """The objects of all kinds that were made so far."""
        with self._roster.lock:
            return [pair for kind in KINDS if kind.hook in self._objects for pair in self.objects(kind)]

    def _filled(self, kind: Kind) -> Registry[Any]:
        registry: Registry[Any] = Registry(kind=kind)
        for row, impl in self._roster.implementations(kind.hook):
            registrar: Registrar[Any] = Registrar(registry=registry, owner=row)
            error = self._roster.call(row, impl, kind.hook, {"register": registrar}).error
            if error is None:
                registry.entries |= registrar.entries
            else:
                self._roster.fail(row, kind.hook, error)
        for entry in registry.entries.values():
            entry.owner.registered.append(registry.label(entry))
        return registry

    def _made(self, registry: Registry[Any]) -> dict[str, object]:
        made: dict[str, object] = {}
        for name, entry in list(registry.entries.items()):
            tried = attempt(partial(self._object, registry.kind, entry))
            if tried.error is None:
                made |= {name: tried.result} if tried.result is not None else {}
            else:
                del registry.entries[name]
                entry.owner.registered.remove(registry.label(entry))
                self._roster.fail(entry.owner, f"{registry.kind.noun} {name!r}", tried.error)
        return made

    def _object(self, kind: Kind, entry: Entry[Any]) -> object:
        """What a factory makes; None where it needs what the user did not configure."""
        made = called(entry.factory, *((self.toolbox,) if kind.equipped else ()))
        return None if made is None and kind.equipped else complete(kind, made)

    def _failures(self) -> str | None:
        """What may be the reason for a missing name: the plugins that failed."""
        failed = [f"{row.name}: {row.reason}" for row in self._roster.rows if row.state == "failed"]
        return f"failed plugins: {'; '.join(failed)}" if failed else None


def called(factory: Callable[..., object], *offered: object, least: int = 0) -> object:
    """What a factory makes of as many of the offered arguments as it has to have.

    One with a default is not filled: it means something else in a class that is its own factory.

    Args:
        factory: The factory.
        offered: What it may be given, in this order.
        least: How many of these it is given in any case.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # some that are written in C do not tell
        return factory(*offered[:least])
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = sum(one.kind in places and one.default is inspect.Parameter.empty for one in parameters)
    return factory(*offered[: max(wanted, least)])


def complete(kind: Kind, made: object) -> object:
    """An object that has everything its kind needs.

    Raises:
        TypeError: It lacks something.
    """
    missing = [name for name in kind.members if not hasattr(made, name)]
    if kind.either and not any(hasattr(made, name) for name in kind.either):
        missing.append(" or ".join(kind.either))
    if missing:
        raise TypeError(f"the factory made a {type(made).__name__} without {', '.join(missing)}")
    return made
