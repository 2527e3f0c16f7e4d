"""Locks between threads and between processes."""

from __future__ import annotations

import os
import sys
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
        self._processes = _file_lock(path)
        self._depth = 0

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
            if not self._depth:
                self._lock_file(deadline, wait)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth:
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


if sys.platform == "win32":

    def _file_lock(path: Path) -> FileLock:
        return FileLock(str(path), thread_local=False)

else:
    import fcntl

    #: The files that this process has locked. A forked child closes them: else a lock would outlive its holder.
    _held: set[int] = set()

    class _Flock:
        """What `filelock.FileLock` does, and together with it, in a tenth of the time. Held once at a time.

        Args:
            path: The lock file.
        """

        def __init__(self, path: Path) -> None:
            self._path = str(path)
            self._handle: int | None = None

        @property
        def is_locked(self) -> bool:
            """Whether this object holds it."""
            return self._handle is not None

        def acquire(self, timeout: float, poll_interval: float) -> None:
            """Locks the file, which is made where it is not there.

            Raises:
                Timeout: Another one held it for longer.
            """
            deadline = time.monotonic() + timeout
            while not self._acquired():
                if time.monotonic() >= deadline:
                    raise Timeout(self._path)
                time.sleep(poll_interval)

        def _acquired(self) -> bool:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            _held.add(handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A file that somebody removed meanwhile locks nobody else out.
                if os.path.samestat(os.fstat(handle), os.stat(self._path)):  # noqa: PTH116 - the hot path of every write
                    self._handle = handle
            except (BlockingIOError, FileNotFoundError):
                pass
            finally:
                if self._handle is None:
                    self._close(handle)
            return self._handle is not None

        def release(self) -> None:
            """Unlocks it; not by closing alone, which a forked child may not have done yet."""
            handle, self._handle = self._handle, None
            if handle is not None:
                fcntl.flock(handle, fcntl.LOCK_UN)
                self._close(handle)

        def _close(self, handle: int) -> None:
            _held.discard(handle)
            os.close(handle)

    def _file_lock(path: Path) -> _Flock:
        return _Flock(path)

    def _let_go() -> None:
        for handle in _held:
            os.close(handle)
        _held.clear()

    os.register_at_fork(after_in_child=_let_go)
