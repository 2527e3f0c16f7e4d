"""A memory with its scope fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.forwarding import in_scope
from memplug.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Collection

    from memplug.values.scope import Scope


class ScopedMemory:
    """The verbs of `Memory` inside one scope; no call can leave it.

    Args:
        memory: The memory to look into.
        scope: What every call is bound to. A call may name further ids to narrow it.
        buckets: The buckets that a call may name beside it; a search looks into all of them, unless it names fewer.
    """

    def __init__(self, memory: Memory, scope: Scope, buckets: Collection[str] = ()) -> None:
        self._memory = memory
        self.scope = scope
        self.buckets: tuple[str, ...] = tuple(buckets)

    add = in_scope(Memory.add)
    extract = in_scope(Memory.extract)
    feedback = in_scope(Memory.feedback)
    undo = in_scope(Memory.undo)
    update = in_scope(Memory.update)
    delete = in_scope(Memory.delete)
    delete_all = in_scope(Memory.delete_all)
    restore = in_scope(Memory.restore)
    describe = in_scope(Memory.describe)
    search = in_scope(Memory.search, everywhere=True)
    context = in_scope(Memory.context, everywhere=True)
    chat = in_scope(Memory.chat, everywhere=True)
    chat_stream = in_scope(Memory.chat_stream, everywhere=True)
    get = in_scope(Memory.get)
    get_all = in_scope(Memory.get_all)
    history = in_scope(Memory.history)
    media = in_scope(Memory.media)
    open_media = in_scope(Memory.open_media)
    skill = in_scope(Memory.skill)
    draft_skill = in_scope(Memory.draft_skill)
    scoped = in_scope(Memory.scoped)

    def __repr__(self) -> str:
        return f"ScopedMemory({self._memory!r}, {self.scope!r})"
