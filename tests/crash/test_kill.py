"""The LanceDB store against processes that die, race and fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from memplug.backends.lancedb import open_lancedb
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import EVERYTHING, PROFILE, chosen, ids

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.plugins.protocols import Backend

_BEGIN = """
import os, signal, sys
from memplug.backends.lancedb import open_lancedb, upkeep
from memplug.exceptions import VersionConflict
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import *
upkeep.FOLD_ROWS, upkeep.COMPACT_COMMITS = 25, 10
request = BackendRequest(location=sys.argv[1], profile=PROFILE)
store = open_lancedb(request)
"""


def _child(folder: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _BEGIN + program, str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _opened(folder: Path) -> Backend:
    return open_lancedb(BackendRequest(location=str(folder), profile=PROFILE))


def test_kill_loses_nothing(tmp_path: Path) -> None:
    """A process that is killed while it writes, moves and cleans up loses nothing that it had acknowledged."""
    program = """
for n in range(10_000):
    store.commit([record(f"{sys.argv[2]}-{n}-{part}", text="word") for part in range(2)])
    print(n, flush=True)
"""
    acknowledged: set[str] = set()
    children = [_child(tmp_path / "store", program, str(run)) for run in range(3)]
    for run, child in enumerate(children):
        with child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(20 + 17 * run)]
            time.sleep(0.013 * run)
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.readlines()
        acknowledged |= {f"{run}-{line.strip()}-{part}" for line in lines if line.endswith("\n") for part in range(2)}
    store = _opened(tmp_path / "store")
    found = ids(store.select(chosen(limit=100_000)))
    assert len(found) == len(set(found)) == store.count(EVERYTHING)
    assert acknowledged <= set(found)
    assert len(found) % 2 == 0, "a commit is half visible"
    assert len(found) - len(acknowledged) <= 2 * 3, "more than the commit under way was added"
    store.maintain()
    assert sorted(ids(store.match(["word"], chosen(limit=100_000)))) == sorted(found)
    store.close()


def test_processes_write_the_same_ids(tmp_path: Path) -> None:
    """Of two processes that write the same versions just one wins each time; nothing is lost or doubled."""
    _opened(tmp_path / "store").close()
    program = """
won = 0
for n in range(20):
    before = store.latest([f"id{n % 10}"]).get(f"id{n % 10}")
    try:
        store.commit([record(f"id{n % 10}") if before is None else changed(before)])
        won += 1
    except VersionConflict:
        pass
store.close()
print(won)
"""
    children = [_child(tmp_path / "store", program) for _ in range(2)]
    results = [child.communicate(timeout=120) for child in children]
    assert [error for _, error in results] == ["", ""]
    store = _opened(tmp_path / "store")
    written = [[one.version for one in store.versions(f"id{n}")] for n in range(10)]
    assert all(versions == list(range(1, len(versions) + 1)) for versions in written)
    assert sum(map(len, written)) == sum(int(out) for out, _ in results)
    assert store.count(EVERYTHING) == 10
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_after_use(tmp_path: Path) -> None:
    """Children forked from a process that uses the store can read and write, opened anew or inherited, and end."""
    program = """
def work(mine, name):
    signal.alarm(60)
    assert "parent" in ids(mine.nearest(direction(1), chosen()))
    mine.commit([record(name, text="word", vector=direction(1))])
    mine.put_media("0" * 64, b"data")
    try:
        mine.commit([record(name)])
    except VersionConflict as error:
        assert error.current == {name: 1}
        sys.exit(7)

store.commit([record("parent", text="word", vector=direction(1))])
children = []
for name, opened in (("anew", lambda: open_lancedb(request)), ("inherited", lambda: store)):
    children.append(os.fork())
    if children[-1] == 0:
        work(opened(), name)
for child in children:
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, status
store.commit([record("after", text="word", vector=direction(1))])
assert sorted(ids(store.match(["word"], chosen()))) == ["after", "anew", "inherited", "parent"]
with store.open_media("0" * 64) as file:
    assert file.read() == b"data"
"""
    with _child(tmp_path / "store", program) as child:
        _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_of_a_memory(tmp_path: Path) -> None:
    """A `Memory` that was only opened, and one that was searched, work in a forked child, and go on in the parent."""
    program = """
import os, signal, sys
from memplug import Memory

def work(memory, name):
    signal.alarm(60)
    memory.add(f"a word of {name}", user_id="wang", key=name)
    assert f"a word of {name}" in {hit.text for hit in memory.search("word", user_id="wang")}
    memory.update(memory.get(key=name, user_id="wang").id, f"a changed word of {name}")
    assert memory.doctor().ok
    memory.close()
    sys.exit(7)

def forked(memory, name):
    if (child := os.fork()) == 0:
        work(memory, name)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, status

memory = Memory(sys.argv[1], embedder="hashing:64")
forked(memory, "opened")
memory.add("a word of the parent", user_id="wang")
assert len(memory.search("word", user_id="wang")) == 2
forked(memory, "searched")
assert {hit.text for hit in memory.search("word", user_id="wang")} == {
    "a word of the parent", "a changed word of opened", "a changed word of searched"
}
assert memory.doctor().ok
memory.close()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_before_use(tmp_path: Path) -> None:
    """A child forked before anybody used a store uses it directly."""
    program = """
store.close()
"""
    before = f"""
import os, signal, sys
import memplug.backends.lancedb
child = os.fork()
if child == 0:
    signal.alarm(60)
    sys.argv[1:] = [{str(tmp_path / "store")!r}]
"""
    inside = "".join(f"    {line}\n" for line in (_BEGIN + program).splitlines() if line)
    after = "    sys.exit(0)\n_, status = os.waitpid(child, 0)\nassert status == 0, status\n"
    done = subprocess.run([sys.executable, "-c", before + inside + after], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _opened(tmp_path / "store").close()


def test_end_without_close(tmp_path: Path) -> None:
    """A program that just ends, with maintenance under way, ends at once, without noise and with its data."""
    program = """
for n in range(40):
    store.commit([record(f"id{n}")])
"""
    with _child(tmp_path / "store", program) as child:
        out, errors = child.communicate(timeout=60)
    assert (child.returncode, out, errors) == (0, "", "")
    store = _opened(tmp_path / "store")
    assert store.count(EVERYTHING) == 40
    store.close()
