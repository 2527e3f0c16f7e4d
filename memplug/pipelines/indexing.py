"""What a record is found by: its analysed words and its vector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.lexical.indexing import search_text
from memplug.pipelines.wording import own_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memplug.plugins.protocols import Embedder
    from memplug.values.item import Record


def index(records: Sequence[Record], embedder: Embedder) -> list[Record]:
    """The records with terms and vectors made anew, in one call of the embedder."""
    texts = [_texts(record) for record in records]
    if not texts:
        return []
    parts = [_parts(record, to_embed) for record, (_, to_embed) in zip(records, texts, strict=True)]
    vectors = iter(embedder.embed([part for found in parts for part in found]))
    return [
        replace(record, terms=terms, vector=_middle([next(vectors) for _ in found]))
        for record, (terms, _), found in zip(records, texts, parts, strict=True)
    ]


def _parts(record: Record, to_embed: str) -> list[str]:
    """What is embedded by itself: the user's words, and those that describers have put below them.

    Both then have the same say in the vector. In one text, the fifty lines that OCR finds on a receipt leave nothing of
    "dinner with my sister": of 16 receipts among 400 turns of a conversation, 3 came first for such a question so, and
    12 in this way.
    """
    item = record.item
    own = own_words(item)
    if not own.strip() or own == item.text:
        return [to_embed]
    described = item.text[len(own) :]
    return ["\n".join(part for part in (own, record.context) if part.strip()), described]


def _middle(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """One vector of unit length in the middle of all; None where there is none."""
    whole = sum(vectors[1:], start=vectors[0])
    if len(vectors) > 1 and (length := float((whole @ whole) ** 0.5)):
        whole = (whole / length).astype(vectors[0].dtype)
    return whole if whole.any() else None


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
