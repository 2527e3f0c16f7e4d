"""Giving a store another embedder: every version converted into new tables, then one switch.

The new tables lie beside the old ones, named by ``rebuild.json``; a run that was interrupted left whole batches
there, and the next one with the same profile goes on behind them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pyarrow as pa

from memplug.backends.batch import checked_conversion
from memplug.backends.lancedb.catalog import COPY_ROWS
from memplug.backends.lancedb.folder import REBUILD, TABLES
from memplug.backends.lancedb.removal import tidy_up
from memplug.backends.lancedb.rows import decoded, encoded
from memplug.backends.lancedb.trouble import Vanished
from memplug.backends.lancedb.where import among
from memplug.exceptions import StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.backends.lancedb.catalog import Catalog
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
        if work.copy() <= COPY_ROWS:
            break
    with session.writing.held():
        work.copy()
        for role, tier in work.fresh.items():
            session.library.fill(tier, (), indexed=role != "recent")
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
        self.fresh: dict[str, Tier] = self._resumed() or self._begun()
        self.done: dict[str, set[str]] = {role: _row_ids(tier) for role, tier in self.fresh.items()}

    def _resumed(self) -> dict[str, Tier] | None:
        """The tables that an interrupted run left, where it was about the same tables and profile."""
        if self.session.folder.text(REBUILD) != self._label():
            return None
        try:
            return {role: self.session.library.open(name) for role, name in self.names.items()}
        except Vanished:
            return None

    def _begun(self) -> dict[str, Tier]:
        self.session.folder.drop(REBUILD)
        tiers = {role: self.session.library.make(name, self.profile.dimension) for role, name in self.names.items()}
        # Last, so that a note never promises tables that are not there.
        self.session.folder.write(REBUILD, self._label())
        return tiers

    def _label(self) -> str:
        return json.dumps([asdict(self.profile), self.names])

    def copy(self) -> int:
        """Converts what is not converted yet, and returns how many rows that were."""
        for role in TABLES:
            self._drop_moved(role)
        before = sum(map(len, self.done.values()))
        total = sum(self.catalog.tier(role).count() for role in TABLES)
        for role in TABLES:
            for records in self._missing(role):
                made = checked_conversion(records, self.convert(records), self.profile)
                rows = encoded(made, self.profile.dimension)
                self.fresh[role].add(rows)
                self.done[role].update(rows.column("row_id").to_pylist())
                self._tell(total)
        self._tell(total)
        return sum(map(len, self.done.values())) - before

    def _drop_moved(self, role: str) -> None:
        """Removes what has left its table since it was converted: moved on, or followed by a later version."""
        gone = sorted(self.done[role] - _row_ids(self.catalog.tier(role)))
        for start in range(0, len(gone), COPY_ROWS):
            self.fresh[role].delete(among("row_id", gone[start : start + COPY_ROWS]))
        self.done[role].difference_update(gone)

    def _missing(self, role: str) -> Iterator[list[Record]]:
        done = self.done[role]
        for batch in self.catalog.tier(role).batches(None, COPY_ROWS):
            mask = pa.array([row not in done for row in batch.column("row_id").to_pylist()], pa.bool_())
            if records := decoded(pa.Table.from_batches([batch]).filter(mask)):
                yield records

    def _tell(self, total: int) -> None:
        if self.progress is not None:
            self.progress(sum(map(len, self.done.values())), total, "converting memories")


def _row_ids(tier: Tier) -> set[str]:
    return set(tier.scan(None, ["row_id"]).column("row_id").to_pylist())
