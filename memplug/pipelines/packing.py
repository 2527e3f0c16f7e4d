"""Packs recalled memories into a text that a prompt has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.safety.quoting import new_boundary, origin_of, quoted
from memplug.safety.text import count_tokens
from memplug.values.context import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.values.hit import Hit
    from memplug.values.item import MemoryItem


def packed(hits: Sequence[Hit], budget: int, *, boundary: str | None = None) -> Context:
    """The best memories that fit together, each whole; one that is too long lets shorter ones behind it in.

    Args:
        hits: Best first.
        budget: Most tokens.
        boundary: The quotations' code, where the same question is to give the same text again; else a new one.
    """
    boundary = boundary or new_boundary()
    kept: list[Hit] = []
    left: list[Hit] = []
    entries: list[str] = []
    used = 0
    for hit in hits:
        entry = _entry(len(kept) + 1, hit.item, boundary)
        cost = count_tokens(entry)
        if used + cost > budget:
            left.append(hit)
            continue
        kept.append(hit)
        entries.append(entry)
        used += cost
    text = "\n".join(entries)
    return Context(text=text, hits=tuple(kept), left_out=tuple(left), tokens=count_tokens(text))


def _entry(number: int, item: MemoryItem, boundary: str) -> str:
    """One memory under its number. Each is quoted by itself, so that it is known again where it comes back."""
    when = item.occurred_at or item.created_at
    head = f"[{number}] {when.date().isoformat()}"
    return f"{head}\n{quoted(item.text or item.name, origin=origin_of(item.source, kind=item.kind), boundary=boundary)}"
