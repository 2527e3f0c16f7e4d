"""Steps: what a pending memory waits for, one after the other, by whichever process has them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Draft, Limits, Memory, hookimpl
from memplug.exceptions import ModelRefused, ModelUnavailable, VersionConflict
from memplug.pipelines.claim import Claim
from memplug.pipelines.identity import media_digest
from memplug.pipelines.steps import mark_failed
from memplug.pipelines.tasks import Task, task_record, waiting
from memplug.pipelines.versions import following
from memplug.pipelines.worker import Worker
from memplug.values.prompt import Usage
from support import Clock, png
from unit.test_tasks import Eyes, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memplug.values.item import MemoryItem

LIMITS = Limits(task_pause=0.0)


class Later:
    """Leaves every text for later."""

    @hookimpl
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Marks them."""
        return [replace(draft, pending=draft.kind == "text") for draft in drafts]


@dataclass(kw_only=True)
class Mark:
    """A step that sets a tag on what has not got it yet, and ends the wait where it is told to."""

    memory: Memory
    name: str
    after: str = ""
    ends: bool = False
    together: bool = False
    fails: list[Exception] = field(default_factory=list)
    calls: list[tuple[list[str], bool]] = field(default_factory=list)
    idle: bool = False

    def wants(self, item: MemoryItem) -> bool:
        """What is not marked yet, and was marked by the step before."""
        return self.name not in item.tags and (not self.after or self.after in item.tags)

    def finish(self, ids: Sequence[str], *, last: bool) -> Usage:
        """Marks them in one commit."""
        self.calls.append(([str(self.memory.get(id_)["memory"]) for id_ in ids], last))
        if self.fails:
            raise self.fails.pop(0)
        if not self.idle:
            store = self.memory.engine.store
            store.commit([self._marked(id_) for id_ in ids], {})
        return Usage(requests=1, input_tokens=10)

    def _marked(self, id_: str) -> Any:
        store = self.memory.engine.store
        record = store.get(id_, None)
        tags = tuple(sorted({*record.item.tags, self.name}))
        item = replace(record.item, tags=tags, status="ready" if self.ends else "pending")
        return following(replace(record, item=item), record, store.clock())

    def give_up(self, ids: Sequence[str], reason: str) -> None:
        """As all do."""
        mark_failed(self.memory.engine.store, self.memory.engine.ingest.contention, ids, reason)


@pytest.fixture
def memory() -> Iterator[Memory]:
    """A store whose own steps take no texts, with two that are pending."""
    with Memory("memory://", embedder="hashing:64", plugins=[Later()], limits=LIMITS) as memory:
        yield memory


def added(memory: Memory, *texts: str) -> str:
    """The task of texts that are pending."""
    result = memory.add([{"role": "user", "content": text} for text in texts], user_id="u", wait=False)
    assert result.task_id is not None
    return result.task_id


def worker(memory: Memory, *steps: Any, limits: Limits = LIMITS) -> Worker:
    """Another process, as far as the store can tell."""
    return Worker(store=memory.engine.store, steps=steps, limits=limits)


def test_a_memory_passes_several_steps_in_turn(memory: Memory) -> None:
    """In one go; the task ends with the last of them, and says what models took for all."""
    task = added(memory, "one", "two")
    steps = [Mark(memory=memory, name="b", after="a", ends=True), Mark(memory=memory, name="a")]
    assert worker(memory, *steps).round() is None
    status = memory.status(task)
    assert (status.state, status.done, status.note) == ("completed", 2, "")
    assert {item.tags for item in memory.get_all(user_id="u")} == {("a", "b")}
    assert [item.version for id_ in status.added for item in memory.history(id_)] == [1, 2, 3] * 2
    assert status.usage == Usage(requests=4, input_tokens=40)


def test_a_step_may_take_all_of_a_task_in_one_call(memory: Memory) -> None:
    """In the order in which they were added; another task's memories come in a call of their own."""
    added(memory, "one", "two", "three")
    added(memory, "four")
    step = Mark(memory=memory, name="a", ends=True, together=True)
    assert worker(memory, step).round() is None
    assert step.calls == [(["one", "two", "three"], False), (["four"], False)]


def test_what_nobody_here_wants_waits_for_others(memory: Memory) -> None:
    """It stays pending, costs no try and no commit, and the status says why; a worker with the step does it."""
    task = added(memory, "one")
    before = task_record(memory.engine.store, task)
    assert memory.work() is None
    status = memory.wait(task, 0.01)
    assert status.state == "running"
    assert "1 of kind text" in status.note
    assert task_record(memory.engine.store, task).version == before.version
    assert worker(memory, Mark(memory=memory, name="a", ends=True)).round() is None
    assert memory.status(task).state == "completed"


def test_the_thread_ends_where_nothing_can_be_done(memory: Memory) -> None:
    """Nobody polls for what only another process can do."""
    added(memory, "one")
    idle = worker(memory, Mark(memory=memory, name="a", after="never"))
    idle.start()
    deadline = time.monotonic() + 30
    while any(thread.name == "memplug-worker" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    idle.close()


def test_a_store_that_is_read_only_is_left_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Waiting in one looks on, and nothing goes round in circles behind it."""
    with opened(tmp_path, Eyes("unused")) as memory:
        memory.engine.worker.close()
        task = str(memory.add(png(), user_id="u", wait=False).task_id)
    with Memory(tmp_path, embedder="hashing:64", plugins=[Eyes("unused")], limits=LIMITS, read_only=True) as memory:
        assert memory.wait(task, 0.05).state == "running"
        deadline = time.monotonic() + 30
        while any(thread.name == "memplug-worker" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert "tried again" not in caplog.text


def test_a_process_without_the_plugin_leaves_it_to_one_with_it(tmp_path: Path) -> None:
    """The same through the whole library: a picture that waits for a describer."""
    with opened(tmp_path, Eyes("unused")) as memory:
        memory.engine.worker.close()
        task = str(memory.add(png(), user_id="u", wait=False).task_id)
    with opened(tmp_path) as memory:
        assert memory.work() is None
        assert "1 of kind image" in memory.status(task).note
        [record] = waiting(memory.engine.store)
        assert (Task.of(record).tries, record.version) == ({}, 1)
    with opened(tmp_path, Eyes("seen")) as memory:
        assert memory.status(task).note == ""
        assert memory.work() is None
        assert memory.status(task).state == "completed"


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(memory: Memory) -> None:
    """`retry_after` lengthens the pause."""
    task = added(memory, "one")
    step = Mark(memory=memory, name="a", ends=True, fails=[ModelUnavailable("busy", retry_after=3_600)])
    pause = worker(memory, step).round()
    assert pause is not None
    assert 3_500 < pause <= 3_600
    assert (len(step.calls), memory.status(task).state) == (1, "running")


def test_what_no_further_try_can_change_is_given_up_at_once(memory: Memory) -> None:
    """A refused key is not tried again; the memory stays, with the reason."""
    task = added(memory, "one")
    step = Mark(memory=memory, name="a", fails=[ModelRefused("the key is not taken")])
    assert worker(memory, step).round() is None
    status = memory.status(task)
    assert (status.state, status.error, len(step.calls)) == ("failed", "the key is not taken", 1)
    assert memory.get_all(user_id="u")[0].text == "one"


def test_a_memory_that_breaks_a_step_keeps_no_other_waiting(memory: Memory) -> None:
    """What is no error of memplug's is tried again, too, then told of; all that came after it is done meanwhile."""
    bad, good = added(memory, "one"), added(memory, "two")
    step = Mark(memory=memory, name="a", ends=True, fails=[ZeroDivisionError("broken")])
    worker(memory, step).round()
    assert (memory.status(bad).state, memory.status(good).state) == ("running", "completed")
    step.fails = [ZeroDivisionError("broken")] * LIMITS.task_tries
    for _ in range(LIMITS.task_tries - 1):
        worker(memory, step).round()
    status = memory.status(bad)
    assert (status.state, status.error) == ("failed", "ZeroDivisionError in the step 'a'")
    assert memory.get_all(user_id="u")[1].text == "one"


def test_each_step_has_its_own_tries(memory: Memory) -> None:
    """What failed twice at the first is not given up for one failure at the second."""
    task = added(memory, "one")
    busy: list[Exception] = [ModelUnavailable("busy") for _ in range(4)]
    steps = [
        Mark(memory=memory, name="a", fails=busy[:2]),
        Mark(memory=memory, name="b", after="a", ends=True, fails=busy[2:]),
    ]
    for _ in range(LIMITS.task_tries * 2 - 1):
        worker(memory, *steps).round()
    assert memory.status(task).state == "completed"
    assert [last for step in steps for _, last in step.calls] == [False, False, True] * 2


def test_a_step_that_leaves_its_work_undone_is_given_up(memory: Memory) -> None:
    """After as many tries as any, with its name, and without turning in circles."""
    task = added(memory, "one")
    step = Mark(memory=memory, name="lazy", idle=True)
    goes = 0
    while worker(memory, step).round() is not None:
        goes += 1
        assert goes < 10
    status = memory.status(task)
    assert (status.state, len(step.calls)) == ("failed", LIMITS.task_tries)
    assert "'lazy'" in str(status.error)


def test_a_claim_is_renewed_while_it_is_held(memory: Memory) -> None:
    """However long a step takes, nobody else may take the task; once it is given back, anybody may."""
    record = task_record(memory.engine.store, added(memory, "one"))
    store = memory.engine.store
    task = Task.of(record)
    with Claim(store, record, "me", pulse=0.005) as claim:
        deadline = time.monotonic() + 30
        while task_record(store, task.id).version < 5:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        held = Task.of(task_record(store, task.id))
        assert (held.owner, held.free(time.time())) == ("me", False)
        with pytest.raises(VersionConflict), Claim(store, record, "another"):
            pass
        assert claim.release(task) is False
    assert Task.of(task_record(store, task.id)).free(time.time())


def test_what_expires_before_its_turn_ends_the_task() -> None:
    """It is gone from every read, so nothing waits for it."""
    clock = Clock()
    with Memory("memory://", embedder="hashing:64", plugins=[Later()], limits=LIMITS, clock=clock) as memory:
        later = clock.advance(hours=1)
        result = memory.add("one", user_id="u", wait=False, expires_at=later)
        clock.advance(hours=2)
        status = memory.wait(str(result.task_id), 30)
        assert (status.state, status.deleted) == ("completed", result.ids)


def test_a_new_version_that_is_pending_has_a_task_too(tmp_path: Path) -> None:
    """Adding under a key again, with ``wait=False``: the outcome is ``updated``, and the words come."""
    with opened(tmp_path, Eyes("seen")) as memory:
        memory.add(png("red"), user_id="u", key="logo")
        result = memory.add(png("blue"), user_id="u", key="logo", wait=False)
        assert [outcome.event for outcome in result.outcomes] == ["updated"]
        assert memory.wait(str(result.task_id), 30).state == "completed"
        assert memory.get(key="logo", user_id="u").text == "seen"


def test_a_memory_whose_original_is_lost_says_so(tmp_path: Path) -> None:
    """Nothing turns in circles around it, and nobody takes it for done."""
    with opened(tmp_path, Eyes("unused")) as memory:
        memory.engine.worker.close()
        task = str(memory.add(png(), user_id="u", wait=False).task_id)
    with opened(tmp_path, Eyes("unused"), limits=LIMITS) as memory:
        memory.engine.store.backend.remove_media([media_digest(png())])
        while memory.work() is not None:
            pass
        status = memory.status(task)
        assert status.state == "failed"
        assert status.error
