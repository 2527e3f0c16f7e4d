"""A page of memories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.values.mem0 import Mem0Results

if TYPE_CHECKING:
    from memplug.values.item import MemoryItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Mem0Results["MemoryItem"]):
    """Memories, newest first. Also answers mem0's ``result["results"]``.

    Args:
        items: Newest first.
        cursor: What `Memory.get_all` takes to go on behind the last item; None on the last page.
    """

    items: tuple[MemoryItem, ...] = ()
    cursor: str | None = None

    def members(self) -> tuple[MemoryItem, ...]:
        """The items."""
        return self.items
