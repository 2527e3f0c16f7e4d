"""What the LanceDB backend promises of rebuilding: interrupted, resumed, beside other work, on a full disk."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from memplug.backends.lancedb import rebuild
from memplug.backends.lancedb.backend import LanceBackend
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.folder import Folder, Pointer
from memplug.exceptions import EmbedderMismatch, MalformedInput, StoreFull
from memplug.plugins.protocols import BackendRequest, StoreProfile
from memplug.testing.records import EVERYTHING, PROFILE, changed, chosen, deletion, direction, ids, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.backends.lancedb.locks import StoreLock
    from memplug.values.item import Record

NEW = StoreProfile(embedder="other", dimension=3)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LanceBackend]:
    """An empty store that is copied ten rows at a time."""
    monkeypatch.setattr(rebuild, "COPY_ROWS", 10)
    backend = LanceBackend(BackendRequest(location=str(tmp_path / "store"), profile=PROFILE))
    yield backend
    backend.close()


def _folder(store: LanceBackend) -> Folder:
    return cast("Folder", store._session.folder)


def _made_new(records: list[Record]) -> list[Record]:
    return [replace(one, vector=np.ones(3, dtype=np.float32)) for one in records]


def _interrupted(store: LanceBackend, error: Exception) -> None:
    batches: list[int] = []

    def failing(records: list[Record]) -> list[Record]:
        batches.append(len(records))
        if len(batches) > 2:
            raise error
        return _made_new(records)

    with pytest.raises(type(error)):
        store.rebuild(NEW, failing)


def _move(store: LanceBackend) -> None:
    with store._session.upkeep.held():
        Fold.of(store._session).run()


def test_resumed_after_changes(store: LanceBackend) -> None:
    """What changed and moved on while a rebuild lay interrupted never comes back in its older version."""
    first = [record(f"id{n:02}", text="old", vector=direction(1)) for n in range(25)]
    store.commit(first)
    _interrupted(store, MalformedInput("the model went away"))
    store.commit([*(changed(one, text="new") for one in first[:20]), deletion(first[20])])
    _move(store)
    assert store.rebuild(NEW, _made_new) == 24
    assert store.match(["old"], chosen()) == [] or ids(store.match(["old"], chosen())) == [
        "id24",
        "id23",
        "id22",
        "id21",
    ]
    assert {one.version for one in store.latest(ids(first[:21])).values()} == {2}
    assert [one.version for one in store.versions("id00")] == [1, 2]
    catalog = store._session.catalog()
    assert len(catalog.overlay) + catalog.memories.count() + catalog.history.count() == 46


def test_resumed_after_maintenance(store: LanceBackend) -> None:
    """Maintenance keeps what an interrupted rebuild had converted."""
    store.commit([record(f"id{n:02}") for n in range(25)])
    _move(store)
    _interrupted(store, MalformedInput("the model went away"))
    store.maintain()
    again: list[str] = []
    assert store.rebuild(NEW, lambda records: [again.append(one.id) or one for one in _made_new(records)]) == 25  # type: ignore[func-returns-value] # append gives None
    assert len(again) == 5
    assert not _folder(store).note.exists()


def test_begun_anew_after_erasure(store: LanceBackend, tmp_path: Path) -> None:
    """An erasure takes the copies of an interrupted rebuild along, and the next run begins anew."""
    store.commit([record(f"id{n:02}", text=f"word{n:02}") for n in range(25)])
    _interrupted(store, MalformedInput("the model went away"))
    store.erase(["id03"])
    raw = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"word03" not in raw
    assert not _folder(store).note.exists(), "tables made by a later erasure could be taken for the rebuild's"
    assert store.rebuild(NEW, _made_new) == 24


def test_half_made_tables_lost(store: LanceBackend) -> None:
    """A rebuild whose half-made tables somebody removed begins anew."""
    store.commit([record(f"id{n:02}") for n in range(25)])
    _interrupted(store, MalformedInput("the model went away"))
    store._session.folder.remove_tables(keep=store._session.catalog().pointer.tables.values())
    assert store.rebuild(NEW, _made_new) == 25


def test_note_that_is_torn(store: LanceBackend) -> None:
    """A rebuild's note that a power cut left torn stops neither maintenance nor the next rebuild."""
    store.commit([record("a")])
    for torn in ("", "[", "[1]", "7", '[{}, {"recent": "recent-2"}]'):
        _folder(store).note.write_text(torn)
        store.maintain()
    assert store.rebuild(NEW, _made_new) == 1


def test_full_disk_gives_room_back(store: LanceBackend) -> None:
    """A rebuild that does not fit leaves none of its tables behind, so that others can go on writing."""
    store.commit([record(f"id{n:02}") for n in range(25)])
    _interrupted(store, StoreFull("no space left"))
    assert len(list(_folder(store).tables.iterdir())) == 3
    assert not _folder(store).note.exists()
    store.commit([record("b", vector=direction(1))])


def test_pointer_that_cannot_be_written(store: LanceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the switch itself fails, the store goes on as the one it was, also for what other handles do."""
    store.commit([record("a", vector=direction(1)), record("b")])
    other = LanceBackend(BackendRequest(location=str(_folder(store).root), profile=PROFILE))

    def full(_folder: Folder, _pointer: Pointer) -> None:
        raise StoreFull("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "point", full)
        with pytest.raises(StoreFull):
            store.rebuild(NEW, _made_new)
    other.erase(["b"])
    assert ids(store.nearest(direction(1), chosen())) == ["a"]
    other.close()


@pytest.mark.parametrize("dimension", [8, 3])
def test_commit_that_waited(store: LanceBackend, dimension: int) -> None:
    """A commit that was made before a rebuild and waits for its end is refused: its vectors mean something else."""
    store.commit([record("a", vector=direction(1))])
    profile = StoreProfile(embedder="other", dimension=dimension)
    refused: list[BaseException] = []
    waiting = threading.Event()

    def late() -> None:
        try:
            with store._committer._leading:
                waiting.set()
            store.commit([record("late", vector=direction(1))])
        except EmbedderMismatch as error:
            refused.append(error)

    with store._session.writing.held():
        thread = threading.Thread(target=late)
        thread.start()
        waiting.wait()
        while not store._committer._leading.locked() or store._committer._queue:
            pass
        rebuild.rebuild(
            store._session,
            profile,
            lambda records: [replace(one, vector=np.ones(dimension, dtype=np.float32)) for one in records],
            None,
        )
    thread.join()
    assert len(refused) == 1
    assert store.ids(EVERYTHING) == {"a"}


def test_commits_go_on_meanwhile(store: LanceBackend) -> None:
    """What is committed while a rebuild copies is converted too, mostly without making commits wait."""
    store.commit([record(f"id{n:02}") for n in range(25)])
    held: list[bool] = []

    def convert(records: list[Record]) -> list[Record]:
        held.append(cast("StoreLock", store._session.writing)._processes.is_locked)
        if len(held) in {3, 5, 7}:  # the last batch of a copy
            store.commit([record(f"more{len(held)}-{n:02}") for n in range(20)])
        return _made_new(records)

    assert store.rebuild(NEW, convert) == 85
    assert held == [False] * 9
