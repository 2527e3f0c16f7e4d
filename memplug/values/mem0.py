"""The shape that mem0's users know, on top of memplug's own values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

T = TypeVar("T", bound="Mem0View")

RESULTS = "results"


class Mem0View(Mapping[str, Any]):
    """Lets a value also be read as the dict that mem0 returns in its place.

    So ``result["results"][0]["memory"]`` keeps running when only the import line was changed, and
    ``dict(value)`` gives plain data that can be written as JSON.
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


class Mem0Results(Sequence[T]):
    """A sequence of values that can also be read as mem0's ``{"results": […]}``."""

    __slots__ = ()

    @abstractmethod
    def members(self) -> Sequence[T]:
        """The values."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    @overload
    def __getitem__(self, index: str) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice | str) -> T | Sequence[T] | list[dict[str, Any]]:
        if isinstance(index, str):
            if index != RESULTS:
                raise KeyError(index)
            return [member.as_mem0() for member in self.members()]
        return self.members()[index]

    def get(self, name: str, default: Any = None) -> Any:
        """What a dict's ``get`` would give: the results under their name, else the default."""
        return self[name] if name == RESULTS else default

    def __contains__(self, value: object) -> bool:
        return value == RESULTS if isinstance(value, str) else value in self.members()

    def __len__(self) -> int:
        return len(self.members())
