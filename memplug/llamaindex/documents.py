"""Memories as LlamaIndex documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.schema import Document, ImageDocument

from memplug.llamaindex.metadata import keys, metadata_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from memplug.values.item import MemoryItem


def document_of(item: MemoryItem, picture: Path | None = None) -> Document:
    """A memory as a document of the same id.

    Args:
        item: The memory. One without words gets its name for text: what has no text is left out of an index.
        picture: Where its picture lies; it becomes an `ImageDocument` then, since `VectorStoreIndex.from_documents`
            drops the picture of any other document, and without a word.
    """
    content_type = item.media.content_type if item.media else None
    return made_document(
        item.id, item.text.strip() or item.name, metadata_of(item), item.metadata, picture, content_type
    )


def made_document(
    id_: str,
    text: str,
    metadata: dict[str, Any],
    own: Mapping[str, Any] | Collection[str],
    picture: Path | None = None,
    content_type: str | None = None,
) -> Document:
    """A document of one of the two kinds.

    Args:
        id_: Its id.
        text: Its words.
        metadata: All of it, flat.
        own: Names in it that are the caller's, which models are shown as far as they are short.
        picture: Where its picture lies.
        content_type: The picture's type.
    """
    common: dict[str, Any] = {"id_": id_, "text": text, "metadata": metadata, **keys(metadata, list(own))}
    if picture is None:
        return Document(**common)
    return ImageDocument(image_path=str(picture), image_mimetype=content_type, **common)
