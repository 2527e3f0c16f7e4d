"""Goes on with tasks: each step with a few tries, exactly once in effect, by whichever process comes to it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memplug.exceptions import MemplugError, StoreReadOnly, VersionConflict
from memplug.pipelines.attempt import Attempt
from memplug.pipelines.claim import Claim
from memplug.pipelines.steps import step_for
from memplug.pipelines.tasks import (
    Task,
    TaskStatus,
    identity_of_process,
    new_task,
    open_items,
    status_of,
    task_record,
    waiting,
)
from memplug.pipelines.versions import following

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.pipelines.steps import Step
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.limits import Limits

    Progress = Callable[[int, int, str], None]

log = logging.getLogger("memplug.tasks")

#: How often somebody who waits looks at the store, in seconds: at first, and at most.
_FIRST_LOOK, _LAST_LOOK = 0.005, 0.5


@dataclass(slots=True, kw_only=True)
class Worker:
    """Carries tasks out, one step after the other.

    What no step of this process takes (no model is configured here, a plugin is not installed) stays pending, without
    costing a try, for a process that has the step.

    Args:
        store: Where tasks and memories are.
        steps: What a pending memory may wait for, in this order.
        limits: ``task_tries`` and ``task_pause``.
    """

    store: Store
    steps: Sequence[Step]
    limits: Limits
    _me: str = field(default_factory=identity_of_process)
    _wake: threading.Event = field(default_factory=threading.Event)
    _closed: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Goes on with everything that is waiting, in a thread of its own that ends when nothing is left to do here."""
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
            except StoreReadOnly:
                pause = None  # only others can go on with it
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
            Seconds until something is due again, 0 where it is already; None where nothing is left that this process
            has a step for.
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
        left = [task for record in waiting(self.store) if self._takes(task := Task.of(record))]
        now = time.time()
        return min((max(self._next(task, now), 0.0) for task in left), default=None)

    def adopt(self) -> None:
        """Makes a task for memories that are pending without one: what an import brought, or what lost its task.

        It looks at the whole store, so `Memory.work` asks for it, and no `add`.
        """
        pending = self.store.pending()
        known = {id_ for record in waiting(self.store) for id_ in Task.of(record).ids}
        if alone := [id_ for id_ in pending if id_ not in known]:
            self.store.commit([new_task(alone, self.store.clock())], {})

    def revive(self) -> None:
        """Makes what failed pending again, where a step here would do it; `adopt` makes a task for it."""
        for page in self.store.failed():
            for record in page:
                item = replace(record.item, status="pending", error=None)
                if step_for(self.steps, item) is None:
                    continue
                with suppress(VersionConflict):  # somebody else changed it, and so decided what becomes of it
                    latest = self.store.get(record.id, None)
                    if latest.version == record.version:
                        again = replace(latest, item=item)
                        self.store.commit([following(again, latest, self.store.clock())], {})

    def _next(self, task: Task, now: float) -> float:
        return task.due - now if task.free(now) else max(task.due, task.leased) - now

    def _takes(self, task: Task) -> bool:
        """Whether there is something to do here: a step that is wanted, or a task to end, since nothing is pending."""
        items = open_items(self.store, task)
        return not items or any(step_for(self.steps, item) for item in items)

    def _attempt(self, record: Record) -> None:
        """Goes on with one task, unless somebody else is at it, or only others can."""
        task, now = Task.of(record), time.time()
        if task.due > now or not task.free(now) or not self._takes(task):
            return
        self._go_on(record, task)

    def claimed(self, ids: Sequence[str]) -> Record:
        """The record of a task that nobody takes before `carry_out` does, to be committed with what it is about."""
        return new_task(ids, self.store.clock(), owner=self._me)

    def carry_out(self, id_: str) -> bool:
        """Goes on once, in this thread, with a task that `claimed` made; whether that ended it.

        What fails is tried again in the background, like anything else that is pending.
        """
        try:
            record = task_record(self.store, id_)
            self._go_on(record, Task.of(record))
            return status_of(self.store, task_record(self.store, id_)).state != "running"
        except MemplugError as error:
            log.warning("a task could not be carried out at once and will be gone on with: %s", error.code)
            return False

    def _go_on(self, record: Record, task: Task) -> None:
        attempt = Attempt(store=self.store, steps=self.steps, limits=self.limits, task=task, closed=self._closed)
        try:
            with Claim(self.store, record, self._me) as claim:
                claim.release(attempt.run())
        except VersionConflict:
            return  # somebody else took it over: what was done stays done

    def status(self, id_: str) -> TaskStatus:
        """How far a task has come, and what it waits for where this process cannot go on with it.

        Raises:
            NotFound: There is no such task.
        """
        record = task_record(self.store, id_)
        status = status_of(self.store, record)
        return replace(status, note=self._note(Task.of(record))) if status.state == "running" else status

    def _note(self, task: Task) -> str:
        if not task.free(time.time()) or self._takes(task):
            return ""
        kinds = Counter(item.kind for item in open_items(self.store, task))
        what = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(kinds.items()))
        return (
            f"no step of this process takes what is pending ({what}); "
            "a process that has the plugin or the model for it goes on with it"
        )

    def wait(self, id_: str, timeout: float | None, progress: Progress | None = None) -> TaskStatus:
        """How far a task has come once it has ended, or ``timeout`` seconds have passed.

        Raises:
            NotFound: There is no such task.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK
        told = status = self.status(id_)
        if status.note:
            log.warning("waiting for task %s: %s", id_, status.note)
        while status.state == "running":
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return self.status(id_)
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 2, _LAST_LOOK)
            status = status_of(self.store, task_record(self.store, id_))
            if progress and status != told:
                progress(status.done, status.total, "waiting")
            told = status
        return status
