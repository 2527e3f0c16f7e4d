"""Import of archives: whole stores or single scopes, with media and versions."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from memplug.exceptions import InputRejected, MalformedInput, MemplugError, PluginError, ScopeError, VersionConflict
from memplug.pipelines.archive import ArchiveReader
from memplug.pipelines.arrivals import arrivals
from memplug.pipelines.chains import check_chain, missing_versions, owned
from memplug.pipelines.exporting import Exporter
from memplug.pipelines.guarding import guarded
from memplug.pipelines.indexing import index
from memplug.pipelines.originals import check_originals
from memplug.pipelines.reports import ExportReport, ImportReport, Progress, Rejection, rejection
from memplug.pipelines.sharing import check_entry
from memplug.values.limits import MIB
from memplug.values.scope import Scope, is_reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from memplug.pipelines.arrivals import Arrival
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.item import MemoryItem, Record
    from memplug.values.limits import Limits

#: Memories of one commit, and bytes of their lines.
_BATCH = 1_000
_BATCH_BYTES = 32 * MIB
#: How often a memory is tried that another writer changes at the same time.
_ATTEMPTS = 8
#: What is wrong with one memory. Any other error is the store's or the embedder's, and ends the import.
_ITS_OWN = (InputRejected, ScopeError, VersionConflict, PluginError)


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What is to be done about one memory.

    Args:
        line: Number of its first line.
        records: All its versions in the archive.
        missing: Those that the store lacks, as the guards let them pass.
        known: Whether the store has some of them.
    """

    line: int
    records: list[Record]
    missing: list[Record]
    known: bool

    @property
    def id(self) -> str:
        return self.records[0].id


@dataclass(slots=True)
class _Tally:
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.added + self.updated + self.unchanged + len(self.rejected)

    def count(self, plan: _Plan) -> None:
        if not plan.missing:
            self.unchanged += 1
        elif plan.known:
            self.updated += 1
        else:
            self.added += 1

    def reject(self, line: int, error: MemplugError) -> None:
        self.rejected.append(rejection(line, error))

    def report(self) -> ImportReport:
        rejected = tuple(sorted(self.rejected, key=lambda one: one.line))
        return ImportReport(added=self.added, updated=self.updated, unchanged=self.unchanged, rejected=rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Reads archives. An import that was cut off is taken up by running it again: what is there is passed over."""

    store: Store
    plugins: PluginManager
    embedder: Embedder
    limits: Limits

    def load(self, path: Path, scope: Scope | None, progress: Progress | None) -> ImportReport:
        """Brings the memories of an archive in, as they were; with a scope, as that scope's own.

        Raises:
            MalformedInput, UnsafeInput: The file is no archive. A memory that is wrong by itself is rejected alone.
        """
        limits = self.limits
        largest = max(limits.file_bytes, limits.blob_bytes, limits.image_bytes)
        with closing(ArchiveReader(path, media_bytes=largest)) as reader:
            tally = _Tally()
            load = _Load(self, reader, tally)
            for batch in _batches(self._arrived(reader, scope, tally)):
                load.store(batch)
                if progress:
                    progress(tally.done, max(reader.manifest["memories"], tally.done), "importing")
        return tally.report()

    def _arrived(self, reader: ArchiveReader, scope: Scope | None, tally: _Tally) -> Iterator[Arrival]:
        """The memories that are right in themselves, as they will be called here; the others are rejected."""
        taken: set[str] = set()
        keys = _keys(reader) if scope is not None else {}
        for arrival in arrivals(reader.lines(), self.limits):
            if arrival.rejection is not None:
                tally.rejected.append(arrival.rejection)
                continue
            try:
                check_chain(arrival.records, self.store.clock())
                self._check_place(arrival.records, scope)
                arrival.records = owned(arrival.records, scope, keys)
                self._admit(arrival.records[0].item, scope)
                _check_free(arrival.records, taken)
            except _ITS_OWN as error:
                tally.reject(arrival.line, error)
            else:
                taken.add(arrival.records[0].id)
                yield arrival

    def _check_place(self, records: Sequence[Record], scope: Scope | None) -> None:
        """Lets memplug's own records in where a whole store comes in, if they are what it would write itself."""
        if not is_reserved(records[0].item.ids):
            return
        if scope is not None:
            raise ScopeError("it says whose a shared bucket is", hint="import the whole store to bring that along")
        check_entry(records)

    def _admit(self, item: MemoryItem, scope: Scope | None) -> None:
        """Lets only those add to a shared bucket who may."""
        if scope is not None and scope.actor is not None and item.bucket is not None:
            self.store.admit(Scope(bucket=item.bucket, acting=scope.actor))


@dataclass(frozen=True, slots=True)
class _Load:
    """One run of an import."""

    importer: Importer
    reader: ArchiveReader
    tally: _Tally

    def store(self, batch: Sequence[Arrival]) -> None:
        """Brings in what is missing; where another writer came in between, memory by memory."""
        plans = self._plans(batch)
        try:
            self._commit(plans)
        except VersionConflict:
            plans = [plan for plan in plans if self._done(plan, partial(self._settle, plan))]
        for plan in plans:
            self.tally.count(plan)
        self._tell(plans)

    def _plans(self, batch: Sequence[Arrival]) -> list[_Plan]:
        latest = self.importer.store.backend.latest([arrival.records[0].id for arrival in batch])
        found = []
        for arrival in batch:
            known = arrival.records[0].id in latest
            plan = _Plan(line=arrival.line, records=arrival.records, missing=[], known=known)
            if self._done(plan, partial(self._look, plan, latest.get(plan.id))):
                found.append(plan)
        return found

    def _done(self, plan: _Plan, action: Callable[[], None]) -> bool:
        """Whether an action on one memory came to its end; else the memory is rejected."""
        try:
            action()
        except _ITS_OWN as error:
            self.tally.reject(plan.line, error)
            return False
        return True

    def _look(self, plan: _Plan, latest: Record | None) -> None:
        """Finds out what the store lacks of a memory, and whether that can come in."""
        stored = self._stored(latest)
        plan.missing = missing_versions(plan.records, stored, self._guarded)
        check_originals((record.item for record in plan.missing), self.reader.media, self.importer.limits)
        self._heal(plan.records[: len(stored)])

    def _stored(self, latest: Record | None) -> Sequence[Record]:
        if latest is None:
            return []
        return [latest] if latest.version == 1 else self.importer.store.backend.versions(latest.id)

    def _guarded(self, record: Record) -> Record:
        """The version as the guards let it pass. A deletion holds nothing to guard, and must not be refused.

        Nor is a role a memory.
        """
        if record.item.deleted or is_reserved(record.item.ids):
            return record
        passed = guarded(record, self.importer.plugins)
        if passed.item.key != record.item.key:
            raise InputRejected(f"a plugin's before_add changed the key of memory {record.id!r}, which names it")
        return passed

    def _heal(self, records: Sequence[Record]) -> None:
        """Brings back originals that the store has lost of versions that it has."""
        store = self.importer.store
        lost = {digest for record in records for digest in record.item.digests if not store.holds_media(digest)}
        store.commit(
            [], {digest: partial(self.reader.media, digest) for digest in lost if self.reader.has_media(digest)}
        )

    def _commit(self, plans: Sequence[_Plan]) -> None:
        """Version by version: all first ones in a commit, then all second ones.

        Raises:
            VersionConflict: Somebody else came first; what earlier commits brought stays.
        """
        open_ = [plan.missing for plan in plans if plan.missing]
        while open_:
            records = index([versions[0] for versions in open_], self.importer.embedder)
            digests = dict.fromkeys(digest for record in records for digest in record.item.digests)
            self.importer.store.commit(records, {digest: partial(self.reader.media, digest) for digest in digests})
            open_ = [versions[1:] for versions in open_ if len(versions) > 1]

    def _settle(self, plan: _Plan) -> None:
        """Brings in one memory, looking anew at what is there as long as others write it too.

        Raises:
            VersionConflict: What they wrote is something else.
        """
        for attempt in range(_ATTEMPTS):
            again = _Plan(line=plan.line, records=plan.records, missing=[], known=plan.known)
            self._look(again, self.importer.store.backend.latest([plan.id]).get(plan.id))
            try:
                self._commit([again])
            except VersionConflict:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _tell(self, plans: Iterable[_Plan]) -> None:
        """Tells the observers what is current now, and what was and is deleted."""
        last = [(plan.missing[-1].item, plan.known) for plan in plans if plan.missing]
        if added := [item for item, _ in last if not item.deleted]:
            self.importer.plugins.notify("after_add", items=added)
        if gone := [item for item, known in last if item.deleted and known]:
            self.importer.plugins.notify("on_delete", items=gone)


def _keys(reader: ArchiveReader) -> dict[str, str]:
    """The keys of memories, by id: what names them may come before them, and must know what they become.

    A line that cannot be read is rejected when its turn comes.
    """
    found: dict[str, str] = {}
    for line in reader.lines():
        if b'"key"' not in line.data:
            continue
        with suppress(InputRejected):
            match line.value():
                case {"id": str(id_), "key": str(key)}:
                    found[id_] = key
    return found


def _check_free(records: Sequence[Record], taken: set[str]) -> None:
    """Refuses a second memory for one place: two with one key, from different scopes."""
    if records[0].id in taken:
        key = next((record.item.key for record in records if record.item.key is not None), None)
        raise MalformedInput(
            f"another memory of the archive has the key {key!r:.100} too, and here a key names one memory",
            hint="import them into different scopes",
        )


def _batches(found: Iterable[Arrival]) -> Iterator[list[Arrival]]:
    batch: list[Arrival] = []
    size = 0
    for arrival in found:
        batch.append(arrival)
        size += arrival.size
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


__all__ = ["ExportReport", "Exporter", "ImportReport", "Importer", "Progress", "Rejection"]
