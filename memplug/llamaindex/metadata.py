"""What is known of a memory, as LlamaIndex's metadata: flat, and shown to models only as far as it helps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from memplug.values.item import MemoryItem

#: What an embedding model is told beside the words: what they are about, and nothing that is the same everywhere.
EMBEDDED = frozenset({"title", "file", "section", "speaker", "tags"})
#: What a language model is told: the same, and where and when it is from.
TOLD = EMBEDDED | {"kind", "page", "url", "role", "occurred_at"}
#: Characters of one value, and of all together, that models are shown. LlamaIndex's splitters refuse a document
#: whose metadata is longer than a chunk (1,024 tokens), and what users keep in metadata has up to 64 KB.
_VALUE, _TOGETHER = 300, 1_000


def metadata_of(item: MemoryItem) -> dict[str, Any]:
    """What memplug knows of a memory, and the caller's own metadata beside it.

    A name of the caller's that is also one of memplug's stands as ``metadata.<name>``.
    """
    source = item.source
    known = {
        "kind": item.kind,
        "key": item.key,
        "tags": ", ".join(item.tags),
        "file": source.file or (item.media.name if item.media else None),
        "page": source.page,
        "section": source.section,
        "url": source.url,
        "citation": item.citation,
        "role": source.role,
        "speaker": source.speaker,
        "content_type": item.content_type,
        "part_of": item.part_of,
        "occurred_at": item.occurred_at.isoformat() if item.occurred_at else None,
        "created_at": item.created_at.isoformat(),
        "updated_at": item.updated_at.isoformat(),
        "version": item.version,
        **item.ids,
    }
    return merged(known, item.metadata)


def merged(known: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What is known, without what is empty, and somebody's own metadata made flat; neither hides the other."""
    shown = {name: value for name, value in known.items() if value not in (None, "")}
    return {(f"metadata.{name}" if name in shown else name): _flat(value) for name, value in own.items()} | shown


def hidden(metadata: Mapping[str, Any], told: Collection[str], own: Iterable[str]) -> list[str]:
    """The names that a model is not shown: all but those of `told` and the caller's own, as far as these are short."""
    shown, room = set[str](), _TOGETHER
    for name in (*(name for name in metadata if name in told), *(name for name in own if name in metadata)):
        size = len(name) + len(str(metadata[name])) + 3
        if name not in shown and size <= min(_VALUE, room):
            shown.add(name)
            room -= size
    return [name for name in metadata if name not in shown]


def keys(metadata: Mapping[str, Any], own: Collection[str]) -> dict[str, list[str]]:
    """The two arguments of a document or node that say what models are not shown."""
    names = [f"metadata.{name}" if f"metadata.{name}" in metadata else name for name in own]
    return {
        "excluded_embed_metadata_keys": hidden(metadata, EMBEDDED, names),
        "excluded_llm_metadata_keys": hidden(metadata, TOLD, names),
    }


def _flat(value: object) -> object:
    """Many vector stores take numbers and texts only; anything else becomes its JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
