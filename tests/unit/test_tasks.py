"""What `add` leaves to do: kept in the store, tried again, gone on with by whichever process comes to it."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from memplug import AsyncMemory, Draft, Limits, Media, Memory, hookimpl
from memplug.exceptions import NotFound
from support import png

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = Limits(task_pause=0.01)


class Eyes:
    """Says what it is told to, or fails so; counts."""

    name = "eyes"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("eyes", lambda: self)

    def accepts(self, media: Media) -> bool:
        """Takes everything."""
        return bool(media.data)

    def describe(self, media: Media, *, context: str) -> str:  # noqa: ARG002 - the contract's
        """The next answer; the last one again and again."""
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer()
        return str(answer)


class Guard:
    """Refuses what is forbidden."""

    @hookimpl
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Looks at everything that is to be stored."""
        return [draft for draft in drafts if "forbidden" not in draft.text]


def opened(location: Path | str, *plugins: object, limits: Limits = QUICK) -> Memory:
    """A store with plugins."""
    return Memory(location, embedder="hashing:64", plugins=plugins, limits=limits)


def test_a_picture_is_there_at_once_and_has_its_words_later(tmp_path: Path) -> None:
    """Found by what is known; then ready, with a status that lists it."""
    looked = threading.Event()
    with opened(tmp_path, Eyes(lambda: looked.wait(0.2) or "a red square")) as memory:
        result = memory.add([{"role": "user", "content": "look"}, png()], user_id="u", wait=False)
        assert [outcome.event for outcome in result.outcomes] == ["added", "pending"]
        assert memory.media(result.ids[1]) == png()
        assert result.task_id is not None
        seen: list[tuple[int, int]] = []
        status = memory.wait(result.task_id, 30, progress=lambda done, total, _: seen.append((done, total)))
        assert (status.state, status.done, status.total) == ("completed", 1, 1)
        assert (status.added, status.updated, status.deleted) == ((result.ids[1],), (result.ids[1],), ())
        assert seen[-1] == (1, 1)
        item = memory.get(result.ids[1])
        assert (item.status, item.text, item.version) == ("ready", "a red square", 2)
        assert memory.search("red square", user_id="u")[0].id == item.id


async def test_coroutines_can_wait_too(tmp_path: Path) -> None:
    """The same words, awaited."""
    async with await AsyncMemory.open(tmp_path, embedder="hashing:64", plugins=[Eyes("seen")]) as memory:
        result = await memory.add(png(), user_id="u", wait=False)
        assert (await memory.wait(str(result.task_id), 30)).state == "completed"
        assert (await memory.status(str(result.task_id))).updated == result.ids


def test_a_step_that_fails_is_tried_again(tmp_path: Path) -> None:
    """With pauses, as often as the limit says; success on the way counts."""
    eyes = Eyes(RuntimeError("busy"), RuntimeError("busy"), "seen at last")
    with opened(tmp_path, eyes) as memory:
        result = memory.add(png(), user_id="u", wait=False)
        assert memory.wait(str(result.task_id), 30).state == "completed"
        assert (memory.get(result.ids[0]).text, eyes.calls) == ("seen at last", 3)


def test_after_the_last_try_the_memory_says_why(tmp_path: Path) -> None:
    """It stays, with what the user said, as ``failed``."""
    eyes = Eyes(RuntimeError("no model"))
    with opened(tmp_path, eyes) as memory:
        result = memory.add(png(), user_id="u", description="my logo", wait=False)
        status = memory.wait(str(result.task_id), 30)
        item = memory.get(result.ids[0])
        assert (status.state, status.error, item.status, item.text) == ("failed", item.error, "failed", "my logo")
        assert "no model" in str(item.error)
        assert eyes.calls == QUICK.task_tries
        assert memory.work() is None


def test_what_a_guard_refuses_is_not_stored(tmp_path: Path) -> None:
    """The words that came afterwards pass the same guards; the picture stays without them."""
    with opened(tmp_path, Eyes("forbidden"), Guard()) as memory:
        result = memory.add(png(), user_id="u", wait=False)
        status = memory.wait(str(result.task_id), 30)
        item = memory.get(result.ids[0])
        assert (status.state, item.status, item.text) == ("failed", "failed", "")
        assert "before_add" in str(status.error)


def test_nothing_to_do_is_no_task(tmp_path: Path) -> None:
    """Where no describer has anything to say, all is done at once."""
    with opened(tmp_path) as memory:
        result = memory.add(png(), user_id="u", wait=False)
        assert (result.outcomes[0].event, result.task_id) == ("added", None)
        for unknown in ("no such task", "", None):
            with pytest.raises(NotFound):
                memory.status(unknown)  # type: ignore[arg-type]  # callers without type checkers


def test_a_memory_that_is_gone_meanwhile_stays_gone(tmp_path: Path) -> None:
    """Its step is over; the status says that it was deleted."""
    block = threading.Event()
    with opened(tmp_path, Eyes(lambda: block.wait(30))) as memory:
        result = memory.add([png("red"), png("blue")], user_id="u", wait=False)
        memory.delete(result.ids[1])
        block.set()
        status = memory.wait(str(result.task_id), 30)
        assert (status.state, status.updated, status.deleted) == ("completed", result.ids[:1], result.ids[1:])
        assert [item.id for item in memory.get_all(user_id="u")] == [result.ids[0]]


def test_tasks_are_nobodys_memories(tmp_path: Path) -> None:
    """They are listed nowhere and told to no observer."""
    told: list[str] = []

    class Observer:
        @hookimpl
        def after_add(self, items: list[Any]) -> None:
            told.extend(item.kind for item in items)

    with opened(tmp_path, Eyes("seen"), Observer()) as memory:
        result = memory.add(png(), user_id="u", wait=False)
        memory.wait(str(result.task_id), 30)
        assert {item.kind for item in memory.get_all(user_id="u", pieces=True)} == {"image"}
        assert set(told) == {"image"}


def test_what_was_left_is_gone_on_with(tmp_path: Path) -> None:
    """Closed before its turn: any process that opens the store can do it, and the task's id still answers."""
    block = threading.Event()
    memory = opened(tmp_path, Eyes(lambda: block.wait(0.2) or "first"))
    result = memory.add([png("red"), png("blue"), png("green")], user_id="u", wait=False)
    memory.close()
    with opened(tmp_path, Eyes("second")) as memory:
        before = memory.status(str(result.task_id))
        assert (before.state, before.done < 3) == ("running", True)
        assert memory.work() is None
        assert memory.status(str(result.task_id)).state == "completed"
        assert {memory.get(id_).status for id_ in result.ids} == {"ready"}


def test_pending_memories_without_a_task_are_found(tmp_path: Path) -> None:
    """An archive brings memories, not tasks: what was pending when it was written is gone on with all the same."""
    with opened(tmp_path / "one", Eyes("unused")) as memory:
        memory.engine.worker.close()
        memory.add(png(), user_id="u", wait=False)
        memory.export(tmp_path / "all.zip")
    with opened(tmp_path / "two", Eyes("seen here")) as memory:
        assert memory.import_(tmp_path / "all.zip").added == 1
        assert memory.work() is None
        assert [item.text for item in memory.get_all(user_id="u")] == ["seen here"]
        assert memory.doctor().ok


PROGRAM = """
    import io, sys, time
    from PIL import Image
    from memplug import Memory, hookimpl

    def png(color):
        buffer = io.BytesIO()
        Image.new("RGB", (40, 30), color).save(buffer, "PNG")
        return buffer.getvalue()

    class Eyes:
        name = "eyes"
        @hookimpl
        def register_describers(self, register):
            register("eyes", lambda: self)
        def accepts(self, media):
            return True
        def describe(self, media, *, context):
            print("looking", flush=True)
            time.sleep(float(sys.argv[2]))
            return "seen by " + sys.argv[3]

    memory = Memory(sys.argv[1], embedder="hashing:64", plugins=[Eyes()])
"""


def _start(program: str, *arguments: str) -> subprocess.Popen[str]:
    code = textwrap.dedent(PROGRAM) + textwrap.dedent(program)
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_a_killed_process_leaves_what_another_goes_on_with(tmp_path: Path) -> None:
    """Kill -9 in the middle of a step: at once, without waiting for a lease, another process does it."""
    adding = """
        result = memory.add([png("red"), png("blue")], user_id="u", wait=False)
        print(result.task_id, flush=True)
        time.sleep(60)
    """
    process = _start(adding, str(tmp_path), "60", "nobody")
    assert process.stdout is not None
    said = {process.stdout.readline().strip() for _ in range(2)}
    task_id = next(line for line in said if line != "looking")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with opened(tmp_path, Eyes("seen by another")) as memory:
        assert memory.status(task_id).state == "running"
        started = time.monotonic()
        assert memory.work() is None
        assert time.monotonic() - started < 30
        status = memory.status(task_id)
        assert (status.state, len(status.updated)) == ("completed", 2)
        assert {item.text for item in memory.get_all(user_id="u")} == {"seen by another"}


def test_two_processes_do_each_step_once_in_effect(tmp_path: Path) -> None:
    """Both work on one store; each memory gets its words once, from one of them."""
    with opened(tmp_path, Eyes(lambda: time.sleep(0.05))) as memory:
        memory.engine.worker.close()  # the work is for the others
        ids = [memory.add(png(size=(8 + number, 8)), user_id="u", wait=False).ids[0] for number in range(6)]
    processes = [
        _start("while memory.work() is not None: time.sleep(0.02)", str(tmp_path), "0.05", name) for name in ("a", "b")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    with opened(tmp_path) as memory:
        for id_ in ids:
            assert [item.version for item in memory.history(id_)] == [1, 2]
            assert memory.get(id_).text in {"seen by a", "seen by b"}
