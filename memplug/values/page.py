"""A page of memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from memplug.values.item import MemoryItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Sequence["MemoryItem"]):
    """Memories, newest first. Also answers mem0's ``result["results"]``.

    Args:
        items: Newest first.
        cursor: What `Memory.get_all` takes to go on behind the last item; None on the last page.
    """

    items: tuple[MemoryItem, ...] = ()
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> MemoryItem: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MemoryItem]: ...
    @overload
    def __getitem__(self, index: str) -> list[MemoryItem]: ...
    def __getitem__(self, index: int | slice | str) -> MemoryItem | Sequence[MemoryItem]:
        if isinstance(index, str):
            if index != "results":
                raise KeyError(index)
            return list(self.items)
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)
