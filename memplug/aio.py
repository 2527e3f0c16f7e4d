"""The async face: the same verbs, awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, Unpack

from memplug.exceptions import ConfigError
from memplug.forwarding import in_thread
from memplug.memory import Memory
from memplug.pipelines.sharing import Buckets

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

    from memplug.scoped import ScopedMemory
    from memplug.values.scope import ScopeIds


class _AsyncVerbs:
    """What both faces have."""

    _memory: Any

    add = in_thread(Memory.add)
    extract = in_thread(Memory.extract)
    feedback = in_thread(Memory.feedback)
    undo = in_thread(Memory.undo)
    update = in_thread(Memory.update)
    delete = in_thread(Memory.delete)
    delete_all = in_thread(Memory.delete_all)
    restore = in_thread(Memory.restore)
    describe = in_thread(Memory.describe)
    search = in_thread(Memory.search)
    context = in_thread(Memory.context)
    chat = in_thread(Memory.chat)
    chat_stream = in_thread(Memory.chat_stream)
    get = in_thread(Memory.get)
    get_all = in_thread(Memory.get_all)
    history = in_thread(Memory.history)
    media = in_thread(Memory.media)
    open_media = in_thread(Memory.open_media)
    skill = in_thread(Memory.skill)
    draft_skill = in_thread(Memory.draft_skill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._memory!r})"


class AsyncMemory(_AsyncVerbs):
    """`Memory` for asyncio: each verb runs in a worker thread, so that the event loop is never blocked.

    A cancelled call stops waiting, not writing: what it had begun may still be stored. Adding it again finds
    it as a duplicate.

    Args:
        location: As for `Memory`; or an opened `Memory` to share, and then no settings.
        settings: As for `Memory`. Opening reads files: in a running loop prefer ``await AsyncMemory.open(...)``.
    """

    def __init__(self, location: str | os.PathLike[str] | Memory | None = None, **settings: Any) -> None:
        if isinstance(location, Memory) and settings:
            raise ConfigError("a memory that is open already takes no settings")
        self._memory = location if isinstance(location, Memory) else Memory(location, **settings)

    @classmethod
    async def open(cls, location: str | os.PathLike[str] | None = None, **settings: Any) -> Self:
        """Opens a memory without blocking the loop; takes what `Memory` takes."""
        return cls(await asyncio.to_thread(Memory, location, **settings))

    status = in_thread(Memory.status)
    wait = in_thread(Memory.wait)
    work = in_thread(Memory.work)
    export = in_thread(Memory.export)
    import_ = in_thread(Memory.import_)
    doctor = in_thread(Memory.doctor)
    maintain = in_thread(Memory.maintain)
    close = in_thread(Memory.close)

    @property
    def buckets(self) -> AsyncBuckets:
        """The shared buckets; see `Memory.buckets`."""
        return AsyncBuckets(self._memory.buckets)

    def scoped(self, *, buckets: Collection[str] = (), **ids: Unpack[ScopeIds]) -> AsyncScopedMemory:
        """A view of this memory with ids fixed; see `Memory.scoped`."""
        return AsyncScopedMemory(self._memory.scoped(buckets=buckets, **ids))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncScopedMemory(_AsyncVerbs):
    """`ScopedMemory` for asyncio.

    Args:
        memory: The scoped memory to forward to.
    """

    def __init__(self, memory: ScopedMemory) -> None:
        self._memory = memory


class AsyncBuckets:
    """`Memory.buckets` for asyncio.

    Args:
        buckets: What to forward to.
    """

    def __init__(self, buckets: Buckets) -> None:
        self._memory = buckets

    create = in_thread(Buckets.create)
    get = in_thread(Buckets.get)
    list = in_thread(Buckets.list)
    share = in_thread(Buckets.share)
    unshare = in_thread(Buckets.unshare)
    delete = in_thread(Buckets.delete)
