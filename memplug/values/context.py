"""Recalled memories as one text that fits into a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memplug.values.hit import Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What `Memory.context` gives; ``str`` of it is its text.

    Args:
        text: The memories, numbered from 1, each quoted with where it is from; empty where there are none.
        hits: The memories that are in the text, in its order: number ``n`` is ``hits[n - 1]``.
        left_out: Memories that were found and did not fit, best first. Nothing is ever cut short to fit.
        tokens: About how many tokens the text has (`memplug.safety.text.count_tokens`).
    """

    text: str
    hits: tuple[Hit, ...] = ()
    left_out: tuple[Hit, ...] = ()
    tokens: int = 0

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.hits)
