"""What plugins registered, by kind and name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from memplug.exceptions import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.plugins.info import Row

F = TypeVar("F", bound="Callable[..., object]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object that plugins register.

    Args:
        noun: What to call one of them.
        hook: The hook that registers them.
        members: What such an object must have.
        either: Of which it must have one at least.
        equipped: Whether its factories are offered the `Toolbox`, and may return None.
    """

    noun: str
    hook: str
    members: tuple[str, ...]
    either: tuple[str, ...] = ()
    equipped: bool = False


INPUT_TYPES = Kind(noun="input_type", hook="register_input_types", members=("name", "accepts", "parse"))
BACKENDS = Kind(noun="backend", hook="register_backends", members=())
EMBEDDERS = Kind(noun="embedder", hook="register_embedders", members=("name", "embed", "embed_query"))
MODELS = Kind(noun="model", hook="register_models", members=("name", "vision", "answer", "stream"))
DESCRIBERS = Kind(noun="describer", hook="register_describers", members=("name", "accepts", "describe"), equipped=True)
EXTRACTORS = Kind(
    noun="extractor", hook="register_extractors", members=("name",), either=("extract", "plan"), equipped=True
)
RANKERS = Kind(noun="ranker", hook="register_rankers", members=("name", "score"))
KINDS = (INPUT_TYPES, BACKENDS, EMBEDDERS, MODELS, DESCRIBERS, EXTRACTORS, RANKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[F]):
    """One factory, with the plugin it belongs to."""

    name: str
    owner: Row
    factory: F


@dataclass(slots=True, kw_only=True)
class Registry(Generic[F]):
    """The factories of one kind, in the order of registration."""

    kind: Kind
    entries: dict[str, Entry[F]] = field(default_factory=dict)

    def label(self, entry: Entry[F]) -> str:
        """How `PluginInfo.registered` names an entry."""
        return f"{self.kind.noun}:{entry.name}"


@dataclass(slots=True, kw_only=True)
class Registrar(Generic[F]):
    """The ``register`` that one plugin gets. It only collects, so that a plugin that crashes leaves nothing behind."""

    registry: Registry[F]
    owner: Row
    entries: dict[str, Entry[F]] = field(default_factory=dict)

    def __call__(self, name: str, factory: F) -> None:
        """Registers ``factory`` under ``name``.

        Raises:
            PluginError: The name is taken or is none, or the factory cannot be called.
        """
        if not isinstance(name, str) or not name or ":" in name:
            raise self._error(f"{name!r} is no name", hint="a name is text without a colon")
        if not callable(factory):
            raise self._error(f"the factory for {name!r} is a {type(factory).__name__}", hint="give a function")
        taken = self.entries.get(name) or self.registry.entries.get(name)
        if taken is not None:
            raise self._error(f"the {self.registry.kind.noun} {name!r} is registered by {taken.owner.name!r} already")
        self.entries[name] = Entry(name=name, owner=self.owner, factory=factory)

    def _error(self, message: str, *, hint: str | None = None) -> PluginError:
        words = f"{self.owner.name!r} cannot register: {message}"
        return PluginError(words, plugin=self.owner.name, hook=self.registry.kind.hook, hint=hint)
