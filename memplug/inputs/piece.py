"""What one item of a message's content holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memplug.values.source import Source

#: A part dict: ``{"type": …}``.
Block = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one item holds; see the fields of the same names in `Part`.

    Args:
        context: What the item itself says about its source, beside the texts that were sent along.
    """

    text: str | None = None
    source: Source | None = None
    value: object = None
    kind: str | None = None
    context: str = ""
