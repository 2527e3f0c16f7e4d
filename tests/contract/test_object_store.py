"""The LanceDB store on object storage: the whole contract, and what is different without a file system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import pytest

from memplug import Memory
from memplug.backends.lancedb import open_lancedb, upkeep
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.remote_tier import RemoteTier
from memplug.backends.lancedb.rows import encoded
from memplug.exceptions import (
    BackendError,
    ConfigError,
    EmbedderMismatch,
    MalformedInput,
    NoStore,
    NotFound,
    StoreBusy,
    StoreReadOnly,
    VersionConflict,
)
from memplug.plugins.protocols import BackendRequest, StoreProfile
from memplug.settings import Settings
from memplug.testing.backend import BackendContract
from memplug.testing.records import EVERYTHING, PROFILE, changed, chosen, direction, ids, record
from s3_server import SECRET, S3Server, within
from support import png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.backends.lancedb.backend import LanceBackend
    from memplug.plugins.protocols import Backend
    from memplug.values.item import Record

#: Short, so that tests need not wait for what a user waits 15 seconds for.
LEASE = 3.0
MARKER = "xylophonequartz"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """A running S3 server."""
    with S3Server() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server) -> str:
    """An empty bucket."""
    return server.bucket()


def opened(server: S3Server, bucket: str, **fields: Any) -> Backend:
    """The store in a bucket."""
    either = {"download_retry_count": 3, "randomize_addresses": False}  # one that only LanceDB knows, one for obstore
    options = {"storage_options": server.storage_options | either, "lease_seconds": LEASE}
    asked: dict[str, Any] = {"location": f"s3://{bucket}/of/mine", "profile": PROFILE, "options": options} | fields
    return open_lancedb(BackendRequest(**asked))


@pytest.fixture
def store(server: S3Server, bucket: str) -> Iterator[Backend]:
    """An empty store in the bucket."""
    backend = opened(server, bucket)
    yield backend
    backend.close()


def session_of(backend: Backend) -> Any:
    """What the backend has open."""
    return cast("LanceBackend", backend)._session


class _OnObjects(BackendContract):
    """The contract, rows being moved between the tiers under the tests' feet."""

    disturbed = 19
    server: S3Server

    @pytest.fixture(autouse=True)
    def _reach(self, server: S3Server) -> None:
        self.server = server
        self.buckets: dict[Path, str] = {}

    def open_backend(self, folder: Path) -> Backend:
        """A store in a bucket that stands for the folder."""
        if folder not in self.buckets:
            self.buckets[folder] = self.server.bucket()
        return opened(self.server, self.buckets[folder])

    def disturb(self, backend: Backend, step: int) -> None:
        """Moves rows on, and stops after so many steps; now and then the files become few, which costs the most."""
        session = session_of(backend)
        self.disturbed += 1
        with session.upkeep.held(), pytest.MonkeyPatch.context() as patch:
            if self.disturbed % 20:
                patch.setattr(RemoteTier, "compact", lambda *_, **__: None)
            fold = Fold.of(session)
            for move in (fold.archive, fold.settle, fold.clear)[:step]:
                move()


@pytest.mark.slow
class TestObjectStore(_OnObjects):
    """All of it, in some minutes: ``pytest -m slow tests/contract/test_object_store.py``."""


class TestObjectStoreInBrief(_OnObjects):
    """What says most in little time."""


_BRIEF = {"test_round_trip", "test_conflict_writes_nothing", "test_as_of", "test_erase", "test_rebuild", "test_reopen"}
for _name in dir(_OnObjects):
    if _name.startswith("test_") and _name not in _BRIEF:
        setattr(TestObjectStoreInBrief, _name, None)


# -- changes


def test_a_read_is_one_request(store: Backend, server: S3Server, bucket: str) -> None:
    """Where nothing changed a read costs one small request; what another handle commits the next read shows."""
    other = opened(server, bucket, profile=None, read_only=True)
    for n in range(3):
        store.commit([record(f"id{n}", text="word", vector=direction(1, n))])
        assert len(ids(other.select(chosen()))) == n + 1
        server.requests()
        assert len(ids(other.nearest(direction(1), chosen()))) == n + 1
        assert server.requests() == [f"GET /{bucket}/of/mine/write.lease"]
    store.maintain()
    assert len(ids(other.match(["word"], chosen()))) == 3
    store.erase(["id1"])
    assert sorted(ids(other.select(chosen()))) == ["id0", "id2"]
    store.rebuild(StoreProfile(embedder="other", dimension=3), _made_new)
    assert other.count(EVERYTHING) == 2
    named = pytest.raises(EmbedderMismatch, match="other")
    with named:
        opened(server, bucket)
    other.close()


def _made_new(records: list[Record]) -> list[Record]:
    return [replace(one, vector=np.ones(3, dtype=np.float32)) for one in records]


def test_upkeep_by_itself(store: Backend, server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single commits stay few objects, and move on, without anybody asking for it."""
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 5)
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 12)
    for n in range(24):
        store.commit([record(f"id{n}", text="word")])

    def settled() -> bool:
        rest = len(session_of(store).catalog().overlay)
        versions = [name for name in server.names(bucket) if "/recent-1.lance/_versions/" in name]
        return rest < 12 + 5 and len(versions) <= 10  # the next commits may not be enough for it to be due again

    assert within(30, settled)
    assert len(ids(store.match(["word"], chosen()))) == 24


# -- several processes

_BEGIN = """
import os, sys
from memplug.backends.lancedb import open_lancedb, upkeep
from memplug.exceptions import *
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import *
upkeep.FOLD_ROWS, upkeep.COMPACT_COMMITS = 10, 6
options = {"storage_options": eval(sys.argv[2]), "lease_seconds": float(sys.argv[3])}
store = open_lancedb(BackendRequest(location=f"s3://{sys.argv[1]}/of/mine", profile=PROFILE, options=options))
print("ready", flush=True)
"""


class Starter(Protocol):
    """Starts a process that has the store open, and then runs a program."""

    def __call__(self, program: str) -> subprocess.Popen[str]:
        """The process."""


@pytest.fixture
def start(server: S3Server, bucket: str) -> Iterator[Starter]:
    """Processes on the store in the bucket; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _BEGIN + program, bucket, repr(server.storage_options), str(LEASE)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    server.let_go()
    for child in started:
        with child:
            child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_processes_write(server: S3Server, bucket: str, start: Starter) -> None:
    """Two processes that write new ids and fight over the same few lose nothing and double nothing."""
    opened(server, bucket).close()
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
    results = [child.communicate(timeout=120) for child in children]
    assert [error for _, error in results] == ["", ""]
    store = opened(server, bucket)
    hot = [[one.version for one in store.versions(f"hot{n}")] for n in range(3)]
    assert all(versions == list(range(1, len(versions) + 1)) for versions in hot)
    assert sum(map(len, hot)) == sum(int(out.split()[1]) for out, _ in results)
    assert len(ids(store.match(["word"], chosen()))) == 16
    assert store.count(EVERYTHING) == 19
    store.close()


def test_killed_holder(store: Backend, start: Starter) -> None:
    """What a killed process held is free again after a while, and until then others are told that it is not."""
    child = start("with store._session.writing.held():\n    print('held', flush=True)\n    input()")
    assert [_line(child), _line(child)] == ["ready", "held"]
    child.kill()
    child.wait()
    session_of(store).writing.patience = 0.1
    with pytest.raises(StoreBusy):
        store.commit([record("a")])
    session_of(store).writing.patience = 60
    store.commit([record("a")])
    assert store.count(EVERYTHING) == 1


@pytest.mark.slow
def test_kill_loses_nothing(server: S3Server, bucket: str, start: Starter) -> None:
    """Processes that are killed while they write, move and clean up lose nothing that they had acknowledged."""
    program = """
for n in range(10_000):
    store.commit([record(f"{os.getpid()}-{n}-{part}", text="word") for part in range(2)])
    print(n, flush=True)
"""
    acknowledged: set[str] = set()
    for run in range(6):
        children = [start(program) for _ in range(2)]
        for child in children:
            lines = [_line(child) for _ in range(8 + 5 * run)]
            child.kill()
            assert child.stdout is not None
            lines += [line.strip() for line in child.stdout if line.endswith("\n")]
            acknowledged |= {f"{child.pid}-{n}-{part}" for n in lines if n.isdigit() for part in range(2)}
    store = opened(server, bucket)
    found = ids(store.select(chosen(limit=100_000)))
    assert len(found) == len(set(found)) == store.count(EVERYTHING)
    assert acknowledged <= set(found)
    assert len(found) % 2 == 0, "a commit is half visible"
    assert len(found) - len(acknowledged) <= 2 * 12, "more than the commits under way were added"
    store.maintain()
    assert sorted(ids(store.match(["word"], chosen(limit=100_000)))) == sorted(found)
    store.close()


def test_living_holder(store: Backend, server: S3Server, bucket: str) -> None:
    """Who holds a lock for longer than a lease lasts keeps it."""
    other = opened(server, bucket)
    with session_of(store).writing.held():
        session_of(other).writing.patience = 2 * LEASE
        with pytest.raises(StoreBusy):
            other.commit([record("a")])
        session_of(store).writing.check()
        session_of(store).writing._hold.until = 0  # as if it had slept, while nobody wanted the lock
        session_of(store).writing.check()
    session_of(other).writing.patience = 60
    other.commit([record("a")])
    assert store.count(EVERYTHING) == 1
    other.close()


_PAUSED = """
input()
try:
    store.commit([record("hot", text="theirs"), record("beside", text="theirs")])
    print("written", flush=True)
except MemplugError as error:
    print(type(error).__name__, flush=True)
print(sorted(one.version for one in store.select(chosen())), flush=True)
store.close()
"""


def _paused(server: S3Server, start: Starter) -> subprocess.Popen[str]:
    """A process that was stopped while the last request of its commit is on its way."""
    child = start(_PAUSED)
    assert _line(child) == "ready"
    server.hold("PUT .*/recent-1.lance/_versions/")
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    assert within(30, server.holds)
    os.kill(child.pid, signal.SIGSTOP)
    return child


def test_paused_writer_comes_too_late(store: Backend, server: S3Server, start: Starter) -> None:
    """A commit that lands after others took the lock over is taken back whole, and its writer is told."""
    child = _paused(server, start)
    store.commit([record("hot", text="mine")])
    server.let_go()
    os.kill(child.pid, signal.SIGCONT)
    assert _line(child) == "StoreBusy"
    assert _line(child) == "[1]"
    assert child.wait(60) == 0
    assert [(one.id, one.item.text) for one in store.select(chosen())] == [("hot", "mine")]
    store.maintain()
    assert [(one.id, one.item.text) for one in store.select(chosen())] == [("hot", "mine")]


def test_paused_writer_comes_in_time(store: Backend, server: S3Server, start: Starter) -> None:
    """A commit that lands before others took the lock over stands, and its writer is told that."""
    child = _paused(server, start)
    server.let_go()
    with pytest.raises(VersionConflict):
        store.commit([record("hot", text="mine")])
    os.kill(child.pid, signal.SIGCONT)
    assert _line(child) == "written"
    assert _line(child) == "[1, 1]"
    assert sorted(one.item.text for one in store.select(chosen())) == ["theirs", "theirs"]


def test_paused_upkeep_points_to_nothing(store: Backend, server: S3Server, bucket: str) -> None:
    """Who lost the locks while tables were made anew cannot make these the current ones any more."""
    store.commit([record("a")])
    other = opened(server, bucket)
    session = session_of(other)
    lost = session.upkeep
    with lost.held(), session.writing.held():
        pointer = session.catalog().pointer
        for lease in (lost, session.writing):
            lease._hold.ended.set()  # as if it were paused: it renews nothing, and still believes that it has time
            lease._hold.until = float("inf")
        store.erase(["nothing"])
        with pytest.raises(StoreBusy):
            session.folder.point(pointer.moved({"recent": "recent-9"}))
    assert ids(store.select(chosen())) == ids(other.select(chosen())) == ["a"]
    other.close()


def test_doubles_are_healed(store: Backend, server: S3Server, bucket: str) -> None:
    """Rows that slipped in twice are read once, as the highest version, and maintenance leaves one of them."""
    first = record("a", text="one", vector=direction(1))
    second = changed(first, text="two")
    memories = session_of(store).catalog().memories
    with session_of(store).writing.held():
        for one in (second, first, second):
            memories.add(encoded([one], PROFILE.dimension))
    other = opened(server, bucket)
    for _ in range(2):
        assert other.latest(["a"])["a"].item.text == "two"
        assert [one.item.text for one in other.select(chosen())] == ["two"]
        assert [match.record.item.text for match in other.nearest(direction(1), chosen())] == ["two"]
        other.maintain()
    assert other.count(EVERYTHING) == 1
    assert session_of(other).catalog().memories.count() == 1
    other.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork(start: Starter) -> None:
    """A child forked from a process that uses the store can read and write, media too, and both end."""
    program = """
store.commit([record("parent", text="word", vector=direction(1))])
child = os.fork()
if child == 0:
    assert ids(store.nearest(direction(1), chosen())) == ["parent"]
    store.commit([record("child", text="word")])
    store.put_media("0" * 64, b"data")
    assert store.open_media("0" * 64).read() == b"data"
    assert list(store.list_media()) == ["0" * 64]
    store.close()
    sys.exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert sorted(ids(store.match(["word"], chosen()))) == ["child", "parent"]
store.close()
"""
    child = start(program)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors


# -- what lies in the bucket


def test_erased_is_gone_from_the_bucket(store: Backend, server: S3Server, bucket: str) -> None:
    """After erasing, no object of the bucket holds the words, and others keep theirs."""
    fields: dict[str, Any] = {"tags": (MARKER,), "metadata": {MARKER: MARKER}, "key": MARKER, "vector": direction(1)}
    marked = record("gone", text=f"{MARKER} one", **fields)
    store.commit([marked, record("stays", text="stays")])
    store.maintain()
    store.commit([changed(marked, text=f"{MARKER} two"), record("fresh", text=MARKER, **fields)])
    assert _holding(server, bucket, MARKER)
    store.erase(["gone", "fresh"])
    assert _holding(server, bucket, MARKER) == []
    assert ids(store.match(["stays"], chosen())) == ["stays"]


def test_erased_is_gone_where_a_writer_was_killed(
    store: Backend, server: S3Server, bucket: str, start: Starter
) -> None:
    """Objects of a commit that never came about, which no version of a table names, are gone as well."""
    program = f'store.commit([record("gone", text="{MARKER}")])'
    child = start(program)
    server.hold("PUT .*/recent-1.lance/_versions/")
    assert within(30, server.holds)
    child.kill()
    child.wait()
    left = _holding(server, bucket, MARKER)
    assert any("/data/" in name for name in left)
    store.erase(["gone"])
    assert _holding(server, bucket, MARKER) == []


def _holding(server: S3Server, bucket: str, text: str) -> list[str]:
    return [name for name, data in server.objects(bucket).items() if text.encode() in data]


def test_read_only(store: Backend, server: S3Server, bucket: str) -> None:
    """A read-only handle answers every read, refuses every write, and leaves no object."""
    store.commit([record("a", text="word", vector=direction(1))])
    store.close()
    before = server.objects(bucket)
    reader = opened(server, bucket, read_only=True)
    assert ids(reader.select(chosen())) == ids(reader.nearest(direction(1), chosen())) == ["a"]
    refused: tuple[Callable[[], object], ...] = (
        lambda: reader.commit([record("b")]),
        lambda: reader.erase(["a"]),
        lambda: reader.put_media("0" * 64, b""),
        lambda: reader.remove_media([]),
        reader.maintain,
    )
    for write in refused:
        with pytest.raises(StoreReadOnly):
            write()
    reader.close()
    assert server.objects(bucket) == before


def test_media_by_digest_only(store: Backend, server: S3Server, bucket: str) -> None:
    """Nothing but a digest becomes the name of an object, and media that is missing is told as such."""
    with pytest.raises(MalformedInput):
        store.put_media("../../store.json", b"x")
    for name in ("../../store.json", "f" * 64):
        with pytest.raises(NotFound):
            store.open_media(name)
    store.remove_media(["../../store.json", "f" * 64])
    large = os.urandom(6 * 2**20)  # from 5 MB on a client would cut it into parts, which stay where it is cut off
    store.put_media("0" * 64, large)
    server.requests()
    store.put_media("0" * 64, large)
    assert server.requests() == [f"HEAD /{bucket}/of/mine/media/00/{'0' * 64}"]
    assert store.open_media("0" * 64).read() == large


# -- Memory, and how it is opened


def test_memory(server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A memory in a bucket, opened with the usual environment: text and picture in, found, erased, examined."""
    monkeypatch.setenv("AWS_ENDPOINT", server.endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    for name, value in (("AWS_ACCESS_KEY_ID", "key-for-tests"), ("AWS_SECRET_ACCESS_KEY", SECRET)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    picture = png()
    (tmp_path / "receipt.png").write_bytes(picture)
    with Memory(f"s3://{bucket}/mem/", embedder="hashing:64", sync="full") as memory:
        memory.add(f"I like {MARKER}.", user_id="wang")
        memory.add(tmp_path / "receipt.png", user_id="wang", description="dinner with Li")
    with Memory(f"s3://{bucket}/mem") as memory:
        [hit, *_] = memory.search("who was at dinner?", user_id="wang")
        assert hit.media == picture
        assert memory.doctor(repair=False).ok
        memory.delete_all(user_id="wang", erase=True)
        assert len(memory.get_all(user_id="wang")) == 0
        memory.maintain()
    left = server.objects(bucket)
    assert not [name for name, data in left.items() if MARKER.encode() in data or picture in data]
    assert not [name for name in left if "/media/" in name]
    assert all(SECRET.encode() not in data for data in left.values())


def test_refusals(store: Backend, server: S3Server, bucket: str) -> None:
    """A place without store, another embedder, no bucket and a damaged store file are told apart."""
    with pytest.raises(NoStore):
        opened(server, bucket, profile=None, location=f"s3://{bucket}/elsewhere")
    with pytest.raises(NoStore):
        opened(server, bucket, read_only=True, location=f"s3://{bucket}/elsewhere")
    assert not [name for name in server.objects(bucket) if "elsewhere" in name]
    with pytest.raises(EmbedderMismatch, match="contract"):
        opened(server, bucket, profile=StoreProfile(embedder="other", dimension=8))
    with pytest.raises(BackendError, match="bucket"):
        opened(server, "no-such-bucket")
    folder = session_of(store).folder
    folder.write("store.json", "{")
    folder.stale()
    with pytest.raises(BackendError, match="damaged"):
        opened(server, bucket)
    with pytest.raises(BackendError, match="damaged"):
        store.select(chosen())


@pytest.mark.parametrize(
    ("location", "options", "words"),
    [
        ("s3://bucket/x", {"storage": {}}, "'storage'"),
        ("s3://bucket/x", {"storage_options": "hush-hush"}, "dict"),
        ("s3://bucket/x", {"storage_options": {"aws_region": ["hush-hush"]}}, "dict"),
        ("s3://bucket/x", {"storage_options": {"aws_skip_signature": "hush-hush"}}, "cannot be used"),
        ("s3://bucket/x", {"lease_seconds": 0}, "lease_seconds"),
        ("s3://bucket/x", {"lease_seconds": "5"}, "lease_seconds"),
        ("s3://", {}, "no bucket"),
        ("s3://bucket/../x", {}, "no bucket"),
        ("s3://me:hush-hush@bucket/x", {}, "a bucket and a prefix"),
        ("s3://bucket/x?secret=hush-hush", {}, "a bucket and a prefix"),
    ],
)
def test_wrong_settings(location: str, options: dict[str, Any], words: str) -> None:
    """What is wrong with a location or its options is said, and what may be a secret is not."""
    with pytest.raises(ConfigError, match=words) as caught:
        open_lancedb(BackendRequest(location=location, profile=PROFILE, options=options))
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where obstore is not installed, the error says what to install."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    with pytest.raises(ConfigError, match="obstore") as caught:
        open_lancedb(BackendRequest(location="s3://bucket/x", profile=PROFILE))
    assert "object-storage" in str(caught.value.hint)


def test_secrets_are_not_shown(server: S3Server, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what an object is shown as nor an error of a store that cannot be reached holds a credential."""
    options = server.storage_options | {"aws_endpoint": "http://127.0.0.1:9", "client_max_retries": "0"}
    request = BackendRequest(
        location="s3://bucket/x", profile=PROFILE, options={"storage_options": options | {"timeout": "1s"}}
    )
    assert SECRET not in repr(request) + repr(Settings(location="s3://bucket/x", options=request.options))
    with pytest.raises(BackendError) as caught:
        open_lancedb(request)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown + caplog.text
