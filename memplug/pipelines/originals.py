"""Originals that an import brings: they must be what their memory says they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import InvalidImageError, MalformedInput
from memplug.safety.media_type import sniff
from memplug.safety.sizes import check_image_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memplug.values.item import MediaRef, MemoryItem
    from memplug.values.limits import Limits


def check_originals(items: Iterable[MemoryItem], read: Callable[[str], bytes], limits: Limits) -> None:
    """Looks at each original and thumbnail once, one at a time.

    Args:
        items: Versions of one memory.
        read: Gives the bytes of a digest, checked against it.
        limits: What an image may be.

    Raises:
        InputRejected: One is missing, damaged, or not what the memory says.
    """
    seen: set[tuple[MediaRef, bool]] = set()
    for item in items:
        if item.media is None or (item.media, _is_image(item)) in seen:
            continue
        seen.add((item.media, _is_image(item)))
        _check_original(item.media, read(item.media.digest), limits, image=_is_image(item))
        if item.media.thumbnail is not None:
            _check_thumbnail(read(item.media.thumbnail))


def _is_image(item: MemoryItem) -> bool:
    if item.kind == "blob":  # any bytes, of whatever type their owner declared
        return False
    types = [item.content_type, item.media.content_type if item.media else ""]
    return item.kind == "image" or any(type_.lower().startswith("image/") for type_ in types)


def _check_original(media: MediaRef, data: bytes, limits: Limits, *, image: bool) -> None:
    if len(data) != media.size:
        raise MalformedInput(f"media {media.digest} has {len(data)} bytes, and its memory says {media.size}")
    if not image:
        return
    from memplug.safety.image import image_type

    check_image_size(len(data), limits)
    found = image_type(data)
    if found != media.content_type:
        raise InvalidImageError(f"media {media.digest} is {found}, and its memory says {media.content_type}")


def _check_thumbnail(data: bytes) -> None:
    kind = sniff(data)
    if kind is None or kind.content_type != "image/webp":
        raise InvalidImageError("the memory's thumbnail is no WebP picture")
