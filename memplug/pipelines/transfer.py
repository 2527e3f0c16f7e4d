"""Export and import: whole stores or single scopes, with media and versions."""

from __future__ import annotations

import tempfile
import zipfile
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput, MemplugError, VersionConflict
from memplug.pipelines.archive import ArchiveReader, ArchiveWriter
from memplug.pipelines.codec import from_json, to_json
from memplug.pipelines.guarding import guarded
from memplug.pipelines.identity import imported_id
from memplug.pipelines.indexing import index
from memplug.store import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.scope import Scope

    Progress = Callable[[int, int, str], None]

_BATCH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export wrote."""

    memories: int
    versions: int
    media: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A line that was not imported.

    Args:
        line: Its number, counted from 1.
        error: Why.
    """

    line: int
    error: MemplugError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of the memories of an import; every one of them is counted once."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Writes archives."""

    store: Store

    def export(self, path: Path, scope: Scope | None, progress: Progress | None) -> ExportReport:
        """Writes the current memories of a scope (None: of the whole store) with their versions and media.

        The file appears under its name only when it is whole.
        """
        total = self.store.size() if scope is None else self.store.count(View(scope=scope))
        partial = path.with_name(path.name + ".partial")
        counts = _Counts()
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file, tempfile.TemporaryFile() as lines:
                writer = ArchiveWriter(file=file, lines=lines)
                for record in self._records(scope):
                    self._write(record, writer, counts)
                    if progress:
                        progress(counts.memories, max(total, counts.memories), "exporting")
                writer.finish({"memories": counts.memories, "versions": counts.versions, "media": len(counts.media)})
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return ExportReport(
            memories=counts.memories, versions=counts.versions, media=len(counts.media), path=path.absolute()
        )

    def _records(self, scope: Scope | None) -> Iterator[Record]:
        pages = self.store.everything(batch=_BATCH) if scope is None else self.store.pages(scope, batch=_BATCH)
        for page in pages:
            yield from page

    def _write(self, record: Record, writer: ArchiveWriter, counts: _Counts) -> None:
        versions = [record] if record.version == 1 else self.store.backend.versions(record.id)
        for version in versions:
            for digest in version.item.digests:
                if digest not in counts.media:
                    with closing(self.store.backend.open_media(digest)) as file:
                        writer.write_media(digest, file.read())
                    counts.media.add(digest)
            writer.write(to_json(version))
        counts.memories += 1
        counts.versions += len(versions)


@dataclass(slots=True)
class _Counts:
    memories: int = 0
    versions: int = 0
    media: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Reads archives. An import that was cut off is taken up by running it again: what is there is passed over."""

    store: Store
    plugins: PluginManager
    embedder: Embedder

    def load(self, path: Path, scope: Scope | None, progress: Progress | None) -> ImportReport:
        """Brings the memories of an archive in, as they were; with a scope, as that scope's own.

        Raises:
            MalformedInput, UnsafeInput: The file is no archive. A memory that is wrong by itself is rejected alone.
        """
        with closing(ArchiveReader(path)) as reader:
            total = int(reader.manifest.get("memories") or 0)
            tally = _Tally()
            memories = self._memories(reader, scope, tally)
            while batch := list(islice(memories, _BATCH)):
                self._store(batch, reader, tally)
                if progress:
                    progress(tally.done, max(total, tally.done), "importing")
        return ImportReport(
            added=tally.added, updated=tally.updated, unchanged=tally.unchanged, rejected=tuple(tally.rejected)
        )

    def _memories(self, reader: ArchiveReader, scope: Scope | None, tally: _Tally) -> Iterator[_Memory]:
        """The memories of an archive, each with its versions; lines that are none are rejected on the way."""
        current: _Memory | None = None
        for line, value in reader.lines():
            try:
                if isinstance(value, MemplugError):
                    raise value
                record = guarded(_owned(from_json(value), scope), self.plugins)
            except MemplugError as error:
                tally.rejected.append(Rejection(line=line, error=error))
                continue
            if current is None or current.id != record.id:
                if current is not None:
                    yield current
                current = _Memory(id=record.id, line=line)
            current.versions.append(record)
        if current is not None:
            yield current

    def _store(self, memories: Sequence[_Memory], reader: ArchiveReader, tally: _Tally) -> None:
        """Brings in what is missing, version by version: all first ones in a commit, then all second ones."""
        latest = self.store.backend.latest([memory.id for memory in memories])
        open_ = []
        for memory in memories:
            try:
                missing = _missing(memory, latest.get(memory.id))
                self._store_media(missing, reader)
            except MemplugError as error:
                tally.rejected.append(Rejection(line=memory.line, error=error))
            else:
                tally.count(missing, existed=memory.id in latest)
                open_.append(missing)
        while open_ := [versions for versions in open_ if versions]:
            self.store.backend.commit(index([versions[0] for versions in open_], self.embedder))
            open_ = [versions[1:] for versions in open_]

    def _store_media(self, versions: Sequence[Record], reader: ArchiveReader) -> None:
        for digest in {digest for record in versions for digest in record.item.digests}:
            self.store.backend.put_media(digest, reader.media(digest))


@dataclass(slots=True)
class _Memory:
    id: str
    line: int
    versions: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.added + self.updated + self.unchanged + len(self.rejected)

    def count(self, missing: Sequence[Record], *, existed: bool) -> None:
        if not missing:
            self.unchanged += 1
        elif existed:
            self.updated += 1
        else:
            self.added += 1


def _owned(record: Record, scope: Scope | None) -> Record:
    """The record as one of the scope's own, under an id that cannot meet the original's."""
    if scope is None:
        return record
    ids: dict[str, Any] = dict.fromkeys(record.item.ids) | scope.ids
    return replace(record, item=replace(record.item, id=imported_id(scope, record.id), **ids))


def _missing(memory: _Memory, latest: Record | None) -> list[Record]:
    """The versions that the store does not have yet.

    Raises:
        MalformedInput: The versions are not numbered 1, 2, 3 …
        VersionConflict: The store's memory went another way.
    """
    versions = memory.versions
    if [record.version for record in versions] != list(range(1, len(versions) + 1)):
        raise MalformedInput(f"the versions of memory {memory.id!r} are not numbered from 1")
    if latest is None:
        return versions
    with suppress(IndexError):
        if to_json(versions[latest.version - 1]) != to_json(latest):
            raise VersionConflict(
                f"memory {memory.id!r} exists and differs from the archive's",
                current={memory.id: latest.version},
                hint="import it into another scope, or delete one of the two",
            )
    return versions[latest.version :]
