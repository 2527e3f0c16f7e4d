"""`recent` as a table of LanceDB's, for stores in object storage."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from memplug.backends.lancedb.columns import READ
from memplug.backends.lancedb.overlay import Overlay
from memplug.backends.lancedb.recent import Taken
from memplug.backends.lancedb.rows import decoded, encoded, row_id
from memplug.backends.lancedb.where import among

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from memplug.backends.lancedb.place import Lock
    from memplug.backends.lancedb.recent import Batch
    from memplug.backends.lancedb.remote_tier import RemoteTier
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier
    from memplug.values.item import Record

#: Most row ids of one query, and of one deletion.
_ASKED, _DELETED = 5_000, 2_000


class RecentTable:
    """See `recent.Recent`.

    Args:
        tier: The table.
        dimension: Length of a vector.
        commits: How many versions of it are kept.
    """

    scatters = True

    def __init__(self, tier: Tier, dimension: int, commits: Callable[[], int]) -> None:
        self.tier = tier
        self.overlay = Overlay(self.refresh)
        self.commits = commits
        self._dimension = dimension
        self._version = -1
        self._lock = threading.RLock()

    def catch_up(self) -> None:
        """See `RemoteTier.catch_up`."""
        cast("RemoteTier", self.tier).catch_up()

    def refresh(self) -> None:
        """Takes in what was committed since the last time; only rows that are new are read."""
        version = self.tier.version()
        with self._lock:
            if version <= self._version:
                return
            present = set(self.tier.scan(None, ["row_id"]).column("row_id").to_pylist())
            held = self.overlay.rows()
            self._learn(sorted(present - held), anew=not held)
            self.overlay.forget(held - present)
            self._version = version

    def _learn(self, rows: Sequence[str], *, anew: bool) -> None:
        if anew:
            self.overlay.take(decoded(self.tier.scan(None, [*READ, "vector"])))
            return
        records = []
        for start in range(0, len(rows), _ASKED):
            records += decoded(self.tier.scan(among("row_id", rows[start : start + _ASKED]), [*READ, "vector"]))
        self.overlay.take(records)

    def packed(self, records: Sequence[Record]) -> pa.Table:
        """See `Recent.packed`."""
        return encoded(records, self._dimension)

    def append(self, session: Session, batches: Sequence[Batch]) -> None:
        """See `Recent.append`.

        Raises:
            StoreBusy: The lock was lost meanwhile, and nothing was written.
        """
        version = session.append(self.tier, pa.concat_tables([batch.form for batch in batches]))
        self.tier.sync()
        with self._lock:
            self.overlay.take([record for batch in batches for record in batch.records])
            # Another version in between means that somebody compacted: the next refresh looks.
            self._version = version if version == self._version + 1 else self._version

    def take(self, session: Session, patience: float | None = None) -> Taken:
        """See `Recent.take`; commits need not wait for it."""
        del session, patience
        return Taken(records=self.overlay.everything(), mark=0)

    def clear(self, session: Session, taken: Taken, patience: float | None = None) -> None:
        """See `Recent.clear`; the files become few again, too."""
        rows = [row_id(record) for record in taken.records]
        with session.writing.held(patience):
            session.upkeep.check()
            self._delete(rows)
            self.overlay.forget(rows)
            self.compact()

    def _delete(self, rows: Sequence[str]) -> None:
        for start in range(0, len(rows), _DELETED):
            self.tier.delete(among("row_id", rows[start : start + _DELETED]))

    def write(self, records: Sequence[Record]) -> None:
        """See `Recent.write`."""
        if records:
            self.tier.add(encoded(records, self._dimension))

    def drop(self, rows: Collection[str]) -> None:
        """See `Recent.drop`."""
        self._delete(sorted(rows))

    def finish(self) -> None:
        """See `Recent.finish`."""
        self.compact()

    def compact(self) -> None:
        """See `Recent.compact`. Commits wait for it: some ten milliseconds."""
        self.tier.compact(alone=True)
        self.tier.sync()

    def doubles(self) -> list[str]:
        """See `Recent.doubles`."""
        held = Counter(self.tier.scan(None, ["row_id"]).column("row_id").to_pylist())
        return [str(name) for name, count in held.items() if count > 1]

    def damage(self) -> list[str]:
        """See `Recent.damage`; the object store keeps its own sums."""
        return []

    def mend(self, lock: Lock) -> None:
        """See `Recent.mend`; what an object store holds is whole."""
        del lock
