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
from memplug.exceptions import NoStore, StoreFull
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


def _manifests(folder: Path) -> int:
    return len(list((folder / "tables" / "recent-1.lance" / "_versions").iterdir()))


def test_short_programs_are_maintained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store to which each program commits once stays small all the same."""
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 8)
    for n in range(20):
        store = opened(tmp_path / "store")
        store.commit([record(f"id{n}")])
        store.close()
    assert _manifests(tmp_path / "store") <= 10


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
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 2)
    monkeypatch.setattr(upkeep, "RETRY", 0.01)
    compact, calls = maintenance.compact_recent, list[float]()

    def failing(session: Any, **named: Any) -> None:
        calls.append(time.monotonic())
        if len(calls) <= 3:
            raise AttributeError("not foreseen")
        compact(session, **named)

    monkeypatch.setattr(upkeep, "compact_recent", failing)
    for n in range(2):
        store.commit([record(f"id{n}")])
    assert _within(10, lambda: store._keeper._commits == 0)
    assert len(calls) == 4
    assert calls[2] - calls[1] > 0.02, "the wait does not grow"
    assert [entry.exc_info is not None for entry in caplog.records] == [True] * 3


def test_commit_survives_missing_thread(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started a commit succeeds all the same, and a later one starts maintenance."""
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 1)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        store.commit([record("a")])
    assert store._keeper._thread is None
    store.commit([record("b")])
    assert store._keeper._thread is not None


def test_written_batch_does_not_fail(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of batches written together one that is in the store succeeds, whatever becomes of the others."""
    add = Tier.add

    def full(tier: Tier, rows: Any) -> int:
        if "recent" in tier.path.name:
            raise StoreFull("no space left")
        return add(tier, rows)

    monkeypatch.setattr(Tier, "add", full)
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
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 2)
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
    (tmp_path / "store" / "tables" / "recent-2.lance").mkdir()
    with store._session.upkeep.held():
        opened(tmp_path / "store").close()
        assert (tmp_path / "store" / "tables" / "recent-2.lance").exists()
    store.maintain()
    assert not (tmp_path / "store" / "tables" / "recent-2.lance").exists()


def test_table_is_removed_at_once(tmp_path: Path) -> None:
    """A table is never half there under its own name, also where an earlier removal was killed."""
    for name in ("recent-1.lance", "recent-1.lance.gone"):
        (tmp_path / name / "data").mkdir(parents=True)
    remove_table(tmp_path / "recent-1.lance")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "recent-1.lance.gone").mkdir()
    remove_table(tmp_path / "recent-1.lance.gone")
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

    monkeypatch.setattr("memplug.backends.lancedb.tier.os", System)
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


def test_conflicts_do_not_trust_times(tmp_path: Path) -> None:
    """A folder's time that did not move, after a clock was set back, hides no conflict from a write."""
    one, two = opened(tmp_path / "store"), opened(tmp_path / "store")
    first = record("a")
    one.commit([first])
    versions = tmp_path / "store" / "tables" / "recent-1.lance" / "_versions"
    long_ago = time.time() - 60
    os.utime(versions, (long_ago, long_ago))
    assert two.count(EVERYTHING) == 1
    one.commit([changed(first)])
    os.utime(versions, (long_ago, long_ago))
    with pytest.raises(Exception, match="at version 2 now"):
        two.commit([changed(first)])
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
        library.make("recent-9", 8).add(encoded([record("left", vector=direction(1))], 8))
    assert library.open("recent-9").count() == 1
    store.commit([record("a", vector=direction(1))])
    store.close()
