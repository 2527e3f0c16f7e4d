"""The rows of `recent`, held in memory and in step with the table, whoever writes to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.backends.lancedb.columns import READ
from memplug.backends.lancedb.rows import decoded, row_id
from memplug.backends.lancedb.where import among
from memplug.backends.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from memplug.backends.lancedb.tier import Tier
    from memplug.values.filters import Filter
    from memplug.values.item import Record

#: Most row ids of one query.
_CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What `recent` says to one read, all of the same moment.

    Args:
        found: Its records that were current and satisfy the filter.
        hides: By id, the version that was the highest in it; rows of other tables up to that one do not count.
        starts: Gives each version of an id in it, and since when that holds; none where the read is of now.
    """

    found: list[Record]
    hides: dict[str, int]
    starts: Callable[[str], Sequence[tuple[int, datetime]]]


class Overlay:
    """The table `recent` in memory.

    Args:
        tier: The table.
    """

    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self._shelf = Shelf()
        self._rows: dict[str, tuple[str, int]] = {}
        self._version = -1
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._rows)

    def refresh(self, *, certain: bool = False) -> None:
        """Takes in what was committed since the last time; only rows that are new are read.

        Args:
            certain: See `Tier.version`; what is written next depends on it.
        """
        version = self._tier.version(certain=certain)
        with self._lock:
            if version <= self._version:
                return
            present = set(self._tier.scan(None, ["row_id"]).column("row_id").to_pylist())
            self._forget(self._rows.keys() - present)
            self._learn(sorted(present - self._rows.keys()))
            self._version = version

    def _learn(self, rows: Sequence[str]) -> None:
        if not self._rows:
            self._take(decoded(self._tier.scan(None, [*READ, "vector"])))
            return
        for start in range(0, len(rows), _CHUNK):
            expr = among("row_id", rows[start : start + _CHUNK])
            self._take(decoded(self._tier.scan(expr, [*READ, "vector"])))

    def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            self._rows[row_id(record)] = (record.id, record.version)
            self._shelf.put([record])

    def _forget(self, rows: Iterable[str]) -> None:
        gone: dict[str, list[int]] = {}
        for row in list(rows):
            id_, version = self._rows.pop(row)
            gone.setdefault(id_, []).append(version)
        for id_, versions in gone.items():
            self._shelf.drop(id_, versions)

    def added(self, records: Sequence[Record], version: int) -> None:
        """Takes in what this process just committed as ``version``, without reading it back."""
        with self._lock:
            self._take(records)
            # Another version in between means that somebody compacted: the next refresh looks.
            self._version = version if version == self._version + 1 else self._version

    def removed(self, rows: Iterable[str]) -> None:
        """Lets go of rows that this process just deleted."""
        with self._lock:
            self._forget([row for row in rows if row in self._rows])

    def layer(self, where: Filter, as_of: datetime | None) -> Layer:
        """What `recent` says to a read, at this moment."""
        self.refresh()
        with self._lock:
            starts = {} if as_of is None else self._shelf.starts()
            return Layer(
                found=self._shelf.current(where, as_of),
                hides=self._shelf.tops_at(as_of),
                starts=lambda id_: starts.get(id_, ()),
            )

    def tops(self) -> dict[str, int]:
        """The highest version of each id in `recent`, as of the last refresh."""
        return self._shelf.tops

    def everything(self) -> list[Record]:
        """All versions in `recent`."""
        self.refresh()
        with self._lock:
            return self._shelf.everything()

    def ids(self, where: Filter) -> set[str]:
        """The ids with a version in `recent` that satisfies a filter."""
        self.refresh()
        with self._lock:
            return self._shelf.ids(where)

    def references(self, digests: Iterable[str]) -> set[str]:
        """Those of the digests that a version in `recent` names."""
        self.refresh()
        with self._lock:
            return self._shelf.references(digests)

    def latest(self, ids: Iterable[str]) -> dict[str, Record]:
        """The highest version in `recent` of each id that it has."""
        self.refresh()
        with self._lock:
            return {id_: record for id_ in ids if (record := self._shelf.latest(id_)) is not None}

    def versions(self, id_: str) -> list[Record]:
        """All versions of one id in `recent`."""
        self.refresh()
        with self._lock:
            return self._shelf.versions(id_)
