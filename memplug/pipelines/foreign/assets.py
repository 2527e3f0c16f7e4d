"""Pictures and other files of an export, found by the ids that messages name them by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput
from memplug.pipelines.foreign.entries import mapping, words
from memplug.pipelines.foreign.splitting import parsed
from memplug.safety.media_type import HEAD, sniff
from memplug.safety.sizes import check_image_size
from memplug.values.limits import MIB
from memplug.values.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memplug.pipelines.foreign.bundle import Bundle
    from memplug.values.limits import Limits

#: ChatGPT's ids: ``file-AbC123`` in older exports, ``file_00000000abcdef`` in newer ones.
_FILE_ID = re.compile(r"file[-_][0-9A-Za-z]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMES = re.compile(r"conversation_asset_file_names\.json")
_NAMES_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of the export.

    Args:
        entry: Its path inside the export.
        label: Its name for people.
        size: Its bytes.
        read: Gives it as what `Memory.add` takes.
    """

    entry: str
    label: str
    size: int
    read: Callable[[], Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The files of an export by their ids.

    Args:
        bundle: Where they are.
        limits: What one may have.
        entries: Path by id.
        labels: Name for people by path.
    """

    bundle: Bundle
    limits: Limits
    entries: Mapping[str, str]
    labels: Mapping[str, str]

    def find(self, pointer: str) -> Asset | None:
        """The file that a pointer names (``sediment://file_…``, ``file-service://file-…``, an id), if it is here."""
        found = _id_in(pointer.rpartition("://")[2])
        entry = self.entries.get(found) if found else None
        if entry is None:
            return None
        label = self.labels.get(PurePosixPath(entry).name) or PurePosixPath(entry).name
        return Asset(entry=entry, label=label, size=self.bundle.sizes[entry], read=lambda: self._source(entry, label))

    def _source(self, entry: str, label: str) -> Source:
        data = self.bundle.read(entry, self.limits.file_bytes)
        kind = sniff(data[:HEAD])
        if kind is not None and kind.content_type.startswith("image/"):
            check_image_size(len(data), self.limits)
        return Source(data=data, name=label)


def assets_of(bundle: Bundle, limits: Limits) -> Assets:
    """The files of an export that messages may name."""
    entries: dict[str, str] = {}
    for entry in sorted(bundle.sizes):
        path = PurePosixPath(entry)
        if path.suffix.lower() not in {".json", ".html"} and (found := _id_in(path.name)):
            entries.setdefault(found, entry)
    return Assets(bundle=bundle, limits=limits, entries=entries, labels=_labels(bundle))


def _id_in(name: str) -> str | None:
    found = _FILE_ID.match(name) or _UUID.search(name)
    return found[0] if found else None


def _labels(bundle: Bundle) -> dict[str, str]:
    """Names for people; where their list is damaged, files keep the names that they have in the export."""
    found: dict[str, str] = {}
    for name in bundle.matching(_NAMES):
        try:
            listed = mapping(parsed(bundle.read(name, _NAMES_BYTES)))
        except MalformedInput:
            continue
        found |= {entry: words(label) for entry, label in listed.items() if isinstance(label, str)}
    return found
