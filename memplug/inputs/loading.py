"""Brings a part's bytes here: from a file, a data URL, a URL, or a PIL image in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge
from memplug.inputs.blocks import is_picture
from memplug.safety.data_url import decode_data_url, media_type_of
from memplug.safety.files import read_file
from memplug.safety.media_type import HEAD, declared, seems_image
from memplug.safety.sizes import check_image_size, image_too_large
from memplug.skills.folder import is_skill_folder, pack_folder
from memplug.values.source import Source

if TYPE_CHECKING:
    from typing import Any

    from memplug.safety.fetch import Fetcher
    from memplug.values.draft import Part
    from memplug.values.limits import Limits


def load(part: Part, limits: Limits, fetcher: Fetcher) -> Part:
    """The part with ``source.data`` present, where it has a source or is a PIL image; else the part as it is.

    What is, or says it is, a picture may have ``limits.image_bytes``, what is to be a skill ``skill_zip_bytes``, or a
    blob ``blob_bytes``, another file ``file_bytes`` and another URL ``fetch_bytes``; all are checked before the bytes
    are read, decoded or fetched as far as they can be. A PIL image becomes an upright PNG without metadata, under the
    name of the file that it was opened from, and a folder with a `SKILL.md` in it becomes the ZIP of a skill.

    Raises:
        MalformedInput: There is no such file, or the URL or its base64 is damaged.
        UnsafeInput: A pipe, a device, or a URL that must not be fetched.
        InputTooLarge: Over the limit; `FileSizeError` for a picture.
        FetchError: The server cannot be reached or answers with an error.
        InvalidImageError: A PIL image that cannot be read.
    """
    if part.source is not None:
        return replace(part, source=_Loader(part, part.source, limits, fetcher).load())
    if is_picture(part.value):
        return replace(part, source=_encoded(part.value, limits), kind=part.kind or "image", value=None)
    return part


def _encoded(image: Any, limits: Limits) -> Source:
    from memplug.safety.image import encode_png

    name = getattr(image, "filename", "")
    return Source(data=encode_png(image, limits), name=name if isinstance(name, str) and name else None)


class _Loader:
    """One source on its way in."""

    def __init__(self, part: Part, source: Source, limits: Limits, fetcher: Fetcher) -> None:
        self._kind = part.kind
        self._source = source
        self._limits = limits
        self._fetcher = fetcher

    def load(self) -> Source:
        source = self._source
        if source.path is not None and self._kind in {None, "skill"} and is_skill_folder(source.path):
            return Source(data=pack_folder(source.path, self._limits), name=f"{source.path.resolve().name}.zip")
        if source.path is not None:
            data = read_file(source.path, head=HEAD, check=self._check)
            return Source(data=data, media_type=source.media_type, name=source.label)
        if source.url is not None and source.url.lstrip()[:5].lower() == "data:":
            return self._decoded(source.url)
        if source.url is not None:
            return self._fetched(source.url)
        data = source.data or b""
        self._check(data[:HEAD], len(data))
        return source

    def _check(self, head: bytes, size: int) -> None:
        if self._is_image(head):
            check_image_size(size, self._limits)
        elif size > (most := self._most(self._limits.file_bytes)):
            raise InputTooLarge(f"{size:,} bytes are too many; at most {most:,} are taken")

    def _is_image(self, head: bytes = b"", media_type: str | None = None) -> bool:
        if self._kind is not None:
            return self._kind == "image"
        return seems_image(head, declared(media_type or self._source.media_type, self._source.label))

    def _decoded(self, url: str) -> Source:
        try:
            found = decode_data_url(url, limit=self._cap(self._limits.file_bytes, media_type_of(url)))
        except InputTooLarge as error:
            raise self._too_large(error, media_type_of(url)) from error
        media_type = self._source.media_type or found.media_type or None
        return Source(data=found.data, media_type=media_type, name=self._source.name)

    def _fetched(self, url: str) -> Source:
        try:
            found = self._fetcher.fetch(url, limit=self._cap(self._limits.fetch_bytes))
        except InputTooLarge as error:
            raise self._too_large(error) from error
        return Source(
            data=found.data,
            media_type=self._source.media_type or found.media_type or None,
            name=self._source.name or found.name or None,
            origin=found.url,
        )

    def _cap(self, other: int, media_type: str | None = None) -> int:
        return self._limits.image_bytes if self._is_image(media_type=media_type) else self._most(other)

    def _most(self, other: int) -> int:
        """What a part may have whose kind is known before its bytes are; ``other`` where it is not."""
        known = {"skill": self._limits.skill_zip_bytes, "blob": self._limits.blob_bytes}
        return known.get(self._kind or "", other)

    def _too_large(self, error: InputTooLarge, media_type: str | None = None) -> InputTooLarge:
        """The error in the words that pictures have for it, where it was one."""
        return image_too_large(self._limits) if self._is_image(media_type=media_type) else error
