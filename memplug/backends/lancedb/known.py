"""Which ids `memories` may hold, in memory, so that a new one costs no query.

Of each id a 64-bit hash: where it is missing the id is, where it is there the table is asked. They are brought when
the queries that they would have saved have taken as long as that, and hold for one version of the table: this process's
own moves and batches carry them on, and anything else that changed the table ends them.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from memplug.backends.lancedb.tier import Tier

#: Rows whose ids can be brought in the time of one query, and of one id more in it. Among 100,000 rows a query for one
#: id took 0.8 ms, one for 10,000 ids 260, and bringing all ids 40.
PER_QUERY, PER_ID = 2_000, 50
#: Most rows of a table whose ids are held: 8 bytes each.
MOST = 2**24
#: Added ones that are kept beside the sorted ones; more are sorted in.
_BESIDE = 2**14


class Known:
    """The ids of one table. Safe to use from several threads.

    Args:
        tier: The table.
    """

    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self._version = -1
        self._sorted: NDArray[np.int64] = np.empty(0, np.int64)
        self._beside: set[int] = set()
        self._saved = 0
        self._rows: tuple[int, int] = (-1, 0)
        self._lock = threading.Lock()

    def possible(self, ids: Sequence[str], *, bring: bool, certain: bool = False) -> list[str]:
        """Those of the ids that the table may hold as it is now; all of them where that is not known.

        Whoever looks at `recent` before misses nothing: what has left that by then is in the table by now.

        Args:
            ids: The ids.
            bring: Whether they are looked for in the table otherwise, so that its ids may be worth bringing.
            certain: See `Tier.version`; what is written next depends on it.
        """
        if not ids:
            return []
        version = self._tier.version(certain=certain)
        with self._lock:
            if version != self._version and not (bring and self._brought(version, len(ids))):
                return list(ids)
            return [id_ for id_, there in zip(ids, self._there(ids), strict=True) if there]

    def _there(self, ids: Sequence[str]) -> list[bool]:
        hashes = list(map(hash, ids))
        if len(self._sorted):
            places = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
            found = (self._sorted[places] == hashes).tolist()
        else:
            found = [False] * len(ids)
        return [there or number in self._beside for there, number in zip(found, hashes, strict=True)]

    def _brought(self, version: int, count: int) -> bool:
        """Brings the ids where that is worth it by now. The table may have gone on: then there are too many."""
        if self._rows[0] != version:
            self._rows = version, self._tier.count()
        self._saved += PER_QUERY + PER_ID * count
        if self._saved < self._rows[1] or self._rows[1] > MOST:
            return False
        rows = self._tier.scan(None, ["id"]).column("id")
        hashes = [np.fromiter(map(hash, chunk.to_pylist()), np.int64, len(chunk)) for chunk in rows.chunks]
        self._sorted = np.sort(np.concatenate(hashes)) if hashes else np.empty(0, np.int64)
        self._beside = set()
        self._version, self._saved = version, 0
        return True

    @contextmanager
    def growing(self, ids: Sequence[str]) -> Iterator[None]:
        """Around one commit of this process to the table, which adds these ids."""
        before = self._tier.version(certain=True)
        yield
        after = self._tier.version(certain=True)
        with self._lock:
            if self._version == before and after == before + 1:
                self._beside.update(map(hash, ids))
                if len(self._beside) > _BESIDE:
                    beside = np.fromiter(self._beside, np.int64, len(self._beside))
                    self._sorted, self._beside = np.sort(np.concatenate([self._sorted, beside])), set()
                self._version = after

    @contextmanager
    def carried(self) -> Iterator[None]:
        """Around commits of this process that add and remove no id: new indexes, fewer files.

        Nobody removes a row from the table meanwhile, the upkeep lock being held; so as many rows as before are the
        same ones.
        """
        count = self._tier.count()
        before = self._tier.version(certain=True)
        yield
        after = self._tier.version(certain=True)
        if after != before and self._tier.count() == count:
            with self._lock:
                if self._version == before:
                    self._version = after
