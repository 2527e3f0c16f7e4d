"""Commits: whatever threads hand in at the same time is checked and written in one append."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.backends.batch import check_versions, checked_batch
from memplug.backends.lancedb.columns import KEYS
from memplug.backends.lancedb.recent import Batch
from memplug.backends.lancedb.rows import encoded
from memplug.backends.lancedb.steady import steadily
from memplug.backends.lancedb.where import among, storable
from memplug.backends.shelf import opened
from memplug.exceptions import BackendError, EmbedderMismatch, MemplugError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from memplug.backends.lancedb.catalog import Catalog
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier
    from memplug.plugins.protocols import StoreProfile
    from memplug.values.item import Record

#: From so many new memories on, a batch goes straight to the large table.
BULK = 1_000
_CHUNK = 5_000
#: Ids up to which they are counted before they are looked for, and rows for each id up to which all are looked through.
_FEW, _THROUGH = 16, 15


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's batch, and what became of it."""

    batch: Batch
    bulky: bool
    profile: StoreProfile
    done: bool = False
    error: BaseException | None = None


@dataclass(slots=True, kw_only=True)
class Committer:
    """Takes batches from any number of threads.

    Args:
        session: The open store.
        committed: Told after each append how many rows it added.
    """

    session: Session
    committed: Callable[[int], None]
    _queue: list[_Ticket] = field(default_factory=list)
    _queueing: threading.Lock = field(default_factory=threading.Lock)
    _leading: threading.Lock = field(default_factory=threading.Lock)

    def commit(self, records: Sequence[Record]) -> None:
        """See `Backend.commit`."""
        catalog = self.session.catalog()
        profile = catalog.pointer.profile
        checked = [opened(record) for record in checked_batch(records, profile)]
        if not checked:
            return
        bulky = _bulky(checked)
        form = encoded(checked, profile.dimension) if bulky else catalog.recent.packed(checked)
        ticket = _Ticket(Batch(records=checked, form=form), bulky, profile)
        with self._queueing:
            self._queue.append(ticket)
        try:
            with self._leading:
                if not ticket.done:
                    steadily(self._lead)
        finally:
            self._withdraw(ticket)
        if ticket.error is not None:
            raise ticket.error
        if not ticket.done:
            raise BackendError("the commit was not written", hint="commit it again")

    def _withdraw(self, ticket: _Ticket) -> None:
        """Takes back a batch whose caller was interrupted before anybody began with it."""
        with self._queueing:
            if ticket in self._queue:
                self._queue.remove(ticket)

    def _lead(self) -> None:
        """Writes everything that waits: the caller's own batch and those of threads that came meanwhile.

        What goes wrong is each batch's own: one that was written does not fail because a later one did.
        """
        with self._queueing:
            waiting, self._queue = self._queue, []
        try:
            with self.session.writing.held():
                self._write(waiting)
        except BaseException as error:  # noqa: BLE001 - raised in every waiting thread by `commit`
            for ticket in waiting:
                if not ticket.done:
                    ticket.error, ticket.done = error, True

    def _write(self, waiting: list[_Ticket]) -> None:
        catalog = self.session.catalog()
        wanted = {record.id for ticket in waiting for record in ticket.batch.records}
        highest = self.session.looked_up(lambda catalog, *, whole: highest_versions(catalog, wanted, whole=whole))
        small: list[_Ticket] = []
        for ticket in waiting:
            try:
                _check_profile(ticket.profile, catalog.pointer.profile)
                check_versions(ticket.batch.records, highest)
            except MemplugError as error:
                ticket.error, ticket.done = error, True
                continue
            highest |= {record.id: record.version for record in ticket.batch.records}
            if ticket.bulky:
                self._move_on(catalog, ticket)
            else:
                small.append(ticket)
        if small:
            catalog.recent.append(self.session, [ticket.batch for ticket in small])
            self._done(small)

    def _move_on(self, catalog: Catalog, ticket: _Ticket) -> None:
        """Writes a batch to `memories` at once."""
        with catalog.known.growing([record.id for record in ticket.batch.records]):
            self.session.append(catalog.memories, ticket.batch.form)
        catalog.memories.sync()
        self._done([ticket])

    def _done(self, tickets: list[_Ticket]) -> None:
        for ticket in tickets:
            ticket.done = True
        self.committed(sum(len(ticket.batch.records) for ticket in tickets))


def highest_versions(catalog: Catalog, ids: Iterable[str], *, whole: bool) -> dict[str, int] | None:
    """The highest version of each id that exists. The write lock must be held.

    Args:
        catalog: The tables.
        ids: The ids.
        whole: Whether the tables may be asked; else None where they have to be.
    """
    tops = catalog.overlay.tops(ids)
    missing = catalog.known.possible([id_ for id_ in ids if id_ not in tops], bring=whole, certain=True)
    if missing and not whole:
        return None
    for rows in _rows_of(catalog.memories, missing):
        for id_, version in zip(rows.column("id").to_pylist(), rows.column("version").to_pylist(), strict=True):
            tops[id_] = max(version, tops.get(id_, 0))
    return tops


def _rows_of(tier: Tier, ids: list[str]) -> Iterator[pa.Table]:
    """The id and version of the rows with these ids.

    One id is best counted first, since most are new. For 10,000, looking through 100,000 rows took half of the time
    of asking the index, through 10,000 rows a fifth, and through 1,000,000 six times as long.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(ids) >= BULK and tier.count() <= _THROUGH * len(ids):
        rows = tier.scan(None, KEYS)
        yield rows.filter(pc.is_in(rows.column("id"), pa.array(filter(storable, ids), pa.string())))
        return
    for start in range(0, len(ids), _CHUNK):
        expr = among("id", ids[start : start + _CHUNK])
        if len(ids) > _FEW or tier.count(expr):
            yield tier.scan(expr, KEYS)


def _check_profile(made: StoreProfile, found: StoreProfile) -> None:
    """Refuses a batch that was made for the store as it was before a rebuild.

    Raises:
        EmbedderMismatch: It was.
    """
    if made != found:
        raise EmbedderMismatch(
            f"the store was rebuilt with {found.embedder!r} while this commit, made with {made.embedder!r}, was waiting"
        )


def _bulky(records: list[Record]) -> bool:
    """Whether a batch may go straight to `memories`, which holds one row per id."""
    return len(records) >= BULK and all(record.version == 1 for record in records)
