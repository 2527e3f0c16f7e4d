"""What keeps a store small and fast, by itself and off the caller's path."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.maintenance import compact_recent, extend_indexes, tidy
from memplug.exceptions import MemplugError, StoreBusy

if TYPE_CHECKING:
    from memplug.backends.lancedb.session import Session

_log = logging.getLogger("memplug.backends.lancedb")

#: Commits after which `recent` is compacted, where each adds a file and a manifest that lists them all. This bounds
#: both; one compaction of so few rows costs about as much as ten commits.
COMPACT_COMMITS = 64
#: Rows in `recent` from which on they are moved: what a read goes through in memory.
FOLD_ROWS = 1_000
#: Seconds to wait for a store that another process maintains; after a failure, and at most after several.
BUSY, RETRY, LONGEST_RETRY = 0.05, 5.0, 300.0
#: The first of these for a store in an object store.
REMOTE_BUSY = 1.0
#: Seconds that a step waits for writers of other processes. It is tried again, and closing must not take long.
PATIENCE = 1.0
#: Seconds for which closing lets due work go on to its next step, and after which it waits no longer.
GRACE, LONGEST_CLOSE = 1.0, 10.0


class Keeper:
    """The thread that maintains one open store.

    Args:
        session: The open store.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pid = os.getpid()
        self._scatters = session.catalog().recent.scatters
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._ends = float("inf")
        self._counted = False
        self._commits = 0
        self._rows = 0
        self._counting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def committed(self, rows: int) -> None:
        """Is told of each append; cheap, never fails, and starts the thread with the first one that gives it work."""
        try:
            self._count(int(self._scatters), rows)
            if self._is_due():
                self._start()
                self._wake.set()
        except (MemplugError, OSError, RuntimeError) as error:
            _log.warning("maintenance could not be started and will be tried again: %s", error)

    def _count(self, commits: int, rows: int) -> None:
        with self._counting:
            if not self._counted:
                # Programs that commit a few times and end would never get to it by their own commits.
                found = self._session.catalog().recent
                commits, rows = commits + found.commits(), max(rows, len(found.overlay))
                self._counted = True
            self._commits += commits
            self._rows += rows

    def _is_due(self) -> bool:
        return self._commits >= COMPACT_COMMITS or self._rows >= FOLD_ROWS

    def _start(self) -> None:
        with self._starting:
            if (self._thread is None or not self._thread.is_alive()) and not self._stopped.is_set():
                thread = threading.Thread(target=self._run, name="memplug-upkeep", daemon=True)
                thread.start()
                self._thread = thread

    def stop(self) -> None:
        """Ends the thread, after what is due now where that takes a moment only."""
        if os.getpid() != self._pid:
            return  # in a forked child the thread does not exist, and its locks may be held for ever
        self._ends = time.monotonic() + GRACE
        self._stopped.set()
        self._wake.set()
        with self._starting:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(LONGEST_CLOSE)

    def _run(self) -> None:
        failures = 0
        while True:
            self._wake.wait()
            self._wake.clear()
            failures = self._round(failures)
            if self._stopped.is_set():
                return  # only now: a program that commits once and closes must do what is due, too

    def _round(self, failures: int) -> int:
        """Does what is due, and returns how often in a row that failed."""
        try:
            if self._is_due():
                self._tend()
        except StoreBusy:
            # Another process is at it; in an object store every look is a request.
            self._again(BUSY if self._session.folder.exclusive else REMOTE_BUSY)
        except Exception as error:  # noqa: BLE001 - a thread that ended would leave the store to grow for ever
            unforeseen = None if isinstance(error, MemplugError) else error
            _log.warning("maintenance failed and will be tried again: %s", error, exc_info=unforeseen)
            self._again(min(RETRY * 2 ** min(failures, 10), LONGEST_RETRY))
            return failures + 1
        return 0

    def _again(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self._wake.set()

    def _tend(self) -> None:
        """One round: as little as is due."""
        session = self._session
        session.check_writable()
        with session.upkeep.held(patience=0):
            commits, rows = self._commits, self._rows
            tidy(session)
            bulky = rows >= FOLD_ROWS
            if session.again(lambda: len(session.catalog().overlay)) >= FOLD_ROWS:
                self._fold()
                bulky = True
            else:
                session.again(lambda: compact_recent(session, patience=PATIENCE))
            if bulky and not self._stopped.is_set():
                session.again(lambda: extend_indexes(session))
        with self._counting:
            self._commits -= commits
            self._rows -= rows

    def _fold(self) -> None:
        session = self._session
        fold = session.again(lambda: Fold.of(session, patience=PATIENCE))
        for step in (fold.archive, fold.settle, lambda: fold.clear(patience=PATIENCE)):
            if time.monotonic() > self._ends:
                return  # each step may be the last: the next round begins anew
            session.again(step)


def stop_at_exit(owner: object, keeper: Keeper) -> weakref.finalize[..., object]:
    """Stops the thread when its owner is collected, and before the interpreter takes LanceDB down."""
    return weakref.finalize(owner, keeper.stop)
