"""Work that goes on after the call that asked for it has returned."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from memplug.exceptions import MemplugError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.values.outcome import Outcome

State = Literal["running", "completed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """How far a task has come.

    Args:
        id: What `Memory.add` gave as ``task_id``.
        state: ``running``, ``completed``, or ``failed`` where a step could not be carried out.
        done, total: Steps carried out, and steps altogether.
        outcomes: What became of each step that was carried out.
        error: Why a step failed, in words; what it was about stays ``pending``.
    """

    id: str
    state: State
    done: int
    total: int
    outcomes: tuple[Outcome, ...] = ()
    error: str | None = None


@dataclass(slots=True)
class Tasks:
    """Carries out steps one after the other in a thread of its own, which starts with the first of them."""

    _futures: dict[str, list[Future[Outcome]]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, steps: Sequence[Callable[[], Outcome]]) -> str:
        """Begins a task, and gives its id."""
        id_ = uuid4().hex
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memplug-task")
            self._futures[id_] = [self._pool.submit(step) for step in steps]
        return id_

    def status(self, id_: str) -> TaskStatus:
        """How far a task has come.

        Raises:
            NotFound: This memory has begun no such task.
        """
        futures = self._of(id_)
        done = [future for future in futures if future.done()]
        errors = [error for future in done if (error := _error(future)) is not None]
        state: State = "running" if len(done) < len(futures) else "failed" if errors else "completed"
        return TaskStatus(
            id=id_,
            state=state,
            done=len(done),
            total=len(futures),
            outcomes=tuple(future.result() for future in done if _error(future) is None),
            error=errors[0] if errors else None,
        )

    def wait(self, id_: str, timeout: float | None) -> TaskStatus:
        """The same, once the task has ended or ``timeout`` seconds have passed."""
        wait_for(self._of(id_), timeout=timeout)
        return self.status(id_)

    def close(self) -> None:
        """Ends the thread after the step that it is at; what was still to come stays pending."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _of(self, id_: str) -> list[Future[Outcome]]:
        futures = self._futures.get(id_) if isinstance(id_, str) else None
        if futures is None:
            raise NotFound(f"there is no task {id_!r:.100} here", hint="tasks end with the memory that began them")
        return futures


def _error(future: Future[Outcome]) -> str | None:
    if future.cancelled():
        return "the memory was closed before"
    error = future.exception()
    if error is None:
        return None
    return str(error) if isinstance(error, MemplugError) else f"{type(error).__name__}: {error}"
