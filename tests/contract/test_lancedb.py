"""What the LanceDB backend promises beyond the contract: moves, bounds, erasure, rebuilding, durability."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lancedb
import numpy as np
import pytest

from memplug.backends.inmemory import open_inmemory
from memplug.backends.lancedb import open_lancedb, rebuild, upkeep, writes
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.trouble import lance_errors
from memplug.exceptions import (
    BackendError,
    ConfigError,
    EmbedderMismatch,
    MalformedInput,
    NoStore,
    StoreBusy,
    StoreFull,
    StoreReadOnly,
)
from memplug.plugins.protocols import BackendRequest, StoreProfile
from memplug.testing.records import EVERYTHING, PROFILE, at, changed, chosen, deletion, direction, ids, record
from memplug.values.filters import Compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.backends.lancedb.backend import LanceBackend
    from memplug.backends.lancedb.session import Session
    from memplug.plugins.protocols import Backend
    from memplug.values.item import Record


def opened(folder: Path, **fields: Any) -> Backend:
    """The store in a folder."""
    asked: dict[str, Any] = {"location": str(folder), "profile": PROFILE} | fields
    return open_lancedb(BackendRequest(**asked))


def session_of(backend: Backend) -> Session:
    """What the backend has open."""
    return cast("LanceBackend", backend)._session


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Backend]:
    """An empty store in ``tmp_path / "store"``."""
    backend = opened(tmp_path / "store")
    yield backend
    backend.close()


def _answers(backend: Backend) -> list[Any]:
    moments = [None, at(0), at(1), at(2)]
    return [
        *([(one.id, one.version, one.item.text) for one in backend.select(chosen(as_of=moment))] for moment in moments),
        *(sorted(ids(backend.nearest(direction(1), chosen(as_of=moment)))) for moment in moments),
        *(sorted(ids(backend.match(["one", "two"], chosen(as_of=moment)))) for moment in moments),
        *(backend.count(EVERYTHING, as_of=moment) for moment in moments),
        *([(one.version, one.item.valid_to) for one in backend.versions(id_)] for id_ in "abcd"),
        {id_: one.version for id_, one in sorted(backend.latest(list("abcd")).items())},
    ]


@pytest.fixture(scope="module")
def moves() -> list[tuple[list[Record], list[Any]]]:
    """Three commits, each with what every read answers after it, as the store in memory says."""
    reference = open_inmemory(BackendRequest(location="memory://", profile=PROFILE))
    one = {id_: record(id_, text="one", vector=direction(1)) for id_ in "abcd"}
    two = {id_: changed(one[id_], text="two") for id_ in "bcd"}
    three = [deletion(two["c"]), changed(two["d"], text="one")]
    found = []
    for batch in (list(one.values()), list(two.values()), three):
        reference.commit(batch)
        found.append((batch, _answers(reference)))
    return found


@pytest.mark.parametrize("first", range(4))
def test_move_that_stops_anywhere(tmp_path: Path, moves: list[tuple[list[Record], list[Any]]], first: int) -> None:
    """Wherever two moves stop, with a process ending there, every read answers as without them."""
    begun = tmp_path / "begun"
    _step(begun, moves[0], first)
    for second in range(4):
        folder = tmp_path / f"second{second}"
        shutil.copytree(begun, folder)
        _step(folder, moves[1], second)
        _step(folder, moves[2], 3)
        store = opened(folder)
        catalog = session_of(store).catalog()
        assert len(catalog.overlay) == 0
        assert catalog.memories.count() == 4
        assert catalog.history.count() == 5
        store.close()


def _step(folder: Path, move: tuple[list[Record], list[Any]], steps: int) -> None:
    """Commits and moves as far as told, and compares what that handle and the next one answer."""
    batch, expected = move
    store = opened(folder)
    store.commit(batch)
    _move(store, steps)
    assert _answers(store) == expected
    store.close()
    store = opened(folder)
    assert _answers(store) == expected
    store.close()


def _move(backend: Backend, steps: int) -> None:
    fold = Fold.of(session_of(backend))
    for step in (fold.archive, fold.settle, fold.clear)[:steps]:
        step()


def test_reader_during_move(store: Backend, tmp_path: Path) -> None:
    """Another handle sees neither too much nor too little after any single step of a move."""
    other = opened(tmp_path / "store", profile=None)
    first = record("a", text="one", vector=direction(1))
    store.commit([first, record("b", text="one", vector=direction(1))])
    store.commit([changed(first, text="two")])
    before = _answers(other)
    fold = Fold.of(session_of(store))
    for step in (fold.archive, fold.settle, fold.clear, fold.archive, fold.settle):
        step()
        assert _answers(other) == before
    other.close()


def test_bulk_goes_straight_on(store: Backend) -> None:
    """A large batch of new memories goes to the large table in one commit, and can be updated at once."""
    records = [record(f"id{n:04}", vector=direction(1, n)) for n in range(writes.BULK)]
    store.commit(records)
    catalog = session_of(store).catalog()
    assert (len(catalog.overlay), catalog.memories.count()) == (0, writes.BULK)
    store.commit([changed(records[7], text="new")])
    assert store.count(EVERYTHING) == writes.BULK
    assert store.latest(["id0007"])["id0007"].item.text == "new"


@pytest.mark.parametrize("value", ["\\' OR 1=1 --", "\\", "\\'", "' OR '1'='1"])
def test_count_cannot_be_talked_over(store: Backend, value: str) -> None:
    """A value that would end a SQL text is counted as a value."""
    store.commit([record("a"), record("b")])
    store.maintain()
    assert store.count(Compare("key", "eq", value)) == 0
    assert store.count(Compare("user_id", "ne", value)) == 2


def test_handles_see_each_other(store: Backend, tmp_path: Path) -> None:
    """What one handle commits, moves or erases the next read of another shows."""
    other = opened(tmp_path / "store", profile=None)
    for n in range(5):
        (store, other)[n % 2].commit([record(f"id{n}", text="word", vector=direction(1))])
        assert len(ids(other.select(chosen()))) == len(ids(store.match(["word"], chosen()))) == n + 1
    store.maintain()
    other.commit([changed(record("id0"))])
    store.erase(["id1"])
    assert other.count(EVERYTHING) == store.count(EVERYTHING) == 4
    assert other.versions("id1") == []
    other.close()


MARKER = "xylophonequartz"


def test_erased_is_gone_from_disk(store: Backend, tmp_path: Path) -> None:
    """After erasing no file holds the words, no version of a table gives them back, and others keep theirs."""
    fields: dict[str, Any] = {"tags": (MARKER,), "metadata": {MARKER: MARKER}, "key": MARKER, "vector": direction(1)}
    marked = record("gone", text=f"{MARKER} one", **fields)
    bulk = [record(f"id{n}", text="stays") for n in range(writes.BULK)]
    store.commit([*bulk, record("bulk", text=MARKER, **fields)])
    store.commit([marked])
    store.maintain()
    store.commit([changed(marked, text=f"{MARKER} two")])
    _move(store, 2)
    store.commit([record("fresh", text=MARKER, **fields)])
    assert MARKER in _dump(tmp_path / "store")
    store.erase(["gone", "bulk", "fresh"])
    assert MARKER not in _dump(tmp_path / "store")
    assert store.count(EVERYTHING) == writes.BULK
    assert len(store.match(["stays"], chosen(limit=2_000))) == writes.BULK


def _dump(folder: Path) -> str:
    """Everything that the folder's files hold, and every row of every version of every table."""
    raw = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode("latin-1")
    connection = lancedb.connect(str(folder / "tables"))
    for name in (path.stem for path in (folder / "tables").glob("*.lance")):
        table = connection.open_table(name)
        for version in table.list_versions():
            table.checkout(version["version"])
            raw += str(table.search().limit(10_000).to_list())
    return raw


def test_many_single_adds_stay_small(store: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many single adds leave few files and few bytes, without anybody asking for it."""
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 10)
    for n in range(120):
        store.commit([record(f"id{n:03}", text=f"word{n}", vector=direction(1, n))])
    deadline = time.monotonic() + 20
    while (files := _files(tmp_path / "store")) and len(files) > 90 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(files) <= 90
    assert sum(size for _, size in files) < 800_000
    assert store.count(EVERYTHING) == 120


def _files(folder: Path) -> list[tuple[str, int]]:
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found.append((name, (Path(root) / name).stat().st_size))
            except FileNotFoundError:
                continue  # maintenance was faster
    return found


def test_moves_by_itself(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once `recent` is large enough its rows move on, off the caller's path."""
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 20)
    for n in range(21):
        store.commit([record(f"id{n}", text="word")])
    catalog = session_of(store).catalog()
    deadline = time.monotonic() + 20
    while len(catalog.overlay) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert catalog.memories.count() >= 20
    assert len(store.match(["word"], chosen())) == 21


def test_close_is_prompt(tmp_path: Path) -> None:
    """Closing waits for at most a step of maintenance."""
    store = opened(tmp_path / "store")
    store.commit([record(f"id{n}") for n in range(upkeep.FOLD_ROWS - 1)])
    for n in range(2):
        store.commit([record(f"more{n}")])
    start = time.monotonic()
    store.close()
    assert time.monotonic() - start < 5


def test_read_only(store: Backend, tmp_path: Path) -> None:
    """A read-only handle answers every read, refuses every write, and leaves no trace in the folder."""
    store.commit([record("a", text="word", vector=direction(1))])
    store.close()
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    reader = opened(tmp_path / "store", read_only=True)
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
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_refusals(store: Backend, tmp_path: Path) -> None:
    """A place without store, another embedder, a newer format, a damaged file and a remote scheme are told apart."""
    store.close()
    with pytest.raises(NoStore):
        opened(tmp_path / "nothing", profile=None)
    with pytest.raises(NoStore):
        opened(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(EmbedderMismatch, match=r"contract.*other.*memplug reindex"):
        opened(tmp_path / "store", profile=StoreProfile(embedder="other", dimension=8))
    with pytest.raises(ConfigError, match="ftp://"):
        opened(cast("Path", "ftp://host/store"))
    pointer = tmp_path / "store" / "store.json"
    held = json.loads(pointer.read_text())
    pointer.write_text(json.dumps(held | {"profile": held["profile"] | {"format": 99}}))
    with pytest.raises(ConfigError, match="newer memplug"):
        opened(tmp_path / "store")
    pointer.write_text(json.dumps({"format": 2, "profile": {"embedders": []}}))
    with pytest.raises(ConfigError, match="newer memplug"):
        opened(tmp_path / "store")
    for change in ({"format": "2"}, {"format": None}, {"format": True}, {"dimension": "8"}, {"embedder": None}):
        pointer.write_text(json.dumps(held | {"profile": held["profile"] | change}))
        with pytest.raises(BackendError, match="damaged"):
            opened(tmp_path / "store")
    pointer.write_text(json.dumps(held | {"profile": held["profile"] | {"note": "of a later 1"}}))
    opened(tmp_path / "store").close()
    pointer.write_text("{")
    with pytest.raises(BackendError, match="damaged"):
        opened(tmp_path / "store")


def test_lancedb_url(tmp_path: Path) -> None:
    """``lancedb:///path`` means the path."""
    opened(tmp_path / "store").close()
    opened(cast("Path", f"lancedb://{tmp_path}/store"), profile=None).close()


def _made_new(records: list[Record]) -> list[Record]:
    return [replace(one, vector=np.ones(3, dtype=np.float32)) for one in records]


NEW = StoreProfile(embedder="other", dimension=3)


def test_rebuild_goes_on_where_it_stopped(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild that was cut off keeps what it converted, and until its end the store is the old one."""
    monkeypatch.setattr(rebuild, "COPY_ROWS", 10)
    store.commit([record(f"id{n}", vector=direction(1)) for n in range(25)])
    seen: list[str] = []

    def failing(records: list[Record]) -> list[Record]:
        if seen:
            raise MalformedInput("the model went away")
        seen.extend(ids(records))
        return _made_new(records)

    with pytest.raises(MalformedInput):
        store.rebuild(NEW, failing)
    assert len(store.nearest(direction(1), chosen())) == 25
    again: list[str] = []

    def going_on(records: list[Record]) -> list[Record]:
        again.extend(ids(records))
        return _made_new(records)

    assert store.rebuild(NEW, going_on) == 25
    assert sorted(seen + again) == sorted(f"id{n}" for n in range(25))
    assert seen


def test_rebuild_is_noticed(store: Backend, tmp_path: Path) -> None:
    """Other handles go on with the new tables, or say that the embedder is another one."""
    named, unnamed = opened(tmp_path / "store"), opened(tmp_path / "store", profile=None)
    store.commit([record("a", vector=direction(1))])
    store.rebuild(NEW, _made_new)
    assert ids(unnamed.nearest(np.ones(3, dtype=np.float32), chosen())) == ["a"]
    with pytest.raises(EmbedderMismatch):
        named.select(chosen())
    assert len(list((tmp_path / "store" / "tables").iterdir())) == 3
    for handle in (named, unnamed):
        handle.close()


def test_full_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``sync="full"`` every file that a commit wrote, and its folder, was synced when the commit returns."""
    store = opened(tmp_path / "store", sync="full")
    synced: set[int] = set()
    fsync, fdatasync = os.fsync, os.fdatasync

    def recording(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def recording_data(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fdatasync(handle)

    monkeypatch.setattr(os, "fsync", recording)
    monkeypatch.setattr(os, "fdatasync", recording_data)
    before = _sizes(tmp_path / "store")
    store.commit([record("a")])
    store.commit([record(f"id{n}") for n in range(writes.BULK)])
    store.put_media("0" * 64, b"data")
    new = {path for path, size in _sizes(tmp_path / "store").items() if before.get(path) != size}
    assert {path.suffix for path in new} >= {".manifest", ".log"}
    written = {path for path in new if "hint" not in path.name}
    assert {path.name for path in written if path.stat().st_ino not in synced} == set()
    assert {path.parent.name for path in written if path.parent.stat().st_ino not in synced} == set()
    store.close()


def _sizes(folder: Path) -> dict[Path, int]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: path.stat().st_size for path in files}


def test_busy_store(store: Backend, tmp_path: Path) -> None:
    """A writer that waits too long for another one is told that the store is busy, and nothing is written."""
    other = opened(tmp_path / "store")
    session_of(other).writing.patience = 0.1
    with session_of(store).writing.held(), pytest.raises(StoreBusy):
        other.commit([record("a")])
    assert other.count(EVERYTHING) == 0
    other.commit([record("a")])
    other.close()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(28, "No space left on device"), StoreFull),
        (RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), /src/x.rs"), StoreFull),
        (PermissionError(13, "Permission denied"), StoreReadOnly),
        (RuntimeError("IO: Read-only file system (os error 30)"), StoreReadOnly),
        (ValueError("something else"), BackendError),
    ],
)
def test_errors_are_typed(raised: Exception, expected: type[BackendError]) -> None:
    """What LanceDB raises becomes one typed error that keeps its cause."""
    with pytest.raises(expected) as caught, lance_errors("write"):
        raise raised
    assert type(caught.value) is expected
    assert caught.value.__cause__ is raised
