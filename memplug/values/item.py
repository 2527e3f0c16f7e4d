"""A stored memory."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from memplug.values.mem0 import Mem0View
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

Status = Literal["pending", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRef:
    """What a memory knows about its original, which is kept byte for byte under its digest.

    Args:
        digest: SHA-256 of the original, 64 lowercase hexadecimal digits.
        size: Length of the original in bytes.
        content_type: What the bytes were found to be.
        name: File name as the user knew it, or an empty string.
        width: Pixels after the stored orientation is applied; 0 where it is not an image.
        height: The same.
        thumbnail: Digest of a small picture for people, or None.
        phash: 64-bit perceptual hash as 16 hexadecimal digits; near pictures differ in few bits.
    """

    digest: str
    size: int
    content_type: str
    name: str = ""
    width: int = 0
    height: int = 0
    thumbnail: str | None = None
    phash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryItem(Mem0View):
    """One version of one memory. All times are timezone-aware UTC.

    Args:
        id: Opaque and stable through all versions.
        kind: What it came from: ``text``, ``image``, ``document``, ``tool_call``, ``feedback``, ``skill``, or
            a plugin's own word.
        text: The words it is remembered and found by; empty for a picture that nobody described.
        key: The caller's own name for it, unique inside its scope.
        content_type: MIME type of the original (``text/plain`` where there is none).
        media: The original, where there is one.
        user_id, agent_id, run_id, bucket: The scope ids that it carries.
        tags: Words to group by, without order or duplicates (kept sorted).
        metadata: The caller's own JSON object.
        status: ``pending`` while a step is still to come, ``failed`` with ``error`` where one gave up.
        error: Why a step failed, in words.
        source: Where it came from.
        part_of: Id of the memory that it is a piece of: a passage's document. It comes and goes with that.
        created_at: When the first version was committed.
        updated_at: When this version was committed.
        occurred_at: When what it tells happened, as the caller said.
        expires_at: From when on it is gone from every read.
        version: Counted from 1.
        valid_from: When this version became the current one (equals ``updated_at``).
        valid_to: When the next version replaced it; None for the current one.
        deleted: Whether this version is the deletion; only `Memory.history` shows such.
    """

    id: str
    kind: str
    text: str
    created_at: datetime
    updated_at: datetime
    key: str | None = None
    content_type: str = "text/plain"
    media: MediaRef | None = None
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    status: Status = "ready"
    error: str | None = None
    source: Provenance = field(default_factory=Provenance)
    part_of: str | None = None
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    version: int = 1
    valid_to: datetime | None = None
    deleted: bool = False

    @property
    def valid_from(self) -> datetime:
        """When this version became the current one."""
        return self.updated_at

    def handed_out(self) -> MemoryItem:
        """The item with metadata of its own, for a caller who may change that: backends hold items in memory."""
        return replace(self, metadata=deepcopy(dict(self.metadata))) if self.metadata else self

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of the media it names: its original and its thumbnail."""
        return tuple(digest for digest in (self.media.digest, self.media.thumbnail) if digest) if self.media else ()

    @property
    def ids(self) -> dict[str, str | None]:
        """The scope ids by name."""
        return {
            "user_id": self.user_id,
            "agent_id": self.agent_id,
            "run_id": self.run_id,
            "bucket": self.bucket,
        }

    def as_mem0(self) -> dict[str, Any]:
        """``id``, ``memory``, ``metadata``, the times as ISO 8601 text, and the scope ids that are set."""
        return {
            "id": self.id,
            "memory": self.text,
            "metadata": dict(self.metadata),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        } | {name: value for name, value in self.ids.items() if value is not None}

    @property
    def value_type(self) -> str:
        """Hive's word for what it holds: ``text``, or an original that is an ``image`` by its type, or a ``blob``."""
        if self.media is None:
            return "text"
        return "image" if self.content_type.lower().startswith("image/") else "blob"

    @property
    def citation(self) -> str:
        """Where it stands, for people: ``handbook.pdf, page 12, § Returns``; empty where nothing says so."""
        source = self.source
        page = f"page {source.page}" if source.page is not None else ""
        section = f"§ {source.section}" if source.section else ""
        return ", ".join(words for words in (source.file or source.url, page, section) if words)

    @property
    def name(self) -> str:
        """What to call it in a list: its words, else its file name, key or id."""
        return self.text or (self.media.name if self.media else "") or self.key or self.id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """One version of a memory as a backend keeps it: the item and what it is found by.

    Args:
        item: The memory.
        terms: The analysed words that lexical search matches, separated by blanks (`memplug.lexical`).
        vector: The embedding, float32 of the store's dimension, unit length; None where there are no words yet.
        identity: Digest of what makes the content the same content again; empty where it has none.
        context: Words that it is found by beside its own: the text sent along with a picture, a file name.
    """

    item: MemoryItem
    terms: str = ""
    vector: NDArray[np.float32] | None = None
    identity: str = ""
    context: str = ""

    @property
    def id(self) -> str:
        """The memory's id."""
        return self.item.id

    @property
    def version(self) -> int:
        """The memory's version."""
        return self.item.version
