"""The tables of a store as one process has them open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memplug.backends.lancedb.cache import ScopeCache
from memplug.backends.lancedb.columns import schema
from memplug.backends.lancedb.known import Known
from memplug.backends.lancedb.loop import run
from memplug.backends.lancedb.steady import steadily
from memplug.backends.lancedb.trouble import lance_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from memplug.backends.lancedb.folder import Pointer
    from memplug.backends.lancedb.overlay import Overlay
    from memplug.backends.lancedb.place import Place
    from memplug.backends.lancedb.recent import Recent
    from memplug.backends.lancedb.tier import Tier

#: The roles of the tables; `recent` may be none.
LARGE = ("memories", "history")
#: Rows copied at a time when a table is rewritten.
COPY_ROWS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The current tables.

    Args:
        pointer: What names them.
        recent: Single adds, updates and deletions, until they are moved on.
        memories: The highest version of each id that was moved on; of a deleted one, the deletion.
        history: Older versions, with ``valid_to``.
        cache: Scopes of ``memories`` that were asked lately, in memory.
        known: What ids ``memories`` may hold, in memory.
    """

    pointer: Pointer
    recent: Recent
    memories: Tier
    history: Tier
    cache: ScopeCache
    known: Known

    @property
    def overlay(self) -> Overlay:
        """``recent`` in memory."""
        return self.recent.overlay

    def tier(self, role: str) -> Tier:
        """A large table by its role."""
        return {"memories": self.memories, "history": self.history}[role]


class Library:
    """The database in a folder: opens and makes tables.

    Args:
        folder: The store's folder.
        durable: Whether the tables sync what they commit.
    """

    def __init__(self, folder: Place, *, durable: bool) -> None:
        self.folder = folder
        self.durable = durable
        with lance_errors("open the store"):
            self._connection: Any = folder.connect()

    def open(self, name: str) -> Tier:
        """Opens a table."""
        with lance_errors("open the store"):
            return self.folder.tier(run(self._connection.open_table(name)), durable=self.durable)

    def catalog(self, pointer: Pointer) -> Catalog:
        """Opens the tables that a pointer names."""
        recent = self.folder.recent(pointer.tables["recent"], self, pointer.profile.dimension)
        memories, history = (self.open(pointer.tables[role]) for role in LARGE)
        cache, known = ScopeCache(memories), Known(memories)
        return Catalog(pointer=pointer, recent=recent, memories=memories, history=history, cache=cache, known=known)

    def make(self, name: str, dimension: int) -> Tier:
        """Makes an empty table without indexes; one of that name, left by a process that was killed, is replaced."""
        self.folder.remove_table(name)
        with lance_errors("make a table"):
            table = steadily(lambda: run(self._connection.create_table(name, schema=schema(dimension))))
        return self.folder.tier(table, durable=self.durable)

    def make_recent(self, name: str, dimension: int) -> Recent:
        """Makes what is to keep single commits, empty."""
        return self.folder.recent(name, self, dimension, fresh=True)

    def fill(self, tier: Tier, batches: Iterable[pa.Table]) -> None:
        """Fills a table that nobody uses yet, and makes it ready for use."""
        for rows in batches:
            if rows.num_rows:
                tier.add(rows)
        tier.index()
        tier.compact(alone=True)
        tier.sync()

    def found(self, pointer: Pointer) -> None:
        """Makes the tables of a new store."""
        self.make_recent(pointer.tables["recent"], pointer.profile.dimension).finish()
        for role in LARGE:
            tier = self.make(pointer.tables[role], pointer.profile.dimension)
            tier.index()
            tier.sync()
