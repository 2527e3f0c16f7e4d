"""The rows of `recent`, held in memory and in step with what keeps them, whoever writes to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.backends.lancedb.rows import row_id
from memplug.backends.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from memplug.values.filters import Filter
    from memplug.values.item import Record


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
    """The rows of `recent` in memory. Safe to use from several threads.

    Args:
        refresh: Has what others committed taken in; called at the beginning of each read.
    """

    def __init__(self, refresh: Callable[[], None]) -> None:
        self.refresh = refresh
        self._shelf = Shelf()
        self._rows: dict[str, tuple[str, int]] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> set[str]:
        """The row ids that are held."""
        with self._lock:
            return set(self._rows)

    def take(self, records: Iterable[Record]) -> None:
        """Takes records in, all at once; one that is here already is passed over."""
        with self._lock:
            for record in records:
                self._shelf.put([record])
                self._rows[row_id(record)] = (record.id, record.version)

    def change(self, rows: Iterable[str], records: Iterable[Record]) -> None:
        """Lets go of rows and takes records in, all at once."""
        with self._lock:
            self.forget(rows)
            self.take(records)

    def forget(self, rows: Iterable[str]) -> None:
        """Lets go of rows, all at once; one that is not here is passed over."""
        gone: dict[str, list[int]] = {}
        with self._lock:
            for row in rows:
                if (held := self._rows.pop(row, None)) is not None:
                    gone.setdefault(held[0], []).append(held[1])
            for id_, versions in gone.items():
                self._shelf.drop(id_, versions)

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

    def tops(self, ids: Iterable[str]) -> dict[str, int]:
        """The highest version in `recent` of each of the ids that it has."""
        self.refresh()
        with self._lock:
            tops = self._shelf.tops
            return {id_: tops[id_] for id_ in ids if id_ in tops}

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
