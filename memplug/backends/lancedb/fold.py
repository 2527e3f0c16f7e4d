"""Moves rows from `recent` on to the large tables.

Four steps, each of which can be repeated, and between any two of which the process may die:

1. older versions go to `history`, each with the moment that ended it (merged by ``row_id``);
2. the highest version of each id goes to `memories` (merged by ``id``);
3. both are synced, where the store is durable;
4. the rows leave `recent` (`recent.Recent.clear`).

Until step 4 `recent` still hides what the first two wrote; after it nothing has to be hidden.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.backends.lancedb.columns import READ
from memplug.backends.lancedb.rows import decoded, encoded
from memplug.backends.lancedb.where import among
from memplug.backends.shelf import closed, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memplug.backends.lancedb.recent import Taken
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier
    from memplug.values.item import Record

_CHUNK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One move. The upkeep lock must be held from `of` to `clear`; commits go on meanwhile.

    Args:
        session: The open store.
        taken: The rows of `recent` that it is about.
        newest: The highest version of each of their ids.
        older: The versions below, with ``valid_to``.
    """

    session: Session
    taken: Taken
    newest: list[Record]
    older: list[Record]

    @classmethod
    def of(cls, session: Session, patience: float | None = None) -> Fold:
        """Looks at what lies in `recent` now; waits so many seconds for writers (`Lock.held`)."""
        catalog = session.catalog()
        taken = catalog.recent.take(session, patience)
        chains: dict[str, dict[int, Record]] = {}
        for record in taken.records:
            chains.setdefault(record.id, {})[record.version] = record
        changed = [id_ for id_, chain in chains.items() if max(chain) > 1]
        _add(chains, _found(catalog.memories, changed))
        _add(chains, _found(catalog.history, _turned_back(chains)))
        newest, older = _split(chains.values())
        return cls(session=session, taken=taken, newest=newest, older=older)

    def archive(self) -> None:
        """Step 1."""
        for some in _chunks(self.older):
            self._merge(self.session.catalog().history, "row_id", some)

    def settle(self) -> None:
        """Steps 2 and 3."""
        catalog = self.session.catalog()
        for some in _chunks(self.newest):
            with catalog.known.growing([record.id for record in some]):
                self._merge(catalog.memories, "id", some)
        catalog.history.sync()
        catalog.memories.sync()

    def clear(self, patience: float | None = None) -> None:
        """Step 4; waits so many seconds for writers, where it has to (`Lock.held`)."""
        self.session.catalog().recent.clear(self.session, self.taken, patience)

    def run(self) -> None:
        """All steps."""
        if self.taken.records:
            self.archive()
            self.settle()
            self.clear()

    def _merge(self, tier: Tier, column: str, records: list[Record]) -> None:
        self.session.upkeep.check()
        tier.merge(column, encoded(records, self.session.profile.dimension))


def _chunks(records: list[Record]) -> Iterator[list[Record]]:
    return (records[start : start + _CHUNK] for start in range(0, len(records), _CHUNK))


def _found(tier: Tier, ids: list[str]) -> Iterator[Record]:
    for start in range(0, len(ids), _CHUNK):
        yield from decoded(tier.scan(among("id", ids[start : start + _CHUNK]), [*READ, "vector"]))


def _add(chains: dict[str, dict[int, Record]], records: Iterable[Record]) -> None:
    for record in records:
        chains[record.id].setdefault(record.version, record)


def _turned_back(chains: dict[str, dict[int, Record]]) -> list[str]:
    """The ids with a version that claims to be older than the one before: a clock ran backwards.

    Then also versions that are in `history` already ended earlier than was written there.
    """
    ids = []
    for id_, chain in chains.items():
        moments = [chain[version].item.valid_from for version in sorted(chain)]
        if any(later < earlier for earlier, later in itertools.pairwise(moments)):
            ids.append(id_)
    return ids


def _split(chains: Iterable[dict[int, Record]]) -> tuple[list[Record], list[Record]]:
    """The highest version of each chain, and the others, each ended by the earliest moment after it."""
    newest, older = [], []
    for chain in chains:
        ordered = [chain[version] for version in sorted(chain)]
        newest.append(opened(ordered[-1]))
        older += [closed(record, ordered[place + 1 :]) for place, record in enumerate(ordered[:-1])]
    return newest, older
