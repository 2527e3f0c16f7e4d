"""The ids that are held in memory, so that a new one costs no query: never is one missed, whoever wrote it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from memplug.backends.lancedb import known, writes
from memplug.backends.lancedb.backend import LanceBackend
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.maintenance import extend_indexes
from memplug.exceptions import VersionConflict
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import EVERYTHING, PROFILE, changed, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def opened(folder: Path) -> LanceBackend:
    """The store in a folder."""
    return LanceBackend(BackendRequest(location=str(folder), profile=PROFILE))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LanceBackend]:
    """A store with some memories in the large table."""
    monkeypatch.setattr(writes, "BULK", 8)
    backend = opened(tmp_path / "store")
    backend.commit([record(f"id{n}") for n in range(8)])
    backend.close()
    backend = opened(tmp_path / "store")  # which knows nothing yet
    yield backend
    backend.close()


def _asks(store: LanceBackend, *ids: str) -> list[str]:
    """Those of the ids for which the table would have to be asked."""
    return store._session.catalog().known.possible(ids, bring=False)


def _move(store: LanceBackend) -> None:
    with store._session.upkeep.held():
        Fold.of(store._session).run()


def test_a_new_id_asks_nothing(store: LanceBackend) -> None:
    """Once it is known what there is, a new id asks nothing; moves, batches and upkeep of its own do not end that."""
    assert _asks(store, "new") == ["new"]
    assert store.latest(["new"]) == {}
    assert _asks(store, "new", "id3") == ["id3"]
    store.commit([record("moved")])
    _move(store)
    assert _asks(store, "new", "moved") == ["moved"]
    store.commit([record(f"bulk{n}") for n in range(8)])
    assert _asks(store, "new", "bulk7", "moved", "id0") == ["bulk7", "moved", "id0"]
    with store._session.upkeep.held():
        extend_indexes(store._session, all_rows=True)
    assert _asks(store, "new", "bulk7", "moved", "id0") == ["bulk7", "moved", "id0"]
    assert store.versions("new") == []
    assert [one.version for one in store.versions("moved")] == [1]


def test_bringing_pays(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids of a large table are brought when as much was asked as that costs, and of a very large one never."""
    monkeypatch.setattr(known, "PER_ID", 0)
    monkeypatch.setattr(known, "PER_QUERY", 3)
    for asked in (["new"], ["new"], []):
        store.latest(["new"])
        assert _asks(store, "new") == asked
    monkeypatch.setattr(known, "MOST", 15)
    store.commit([record(f"more{n}") for n in range(8)])
    store.erase(["id0"])  # after which nothing is known of the table that was written anew
    assert store._session.catalog().memories.count() == 15
    for _ in range(6):
        store.latest(["new"])
    assert _asks(store, "new") == []
    store.commit([record(f"again{n}") for n in range(8)])
    store.erase(["id1"])
    for _ in range(9):
        store.latest(["new"])
    assert _asks(store, "new") == ["new"]


def test_many_added(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added ids stay known when they are sorted in."""
    monkeypatch.setattr(known, "_BESIDE", 10)
    store.latest(["new"])
    for batch in range(3):
        store.commit([record(f"{batch}-{n}") for n in range(8)])
    there = [f"{batch}-{n}" for batch in range(3) for n in range(8)]
    assert _asks(store, "new", *there, "id5") == [*there, "id5"]


_OTHER = """
import sys
from memplug.backends.lancedb import open_lancedb, writes
from memplug.backends.lancedb.fold import Fold
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import *
writes.BULK = 8
store = open_lancedb(BackendRequest(location=sys.argv[1], profile=PROFILE))
session = store._session
print("open", flush=True)
for line in sys.stdin:
    what, name = line.split()
    if what == "single":
        store.commit([record(name)])
    if what == "batch":
        store.commit([record(name), *(record(f"{name}-{n}") for n in range(8))])
    if what in ("move", "stopped"):
        fold = Fold.of(session)
        for step in (fold.archive, fold.settle, fold.clear)[: 2 if what == "stopped" else 3]:
            step()
    if what == "maintain":
        store.maintain()
    if what == "erase":
        store.erase([name])
    print("done", flush=True)
store.close()
"""


def test_what_another_process_wrote(store: LanceBackend, tmp_path: Path) -> None:
    """An id that another process brought in by any way is known at the next call, as is one that it took away."""
    command = [sys.executable, "-c", _OTHER, str(tmp_path / "store")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        stdin, stdout = cast("Any", other.stdin), cast("Any", other.stdout)
        assert stdout.readline() == "open\n"

        def do(*lines: str) -> None:
            for line in lines:
                stdin.write(f"{line}\n")
                stdin.flush()
                assert stdout.readline() == "done\n"

        ways = (
            ("single {}",),
            ("single {}", "move -"),
            ("single {}", "stopped -"),
            ("batch {}",),
            ("batch {}", "maintain -"),
            ("single {}", "move -", "single {}x", "move -"),
            ("single {}", "erase {}", "single {}"),
            ("batch {}", "erase {}-1"),
        )
        for turn, (way, mine) in enumerate(itertools.product(ways, ("commit", "latest", "versions"))):
            name = f"new{turn}"
            store.latest([name])
            assert _asks(store, name) == [], "nothing is known, so nothing is tested"
            do(*(line.format(name) for line in way))
            if mine == "latest":
                assert store.latest([name])[name].version == 1
            if mine == "versions":
                assert len(store.versions(name)) == 1
            with pytest.raises(VersionConflict):
                store.commit([record(name)])
            store.commit([changed(record(name))])
            if turn % 3 == 0:
                _move(store)
        do("erase new0")
        store.commit([record("new0")])
        assert store.count(EVERYTHING) == len(store.ids(EVERYTHING))
        stdin.close()
    assert other.returncode == 0
