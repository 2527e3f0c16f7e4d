"""Blobs: any bytes of any type, kept as they are under a key, and found by whatever words they have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput, UnsupportedInput
from memplug.inputs.blob_contents import Contents, look_into
from memplug.inputs.provenance import provenance_of
from memplug.safety.labels import check_key, check_tags
from memplug.safety.media_type import declared, sniff
from memplug.safety.text import clean
from memplug.values.draft import Draft, Media

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from memplug.plugins.protocols import ParseContext
    from memplug.values.draft import Part
    from memplug.values.limits import Limits
    from memplug.values.source import Source

_NOT_WORDS = re.compile(r"[\W_]+")
#: Characters of a MIME type.
_TYPE_LENGTH = 255


class BlobInput:
    """Takes any bytes. It is asked last, so that it gets what nobody else reads, or what is to be a blob."""

    name = "blob"

    def accepts(self, part: Part) -> bool:
        """Whether it is to be a blob, or has bytes."""
        if part.kind is not None:
            return part.kind == self.name
        return part.source is not None and part.source.data is not None

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:
        """One draft with the bytes, of the type that the caller declared, to the letter.

        Its words are the user's description, else the text sent along with it. The other of the two, the file name and
        the first words in it, where it is of a type that is read, help to find it.

        Raises:
            UnsupportedInput: Nobody asked for a blob: there is neither a key nor the kind.
            InputTooLarge: It is over ``limits.blob_bytes``, or its key or tags are over theirs.
            MalformedInput: There are no bytes, or the declared type is none.
        """
        source, data = part.source, part.source.data if part.source else None
        if source is None or data is None:
            raise MalformedInput("a blob needs its bytes", hint="a path, bytes, a URL, a data URL, or base64 as `data`")
        key, tags = _labels(part, context.limits)
        if key is None and part.kind is None:
            raise _unasked(source)
        if len(data) > context.limits.blob_bytes:
            raise InputTooLarge(f"the blob has {len(data):,} bytes; at most {context.limits.blob_bytes:,} are taken")
        name = clean(source.label)
        found = look_into(data, media_type=source.media_type, name=name, limits=context.limits)
        text, others = _words(part, name, found)
        yield Draft(
            part=part.index,
            kind=self.name,
            text=text,
            context=others,
            media=Media(data=data, content_type=found.content_type, name=name),
            content_type=_declared(source) or found.content_type,
            key=key,
            tags=tags,
            metadata=_metadata(found),
            occurred_at=part.occurred_at,
            source=provenance_of(part),
        )


def _labels(part: Part, limits: Limits) -> tuple[str | None, tuple[str, ...]]:
    """The key that the caller gave, else the part's own; and the part's own tags."""
    own: Mapping[str, Any] = part.value if isinstance(part.value, Mapping) else {}
    key = part.key if part.key is not None else own.get("key")
    return check_key(key, limits), check_tags(own.get("tags"), limits)


def _unasked(source: Source) -> UnsupportedInput:
    shown, kind = (source.media_type or source.label or "these bytes")[:100], sniff(source.data or b"")
    if kind is not None and declared(source.media_type, source.label) not in {None, kind.content_type}:
        shown = f"{shown}, which begins like {kind.name}"
    return UnsupportedInput(
        f"no input type takes {shown}", hint="with a key, or the kind 'blob', they are kept as they are"
    )


def _declared(source: Source) -> str | None:
    """The type that the caller declared, as it stands.

    Raises:
        MalformedInput: It could be no type.
    """
    said = source.media_type
    if said is None:
        return None
    if not said.strip() or not said.isprintable() or len(said) > _TYPE_LENGTH:
        raise MalformedInput(f"the content type must be 1 to {_TYPE_LENGTH} printable characters", hint="image/png")
    return said


def _words(part: Part, name: str, found: Contents) -> tuple[str, str]:
    """The blob's own words, and the others that help to find it."""
    said = [words for words in (clean(part.description or ""), clean(part.context)) if words.strip()]
    stem = _NOT_WORDS.sub(" ", name.rpartition(".")[0] or name).strip()
    others = [*said[1:], stem, found.words]
    return (said[0] if said else ""), "\n".join(words for words in others if words)


def _metadata(found: Contents) -> dict[str, str]:
    """What the bytes are, where that is something else than was said."""
    if found.declared_type is None:
        return {}
    return {"declared_type": found.declared_type, "detected_type": found.content_type}
