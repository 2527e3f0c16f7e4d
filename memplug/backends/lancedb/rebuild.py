"""Giving a store another embedder: every version converted into new tables, then one switch.

The new tables lie beside the old ones, named by ``rebuild.json``; a run that was interrupted left whole batches
there, and the next one with the same profile goes on behind them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from memplug.backends.batch import checked_conversion
from memplug.backends.lancedb.catalog import COPY_ROWS, LARGE
from memplug.backends.lancedb.folder import REBUILD, TABLES
from memplug.backends.lancedb.removal import tidy_up
from memplug.backends.lancedb.rows import decoded, encoded, row_id
from memplug.backends.lancedb.trouble import Vanished
from memplug.backends.lancedb.where import among
from memplug.exceptions import StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.backends.lancedb.catalog import Catalog, Library
    from memplug.backends.lancedb.recent import Recent
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier
    from memplug.plugins.protocols import StoreProfile
    from memplug.values.item import Record


#: How often the copy runs after commits that go on meanwhile, before it makes them wait for its end.
_ROUNDS = 8


def rebuild(
    session: Session,
    profile: StoreProfile,
    convert: Callable[[list[Record]], list[Record]],
    progress: Callable[[int, int, str], None] | None,
) -> None:
    """Converts all tables. Commits go on meanwhile; what they add is converted under the lock at the end.

    Other processes that have the store open get `EmbedderMismatch` from then on, unless they opened it without
    naming an embedder.

    Raises:
        MalformedInput, EmbedderMismatch: The conversion gave something else than was asked for.
    """
    with session.upkeep.held():
        session.remove_leftovers()
        try:
            _run(session, _Work(session, profile, convert, progress))
        except StoreFull:
            # Half a copy that cannot grow would keep everybody else from writing.
            session.folder.drop(REBUILD)
            tidy_up(session)
            raise


def _run(session: Session, work: _Work) -> None:
    for _ in range(_ROUNDS):
        if session.again(work.copy) <= COPY_ROWS:
            break
    with session.writing.held():
        session.again(work.copy)
        for copy in work.copies:
            copy.finish()
        session.replace(work.names, work.profile)
        session.folder.drop(REBUILD)


class _Work:
    """One run."""

    def __init__(
        self,
        session: Session,
        profile: StoreProfile,
        convert: Callable[[list[Record]], list[Record]],
        progress: Callable[[int, int, str], None] | None,
    ) -> None:
        self.session = session
        self.profile = profile
        self.convert = convert
        self.progress = progress
        self.catalog: Catalog = session.catalog()
        self.names = {role: self.catalog.pointer.successor(role) for role in TABLES}
        # In the order in which rows move, so that one which moves meanwhile is converted at least once.
        self.copies: list[_Copy] = self._resumed() or self._begun()

    def _resumed(self) -> list[_Copy] | None:
        """What an interrupted run left, where it was about the same tables and profile."""
        library = self.session.library
        if self.session.folder.text(REBUILD) != self._label():
            return None
        try:
            recent = self.session.folder.recent(self.names["recent"], library, self.profile.dimension)
            return self._copies(recent, {role: library.open(self.names[role]) for role in LARGE})
        except Vanished:
            return None

    def _begun(self) -> list[_Copy]:
        library, dimension = self.session.library, self.profile.dimension
        self.session.folder.drop(REBUILD)
        recent = library.make_recent(self.names["recent"], dimension)
        copies = self._copies(recent, {role: library.make(self.names[role], dimension) for role in LARGE})
        # Last, so that a note never promises tables that are not there.
        self.session.folder.write(REBUILD, self._label())
        return copies

    def _copies(self, recent: Recent, large: dict[str, Tier]) -> list[_Copy]:
        library, dimension = self.session.library, self.profile.dimension
        tables = [_TableCopy(library, dimension, self.catalog.tier(role), large[role]) for role in LARGE]
        return [_RecentCopy(self.catalog.recent, recent), *tables]

    def _label(self) -> str:
        return json.dumps([asdict(self.profile), self.names])

    def copy(self) -> int:
        """Converts what is not converted yet, and returns how many rows that were."""
        for copy in self.copies:
            copy.drop(copy.done - copy.there())
        before = self._done()
        total = sum(copy.count() for copy in self.copies)
        for copy in self.copies:
            for records in copy.missing():
                copy.add(checked_conversion(records, self.convert(records), self.profile))
                copy.done.update(map(row_id, records))
                self._tell(total)
        self._tell(total)
        return self._done() - before

    def _done(self) -> int:
        return sum(len(copy.done) for copy in self.copies)

    def _tell(self, total: int) -> None:
        if self.progress is not None:
            self.progress(self._done(), total, "converting memories")


class _Copy(Protocol):
    """What is converted, and what it is converted into.

    Attributes:
        done: The rows that were, by row id.
    """

    done: set[str]

    def there(self) -> set[str]:
        """The rows to convert."""
        ...

    def count(self) -> int:
        """How many that are."""
        ...

    def missing(self) -> Iterator[list[Record]]:
        """Those that are not done."""
        ...

    def add(self, records: list[Record]) -> None:
        """Keeps converted ones."""
        ...

    def drop(self, gone: set[str]) -> None:
        """Removes what has left since it was converted: moved on, or followed by a later version."""
        ...

    def finish(self) -> None:
        """Makes the copy ready for use."""
        ...


class _TableCopy:
    """See `_Copy`."""

    def __init__(self, library: Library, dimension: int, source: Tier, copy: Tier) -> None:
        self._library, self._dimension = library, dimension
        self._source, self._copy = source, copy
        self.done = _row_ids(copy)

    def there(self) -> set[str]:
        return _row_ids(self._source)

    def count(self) -> int:
        return self._source.count()

    def missing(self) -> Iterator[list[Record]]:
        for batch in self._source.batches(None, COPY_ROWS):
            mask = pa.array([row not in self.done for row in batch.column("row_id").to_pylist()], pa.bool_())
            if records := decoded(pa.Table.from_batches([batch]).filter(mask)):
                yield records

    def add(self, records: list[Record]) -> None:
        self._copy.add(encoded(records, self._dimension))

    def drop(self, gone: set[str]) -> None:
        rows = sorted(gone)
        for start in range(0, len(rows), COPY_ROWS):
            self._copy.delete(among("row_id", rows[start : start + COPY_ROWS]))
        self.done -= gone

    def finish(self) -> None:
        self._library.fill(self._copy, ())


class _RecentCopy:
    """See `_Copy`."""

    def __init__(self, source: Recent, copy: Recent) -> None:
        self._source, self._copy = source, copy
        copy.overlay.refresh()
        self.done = copy.overlay.rows()

    def there(self) -> set[str]:
        self._source.overlay.refresh()
        return self._source.overlay.rows()

    def count(self) -> int:
        return len(self._source.overlay)

    def missing(self) -> Iterator[list[Record]]:
        records = [record for record in self._source.overlay.everything() if row_id(record) not in self.done]
        return (records[start : start + COPY_ROWS] for start in range(0, len(records), COPY_ROWS))

    def add(self, records: list[Record]) -> None:
        self._copy.write(records)

    def drop(self, gone: set[str]) -> None:
        if gone:
            self._copy.drop(gone)
        self.done -= gone

    def finish(self) -> None:
        self._copy.finish()


def _row_ids(tier: Tier) -> set[str]:
    return set(tier.scan(None, ["row_id"]).column("row_id").to_pylist())
