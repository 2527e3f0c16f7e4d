"""Goes on with tasks: each step with a few tries, exactly once in effect, by whichever process comes to it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memplug.exceptions import MemplugError, NotFound, VersionConflict
from memplug.pipelines.tasks import LEASE, Task, TaskStatus, changed, identity_of_process, new_task, status_of, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.pipelines.describing import Describing
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.limits import Limits

    Progress = Callable[[int, int, str], None]

log = logging.getLogger("memplug.tasks")

#: By how much each pause before another try is longer than the one before.
_GROWTH = 4.0
#: How often somebody who waits looks at the store, in seconds: at first, and at most.
_FIRST_LOOK, _LAST_LOOK = 0.005, 0.5


@dataclass(slots=True, kw_only=True)
class Worker:
    """Carries tasks out, one step after the other.

    Args:
        store: Where tasks and memories are.
        describing: The step that a pending memory waits for.
        limits: ``task_tries`` and ``task_pause``.
    """

    store: Store
    describing: Describing
    limits: Limits
    _me: str = field(default_factory=identity_of_process)
    _wake: threading.Event = field(default_factory=threading.Event)
    _closed: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Goes on with everything that is waiting, in a thread of its own that ends when nothing is left."""
        with self._starting:
            self._wake.set()
            if self._closed.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._loop, name="memplug-worker", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ends the thread after the step that it is at; what was still to come stays pending."""
        self._closed.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _loop(self) -> None:
        while not self._closed.is_set():
            self._wake.clear()
            try:
                pause = self.round()
            except MemplugError as error:
                log.warning("tasks could not be gone on with and will be tried again: %s", error)
                pause = self.limits.task_pause
            with self._starting:
                if pause is None and not self._wake.is_set():
                    self._thread = None
                    return
            self._wake.wait(pause)

    def round(self, progress: Progress | None = None) -> float | None:
        """Carries out all that is due now.

        Returns:
            Seconds until something is due again, 0 where it is already; None where nothing is left.
        """
        records = waiting(self.store)
        for number, record in enumerate(records):
            if self._closed.is_set():
                return 0.0
            if progress:
                progress(number, len(records), "going on with what is pending")
            self._attempt(record)
        if progress:
            progress(len(records), len(records), "going on with what is pending")
        left = waiting(self.store)
        now = time.time()
        return min((max(self._next(Task.of(one), now), 0.0) for one in left), default=None)

    def adopt(self) -> None:
        """Makes a task for memories that are pending without one: what an import brought, or what lost its task.

        It looks at the whole store, so `Memory.work` asks for it, and no `add`.
        """
        pending = self.store.pending()
        known = {id_ for record in waiting(self.store) for id_ in Task.of(record).ids}
        if alone := [id_ for id_ in pending if id_ not in known]:
            self.store.commit([new_task(alone, self.store.clock())], {})

    def _next(self, task: Task, now: float) -> float:
        return task.due - now if task.free(now) else max(task.due, task.leased) - now

    def _attempt(self, record: Record) -> None:
        """Goes on with one task, unless somebody else is at it."""
        task, now = Task.of(record), time.time()
        if task.due > now or not task.free(now):
            return
        task = replace(task, owner=self._me, leased=now + LEASE)
        try:
            record = self._noted(record, task)
            tries = dict(task.tries)
            for id_ in task.ids:
                if self._closed.is_set():
                    break
                record = self._renewed(record)
                if not self._step(id_, last=tries.get(id_, 0) + 1 >= self.limits.task_tries):
                    tries[id_] = tries.get(id_, 0) + 1
            self._noted(record, self._left(task, tries))
        except VersionConflict:
            return  # somebody else took it over: what was done stays done

    def _step(self, id_: str, *, last: bool) -> bool:
        """Does what one memory waits for, and says whether that came to an end; on the last try it always does."""
        try:
            self.describing.finish(id_, last=last)
        except NotFound:
            return True  # it was deleted before its turn came
        except VersionConflict:
            return False
        except MemplugError as error:
            log.warning("a step for memory %s failed: %s", id_, error.code)
            if last:
                self.describing.give_up(id_, str(error))
            return last
        return True

    def _left(self, task: Task, tries: dict[str, int]) -> Task:
        """The task with what is left to do, free for whoever comes to it when the pause is over."""
        worst = max((count for id_, count in tries.items() if count > task.tries.get(id_, 0)), default=0)
        pause = self.limits.task_pause * _GROWTH ** (worst - 1) if worst else 0.0
        return replace(task, tries=tries, owner="", leased=0.0, due=time.time() + pause)

    def _renewed(self, record: Record) -> Record:
        task, now = Task.of(record), time.time()
        if task.leased - now > LEASE / 2:
            return record
        return self._noted(record, replace(task, leased=now + LEASE))

    def _noted(self, record: Record, task: Task) -> Record:
        """Writes the next version of a task; the last one where none of its memories is pending any more."""
        latest = self.store.backend.latest(list(task.ids))
        open_ = [one for one in latest.values() if one.item.status == "pending" and not one.item.deleted]
        ended = not task.owner and not open_
        record = changed(record, task, self.store.clock(), ended=ended)
        self.store.commit([record], {})
        return record

    def wait(self, id_: str, timeout: float | None, progress: Progress | None = None) -> TaskStatus:
        """How far a task has come once it has ended, or ``timeout`` seconds have passed.

        Raises:
            NotFound: There is no such task.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK
        status = status_of(self.store, id_)
        told = status
        while status.state == "running":
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 2, _LAST_LOOK)
            status = status_of(self.store, id_)
            if progress and status != told:
                progress(status.done, status.total, "waiting")
            told = status
        return status
