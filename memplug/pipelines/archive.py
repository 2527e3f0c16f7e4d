"""The archive format: a ZIP of JSON Lines and originals, written and read as a stream.

    manifest.json     {"format": "memplug-archive", "version": 1, …}
    memories.jsonl    one version of one memory per line, oldest first within a memory
    media/<sha256>    originals and thumbnails, under the digests that the lines name

An archive comes from anywhere, so reading trusts nothing: entries are found by name, never extracted to a path;
lines and media are bounded; and bytes count only when their digest is the one they are filed under.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge, MalformedInput, UnsafeInput
from memplug.pipelines.identity import media_digest
from memplug.pipelines.lines import RawLine, raw_lines
from memplug.pipelines.zips import check_directory, grows_too_much, opened_entry, opened_zip, too_tight
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

FORMAT = "memplug-archive"
VERSION = 1
_MANIFEST, _LINES, _MEDIA = "manifest.json", "memories.jsonl", "media/"
_MEDIA_NAME = re.compile(r"media/[0-9a-f]{64}")
_COUNTS = ("memories", "versions", "media")
#: One line holds one version: its text, at most a few times the token limit of a request, and its metadata.
LINE_BYTES = 8 * MIB
#: The largest single original any input type takes by default (a document of 100 MB).
MEDIA_BYTES = 100 * MIB
#: What all originals together may grow by when they are unpacked, and how much is free; memplug does not pack them.
_TOTAL_RATIO, _TOTAL_FREE = 20, 1_024 * MIB


@dataclass(slots=True, kw_only=True)
class ArchiveWriter:
    """Writes an archive. Lines go into a part of their own first, since a ZIP takes one entry at a time.

    Args:
        file: The ZIP, open for writing.
        lines: A temporary file for the lines, open for reading and writing.
    """

    file: zipfile.ZipFile
    lines: IO[bytes]

    def write(self, value: dict[str, Any]) -> None:
        """Adds one line."""
        self.lines.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def write_media(self, digest: str, blocks: Iterable[bytes]) -> None:
        """Adds one original, block by block. Media is stored as it is: pictures do not shrink."""
        with self.file.open(zipfile.ZipInfo(_MEDIA + digest), "w", force_zip64=True) as entry:
            for block in blocks:
                entry.write(block)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Adds the lines and the manifest; an archive without manifest is an unfinished one."""
        self.lines.seek(0)
        with self.file.open(_LINES, "w", force_zip64=True) as entry:
            while block := self.lines.read(MIB):
                entry.write(block)
        self.file.writestr(_MANIFEST, json.dumps({"format": FORMAT, "version": VERSION} | manifest, indent=1))


class ArchiveReader:
    """Reads an archive that may be damaged or hostile.

    Args:
        path: The file.
        media_bytes: The largest single original to take.

    Raises:
        MalformedInput: It is no memplug archive, an unfinished one, damaged, or of a later version.
        UnsafeInput: It holds an entry that no archive has, or one twice, or grows beyond measure when unpacked.
    """

    def __init__(self, path: Path, *, media_bytes: int = MEDIA_BYTES) -> None:
        self._media_bytes = media_bytes
        with ExitStack() as stack:
            self._file = opened_zip(path)
            stack.callback(self._file.close)
            self._entries = _checked_entries(self._file.infolist(), path.stat().st_size)
            self.manifest = self._checked_manifest()
            stack.pop_all()

    def lines(self) -> Iterator[RawLine]:
        """The lines in their order.

        Raises:
            MalformedInput: The entry is damaged.
        """
        with self._open(_LINES) as entry, io.BufferedReader(entry, MIB) as file:  # type: ignore[type-var]  # it has readinto
            yield from raw_lines(file, LINE_BYTES)

    def has_media(self, digest: str) -> bool:
        """Whether there are bytes under a digest."""
        return _MEDIA + digest in self._entries

    def media(self, digest: str) -> bytes:
        """The bytes under a digest.

        Raises:
            MalformedInput: There are none, they are damaged, or they have another digest.
            InputTooLarge: They are over the limit.
            UnsafeInput: They are packed in a way that only serves to fill a disk.
        """
        if not self.has_media(digest):
            raise MalformedInput(f"the archive lacks media {digest}", hint="its export reported it as missing")
        info = self._entries[_MEDIA + digest]
        if info.file_size > self._media_bytes:
            raise InputTooLarge(f"media {digest} has {info.file_size} bytes; at most {self._media_bytes} are taken")
        if grows_too_much(info):
            raise too_tight(f"media {digest}")
        with self._open(info.filename) as entry:
            data = entry.read(info.file_size + 1)
        if media_digest(data) != digest:
            raise MalformedInput(f"media {digest} has other bytes than its name says")
        return data

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return opened_entry(self._file, self._entries[name])

    def _checked_manifest(self) -> dict[str, Any]:
        with self._open(_MANIFEST) as entry:
            line = RawLine(number=1, data=entry.read(MIB), limit=MIB)
        manifest = line.value()
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise MalformedInput("this is no memplug archive")
        if manifest.get("version") != VERSION:
            shown = f"{manifest.get('version')!r:.40}"
            raise MalformedInput(f"the archive has version {shown}; this memplug reads {VERSION}")
        for name in _COUNTS:
            count = manifest.setdefault(name, 0)
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise MalformedInput(f"the archive's manifest does not say how many {name} there are")
        return manifest


def _checked_entries(infos: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by name.

    Args:
        infos: What the archive's directory says.
        size: Bytes of the whole file.
    """
    check_directory(infos, size)
    entries = {info.filename: info for info in infos}
    strange = [name for name in entries if name not in (_MANIFEST, _LINES) and not _MEDIA_NAME.fullmatch(name)]
    if strange:
        raise UnsafeInput(f"the archive holds an entry that memplug never writes: {strange[0][:80]!r}")
    if _MANIFEST not in entries or _LINES not in entries:
        raise MalformedInput("this is no memplug archive, or one whose export was not finished")
    media = sum(info.file_size for name, info in entries.items() if name.startswith(_MEDIA))
    if media > _TOTAL_RATIO * size + _TOTAL_FREE:
        raise UnsafeInput(f"the archive has {size} bytes, and its media would come to {media}")
    return entries
