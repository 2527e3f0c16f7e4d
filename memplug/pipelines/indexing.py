"""What a record is found by: its analysed words and its vector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.lexical.indexing import search_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Embedder
    from memplug.values.item import Record


def index(records: Sequence[Record], embedder: Embedder) -> list[Record]:
    """The records with terms and vectors made anew, in one call of the embedder."""
    texts = [_texts(record) for record in records]
    if not texts:
        return []
    vectors = embedder.embed([to_embed for _, to_embed in texts])
    return [
        replace(record, terms=terms, vector=vector if vector.any() else None)
        for record, (terms, _), vector in zip(records, texts, vectors, strict=True)
    ]


def _texts(record: Record) -> tuple[str, str]:
    item = record.item
    return search_text(
        item.text,
        context=record.context,
        speaker=item.source.speaker,
        key=item.key,
        tags=item.tags,
        name=item.media.name if item.media else "",
    )
