"""Originals beside the tables, by digest: ``media/ab/<sha256>``."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from memplug.backends.lancedb.durability import sync_file, sync_folder
from memplug.backends.lancedb.trouble import lance_errors
from memplug.exceptions import MalformedInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: Seconds after which a file that is not whole yet has no writer any more.
ABANDONED = 3_600.0
_DIGEST_LENGTH = 64
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class MediaFolder:
    """Content-addressed files.

    Args:
        root: The folder ``media``.
        durable: Whether a file is synced before it counts as kept.
    """

    root: Path
    durable: bool = False

    def put(self, digest: str, data: bytes) -> None:
        """Keeps bytes; they appear whole or not at all."""
        path = self._path(digest)
        with lance_errors("keep media"):
            if path.exists():
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, data)

    def _write(self, path: Path, data: bytes) -> None:
        fresh = path.with_name(f".{uuid.uuid4().hex}.new")
        try:
            fresh.write_bytes(data)
            if self.durable:
                sync_file(fresh)
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        if self.durable:
            for folder in (path.parent, self.root, self.root.parent):
                sync_folder(folder)

    def open(self, digest: str) -> BinaryIO:
        """The bytes as a file open for reading.

        Raises:
            NotFound: There are none.
        """
        if not is_digest(digest):
            raise NotFound(f"there is no media {digest[:80]!r} here")
        with lance_errors("open media"):
            try:
                return self._path(digest).open("rb")
            except FileNotFoundError as error:
                raise NotFound(f"there is no media {digest!r} here") from error

    def remove(self, digests: Sequence[str]) -> None:
        """Removes bytes; what is not there is passed over."""
        with lance_errors("remove media"):
            for digest in filter(is_digest, digests):
                path = self._path(digest)
                path.unlink(missing_ok=True)
                if self.durable and path.parent.exists():
                    sync_folder(path.parent)

    def holds(self, digest: str) -> bool:
        """Whether there are bytes under a digest."""
        with lance_errors("look for media"):
            return is_digest(digest) and self._path(digest).exists()

    def sweep(self, age: float = ABANDONED) -> None:
        """Removes what a process that was killed had begun to write, more than ``age`` seconds ago."""
        with lance_errors("remove abandoned media"):
            for path in self.root.glob("*/.*.new"):
                try:
                    if time.time() - path.stat().st_mtime > age:
                        path.unlink()
                except FileNotFoundError:
                    continue  # just now finished

    def digests(self) -> Iterator[str]:
        """The digests of all that is kept."""
        with lance_errors("list media"):
            names = [name for _, _, files in os.walk(self.root) for name in files]
        return iter(name for name in names if is_digest(name))

    def _path(self, digest: str) -> Path:
        """Nothing but a digest ever becomes part of a path.

        Raises:
            MalformedInput: It is none.
        """
        if not is_digest(digest):
            raise MalformedInput("a media digest is 64 lowercase hexadecimal digits")
        return self.root / digest[:2] / digest


def is_digest(name: str) -> bool:
    """Whether a text is the digest of media."""
    return len(name) == _DIGEST_LENGTH and _HEXADECIMAL.issuperset(name)
