"""What the LanceDB backend promises of its upkeep: it happens, goes on after failures, and never stands in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from memplug.backends.lancedb import maintenance, upkeep, writes
from memplug.backends.lancedb.backend import LanceBackend
from memplug.backends.lancedb.catalog import Library
from memplug.backends.lancedb.durability import TableSync
from memplug.backends.lancedb.folder import Folder, remove_table
from memplug.backends.lancedb.rows import encoded
from memplug.backends.lancedb.tier import Tier
from memplug.exceptions import NoStore, StoreFull, VersionConflict
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import EVERYTHING, PROFILE, changed, direction, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def opened(folder: Path, **fields: Any) -> LanceBackend:
    """The store in a folder."""
    asked: dict[str, Any] = {"location": str(folder), "profile": PROFILE} | fields
    return LanceBackend(BackendRequest(**asked))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LanceBackend]:
    """An empty store in ``tmp_path / "store"``."""
    backend = opened(tmp_path / "store")
    yield backend
    backend.close()


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def _journal(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "tables" / "recent-1.journal").iterdir())


def test_short_programs_are_maintained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store to which each program commits once stays small all the same."""
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 8)
    for n in range(20):
        store = opened(tmp_path / "store")
        store.commit([record(f"id{n}")])
        store.close()
        assert _journal(tmp_path / "store") < 8 * 400


def test_short_programs_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that earlier programs left in `recent` move on at the end of the one that makes them many."""
    for n in range(12):
        if n == 11:
            monkeypatch.setattr(upkeep, "FOLD_ROWS", 12)
        store = opened(tmp_path / "store")
        store.commit([record(f"id{n}")])
        store.close()
    store = opened(tmp_path / "store")
    assert store._session.catalog().memories.count() == 12
    store.close()


def test_keeper_goes_on(store: LanceBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw is logged with its origin, and maintenance is tried again."""
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 2)
    monkeypatch.setattr(upkeep, "RETRY", 0.01)
    extend, calls = maintenance.extend_indexes, list[float]()

    def failing(session: Any) -> None:
        calls.append(time.monotonic())
        if len(calls) <= 3:
            raise AttributeError("not foreseen")
        extend(session)

    monkeypatch.setattr(upkeep, "extend_indexes", failing)
    for n in range(2):
        store.commit([record(f"id{n}")])
    assert _within(10, lambda: store._keeper._rows == 0)
    assert len(calls) == 4
    assert calls[2] - calls[1] > 0.02, "the wait does not grow"
    assert [entry.exc_info is not None for entry in caplog.records] == [True] * 3


def test_commit_survives_missing_thread(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started a commit succeeds all the same, and a later one starts maintenance."""
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 1)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        store.commit([record("a")])
    assert store._keeper._thread is None
    store.commit([record("b")])
    assert store._keeper._thread is not None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_written_batch_does_not_fail(store: LanceBackend, tmp_path: Path) -> None:
    """Of batches written together one that is in the store succeeds, whatever becomes of the others."""
    path = tmp_path / "store" / "tables" / "recent-1.journal" / "000001.log"
    path.unlink()
    path.symlink_to("/dev/full")  # whatever is written to it finds no room
    outcomes: dict[str, str] = {}

    def commit(name: str, count: int) -> None:
        try:
            store.commit([record(f"{name}{n}") for n in range(count)])
            outcomes[name] = "written"
        except StoreFull:
            outcomes[name] = "full"

    threads = [
        threading.Thread(target=commit, args=("bulk", writes.BULK)),
        threading.Thread(target=commit, args=("small", 1)),
    ]
    with store._committer._leading:
        for place, thread in enumerate(threads):
            thread.start()
            assert _within(5, lambda place=place: len(store._committer._queue) == place + 1)  # type: ignore[misc] # mypy cannot infer it
    for thread in threads:
        thread.join()
    assert outcomes == {"bulk": "written", "small": "full"}
    assert store.count(EVERYTHING) == writes.BULK


def test_close_beside_a_busy_writer(store: LanceBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing does not wait for what another process does."""
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 2)
    other = opened(tmp_path / "store")
    store.commit([record("a")])
    with other._session.writing.held():
        store._keeper.committed(1)
        time.sleep(0.05)
        start = time.monotonic()
        store.close()
        assert time.monotonic() - start < 3
    other.close()


def test_failed_erasure_leaves_no_tables(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure for which there is no room gives back what it took, and changes nothing."""
    store.commit([record(f"id{n}") for n in range(3)])
    store.maintain()
    index = Tier.index

    def full(tier: Tier) -> None:
        index(tier)
        raise StoreFull("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Tier, "index", full)
        with pytest.raises(StoreFull):
            store.erase(["id1"])
    assert len(list(cast("Folder", store._session.folder).tables.iterdir())) == 3
    assert store.count(EVERYTHING) == 3
    store.erase(["id1"])
    assert store.count(EVERYTHING) == 2


_KILLED = """
import os, sys
from memplug.backends.lancedb import open_lancedb
from memplug.backends.lancedb.folder import Folder
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import PROFILE, record
store = open_lancedb(BackendRequest(location=sys.argv[1], profile=PROFILE))
store.commit([record("a", text="xylophonequartz")])
store.maintain()
Folder.remove_tables = lambda *_, **__: os._exit(9)
store.erase(["a"])
"""


def test_killed_erasure_is_finished(tmp_path: Path) -> None:
    """What an erasure that was killed left on the disk goes when the store is opened for writing again."""
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "store")], check=False)
    assert done.returncode == 9
    assert len(list((tmp_path / "store" / "tables").iterdir())) > 3
    opened(tmp_path / "store", read_only=True).close()
    assert len(list((tmp_path / "store" / "tables").iterdir())) > 3
    opened(tmp_path / "store").close()
    assert len(list((tmp_path / "store" / "tables").iterdir())) == 3


def test_leftovers_of_others_stay(store: LanceBackend, tmp_path: Path) -> None:
    """Opening a store beside a process that rewrites a table leaves its half-made one alone."""
    left = [tmp_path / "store" / "tables" / name for name in ("recent-2.journal", "memories-2.lance")]
    for path in left:
        path.mkdir()
    with store._session.upkeep.held():
        opened(tmp_path / "store").close()
        assert all(path.exists() for path in left)
    store.maintain()
    assert not any(path.exists() for path in left)


def test_table_is_removed_at_once(tmp_path: Path) -> None:
    """A table is never half there under its own name, also where an earlier removal was killed."""
    for name in ("history-1.lance", "history-1.lance.gone"):
        (tmp_path / name / "data").mkdir(parents=True)
    remove_table(tmp_path / "history-1.lance")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "history-1.lance.gone").mkdir()
    remove_table(tmp_path / "history-1.lance.gone")
    assert list(tmp_path.iterdir()) == []


def test_abandoned_media(store: LanceBackend, tmp_path: Path) -> None:
    """Maintenance removes what a killed process had begun to write, and leaves what may still be written."""
    store.put_media("a" * 64, b"whole")
    old, young = (tmp_path / "store" / "media" / "aa" / f".{name}.new" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    hours_ago = time.time() - 2 * 3_600
    os.utime(old, (hours_ago, hours_ago))
    store.maintain()
    assert (old.exists(), young.exists()) == (False, True)
    assert list(store.list_media()) == ["a" * 64]


def test_removed_store_stays_away(store: LanceBackend, tmp_path: Path) -> None:
    """Writing to a store whose folder somebody removed is refused, and does not make the folder again."""
    store.commit([record("a")])
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    refused: tuple[Callable[[], object], ...] = (
        lambda: store.commit([record("b")]),
        lambda: store.erase(["a"]),
        lambda: store.put_media("0" * 64, b""),
        lambda: store.release_media(["0" * 64]),
        lambda: store.count(EVERYTHING),
        store.maintain,
    )
    for call in refused:
        with pytest.raises(NoStore):
            call()
    assert not (tmp_path / "store").exists()


def test_coarse_file_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system keeps whole seconds, reads are fresh and writes still find every conflict."""
    stat = os.stat

    class Coarse:
        def __init__(self, path: Any) -> None:
            self.st_mtime_ns = stat(path).st_mtime_ns // 10**9 * 10**9

    class System:
        stat = staticmethod(Coarse)
        listdir = staticmethod(os.listdir)

    monkeypatch.setattr("memplug.backends.lancedb.tier.os", System)
    monkeypatch.setattr(writes, "BULK", 1)  # so that new memories go to a table, whose times are looked at
    one, two = opened(tmp_path / "store"), opened(tmp_path / "store")
    for n in range(3):
        first = record(f"id{n}")
        time.sleep(1 - time.time() % 1)
        one.commit([first])
        time.sleep(0.15)
        assert one.count(EVERYTHING) == two.count(EVERYTHING) == n + 1
        one.commit([changed(first)])
        assert two.latest([first.id])[first.id].version == 2
    one.close()
    two.close()


def test_conflicts_do_not_trust_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that did not move, after a clock was set back, hide no conflict from a write."""
    monkeypatch.setattr(writes, "BULK", 2)
    one, two = opened(tmp_path / "store"), opened(tmp_path / "store")
    tables = tmp_path / "store" / "tables"
    long_ago = time.time() - 60

    def set_back() -> None:
        for path in (*tables.rglob("_versions"), *tables.rglob("*.log"), *tables.glob("*.journal")):
            os.utime(path, (long_ago, long_ago))

    one.commit([record("a")])
    set_back()
    assert two.count(EVERYTHING) == 1
    assert two.latest(["b"]) == {}
    one.commit([changed(record("a"))])
    one.commit([record("b"), record("c")])
    set_back()
    for again, version in ((changed(record("a")), 2), (record("b"), 1)):
        with pytest.raises(VersionConflict, match=f"at version {version} now"):
            two.commit([again])
    one.close()
    two.close()


def test_sync_beside_a_cleanup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process cleans up while it is being synced is passed over."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.lance").write_bytes(b"x")
    (tmp_path / "data" / "two.lance").write_bytes(b"x")
    seen: list[str] = []

    def vanishing(path: Path) -> None:
        seen.append(path.name)
        path.unlink()
        raise FileNotFoundError(path)

    monkeypatch.setattr("memplug.backends.lancedb.durability.sync_file", vanishing)
    TableSync(tmp_path).sync()
    assert sorted(seen) == ["one.lance", "two.lance"]


def test_tables_of_a_new_store(tmp_path: Path) -> None:
    """A new table replaces one of its name that a killed process left."""
    store = opened(tmp_path / "store")
    library = Library(Folder(tmp_path / "store"), durable=False)
    for _ in range(2):
        library.make("memories-9", 8).add(encoded([record("left", vector=direction(1))], 8))
        library.make_recent("recent-9", 8).write([record("left", vector=direction(1))])
    assert library.open("memories-9").count() == 1
    assert len(library.folder.recent("recent-9", library, 8).overlay) == 1
    store.commit([record("a", vector=direction(1))])
    store.close()
