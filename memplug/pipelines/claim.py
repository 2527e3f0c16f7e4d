"""Being at a task: said in the store for others to see, and said again as long as it takes."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from memplug.exceptions import MemplugError, VersionConflict
from memplug.pipelines.tasks import LEASE, Task, changed, open_items

if TYPE_CHECKING:
    from types import TracebackType

    from memplug.store import Store
    from memplug.values.item import Record

log = logging.getLogger("memplug.tasks")

#: How often a claim is renewed while it holds: twice may fail before it is lost.
_PULSE = LEASE / 3


class Claim:
    """A task that this process is at, for as long as the ``with`` block lasts.

    A thread of its own renews it, since a step may take longer than a claim holds: pages to read, a model to ask.

    Args:
        store: Where the task is.
        record: The task as it was read; another version of it means that somebody else came first.
        owner: Who is at it.
        pulse: Seconds between two renewals.

    Raises:
        VersionConflict: Somebody else took it.
    """

    def __init__(self, store: Store, record: Record, owner: str, *, pulse: float = _PULSE) -> None:
        self._store = store
        self._record = record
        self._owner = owner
        self._pulse = pulse
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._renew()
        self._thread = threading.Thread(target=self._keep, name="memplug-claim", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def release(self, task: Task) -> bool:
        """Writes what is left of the task, free for whoever comes to it; says whether that is nothing.

        Raises:
            VersionConflict: Somebody else has taken it over.
        """
        with self._lock:
            self._over.set()
            ended = not open_items(self._store, task)
            self._write(replace(task, owner="", leased=0.0), ended=ended)
            return ended

    def _keep(self) -> None:
        while not self._over.wait(self._pulse):
            try:
                self._renew()
            except VersionConflict:
                return  # somebody else took it over: what was done stays done, and `release` will find out
            except MemplugError as error:
                log.warning("a claim could not be renewed and will be tried again: %s", error.code)

    def _renew(self) -> None:
        with self._lock:
            if not self._over.is_set():
                self._write(replace(Task.of(self._record), owner=self._owner, leased=time.time() + LEASE))

    def _write(self, task: Task, *, ended: bool = False) -> None:
        record = changed(self._record, task, self._store.clock(), ended=ended)
        self._store.commit([record], {})
        self._record = record
