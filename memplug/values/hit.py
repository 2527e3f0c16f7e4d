"""What a search gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memplug.values.mem0 import Mem0Results, Mem0View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL.Image import Image

    from memplug.values.item import MemoryItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit(Mem0View):
    """A recalled memory with its score. Also a mapping with mem0's ``id``, ``memory``, ``score`` and so on.

    Args:
        item: The memory.
        score: 0 to 1, higher is better; comparable inside one search, roughly so between searches.
        shares: What each ranker gave, by its name; sums to the score. Filled by ``explain=True``.
    """

    item: MemoryItem
    score: float
    shares: Mapping[str, float] = field(default_factory=dict)
    _load: Callable[[str], bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The memory's id."""
        return self.item.id

    @property
    def text(self) -> str:
        """The memory's words."""
        return self.item.text

    @property
    def kind(self) -> str:
        """What the memory came from."""
        return self.item.kind

    @property
    def citation(self) -> str:
        """Where it stands: ``handbook.pdf, page 12, § Returns``; empty where nothing says so."""
        return self.item.citation

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The caller's own JSON object."""
        return self.item.metadata

    @property
    def media(self) -> bytes | None:
        """The original, byte for byte, read anew at each call; None where there is none."""
        return self._load(self.item.media.digest) if self.item.media and self._load else None

    @property
    def image(self) -> Image | None:
        """The picture, with its orientation applied; None where the memory is not an image."""
        if self.item.kind != "image" or (data := self.media) is None:
            return None
        from memplug.safety.image import open_image

        return open_image(data)

    def as_mem0(self) -> dict[str, Any]:
        """The memory as mem0 shows it, with its ``score`` (and ``score_details`` when explained)."""
        shown = self.item.as_mem0() | {"score": self.score}
        return shown | ({"score_details": dict(self.shares)} if self.shares else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult(Mem0Results[Hit]):
    """The hits of one search, best first. Also answers mem0's ``result["results"]``.

    Args:
        hits: Best first.
        query: The query as given.
    """

    hits: tuple[Hit, ...] = ()
    query: str = ""

    def members(self) -> tuple[Hit, ...]:
        """The hits."""
        return self.hits
