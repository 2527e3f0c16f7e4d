"""The shape that mem0's users know, on top of memplug's own values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any


class Mem0View(Mapping[str, Any]):
    """Lets a value also be read as the dict that mem0 returns in its place.

    So ``result["results"][0]["memory"]`` keeps running when only the import line was changed, and
    ``dict(value)`` gives plain data.
    """

    __slots__ = ()

    @abstractmethod
    def as_mem0(self) -> dict[str, Any]:
        """The value as mem0's dict."""

    def __getitem__(self, name: str) -> Any:
        return self.as_mem0()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_mem0())

    def __len__(self) -> int:
        return len(self.as_mem0())
