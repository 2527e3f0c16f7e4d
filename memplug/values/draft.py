"""What an input type makes of raw input, before it is embedded and stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memplug.values.source import Provenance, Role, Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of raw input: a text, or a source of bytes, with what the message around it says.

    Args:
        index: Its place among all parts of the `add`, counted from 0; outcomes refer to it.
        text: The text, where the part is one.
        source: Path, bytes or URL, where the part is media.
        value: Any other object as handed in (a dict of a form only a plugin knows, a PIL image).
        role, speaker, occurred_at: From the message around it.
        message: Number of the message inside the `add`; parts of one message belong together.
        description: The user's own words about it.
        context: Text sent along in the same message; it is searchable with the media.
        kind: The kind that the caller or the message's form asks for; None lets the input types decide.
        key: The caller's own name for what the part becomes.
    """

    index: int
    text: str | None = None
    source: Source | None = None
    value: object = None
    role: Role = "user"
    speaker: str | None = None
    occurred_at: datetime | None = None
    message: int = 0
    description: str | None = None
    context: str = ""
    kind: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Bytes to keep, with what was found out about them.

    Args:
        data: The original, byte for byte.
        content_type: What the bytes are, by what decodes.
        name: File name for people, or an empty string.
        width, height: Pixels with the orientation applied; 0 where it is not an image.
        thumbnail: A small picture for people (WebP), free of metadata.
        phash: Perceptual hash, 16 hexadecimal digits.
    """

    data: bytes
    content_type: str
    name: str = ""
    width: int = 0
    height: int = 0
    thumbnail: bytes | None = None
    phash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A memory in the making.

    Args:
        part: Index of the `Part` it was made from.
        also: Indices of further parts that went into it: a tool's result, beside its call.
        kind: See `MemoryItem.kind`.
        text: The words it will be remembered by.
        described: What describers saw in the media; it is searched like ``text`` and stands below it.
        context: More words to find it by that are not its own (a file name, the text sent along).
        media: The original, where there is one.
        content_type: MIME type.
        key: The caller's name for it; only one draft of an `add` may carry it.
        origin: What it is called in the system that it is imported from; names its place as a key does, and is
            neither shown nor searched.
        tags, metadata, occurred_at, expires_at: See `MemoryItem`.
        source: See `MemoryItem`.
        error: Why a step could not finish; the memory is stored all the same, with status ``failed``.
        pending: Whether a step is still to come; the memory is stored with status ``pending``.
        place: Where it belongs among a whole and its pieces while guards look at all of them side by side: the number
            of the whole, and 0 for the whole itself or the piece's number from 1.
        pieces: What it falls into (the passages of a document): each becomes a memory of its own that is part of this
            one, comes and goes with it, and cites it.
    """

    part: int
    kind: str
    also: tuple[int, ...] = ()
    text: str = ""
    described: str = ""
    context: str = ""
    media: Media | None = None
    content_type: str = "text/plain"
    key: str | None = None
    origin: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    source: Provenance = field(default_factory=Provenance)
    error: str | None = None
    pending: bool = False
    place: tuple[int, int] | None = None
    pieces: tuple[Draft, ...] = ()

    @property
    def named(self) -> bool:
        """Whether its place has a name, so that other content there is a new version of the same memory."""
        return self.key is not None or self.origin is not None
