"""Originals in an object store, by digest: ``media/ab/<sha256>``."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from memplug.backends.lancedb.media import is_digest
from memplug.exceptions import MalformedInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.backends.lancedb.objects import Objects


@dataclass(frozen=True, slots=True)
class MediaObjects:
    """See `place.MediaStore`. An object appears whole or not at all, so nothing half written has to be swept up.

    Args:
        objects: The store's objects.
    """

    objects: Objects

    def put(self, digest: str, data: bytes) -> None:
        """See `MediaStore.put`."""
        name = _name(digest)
        if self.objects.head(name) is None:
            self.objects.put(name, data)

    def open(self, digest: str) -> BinaryIO:
        """See `MediaStore.open`."""
        found = self.objects.get(_name(digest)) if is_digest(digest) else None
        if found is None:
            raise NotFound(f"there is no media {digest[:80]!r} here")
        return io.BytesIO(found.data)

    def remove(self, digests: Sequence[str]) -> None:
        """See `MediaStore.remove`."""
        self.objects.delete([_name(digest) for digest in filter(is_digest, digests)])

    def holds(self, digest: str) -> bool:
        """See `MediaStore.holds`."""
        return is_digest(digest) and self.objects.head(_name(digest)) is not None

    def sweep(self) -> None:
        """See `MediaStore.sweep`."""

    def digests(self) -> Iterator[str]:
        """See `MediaStore.digests`."""
        names = [name.rpartition("/")[2] for name in self.objects.names("media")]
        return iter([name for name in names if is_digest(name)])


def _name(digest: str) -> str:
    """Nothing but a digest ever becomes part of a name.

    Raises:
        MalformedInput: It is none.
    """
    if not is_digest(digest):
        raise MalformedInput("a media digest is 64 lowercase hexadecimal digits")
    return f"media/{digest[:2]}/{digest}"
