"""Single commits, until they are moved on to the large tables: what the backend asks of what keeps them.

Every process holds them in memory (`overlay.Overlay`) and answers reads from there. So all that has to be kept
elsewhere is what brings the next process, and the others, in step: on a local disk a `journal.Journal`, in an object
store, where nothing can be appended to, a `recent_table.RecentTable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from memplug.backends.lancedb.overlay import Overlay
    from memplug.backends.lancedb.place import Lock
    from memplug.backends.lancedb.session import Session
    from memplug.values.item import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one caller commits.

    Args:
        records: The records.
        form: The same as `Recent.packed` made them.
    """

    records: list[Record]
    form: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What is about to be moved on.

    Args:
        records: All versions that it is about.
        mark: Where what came later begins, for `Recent.clear`.
    """

    records: list[Record]
    mark: int


class Recent(Protocol):
    """What keeps single commits."""

    @property
    def overlay(self) -> Overlay:
        """All of it in memory; each read of it first takes in what others committed."""
        ...

    @property
    def scatters(self) -> bool:
        """Whether each commit leaves files that `compact` makes few."""
        ...

    def commits(self) -> int:
        """How many commits have left files of their own; 0 where none does."""
        ...

    def packed(self, records: Sequence[Record]) -> Any:
        """Records in the form in which `append` wants them.

        Raises:
            MalformedInput: One of them cannot be stored.
        """
        ...

    def append(self, session: Session, batches: Sequence[Batch]) -> None:
        """Adds batches, each of which shows whole or not at all. The write lock must be held.

        Raises:
            StoreFull, BackendError: Nothing was added.
        """
        ...

    def take(self, session: Session, patience: float | None = None) -> Taken:
        """What is there now, to be moved on. The upkeep lock must be held.

        Args:
            session: The open store.
            patience: How long to wait for writers (`Lock.held`).
        """
        ...

    def clear(self, session: Session, taken: Taken, patience: float | None = None) -> None:
        """Lets go of what was moved on; see `take`."""
        ...

    def write(self, records: Sequence[Record]) -> None:
        """Fills one that nobody uses yet."""
        ...

    def drop(self, rows: Collection[str]) -> None:
        """Removes some rows of one that nobody uses yet."""
        ...

    def finish(self) -> None:
        """Makes one that nobody used yet ready for use, and lasting."""
        ...

    def compact(self) -> None:
        """Makes its files few. The write lock must be held."""
        ...

    def doubles(self) -> list[str]:
        """The rows that are there twice."""
        ...

    def damage(self) -> list[str]:
        """The files in which something is damaged, or to which something damaged was set aside."""
        ...

    def mend(self, lock: Lock) -> None:
        """Has what a power cut tore set aside, with a warning. Nothing that can be read is lost."""
        ...
