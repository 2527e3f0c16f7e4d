"""The archive format: a ZIP of JSON Lines and originals, written and read as a stream.

    manifest.json     {"format": "memplug-archive", "version": 1, …}
    memories.jsonl    one version of one memory per line, oldest first within a memory
    media/<sha256>    originals and thumbnails, under the digests that the lines name

An archive comes from anywhere, so reading trusts nothing: entries are found by name, never extracted to a path;
lines and media are bounded; and bytes count only when their digest is the one they are filed under.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge, MalformedInput, UnsafeInput
from memplug.pipelines.identity import media_digest
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = "memplug-archive"
VERSION = 1
_MANIFEST, _LINES, _MEDIA = "manifest.json", "memories.jsonl", "media/"
_MEDIA_NAME = re.compile(r"media/([0-9a-f]{64})")
#: One line holds one memory: its text, at most a few times the token limit of a request, and its metadata.
LINE_BYTES = 8 * MIB
#: The largest single original any input type takes (a document of 100 MB).
MEDIA_BYTES = 100 * MIB
#: The reading side raises these for a damaged or hostile archive, depending on where it breaks.
_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)


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

    def write_media(self, digest: str, data: bytes) -> None:
        """Adds one original. Media is stored as it is: pictures do not shrink."""
        self.file.writestr(zipfile.ZipInfo(_MEDIA + digest), data, zipfile.ZIP_STORED)

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

    Raises:
        MalformedInput: It is no memplug archive, an unfinished one, or of a later version.
        UnsafeInput: It holds an entry that no archive has, or one twice.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise MalformedInput(f"there is no file {path.name!r}") from None
        except _BROKEN as error:
            raise MalformedInput(f"{path.name!r} is not a ZIP file") from error
        self.manifest = self._checked_manifest()

    def lines(self) -> Iterator[tuple[int, object]]:
        """The lines by number, counted from 1; a line that is no JSON comes as the error instead."""
        with self._file.open(_LINES) as entry:
            number = 0
            while line := self._read_line(entry):
                number += 1
                yield number, _parsed(line)

    def media(self, digest: str) -> bytes:
        """The bytes under a digest.

        Raises:
            MalformedInput: There are none, they are damaged, or they have another digest.
            InputTooLarge: They are over `MEDIA_BYTES`.
        """
        try:
            info = self._file.getinfo(_MEDIA + digest)
            if info.file_size > MEDIA_BYTES:
                raise InputTooLarge(f"media {digest} has {info.file_size} bytes; at most {MEDIA_BYTES} are taken")
            with self._file.open(info) as entry:
                data = entry.read(info.file_size + 1)
        except KeyError:
            raise MalformedInput(f"the archive lacks media {digest}") from None
        except _BROKEN as error:
            raise MalformedInput(f"media {digest} is damaged: {error}") from error
        if media_digest(data) != digest:
            raise MalformedInput(f"media {digest} has other bytes than its name says")
        return data

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _read_line(self, entry: IO[bytes]) -> bytes:
        try:
            line = entry.readline(LINE_BYTES + 1)
        except _BROKEN as error:
            raise MalformedInput(f"the archive is damaged: {error}") from error
        if len(line) > LINE_BYTES:
            raise InputTooLarge(f"a line of the archive is over {LINE_BYTES} bytes")
        return line

    def _checked_manifest(self) -> dict[str, Any]:
        names = self._file.namelist()
        if len(set(names)) != len(names):
            raise UnsafeInput("the archive holds an entry twice")
        strange = [name for name in names if name not in (_MANIFEST, _LINES) and not _MEDIA_NAME.fullmatch(name)]
        if strange:
            raise UnsafeInput(f"the archive holds an entry that memplug never writes: {strange[0][:80]!r}")
        if _MANIFEST not in names or _LINES not in names:
            raise MalformedInput("this is no memplug archive, or one whose export was not finished")
        with self._file.open(_MANIFEST) as entry:
            manifest = _parsed(self._read_line_all(entry))
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise MalformedInput("this is no memplug archive")
        if manifest.get("version") != VERSION:
            raise MalformedInput(f"the archive has version {manifest.get('version')!r}; this memplug reads {VERSION}")
        return manifest

    def _read_line_all(self, entry: IO[bytes]) -> bytes:
        try:
            return entry.read(MIB)
        except _BROKEN as error:
            raise MalformedInput(f"the archive is damaged: {error}") from error


def _parsed(line: bytes) -> object:
    """The JSON value, or the error that says why there is none."""
    from pydantic_core import from_json

    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError as error:
        return MalformedInput(f"not JSON: {error}")
