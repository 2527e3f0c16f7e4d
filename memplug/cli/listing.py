"""How a memory looks in a row of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from datetime import datetime

    from memplug.values.item import MemoryItem


class ColumnWords(TypedDict, total=False):
    """The arguments of a `memplug.cli.screen.Column`, without loading what draws it."""

    name: str
    style: str
    right: bool
    most: int
    text: bool


KIND: ColumnWords = {"name": "kind", "style": "magenta", "most": 12}
TEXT: ColumnWords = {"name": "text", "text": True}
WHEN: ColumnWords = {"name": "when", "style": "dim"}
ID: ColumnWords = {"name": "id", "style": "dim"}
KEY: ColumnWords = {"name": "key", "style": "cyan", "most": 20}


def moment(value: datetime | None) -> str:
    """A moment in the reader's own time zone, to the minute; empty where there is none."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else ""


def shown_when(item: MemoryItem) -> str:
    """When it happened, else when it was added."""
    return moment(item.occurred_at or item.created_at)


def shown_kind(item: MemoryItem) -> str:
    """Its kind."""
    return item.kind


def shown_text(item: MemoryItem) -> str:
    """Its words, after its status where that is not ``ready`` and its speaker where one is named."""
    status = "" if item.status == "ready" else f"[{item.status}] "
    speaker = f"{item.source.speaker}: " if item.source.speaker else ""
    return status + speaker + item.name
