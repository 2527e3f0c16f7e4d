"""A memory bound to whose memories are meant: what each adapter holds, so that no call of a model can leave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Unpack

from memplug.aio import AsyncMemory, AsyncScopedMemory
from memplug.exceptions import ConfigError
from memplug.memory import Memory
from memplug.scoped import ScopedMemory

if TYPE_CHECKING:
    from collections.abc import Collection

    from memplug.values.scope import ScopeIds

#: What adapters take as their memory. Their own async calls run in worker threads, whichever it is.
AnyMemory = Memory | ScopedMemory | AsyncMemory | AsyncScopedMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A memory with its scope.

    Args:
        memory: The opened memory.
        view: The same inside its scope. All memories are read and written through it.
    """

    memory: Memory
    view: ScopedMemory

    def open_media(self, digest: str) -> BinaryIO:
        """The original of a memory that was read through the view, as a file open for reading.

        By digest, since a memory of one of the view's further buckets lies outside the scope itself.

        Raises:
            NotFound: It is gone by now.
        """
        return self.memory.engine.store.backend.open_media(digest)


def bind(memory: AnyMemory, *, buckets: Collection[str] | None = None, **ids: Unpack[ScopeIds]) -> Binding:
    """The memory inside the scope; the ids of a view that is scoped already may be narrowed, never changed.

    Args:
        memory: The memory, or a scoped view of one, of either face.
        buckets: Further buckets to search; None keeps those of a view.
        user_id, agent_id, run_id, bucket: The scope.

    Raises:
        ConfigError: It is no memory.
        ScopeError: There is no id at all, or one that the view fixed otherwise.
    """
    opened, view = taken_apart(memory)
    if view is not None:
        kept = view.buckets if buckets is None else buckets
        return Binding(memory=opened, view=view.scoped(buckets=kept, **ids))
    return Binding(memory=opened, view=opened.scoped(buckets=buckets or (), **ids))


def taken_apart(memory: AnyMemory) -> tuple[Memory, ScopedMemory | None]:
    """The opened memory, and the view where it is one.

    Raises:
        ConfigError: It is no memory.
    """
    if isinstance(memory, AsyncMemory | AsyncScopedMemory):
        memory = memory._memory  # noqa: SLF001 - the two faces are of one library, and this is the one behind
    if isinstance(memory, ScopedMemory):
        return memory._memory, memory  # noqa: SLF001 - the same
    if not isinstance(memory, Memory):
        raise ConfigError(
            f"a memory is needed here, not {type(memory).__name__}", hint="Memory(…), or memory.scoped(user_id=…)"
        )
    return memory, None
