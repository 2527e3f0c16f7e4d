"""Locks between threads and between processes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from memplug.backends.lancedb.trouble import lance_errors
from memplug.exceptions import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How long a write waits for other writers, in seconds.
PATIENCE = 60.0
#: How often a lock that another process holds is asked for again, in seconds.
_POLL = 0.003


class StoreLock:
    """One lock for the threads of this process and for other processes; a thread may hold it several times.

    The two are taken one after the other, since a file lock alone counts itself as held for all threads.

    Args:
        path: The lock file.
        patience: Seconds to wait for it.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self.patience = patience
        self._threads = threading.RLock()
        self._processes = FileLock(str(path), thread_local=False)

    @contextmanager
    def held(self, patience: float | None = None) -> Iterator[None]:
        """Holds the lock.

        Raises:
            StoreBusy: Somebody else held it for longer than ``patience`` seconds (None: the lock's own).
        """
        wait = self.patience if patience is None else patience
        deadline = time.monotonic() + wait
        if not self._threads.acquire(timeout=wait):
            raise self._busy(wait)
        try:
            self._lock_file(deadline, wait)
            try:
                yield
            finally:
                self._processes.release()
        finally:
            self._threads.release()

    def check(self) -> None:
        """See `place.Lock.check`: the system keeps a file lock for its holder, however long that is paused."""

    def regained(self) -> bool:
        """See `place.Lock.regained`."""
        return False

    def _lock_file(self, deadline: float, wait: float) -> None:
        with lance_errors("lock the store"):
            try:
                self._processes.acquire(timeout=max(0.0, deadline - time.monotonic()), poll_interval=_POLL)
            except Timeout as error:  # an OSError too, so it is caught inside
                raise self._busy(wait) from error

    def _busy(self, wait: float) -> StoreBusy:
        return StoreBusy(f"another writer has held {str(self.path)!r} for {wait:g} seconds", hint="try again later")
