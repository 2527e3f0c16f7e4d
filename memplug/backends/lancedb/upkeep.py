"""What keeps a store small and fast, by itself and off the caller's path."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING

from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.removal import remove_expired
from memplug.exceptions import MemplugError, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier

_log = logging.getLogger("memplug.backends.lancedb")

#: Commits after which `recent` is compacted. Each commit adds a file and a manifest that lists them all, so this
#: bounds both; one compaction of so few rows costs about as much as ten commits.
COMPACT_COMMITS = 64
#: Rows in `recent` from which on they are moved: what a read goes through in memory.
FOLD_ROWS = 1_000
#: Rows that full text looks at one by one before an index is extended: at least so many, and this share. Extending
#: rewrites a table of under a million rows, so the share makes the cost per row independent of the size.
TAIL_ROWS, TAIL_SHARE = 1_000, 0.1
#: Seconds to wait after a failure, and for a store that another process maintains.
RETRY, BUSY = 5.0, 0.05


class Keeper:
    """The thread that maintains one open store.

    Args:
        session: The open store.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pid = os.getpid()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._commits = 0
        self._rows = 0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def committed(self, rows: int) -> None:
        """Is told of each append; cheap, and starts the thread with the first one that gives it work."""
        self._commits += 1
        self._rows += rows
        if self._commits >= COMPACT_COMMITS or self._rows >= FOLD_ROWS:
            self._start()
            self._wake.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="memplug-upkeep", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the step that it is at."""
        if os.getpid() != self._pid:
            return  # in a forked child the thread does not exist, and its locks may be held for ever
        self._stopped.set()
        self._wake.set()
        with self._starting:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                self._tend()
            except StoreBusy:
                self._again(BUSY)  # another process is at it
            except MemplugError as error:
                _log.warning("maintenance failed and will be tried again: %s", error)
                self._again(RETRY)

    def _again(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self._wake.set()

    def _tend(self) -> None:
        """One round: as little as is due."""
        session = self._session
        with session.upkeep.held(patience=0):
            bulky = self._rows >= FOLD_ROWS
            self._commits = self._rows = 0
            if len(session.catalog().overlay) >= FOLD_ROWS:
                self._fold()
                bulky = True
            else:
                compact_recent(session)
            if bulky and not self._stopped.is_set():
                extend_indexes(session)

    def _fold(self) -> None:
        fold = Fold.of(self._session)
        for step in (fold.archive, fold.settle, fold.clear):
            if self._stopped.is_set():
                return  # each step may be the last: the next round begins anew
            step()


def compact_recent(session: Session) -> None:
    """Makes the files of `recent` few. Commits wait for it: some ten milliseconds."""
    with session.writing.held():
        recent = session.catalog().recent
        recent.compact(alone=True)
        recent.sync()


def extend_indexes(session: Session, *, all_rows: bool = False) -> None:
    """Compacts the large tables and extends their indexes, where that is due or asked for."""
    catalog = session.catalog()
    for tier in (catalog.memories, catalog.history):
        if all_rows or _due(tier):
            tier.compact(alone=False)
            tier.sync()


def _due(tier: Tier) -> bool:
    tail = tier.unindexed()
    return tail > TAIL_ROWS and tail > tier.count() * TAIL_SHARE


def maintain(session: Session, progress: Callable[[int, int, str], None] | None) -> None:
    """Everything at once, whether due or not."""

    def clean() -> None:
        with session.writing.held():
            catalog = session.catalog()
            session.folder.remove_tables(keep=catalog.pointer.tables.values())
            for tier in (catalog.recent, catalog.memories, catalog.history):
                tier.compact(alone=True)
                tier.sync()

    steps: list[tuple[str, Callable[[], None]]] = [
        ("moving recent memories", lambda: Fold.of(session).run()),
        ("removing expired memories", lambda: remove_expired(session)),
        ("extending indexes", lambda: extend_indexes(session, all_rows=True)),
        ("removing old versions", clean),
    ]
    with session.upkeep.held():
        for place, (words, step) in enumerate(steps):
            if progress is not None:
                progress(place, len(steps), words)
            step()
        if progress is not None:
            progress(len(steps), len(steps), "done")


def stop_at_exit(owner: object, keeper: Keeper) -> weakref.finalize[..., object]:
    """Stops the thread when its owner is collected, and before the interpreter takes LanceDB down."""
    return weakref.finalize(owner, keeper.stop)
