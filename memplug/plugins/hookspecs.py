"""The whole plugin contract on one screen.

A plugin is a module (or object) named by an entry point of the group ``memplug``, with some of these functions,
each marked by ``@memplug.hookimpl``. ``register_*`` hooks are called once, when their kind is first needed; they
hand over a name and a factory, and the factory makes the object when that is first used. Import what is heavy
inside the factory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click

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
    from memplug.values.draft import Draft
    from memplug.values.endpoint import Endpoint
    from memplug.values.hit import Hit
    from memplug.values.item import MemoryItem
    from memplug.values.scope import Scope

GROUP = "memplug"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

F_contra = TypeVar("F_contra", contravariant=True)


class Register(Protocol[F_contra]):
    """Takes one name and one factory. A name that is taken already makes the later plugin fail."""

    def __call__(self, name: str, factory: F_contra) -> None:
        """Registers ``factory`` under ``name``."""


@hookspec
def register_input_types(register: Register[Callable[[], InputType]]) -> None:
    """Forms of raw input. Later plugins are asked first, so that one can refine a built-in."""


@hookspec
def register_backends(register: Register[Callable[[BackendRequest], Backend]]) -> None:
    """Stores, by URL scheme: ``register("postgresql", factory)``."""


@hookspec
def register_embedders(register: Register[Callable[[str], Embedder] | Callable[[str, Endpoint], Embedder]]) -> None:
    """Embedders. The factory gets what follows the colon: ``x:model`` calls the factory ``x`` with ``"model"``.

    One that has to have a second argument also gets where the user's configuration says that the server is.
    """


@hookspec
def register_models(register: Register[Callable[[str], ChatModel] | Callable[[str, Endpoint], ChatModel]]) -> None:
    """Chat models, also those that can see. The factory gets what an embedder's gets."""


@hookspec
def register_describers(register: Register[Callable[[], Describer] | Callable[[Toolbox], Describer | None]]) -> None:
    """What gives words to media. All that accept the media are asked; their words are joined.

    A factory that has to have an argument gets the `Toolbox` with the models that the user configured; it returns
    None where it cannot do without one that is not there, and is left out then.
    """


@hookspec
def register_extractors(
    register: Register[
        Callable[[], Extractor | PlanningExtractor] | Callable[[Toolbox], Extractor | PlanningExtractor | None]
    ],
) -> None:
    """What draws facts, preferences and tool experience from what was said. Factories are as for describers."""


@hookspec
def register_rankers(register: Register[Callable[[], Ranker]]) -> None:
    """One share of the score each."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Sub-commands of ``memplug``."""


@hookspec
def before_add(drafts: list[Draft], scope: Scope) -> list[Draft] | None:
    """Guards what is about to be stored: return other drafts (redaction), or None to leave them as they are.

    Fails closed: where this raises, nothing is stored.
    """


@hookspec
def after_add(items: Sequence[MemoryItem]) -> None:
    """Observes what was stored. Fails open: an error is logged and counted, and nothing else happens."""


@hookspec
def after_search(query: str, hits: Sequence[Hit]) -> None:
    """Observes a search. Fails open."""


@hookspec
def on_delete(items: Sequence[MemoryItem]) -> None:
    """Observes what was deleted. Fails open."""
