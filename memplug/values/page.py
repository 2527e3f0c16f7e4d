"""A page of memories."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput
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


def cursor_of(item: MemoryItem) -> str:
    """Where a page ends, as text that promises nothing about its form."""
    text = json.dumps([item.created_at.isoformat(), item.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """The place that a cursor names.

    Raises:
        MalformedInput: No page gave it.
    """
    try:
        moment, id_ = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        after = datetime.fromisoformat(moment).astimezone(UTC), str(id_).encode("ascii").decode()
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedInput("the cursor is none that a page gave", hint="start again without one") from error
    return after
