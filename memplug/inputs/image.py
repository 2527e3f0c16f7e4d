"""Pictures: the original byte for byte, with what was found out about it and the words that belong to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput
from memplug.inputs.provenance import provenance_of
from memplug.safety.media_type import declared, seems_image
from memplug.safety.text import clean
from memplug.values.draft import Draft, Media

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.protocols import ParseContext
    from memplug.safety.image import ImageInfo
    from memplug.values.draft import Part

_NOT_WORDS = re.compile(r"[\W_]+")


class ImageInput:
    """Takes PNG, JPEG, WebP and GIF; other images too, so as to refuse them in clear words."""

    name = "image"

    def accepts(self, part: Part) -> bool:
        """Whether it is to be an image, begins like one, or is declared as one and is no PDF or archive."""
        if part.kind is not None:
            return part.kind == self.name
        source = part.source
        if source is None or source.data is None:
            return False
        return seems_image(source.data, declared(source.media_type, source.label))

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:
        """One draft with the picture.

        Its words are the user's description, else the text sent along with it. The other of the two and the words of
        the file name help to find it.

        Raises:
            InvalidImageError: Not a PNG, JPEG, WebP or GIF, or damaged.
            InputTooLarge: More bytes (`FileSizeError`) or pixels than are taken.
            UnsafeInput: Made to keep decoders busy.
            MalformedInput: There are no bytes, or the words are not valid Unicode.
        """
        from memplug.safety.image import inspect_image

        if part.source is None or part.source.data is None:
            raise MalformedInput("an image needs its bytes", hint="a path, bytes, a URL or a data URL")
        data, name = part.source.data, clean(part.source.label)
        info = inspect_image(data, context.limits, keep_location=context.keep_location)
        text, others = _words(part, name)
        yield Draft(
            part=part.index,
            kind=self.name,
            text=text,
            context=others,
            media=_media(data, name, info),
            content_type=info.content_type,
            metadata=_metadata(info, declared(part.source.media_type, name)),
            occurred_at=part.occurred_at,
            source=provenance_of(part),
        )


def _media(data: bytes, name: str, info: ImageInfo) -> Media:
    return Media(
        data=data,
        content_type=info.content_type,
        name=name,
        width=info.width,
        height=info.height,
        thumbnail=info.thumbnail,
        phash=info.phash,
    )


def _words(part: Part, name: str) -> tuple[str, str]:
    """The picture's own words, and the others that help to find it."""
    candidates = (clean(part.description or ""), clean(part.context), _NOT_WORDS.sub(" ", _stem(name)))
    said = [words for words in candidates[:2] if words.strip()]
    others = [*said[1:], candidates[2].strip()]
    return (said[0] if said else ""), "\n".join(words for words in others if words)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _metadata(info: ImageInfo, claimed: str | None) -> dict[str, Any]:
    found = {
        "taken_at": info.taken_at,
        "declared_type": claimed if claimed != info.content_type else None,
        "location": info.location,
    }
    return {name: value for name, value in found.items() if value is not None}
