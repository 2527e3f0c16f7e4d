"""Scopes that were asked lately, in memory: their rows of `memories`, until that table changes.

One query brings a scope whole, and every further read of it needs none; single adds do not end that, since they go to
`recent`. A small scope is brought at once, which costs less than to search it in the table; the larger one is, the
more often it must have been asked. One with more than `SCOPE_ROWS` never is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from lancedb.expr import col, lit

from memplug.backends.lancedb.columns import READ
from memplug.backends.lancedb.rows import decoded, matrix
from memplug.backends.lancedb.where import both, native
from memplug.backends.shelf import required
from memplug.plugins.protocols import Match
from memplug.values.filters import All, Compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from memplug.backends.lancedb.tier import Tier
    from memplug.values.filters import Filter
    from memplug.values.item import Record

    Scope = tuple[tuple[str, str], ...]

#: Most rows of a scope that is held: searching 16,000 rows in memory takes as long as asking the table.
SCOPE_ROWS = 8_192
#: Rows of a scope that are worth bringing for each time that it was asked. Among a million, 1,000 rows came in 30 ms,
#: where one search by meaning and one by words took 24; among 100,000, 100 rows came in 4 ms, and the searches took 6.
FEW = 256
#: Reads of so many rows count `_WORTH` times: in the table they take longer.
MANY, _WORTH = 200, 4
#: Most scopes that are remembered to have been asked before.
_ASKED = 4_096
#: Most bytes that all scopes of a store may take together, roughly.
HELD_BYTES = 128 * 2**20
#: What a record takes beside its words and its vector: some twenty Python objects.
_RECORD_BYTES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The rows of one scope in one state of the table.

    Args:
        version: The table's version, or an older one if it changed just then.
        records: The current records, without vectors.
        units: Their vectors with length 1, float32 of shape ``(records, dimension)``; zeros where there is none.
        embedded: Which have a vector, as bool of shape ``(records,)``.
    """

    version: int
    records: list[Record]
    units: NDArray[np.float32]
    embedded: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Bytes that it takes, roughly."""
        words = sum(len(record.item.text) + len(record.terms) + len(record.context) for record in self.records)
        return self.units.nbytes + words + _RECORD_BYTES * (len(self.records) + 1)

    def nearest(self, vector: NDArray[np.float32], places: Sequence[int], limit: int) -> list[Match]:
        """The cosine of the nearest of the records at these places, in no order; with the last one all equal ones."""
        chosen = np.asarray(places, dtype=np.intp)
        chosen = chosen[self.embedded[chosen]]
        query = _units(vector[np.newaxis])[0]
        rows = self.units if len(chosen) == len(self.records) else self.units[chosen]
        scores = rows @ query
        if len(scores) > limit:
            enough = scores >= np.partition(scores, -limit)[-limit]
            chosen, scores = chosen[enough], scores[enough]
        pairs = zip(chosen.tolist(), scores.tolist(), strict=True)
        return [Match(record=self.records[place], score=score) for place, score in pairs]


class ScopeCache:
    """Holds scopes of one table, those that were asked last. Safe to use from several threads.

    Args:
        tier: The table.
    """

    def __init__(self, tier: Tier) -> None:
        self._tier = tier
        self._held: OrderedDict[Scope, Held] = OrderedDict()
        self._size = 0
        self._asked: OrderedDict[Scope, int] = OrderedDict()
        self._lock = threading.Lock()

    def held(self, where: Filter, *, wanted: int) -> Held | None:
        """The scope that a filter asks for, or None where it is better asked in the table.

        Args:
            where: The filter.
            wanted: How many rows the read is for; 0 takes the scope only where it is here already.
        """
        scope: Scope = tuple(sorted(set(required(where))))
        if not scope:
            return None
        version = self._tier.version()
        with self._lock:
            found = self._held.get(scope)
            if found is not None and found.version == version:
                self._held.move_to_end(scope)
                return found
        return self._fetched(scope, version, wanted) if wanted else None

    def _fetched(self, scope: Scope, version: int, wanted: int) -> Held | None:
        asked = native(All(tuple(Compare(name, "eq", value) for name, value in scope)))
        if not asked.exact:
            return None
        # Deleted ones count as well: then the index alone tells.
        rows = self._tier.count(asked.expr)
        if rows > SCOPE_ROWS:
            self._keep(scope, None)
        if rows > SCOPE_ROWS or rows > FEW * self._times(scope, _WORTH if wanted >= MANY else 1):
            return None
        expr = both(asked.expr, col("deleted") == lit(False))  # noqa: FBT003 - a literal of the expression language
        found = _held(self._tier.scan(expr, [*READ, "vector"]), version)
        self._keep(scope, found)
        return found

    def _times(self, scope: Scope, more: int) -> int:
        """How often a scope was asked while it was not here, as far as is remembered."""
        with self._lock:
            times = self._asked.pop(scope, 0) + more
            self._asked[scope] = times
            if len(self._asked) > _ASKED:
                self._asked.popitem(last=False)
        return times

    def _keep(self, scope: Scope, found: Held | None) -> None:
        with self._lock:
            before = self._held.pop(scope, None)
            self._size -= before.size if before is not None else 0
            if found is None or found.size > HELD_BYTES:
                return
            self._held[scope] = found
            self._size += found.size
            while self._size > HELD_BYTES:
                self._size -= self._held.popitem(last=False)[1].size


def _held(rows: pa.Table, version: int) -> Held:
    units = _units(matrix(rows.column("vector")))
    # LanceDB finds no row of zeros either: it has no direction.
    records = decoded(rows.drop_columns("vector"))
    return Held(version=version, records=records, units=units, embedded=np.asarray(units.any(1)))


def _units(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; the square of a large number is infinite in 32 bits."""
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    units: NDArray[np.float64] = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return units.astype(np.float32)
