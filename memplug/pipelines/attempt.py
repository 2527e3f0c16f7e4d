"""One go at what a task waits for: every step that its memories are at, and those that follow."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memplug.exceptions import MemplugError, ModelError, NotFound, VersionConflict
from memplug.pipelines.steps import step_for
from memplug.pipelines.tasks import open_items
from memplug.values.prompt import Usage

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from memplug.pipelines.steps import Step
    from memplug.pipelines.tasks import Task
    from memplug.store import Store
    from memplug.values.limits import Limits

log = logging.getLogger("memplug.tasks")

#: By how much each pause before another try is longer than the one before.
_GROWTH = 4.0


@dataclass(slots=True, kw_only=True)
class Attempt:
    """Takes each pending memory of a task through the steps that want it, once each.

    Args:
        store: Where the memories are.
        steps: Those of this process, in their order.
        limits: ``task_tries`` and ``task_pause``.
        task: What it is about.
        closed: Set when this process is to end; the step that it is at is finished, no other one begun.
    """

    store: Store
    steps: Sequence[Step]
    limits: Limits
    task: Task
    closed: threading.Event
    _tries: Counter[str] = field(init=False)
    _usage: Usage = field(default_factory=Usage)
    #: Seconds that a server asked to be left alone for.
    _pause: float = 0.0
    #: What is to be tried again later; which steps were tried with which memories, and how often before that.
    _vain: set[str] = field(default_factory=set)
    _before: dict[tuple[str, str], int] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tries = Counter(self.task.tries)

    def run(self) -> Task:
        """What is left of the task, and when it is due."""
        while calls := self._calls():
            for step, ids in calls:
                if self.closed.is_set():
                    return self._left()
                self._call(step, ids)
        return self._left()

    def _calls(self) -> list[tuple[Step, list[str]]]:
        """Which step is to be called with which memories now."""
        calls: list[tuple[Step, list[str]]] = []
        shared: dict[str, list[str]] = {}
        for item in open_items(self.store, self.task):
            step = step_for(self.steps, item)
            if step is None or item.id in self._vain:
                continue
            if (step.name, item.id) in self._before:
                self._unfinished(step, item.id)
            elif step.name in shared:
                shared[step.name].append(item.id)
            else:
                calls.append((step, [item.id]))
                if step.together:
                    shared[step.name] = calls[-1][1]
        return calls

    def _call(self, step: Step, ids: Sequence[str]) -> None:
        """Has a step do what memories wait for; on the last try it always comes to an end."""
        last = max(self._tries[id_] for id_ in ids) + 1 >= self.limits.task_tries
        self._before |= {(step.name, id_): self._tries.pop(id_, 0) for id_ in ids}
        try:
            usage = step.finish(ids, last=last)
            self._usage += usage or Usage()
        except NotFound as error:  # deleted before its turn came, or its original is lost; the next look tells
            self._reasons |= dict.fromkeys(ids, str(error))
        except VersionConflict:
            self._try_again(step, ids)
        except MemplugError as error:
            log.warning("step %s failed for %d memories: %s", step.name, len(ids), error.code)
            if last or (isinstance(error, ModelError) and not error.retryable):
                step.give_up(ids, str(error))
                return
            if isinstance(error, ModelError) and error.retry_after is not None:
                self._pause = max(self._pause, error.retry_after)
            self._try_again(step, ids)
        except Exception as error:  # noqa: BLE001 - one memory that breaks a step must not keep all others waiting
            log.warning("step %s broke on %d memories: %s", step.name, len(ids), type(error).__name__)
            if last:
                step.give_up(ids, f"{type(error).__name__} in the step {step.name!r}")
                return
            self._try_again(step, ids)

    def _try_again(self, step: Step, ids: Sequence[str]) -> None:
        self._vain.update(ids)
        self._tries.update({id_: self._before[step.name, id_] + 1 for id_ in ids})

    def _unfinished(self, step: Step, id_: str) -> None:
        """A step came back and left a memory pending that it still wants."""
        if self._before[step.name, id_] + 1 < self.limits.task_tries:
            self._try_again(step, [id_])
            return
        step.give_up([id_], self._reasons.get(id_, f"the step {step.name!r} did not finish it"))
        self._vain.add(id_)

    def _left(self) -> Task:
        worst = max((self._tries[id_] for id_ in self._vain), default=0)
        pause = self.limits.task_pause * _GROWTH ** (worst - 1) if worst else 0.0
        return replace(
            self.task,
            tries=dict(self._tries),
            due=time.time() + max(pause, self._pause),
            usage=self.task.usage + self._usage,
        )
