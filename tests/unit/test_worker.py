"""The process that reads documents: what it answers, what it withstands, and that it is never left behind."""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import memplug
from memplug import exceptions
from memplug.exceptions import ConfigError, InputRejected, InputTooLarge, MalformedInput, UnsafeInput
from memplug.inputs.documents.formats import READERS
from memplug.safety import worker
from memplug.safety.worker import MAX_DOCUMENTS, STRIKES, TASKS, Pool
from memplug.values.limits import Limits

TASK = "misbehaving"
LIMITS = Limits(parser_seconds=30)
#: For what is to run into the clock.
SHORT = Limits(parser_seconds=0.5)
TESTS = str(Path(__file__).parents[1])


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool whose reader does what it is told."""
    pool = Pool(frozenset({TASK, "not_there"}))
    yield pool
    pool.close()


def ask(pool: Pool, how: str = "digest", data: bytes = b"x", *, limits: Limits = LIMITS, words: str = "") -> Any:
    """Lets the reader do something."""
    return pool.run(TASK, data, limits=limits, options={"how": how, "words": words})


def is_running(pid: int) -> bool:
    """Whether there is such a process, not counting one that has ended and is still to be asked why."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    """Waits for the end of a process; a test that waits in vain is ended by its timeout."""
    while is_running(pid):
        time.sleep(0.01)


def digest(data: bytes) -> str:
    """As the reader makes it."""
    return hashlib.sha256(data).hexdigest()


def test_documents_go_there_whole_and_one_process_reads_them(pool: Pool) -> None:
    """Thirty megabytes, nothing and everything between, by the same process."""
    pids = set()
    for data in (b"x", b"", os.urandom(70_000), os.urandom(30_000_000)):
        assert ask(pool, data=data) == digest(data)
        pids.add(pool.pid)
    assert len(pids) == 1


def test_the_reader_gets_the_limits(pool: Pool) -> None:
    """All of them, as the caller has set them."""
    limits = Limits(parser_seconds=7.5, parser_bytes=600_000_000, document_pages=3)
    assert ask(pool, "limits", limits=limits) == [600_000_000, 7.5, 3]


def test_only_known_readers_run(pool: Pool) -> None:
    """A name that is not among the tasks runs nothing, and the tasks are the formats' readers."""
    with pytest.raises(ValueError, match="os"):
        pool.run("os", b"", limits=LIMITS)
    assert TASKS == READERS


def test_a_reader_that_cannot_be_loaded_is_no_fault_of_the_document(pool: Pool) -> None:
    """It is the installation that is broken."""
    with pytest.raises(ConfigError, match="not_there"):
        pool.run("not_there", b"", limits=LIMITS)


@pytest.mark.parametrize(
    "name",
    [name for name, one in inspect.getmembers(exceptions, inspect.isclass) if issubclass(one, InputRejected)],
)
def test_the_readers_own_errors_come_back_as_themselves(pool: Pool, name: str) -> None:
    """Class, message and hint."""
    with pytest.raises(InputRejected) as caught:
        ask(pool, "refuse", words=name)
    assert (type(caught.value).__name__, caught.value.message, caught.value.hint) == (name, "as it is", "do this")


def test_what_else_a_parser_raises_is_a_malformed_document(pool: Pool) -> None:
    """With the parser's words on one line."""
    with pytest.raises(MalformedInput, match=r"cannot be read: no such key \(LookupError\)"):
        ask(pool, "fail")


def test_half_a_surrogate_in_an_answer_is_mended(pool: Pool) -> None:
    """What comes back can be stored."""
    assert ask(pool, "surrogate") == "a?b"


def test_what_a_parser_prints_and_reads_is_not_the_answer(pool: Pool) -> None:
    """Its standard streams lead nowhere, even where it fills them."""
    assert ask(pool, "print") == ""
    assert ask(pool) == digest(b"x")


def test_the_process_has_next_to_nothing(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No keys from the environment, little memory, no file to write to, few to open, a process group of its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    state = ask(pool, "state")
    assert set(state["environment"]) <= {"MALLOC_ARENA_MAX", "LC_CTYPE", "LD_LIBRARY_PATH"}
    assert state["limits"] == {"AS": LIMITS.parser_bytes, "FSIZE": 0, "NOFILE": 64, "CORE": 0}
    assert state["group"]
    for how in ("write", "open_many"):
        with pytest.raises(MalformedInput, match=r"File too large|Too many open files"):
            ask(pool, how, words=str(tmp_path / "x"))
    assert not (tmp_path / "x").read_bytes()


@pytest.mark.parametrize(
    ("how", "limits", "error", "words"),
    [
        ("hang", SHORT, InputTooLarge, r"more than 0\.5 seconds"),
        ("sleep", SHORT, InputTooLarge, r"more than 0\.5 seconds"),
        ("fill", LIMITS, InputTooLarge, "more than 1,000 MB"),
        ("no_memory", LIMITS, InputTooLarge, "more than 1,000 MB"),
        ("long", LIMITS, InputTooLarge, "holds more than"),
        ("promise", LIMITS, InputTooLarge, "holds more than"),
        ("garble", LIMITS, UnsafeInput, "overwritten"),
        ("abort", LIMITS, UnsafeInput, "SIGABRT"),
        ("exit", LIMITS, UnsafeInput, "exit status 3"),
    ],
)
def test_whatever_goes_wrong_is_one_typed_error(
    pool: Pool, how: str, limits: Limits, error: type[InputRejected], words: str
) -> None:
    """The process ends with it, and the next document is read."""
    assert ask(pool, limits=limits) == digest(b"x")
    before = pool.pid
    assert before is not None
    with pytest.raises(error, match=words):
        ask(pool, how, limits=limits)
    assert not is_running(before)
    assert ask(pool, limits=limits) == digest(b"x")
    assert pool.pid != before


def test_the_last_words_of_a_parser_are_noted(pool: Pool) -> None:
    """Native code says why it dies, if anything does."""
    with pytest.raises(UnsafeInput) as caught:
        ask(pool, "abort")
    assert caught.value.__notes__ == ["its last words: terminate called after bad_alloc"]


@pytest.mark.parametrize("words", ["memory allocation of 64 bytes failed", "panicked at …: PyObject pointer is null"])
def test_libraries_that_can_only_panic_ran_out_of_memory(pool: Pool, words: str) -> None:
    """What they say at last tells that from a document that does harm."""
    with pytest.raises(InputTooLarge, match="more than 1,000 MB"):
        ask(pool, "abort", words=words)


def test_a_process_that_is_killed_from_outside_is_a_typed_error(pool: Pool) -> None:
    """In the middle of a document, and in the middle of the second attempt; between two, nobody notices."""
    ask(pool)
    done = threading.Event()

    def kill() -> None:
        while not done.wait(0.1):
            if pool.pid is not None:
                os.kill(pool.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(UnsafeInput, match="SIGKILL"):
        ask(pool, "sleep")
    done.set()
    killer.join()
    ask(pool)
    assert pool.pid is not None
    os.kill(pool.pid, signal.SIGKILL)
    assert ask(pool) == digest(b"x")


def test_a_document_does_not_die_of_the_one_before(pool: Pool) -> None:
    """Where a process that has read before dies, a new one is asked."""
    assert ask(pool, "poison") == "poisoned"
    assert ask(pool, "victim") == "alive"


def test_a_document_that_ended_the_parser_three_times_is_not_tried_again(pool: Pool) -> None:
    """Others are, and so is it under other limits."""
    for _ in range(STRIKES):
        with pytest.raises(UnsafeInput, match="SIGABRT"):
            ask(pool, "abort", b"bad")
    with pytest.raises(UnsafeInput, match="3 times"):
        ask(pool, "abort", b"bad")
    assert pool.pid is None
    with pytest.raises(UnsafeInput, match="SIGABRT"):
        ask(pool, "abort", b"bad", limits=Limits(parser_seconds=29))
    assert ask(pool, data=b"bad") == digest(b"bad")


def test_a_process_is_given_up_after_fifty_documents(pool: Pool) -> None:
    """And after anything but a good answer, or under another limit on memory."""
    pids = []
    for _ in range(MAX_DOCUMENTS + 1):
        ask(pool)
        pids.append(pool.pid)
    assert len(set(pids[:-1])) == 1
    assert pids[-1] != pids[0]
    ask(pool, limits=Limits(parser_bytes=500_000_000))
    assert pool.pid != pids[-1]


def test_an_old_process_is_given_up() -> None:
    """However little it has read."""
    pool = Pool(frozenset({TASK}), max_seconds=0)
    ask(pool)
    first = pool.pid
    ask(pool)
    assert first is not None
    assert pool.pid != first
    assert not is_running(first)
    pool.close()


def test_threads_take_turns(pool: Pool) -> None:
    """Eight at once each get their own answer, some of which are errors."""

    def work(number: int) -> bool:
        data = bytes([number]) * 1_000
        if number % 4:
            return bool(ask(pool, data=data) == digest(data))
        with pytest.raises(MalformedInput):
            ask(pool, "fail", data)
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(40)))


def test_a_pool_that_nobody_has_any_more_leaves_no_process() -> None:
    """Without a word of farewell."""
    pool = Pool(frozenset({TASK}))
    ask(pool)
    pid = pool.pid
    assert pid is not None
    del pool
    assert not is_running(pid)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of threads, which is the point
def test_a_forked_child_has_a_process_of_its_own(pool: Pool) -> None:
    """And the parent keeps using its own, also after the child has ended."""
    ask(pool)
    before = pool.pid
    child = os.fork()
    if child == 0:
        try:
            good = pool.pid is None and ask(pool, data=b"child") == digest(b"child") and pool.pid != before
            pool.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(pool) == digest(b"x")
    assert pool.pid == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of threads, which is the point
def test_a_fork_in_the_middle_of_a_document_does_not_block_the_child(pool: Pool) -> None:
    """Although a thread that is not in the child holds the lock."""
    thread = threading.Thread(target=lambda: ask(pool, "sleep_a_little", limits=LIMITS))
    thread.start()
    while pool.pid is None:
        time.sleep(0.01)
    child = os.fork()
    if child == 0:
        try:
            good = ask(pool, data=b"child") == digest(b"child")
            pool.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()


PROGRAM = f"""
import sys, threading
sys.path.append({TESTS!r})
from memplug.safety.worker import Pool
from memplug.values.limits import Limits
pool = Pool(frozenset({{"misbehaving"}}))
def ask(how, **options):
    return pool.run("misbehaving", b"x", limits=Limits(), options={{"how": how, **options}})
ask("digest")
print(pool.pid, flush=True)
"""


def start(code: str, *options: str, **keywords: Any) -> tuple[subprocess.Popen[str], int]:
    """A program with a pool of its own, and the process that it has started."""
    program = subprocess.Popen(
        [sys.executable, *options, "-c", PROGRAM + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )
    assert program.stdout is not None
    line = program.stdout.readline()
    assert line.strip().isdecimal(), program.communicate()[1]
    return program, int(line)


@pytest.mark.parametrize("code", ["", "raise SystemExit(2)", "import os; os._exit(0)", "pool = None"])
def test_a_program_that_ends_leaves_no_process(code: str) -> None:
    """However it ends."""
    program, pid = start(code)
    program.communicate()
    wait_until_gone(pid)


@pytest.mark.parametrize("how", ["hang", "sleep"])
def test_a_program_that_is_killed_takes_its_process_along(how: str) -> None:
    """Also in the middle of a document, which the process would go on to read for twenty seconds."""
    program, pid = start(f"print(flush=True)\nask({how!r})")
    assert program.stdout is not None
    program.stdout.readline()
    time.sleep(0.2)
    program.kill()
    program.communicate()
    wait_until_gone(pid)


def test_an_interrupted_program_leaves_no_process() -> None:
    """Ctrl-C ends the document that is read, and the next one is read by another process."""
    code = """
print(flush=True)
try:
    ask("hang")
except KeyboardInterrupt:
    print(pool.pid, ask("digest")[:4])
"""
    program, pid = start(code)
    assert program.stdout is not None
    program.stdout.readline()
    time.sleep(0.3)
    program.send_signal(signal.SIGINT)
    shown, _ = program.communicate()
    assert shown.split() == ["None", digest(b"x")[:4]]
    wait_until_gone(pid)


def test_the_process_runs_the_memplug_of_its_program(tmp_path: Path) -> None:
    """One that is no installed package, found by a path set by hand, in a Python that looks nowhere else."""
    shutil.copytree(Path(memplug.__file__).parent, tmp_path / "memplug", ignore=shutil.ignore_patterns("__pycache__"))
    code = f"import sys; sys.path[:] = {[str(tmp_path), *sys.path]!r}\n{PROGRAM}\nprint(ask('state')['home'])"
    shown = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[-1] == str(tmp_path / "memplug")


def test_the_current_folder_comes_last(tmp_path: Path) -> None:
    """A module of Python's own in a folder of downloads is not taken for it; one that is only there is found."""
    for name in ("colorsys", "only_here"):
        (tmp_path / f"{name}.py").write_text("")
    code = "print(ask('module', words='colorsys'))\nprint(ask('module', words='only_here'))"
    program, _ = start(code, cwd=tmp_path)
    known, here = program.communicate()[0].split()
    assert Path(known).parent != tmp_path
    assert Path(here).parent == tmp_path


def test_a_program_without_a_main_file_can_read() -> None:
    """As in a notebook, with an isolated Python, and with nothing to look back at."""
    program, pid = start("import __main__; print(hasattr(__main__, '__file__'), ask('digest')[:4])", "-I")
    assert program.communicate()[0].split() == ["False", digest(b"x")[:4]]
    wait_until_gone(pid)


def test_there_is_one_pool_for_everybody() -> None:
    """The module's own functions share it."""
    assert worker.run.__self__ is worker.close.__self__  # type: ignore[attr-defined] # bound methods
