"""Memories as LangChain documents."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document

from memplug.values.item import MemoryItem


def document_of(item: MemoryItem, *, score: float | None = None, media: bytes | None = None) -> Document:
    """A memory as a document of the same id.

    Args:
        item: The memory. One without words gets its name for text.
        score: How well it answers, where it was searched for.
        media: Its original, where that is to come along, as base64.
    """
    source = item.source
    known: dict[str, Any] = {
        "score": score,
        "kind": item.kind,
        "content_type": item.content_type,
        "created_at": item.created_at.isoformat(),
        "updated_at": item.updated_at.isoformat(),
        "occurred_at": item.occurred_at.isoformat() if item.occurred_at else None,
        "version": item.version,
        "key": item.key,
        "tags": list(item.tags),
        "role": source.role,
        "speaker": source.speaker,
        "file": source.file or (item.media.name if item.media else None),
        "page": source.page,
        "section": source.section,
        "url": source.url,
        "citation": item.citation,
        "part_of": item.part_of,
        "media_digest": item.media.digest if item.media else None,
        "media_size": item.media.size if item.media else None,
        "media_base64": base64.b64encode(media).decode() if media is not None else None,
        **item.ids,
    }
    return Document(id=item.id, page_content=item.text.strip() or item.name, metadata=merged(known, item.metadata))


def merged(known: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What is known, without what is empty, beside somebody's own metadata; neither hides the other.

    A name of the caller's that is also one of memplug's stands as ``metadata.<name>``.
    """
    shown = {name: value for name, value in known.items() if value not in (None, "", [])}
    return {(f"metadata.{name}" if name in shown else name): value for name, value in own.items()} | shown
