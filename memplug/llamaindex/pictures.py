"""Originals that are pictures, under paths that stay: what LlamaIndex keeps through an index, and models are shown."""

from __future__ import annotations

import os
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llama_index.core.base.llms.types import ImageBlock

from memplug.exceptions import ConfigError, NotFound
from memplug.safety.media_type import IMAGE_TYPES

if TYPE_CHECKING:
    from memplug.binding import Binding
    from memplug.values.hit import Hit
    from memplug.values.item import MediaRef, MemoryItem

_ENDINGS = {content_type: f".{name.lower()}" for content_type, name in IMAGE_TYPES.items()}


def is_picture(item: MemoryItem) -> bool:
    """Whether its original is a picture that was decoded when it came in, so that others can decode it too."""
    return item.media is not None and item.media.content_type in IMAGE_TYPES and item.media.width > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Gives pictures paths.

    Args:
        folder: Where copies are kept, named by their content; None means the store's own files, which only a store in
            a folder has. Copies outlive the erasure of a memory; the store's own files do not. But the latter's names
            have no ending, by which LlamaIndex tells what a picture is once a splitter went over its document.
    """

    folder: Path | None = None

    def path(self, binding: Binding, item: MemoryItem) -> Path | None:
        """The path of a memory's picture; None where it is none, or the original is gone.

        Raises:
            ConfigError: There is neither a folder for copies nor a file of the store's own, or no copy can be made.
        """
        found = self.local(binding, item)
        if found is None and is_picture(item) and self._there(binding, item):
            raise ConfigError(
                "the pictures of this store lie in no folder of this machine, so that they have no path that stays",
                hint="media_folder=… names a folder for copies",
            )
        return found

    def local(self, binding: Binding, item: MemoryItem) -> Path | None:
        """The same; None also where there is no path.

        Raises:
            ConfigError: No copy can be made.
        """
        if not is_picture(item) or item.media is None:
            return None
        try:
            return _own_file(binding, item.media) if self.folder is None else self._copy(binding, item.media)
        except NotFound:
            return None

    def shown(self, binding: Binding, hit: Hit) -> Path | bytes | None:
        """A hit's picture by its path, or where it has none by its bytes; None where it is none, or erased just now.

        Raises:
            ConfigError: No copy can be made.
        """
        if not is_picture(hit.item):
            return None
        try:
            return self.local(binding, hit.item) or hit.media
        except NotFound:
            return None

    def kept(self, data: bytes, *, digest: str, content_type: str) -> Path:
        """The path of a picture that no store has.

        Raises:
            ConfigError: There is no folder for copies, or it cannot be written.
        """
        if self.folder is None:
            raise ConfigError("this picture has no path that stays", hint="media_folder=… names a folder for copies")
        return _written(self.folder, f"{digest}{_ENDINGS.get(content_type, '')}", data)

    def _copy(self, binding: Binding, media: MediaRef) -> Path:
        folder = Path(self.folder or "").expanduser().absolute()
        path = folder / f"{media.digest}{_ENDINGS[media.content_type]}"
        if path.is_file() and path.stat().st_size == media.size:
            return path
        with closing(binding.open_media(media.digest)) as file:
            return _written(folder, path.name, file.read())

    def _there(self, binding: Binding, item: MemoryItem) -> bool:
        try:
            binding.open_media(item.media.digest if item.media else "").close()
        except NotFound:
            return False
        return True


def image_block(picture: Path | bytes, content_type: str) -> ImageBlock:
    """A picture for a chat model."""
    if isinstance(picture, bytes):
        return ImageBlock(image=picture, image_mimetype=content_type)
    return ImageBlock(path=picture, image_mimetype=content_type)


def _own_file(binding: Binding, media: MediaRef) -> Path | None:
    """The store's own file; None where it has none."""
    with closing(binding.open_media(media.digest)) as file:
        name = getattr(file, "name", None)
    return Path(name).absolute() if isinstance(name, str) else None


def _written(folder: Path, name: str, data: bytes) -> Path:
    """A file that appears whole or not at all, also where several processes write it at once."""
    folder = folder.expanduser().absolute()
    path, fresh = folder / name, folder / f".{uuid.uuid4().hex}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_bytes(data)
            os.replace(fresh, path)  # noqa: PTH105 - the same call, and mypy knows what it gives
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"no pictures can be kept in {folder}: {error.strerror or error}") from error
    return path
