"""What the plugins bring, asked for kind by kind when it is first needed, and the objects made of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from memplug.exceptions import ConfigError
from memplug.plugins.isolation import attempt
from memplug.plugins.registry import KINDS, Entry, Kind, Registrar, Registry

if TYPE_CHECKING:
    from memplug.plugins.roster import Roster


class Catalogue:
    """The registries of all kinds. Each is filled once, and each object is made once, under the roster's lock.

    Args:
        roster: The plugins to ask.
    """

    def __init__(self, roster: Roster) -> None:
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
        """One object for each factory of a kind, in the order of registration; a factory that fails is left out."""
        with self._roster.lock:
            registry = self.registry(kind)
            if kind.hook not in self._objects:
                self._objects[kind.hook] = self._made(registry)
            made = self._objects[kind.hook]
            return [(entry, made[name]) for name, entry in registry.entries.items()]

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
            tried = attempt(partial(_object, registry.kind, entry))
            if tried.error is None:
                made[name] = tried.result
            else:
                del registry.entries[name]
                entry.owner.registered.remove(registry.label(entry))
                self._roster.fail(entry.owner, f"{registry.kind.noun} {name!r}", tried.error)
        return made

    def _failures(self) -> str | None:
        """What may be the reason for a missing name: the plugins that failed."""
        failed = [f"{row.name}: {row.reason}" for row in self._roster.rows if row.state == "failed"]
        return f"failed plugins: {'; '.join(failed)}" if failed else None


def _object(kind: Kind, entry: Entry[Any]) -> object:
    return complete(kind, entry.factory())


def complete(kind: Kind, made: object) -> object:
    """An object that has everything its kind needs.

    Raises:
        TypeError: It lacks something.
    """
    missing = [name for name in kind.members if not hasattr(made, name)]
    if missing:
        raise TypeError(f"the factory made a {type(made).__name__} without {', '.join(missing)}")
    return made
