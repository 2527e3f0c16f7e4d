"""Items as memories, and memories as items.

The metadata of the memory is the value, its key is the key, its bucket the namespace. What the value is found by is
its text. A value that is too large for metadata is kept as an original, and one with several texts that are embedded
one by one has a piece for each of them, as a document has passages.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.store.base import Item, SearchItem

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.langchain.store_namespaces import namespace_of
from memplug.langchain.store_values import ValueRefused, checked_value, depth, texts_at, words_at
from memplug.safety.labels import check_key
from memplug.values.draft import Draft, Media
from memplug.values.filters import Compare, Filter
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from langgraph.store.base import PutOp

    from memplug.store import Store
    from memplug.values.item import MemoryItem
    from memplug.values.limits import Limits

#: Kinds of memories: an item with words of its own, one without, and a piece with some of the words of one.
ITEM, WORDLESS, PIECE = "langgraph", "langgraph-wordless", "langgraph-piece"
KINDS = (ITEM, WORDLESS)
ITEMS: Filter = Compare("kind", "in", KINDS)
FOUND: Filter = Compare("kind", "in", (ITEM, PIECE))
#: Where the metadata says for how many minutes the item lives after it was last touched.
TTL = "memplug:ttl"
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How items become drafts.

    Args:
        fields: The paths of what a value is found by; None where nothing is.
        apart: Whether each text is embedded by itself, exactly as it is.
        limits: The bounds.
    """

    fields: tuple[str, ...] | None
    apart: bool
    limits: Limits

    def draft(self, op: PutOp, part: int, *, now: datetime, expires_at: datetime | None) -> Draft:
        """The draft of a put.

        Raises:
            ValueRefused, InputTooLarge: The value is no JSON, or too large.
            MalformedInput: The key, index or ttl cannot be.
        """
        value, text = checked_value(op.value, self.limits)
        if TTL in value:
            raise ValueRefused(f"the name {TTL!r} in a value is memplug's own")
        if not isinstance(op.key, str):
            raise MalformedInput(f"a key must be text, not {type(op.key).__name__}")
        metadata = value if op.ttl is None else {**value, TTL: op.ttl}
        if large := self._is_large(metadata):
            metadata = {} if op.ttl is None else {TTL: op.ttl}
        words, pieces = self._words(value, op, part)
        kept = large or bool(pieces)
        return Draft(
            part=part,
            kind=ITEM if words else WORDLESS,
            text=words,
            key=check_key(op.key, self.limits),
            metadata=metadata,
            media=Media(data=text.encode(), content_type=JSON) if kept else None,
            content_type=JSON if kept else "text/plain",
            # Not "updated_at": a version that only lives longer is not a change of the item.
            occurred_at=now,
            expires_at=expires_at,
            pieces=pieces,
        )

    def _is_large(self, metadata: dict[str, Any]) -> bool:
        """Whether an import would refuse it as metadata."""
        size = len(json.dumps(metadata, ensure_ascii=False).encode())
        return size > self.limits.metadata_bytes or depth(metadata) > self.limits.metadata_depth

    def _words(self, value: dict[str, Any], op: PutOp, part: int) -> tuple[str, tuple[Draft, ...]]:
        """The text of the memory itself, and the pieces with the others."""
        paths = self.fields if op.index is None else _paths(op.index)
        if self.fields is None or not paths:
            return "", ()
        # A token is at least a character, so an import takes whatever fits in here.
        most = self.limits.text_tokens
        if not self.apart:
            return words_at(value, paths)[:most].strip(), ()
        texts = [(path, text[:most]) for path, text in texts_at(value, paths)]
        if len(texts) == 1:
            return texts[0][1], ()
        return "", tuple(
            Draft(part=part, kind=PIECE, text=text, source=Provenance(section=path)) for path, text in texts
        )


def _paths(index: object) -> Sequence[str]:
    if index is False:
        return ()
    if not isinstance(index, list | tuple) or not all(isinstance(path, str) for path in index):
        raise MalformedInput("index must be None, False or a list of paths")
    return index


def is_key(key: object, limits: Limits) -> bool:
    """Whether something can be under that key at all."""
    try:
        return isinstance(key, str) and check_key(key, limits) is not None
    except (MalformedInput, InputTooLarge):
        return False


def ttl_of(item: MemoryItem) -> float | None:
    """For how many minutes the item lives after it was last touched."""
    minutes = item.metadata.get(TTL)
    return float(minutes) if isinstance(minutes, int | float) and not isinstance(minutes, bool) else None


def value_of(item: MemoryItem, store: Store, *, shared: bool = False) -> dict[str, Any]:
    """The value of an item.

    Args:
        item: Its memory.
        store: Where its original is, should the value be there.
        shared: Whether it is only looked at; else the caller may change it.
    """
    metadata = item.metadata if shared else item.handed_out().metadata
    held = {name: member for name, member in metadata.items() if name != TTL}
    if held or item.media is None:
        return held
    with closing(store.backend.open_media(item.media.digest)) as file:
        found: dict[str, Any] = json.loads(file.read())
    return found


def item_of(item: MemoryItem, value: dict[str, Any]) -> Item:
    """The item that a memory is."""
    return Item(value=value, **_told(item))


def hit_of(item: MemoryItem, value: dict[str, Any], score: float | None) -> SearchItem:
    """The same, as something that was searched for."""
    return SearchItem(value=value, score=score, **_told(item))


def _told(item: MemoryItem) -> dict[str, Any]:
    changed = item.occurred_at or item.updated_at
    return {
        "key": item.key or "",
        "namespace": namespace_of(item.bucket or ""),
        "created_at": item.created_at,
        "updated_at": max(changed, item.created_at),
    }
