"""The LanceDB store at a service (``db://``): the contract, and what is different where others maintain the tables.

The service is a stand-in (`lancedb_server`), the client LanceDB's own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from cloud_store import opened, session_of, settings
from lancedb_server import LanceServer
from memplug import Memory
from memplug.backends.lancedb import upkeep
from memplug.backends.lancedb.columns import INDEXED
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.rows import encoded
from memplug.backends.lancedb.where import among
from memplug.exceptions import BackendError, NotFound
from memplug.testing.backend import BackendContract
from memplug.testing.records import EVERYTHING, PROFILE, changed, chosen, direction, ids, record
from memplug.values.filters import Compare
from s3_server import S3Server, within
from support import HOSTILE, png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memplug.plugins.protocols import Backend


MARKER = "xylophonequartz"


class _AtService(BackendContract):
    """The contract, rows being moved, tables compacted and old versions forgotten under the tests' feet."""

    disturbed = 0

    @pytest.fixture(autouse=True)
    def _reach(self, service: LanceServer, objects: S3Server) -> None:
        self.service, self.objects = service, objects
        self.buckets: dict[Path, str] = {}

    def open_backend(self, folder: Path) -> Backend:
        """A store in a database that stands for the folder."""
        if folder not in self.buckets:
            self.buckets[folder] = self.objects.bucket()
        return opened(self.service, self.objects, self.buckets[folder])

    def disturb(self, backend: Backend, step: int) -> None:
        """Moves rows on, and stops after so many steps; now and then the service does its own upkeep."""
        session = session_of(backend)
        self.disturbed += 1
        with session.upkeep.held():
            fold = Fold.of(session)
            for move in (fold.archive, fold.settle, fold.clear)[:step]:
                move()
        if self.disturbed % 3 == 0:
            self.service.tend()


@pytest.mark.slow
class TestCloud(_AtService):
    """All of it, in some minutes: ``pytest -m slow tests/contract/test_cloud.py``."""


class TestCloudInBrief(_AtService):
    """What says most in little time."""


_BRIEF = {
    "test_round_trip",
    "test_nearest_in_order",
    "test_conflict_writes_nothing",
    "test_as_of",
    "test_erase",
    "test_rebuild",
    "test_reopen",
    "test_threads_race",
    "test_examination",
}
for _name in dir(_AtService):
    if _name.startswith("test_") and _name not in _BRIEF:
        setattr(TestCloudInBrief, _name, None)


# -- what is asked of the service, and what is not


def test_what_a_read_asks(store: Backend, service: LanceServer, objects: S3Server, bucket: str) -> None:
    """A commit of something new is one request; a read where nothing changed none, for a scope that is held."""
    other = opened(service, objects, bucket, profile=None, read_only=True)
    store.commit([record("first", user_id="bob")])
    for n in range(3):
        service.calls()
        store.commit([record(f"id{n}", text="word", user_id="bob", vector=direction(1, n))])
        assert [call.rpartition("-")[0].split("-")[-1] for call in service.calls()] == ["recent"]
        assert len(ids(other.select(chosen(Compare("user_id", "eq", "bob"))))) == n + 2
        service.calls()
        objects.requests()
        assert len(ids(other.nearest(direction(1), chosen(Compare("user_id", "eq", "bob"))))) == n + 1
        assert service.calls() == []
        assert objects.requests() == [f"GET /{bucket}/of/mine/write.lease"]
    other.close()


def test_what_it_promises(store: Backend, service: LanceServer) -> None:
    """It neither compacts nor says that it does; maintenance moves rows all the same, and removes what has expired."""
    assert not store.capabilities.maintenance
    assert not store.capabilities.erasure
    assert store.capabilities.several_processes
    now = datetime.now(UTC)
    first = record("gone")
    store.commit([first, record("stays", expires_at=now + timedelta(hours=1)), record("back", text="word")])
    store.commit([changed(first, expires_at=now)])
    service.calls()
    store.maintain(now=now + timedelta(seconds=1))
    assert sorted(ids(store.select(chosen()))) == ["back", "stays"]
    assert store.versions("gone") == []
    assert len(session_of(store).catalog().overlay) == 0
    asked = {call.split()[0] for call in service.calls()}
    assert {"merge_insert", "delete", "create", "drop"} <= asked
    store.maintain(now=now + timedelta(hours=2))
    assert ids(store.match(["word"], chosen())) == ["back"]


def test_upkeep_by_itself(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single commits move on without anybody asking for it."""
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 3)
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 12)
    for n in range(24):
        store.commit([record(f"id{n}", text="word")])
    assert within(30, lambda: len(session_of(store).catalog().overlay) < 12)
    assert len(ids(store.match(["word"], chosen()))) == 24
    assert session_of(store).catalog().memories.count() >= 12


def test_bulk(store: Backend, service: LanceServer) -> None:
    """A batch that goes straight to the large table is found at once, and read in pages where it is rewritten."""
    store.commit([record(f"id{n:04}", text=f"word{n % 7}", vector=direction(1, n)) for n in range(1_200)])
    assert len(store.match(["word3"], chosen(limit=2_000))) == len(range(3, 1_200, 7))
    assert ids(store.nearest(direction(1), chosen(limit=1))) == ["id0000"]
    for size in (500, 600, 5_000):
        pages = list(session_of(store).catalog().memories.batches(None, size))
        assert sorted(id_ for page in pages for id_ in page.column("id").to_pylist()) == [
            f"id{n:04}" for n in range(1_200)
        ]
        assert all(page.num_rows <= size for page in pages)
    for start in (2_000, 3_000):
        store.commit([record(f"id{n}", text="more") for n in range(start, start + 1_000)])
        assert len(store.match(["more"], chosen(limit=5_000))) == start - 1_000
    service.tend()
    store.erase(["id0000"])
    assert store.count(EVERYTHING) == 3_199


def test_a_service_that_does_not_sort(store: Backend, service: LanceServer) -> None:
    """A service that passes over the order of a listing is found out before anything is missing in one."""
    store.commit([record(f"id{n}") for n in (3, 1, 4, 0, 2)])
    store.maintain()
    service.become(sorts=False)
    with pytest.raises(BackendError, match="does not sort"):
        store.select(chosen(limit=5, vectors=True))
    service.become()
    assert ids(store.select(chosen(limit=5, vectors=True))) == ["id4", "id3", "id2", "id1", "id0"]


def test_a_service_that_does_not_tell_versions(store: Backend, service: LanceServer) -> None:
    """Where the service does not say which version a write made, the next read shows it all the same."""
    service.become(tells=False)
    first = record("a", text="word", vector=direction(1))
    store.commit([first, record("b", text="word")])
    assert ids(store.nearest(direction(1), chosen())) == ["a"]
    _moved(store)
    assert ids(store.nearest(direction(1), chosen(vectors=True))) == ["a"]
    store.commit([changed(first, text="other")])
    _moved(store)
    assert ids(store.match(["word"], chosen(vectors=True))) == ["b"]
    assert [one.version for one in store.versions("a")] == [1, 2]


def _moved(store: Backend) -> None:
    session = session_of(store)
    with session.upkeep.held():
        Fold.of(session).run()


def test_indexes_that_come_later(store: Backend, service: LanceServer) -> None:
    """A table is ready when words can be looked for in it, though the service makes its indexes later."""
    service.become(index_after=0.5)
    tier = session_of(store).library.make("memories-9", PROFILE.dimension)
    tier.add(encoded([record("a", text="word")], PROFILE.dimension))
    tier.index()
    assert tier.words(["word"], None, ["id"], 5).num_rows == 1
    assert tier.indexes() == {*INDEXED, "terms"}


def test_a_read_sees_one_state(store: Backend, service: LanceServer, objects: S3Server, bucket: str) -> None:
    """A commit that others make and move in pieces while a read is under way shows in it whole or not at all."""
    store.commit([record("before")])
    store.maintain()
    other = opened(service, objects, bucket)
    found: list[list[str]] = []
    reader = threading.Thread(target=lambda: found.append(ids(store.select(chosen(vectors=True)))))
    service.hold("query .*-memories-")
    reader.start()
    assert within(30, service.holds)
    other.commit([record("one"), record("two")])
    session = session_of(other)
    with session.upkeep.held():
        fold = Fold.of(session)
        replace(fold, newest=fold.newest[:1]).settle()
    service.let_go()
    reader.join()
    assert found == [["before"]]
    assert sorted(ids(store.select(chosen(vectors=True)))) == ["before", "one", "two"]
    other.close()


def test_hostile_values(store: Backend) -> None:
    """Values that break texts of SQL are carried exactly by every read, by the move and by the removal of rows."""
    store.commit([record(f"id{n}", user_id=name, tags=(name,), text="word") for n, name in enumerate(HOSTILE)])
    store.maintain()
    for n, name in enumerate(HOSTILE):
        for where in (Compare("user_id", "eq", name), Compare("tags", "eq", name), Compare("user_id", "in", (name,))):
            assert store.count(where) == 1
            assert ids(store.select(chosen(where, vectors=True))) == [f"id{n}"]
        assert ids(store.match(["word"], chosen(Compare("user_id", "eq", name), vectors=True))) == [f"id{n}"]
        assert store.count(Compare("user_id", "eq", name + "'")) == 0
    memories = session_of(store).catalog().memories
    for name in HOSTILE[::2]:
        memories.delete(among("user_id", [name]))
    assert {one.item.ids.get("user_id") for one in store.select(chosen(vectors=True))} == set(HOSTILE[1::2])


# -- several processes

_BEGIN = """
import os, sys
from memplug.backends.lancedb import open_lancedb, upkeep
from memplug.exceptions import *
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import *
upkeep.FOLD_ROWS = 10
store = open_lancedb(BackendRequest(location=f"db://{sys.argv[1]}", profile=PROFILE, options=eval(sys.argv[2])))
print("ready", flush=True)
"""


@pytest.fixture
def start(service: LanceServer, objects: S3Server, bucket: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts processes that have the store open, and then run a program; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(program: str) -> subprocess.Popen[str]:
        options = repr(settings(service, objects, bucket))
        command = [sys.executable, "-c", _BEGIN + program, bucket, options]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    service.let_go()
    for child in started:
        with child:
            child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_processes_write(
    service: LanceServer, objects: S3Server, bucket: str, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Two processes that write new ids and fight over the same few lose nothing and double nothing."""
    opened(service, objects, bucket).close()
    program = """
won = 0
for n in range(8):
    store.commit([record(f"{os.getpid()}-{n}", text="word")])
    before = store.latest([f"hot{n % 3}"]).get(f"hot{n % 3}")
    try:
        store.commit([record(f"hot{n % 3}") if before is None else changed(before)])
        won += 1
    except VersionConflict:
        pass
store.close()
print(won)
"""
    children = [start(program) for _ in range(2)]
    while any(child.poll() is None for child in children):
        service.tend()
    results = [child.communicate(timeout=120) for child in children]
    assert [error for _, error in results] == ["", ""]
    store = opened(service, objects, bucket)
    hot = [[one.version for one in store.versions(f"hot{n}")] for n in range(3)]
    assert all(versions == list(range(1, len(versions) + 1)) for versions in hot)
    assert sum(map(len, hot)) == sum(int(out.split()[1]) for out, _ in results)
    assert len(ids(store.match(["word"], chosen()))) == 16
    assert store.count(EVERYTHING) == 19
    store.close()


@pytest.mark.slow
def test_kill_loses_nothing(
    service: LanceServer, objects: S3Server, bucket: str, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Processes that are killed while they write and move lose nothing that they had acknowledged."""
    program = """
for n in range(10_000):
    store.commit([record(f"{os.getpid()}-{n}-{part}", text="word") for part in range(2)])
    print(n, flush=True)
"""
    acknowledged: set[str] = set()
    for run in range(5):
        children = [start(program) for _ in range(2)]
        for child in children:
            lines = [_line(child) for _ in range(8 + 5 * run)]
            service.tend()
            child.kill()
            assert child.stdout is not None
            lines += [line.strip() for line in child.stdout if line.endswith("\n")]
            acknowledged |= {f"{child.pid}-{n}-{part}" for n in lines if n.isdigit() for part in range(2)}
    store = opened(service, objects, bucket)
    found = ids(store.select(chosen(limit=100_000)))
    assert len(found) == len(set(found)) == store.count(EVERYTHING)
    assert acknowledged <= set(found)
    assert len(found) % 2 == 0, "a commit is half visible"
    assert len(found) - len(acknowledged) <= 2 * 10, "more than the commits under way were added"
    store.maintain()
    assert sorted(ids(store.match(["word"], chosen(limit=100_000)))) == sorted(found)
    store.close()


def test_paused_writer_comes_too_late(
    store: Backend, service: LanceServer, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """A commit that lands after others took the lock over is taken back whole, and its writer is told."""
    child = start("""
input()
try:
    store.commit([record("hot", text="theirs' \\\\'"), record("beside", text="theirs")])
    print("written", flush=True)
except MemplugError as error:
    print(type(error).__name__, flush=True)
print(sorted(one.version for one in store.select(chosen())), flush=True)
store.close()
""")
    assert _line(child) == "ready"
    service.hold("insert .*recent-1")
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    assert within(30, service.holds)
    os.kill(child.pid, signal.SIGSTOP)
    store.commit([record("hot", text="mine")])
    service.tend()
    service.let_go()
    os.kill(child.pid, signal.SIGCONT)
    assert _line(child) == "StoreBusy"
    assert _line(child) == "[1]"
    assert child.wait(60) == 0
    for _ in range(2):
        assert [(one.id, one.item.text) for one in store.select(chosen())] == [("hot", "mine")]
        store.maintain()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork(start: Callable[[str], subprocess.Popen[str]]) -> None:
    """A child forked from a process that uses the store can read and write, media too, and both end."""
    child = start("""
store.commit([record("parent", text="word", vector=direction(1))])
child = os.fork()
if child == 0:
    assert ids(store.nearest(direction(1), chosen())) == ["parent"]
    store.commit([record("child", text="word")])
    store.put_media("0" * 64, b"data")
    store.close()
    sys.exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert sorted(ids(store.match(["word"], chosen()))) == ["child", "parent"]
assert store.open_media("0" * 64).read() == b"data"
store.close()
""")
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors


# -- erasure


def test_erased_cannot_be_reached(store: Backend, service: LanceServer, objects: S3Server, bucket: str) -> None:
    """No version of any table holds anything of what was erased, wherever it had got to; nor does the companion."""
    digest = "1" * 64
    store.put_media(digest, MARKER.encode())
    stays, gone = record("stays", text="word"), record("gone", text=MARKER)
    store.commit([stays, gone])
    store.maintain()
    store.commit([changed(stays, text="words"), changed(gone, text=f"{MARKER} again")])
    store.maintain()
    store.commit([changed(changed(gone), text=MARKER)])
    assert any(MARKER in str(table.column("body")) for found in service.kept(bucket).values() for table in found)
    store.erase(["gone"])
    store.remove_media([digest])
    kept = service.kept(bucket)
    assert len(kept) == 3
    for name, versions in kept.items():
        for table in versions:
            for column in ("body", "terms", "id"):
                assert MARKER not in "".join(table.column(column).to_pylist()), name
                assert "gone" not in table.column("id").to_pylist()
    assert [one.version for one in store.versions("stays")] == [1, 2]
    assert not any(MARKER.encode() in data for data in objects.objects(bucket).values())


def test_memory(service: LanceServer, objects: S3Server, bucket: str) -> None:
    """The whole way: a program adds text and a picture, searches, and erases."""
    options = settings(service, objects, bucket)
    with Memory(f"db://{bucket}", embedder="hashing:64", options=options) as memory:
        memory.add("I like spicy food.", user_id="wang")
        added = memory.add(png(), user_id="wang", description=f"dinner {MARKER}")
        assert memory.search("dinner", user_id="wang")[0].kind == "image"
        assert memory.media(added.ids[0], user_id="wang").startswith(b"\x89PNG")
        memory.delete(added.ids[0], user_id="wang", erase=True)
        with pytest.raises(NotFound):
            memory.get(added.ids[0], user_id="wang")
        assert [item.text for item in memory.get_all(user_id="wang")] == ["I like spicy food."]
    assert not [name for name in objects.names(bucket) if "/media/" in name]
