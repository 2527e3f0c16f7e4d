"""The doctor on stores that were damaged on purpose: every kind of damage is found, and repaired or named."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import pytest

from memplug import Memory
from memplug.backends.lancedb import health, writes
from memplug.backends.lancedb.columns import INDEXED
from memplug.exceptions import BackendError, EmbedderMismatch, StoreReadOnly
from memplug.pipelines.doctor import Report
from support import png

EMBEDDER = "hashing:64"
Damage = Callable[[Path], object]


def _table(store: Path, role: str) -> Any:
    [folder] = (store / "tables").glob(f"{role}-*.lance")
    return lancedb.connect(str(store / "tables")).open_table(folder.stem)


def _files(store: Path, pattern: str) -> list[Path]:
    found = sorted(path for path in store.glob(pattern) if path.is_file())
    assert found
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with memories in all three tables, some with originals."""
    place = tmp_path_factory.mktemp("doctor") / "store"
    with Memory(place, embedder=EMBEDDER) as memory:
        for n in range(4):
            memory.add(f"word {n}", key=f"key{n}", user_id="wang")
        memory.add(png(), key="picture", description="a word for a picture", user_id="wang")
        memory.add("changed word", key="key1", user_id="wang")
        memory.maintain()
        memory.add("late word", key="key2", user_id="wang")
        assert memory.doctor().ok
    return place


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be damaged."""
    return shutil.copytree(made, tmp_path / "store")


def _seen(memory: Memory) -> list[tuple[str, list[str]]]:
    items = sorted(memory.get_all(user_id="wang").items, key=lambda item: item.key or "")
    return [(item.text, [one.text for one in memory.history(item.id)]) for item in items]


def _wrong(report: Report) -> dict[str, tuple[int, int]]:
    return {check.name: (check.found, check.repaired) for check in report.checks if check.found}


def _drop_indexes(store: Path) -> None:
    for role in ("memories", "history"):
        _table(store, role).drop_index("user_id_idx")
    _table(store, "memories").drop_index("terms_idx")


def _lose_index_files(store: Path) -> None:
    for folder in (store / "tables").glob("memories-*.lance/_indices/*"):
        shutil.rmtree(folder)


def _double(store: Path) -> None:
    for role in ("memories", "history"):
        table = _table(store, role)
        table.add(table.search().limit(100).to_arrow())
    [journal] = _files(store, "tables/recent-*.journal/*.log")
    journal.write_bytes(journal.read_bytes() * 2)


def _lower_version(store: Path) -> None:
    older = _table(store, "history").search().limit(10).to_arrow()
    _table(store, "memories").add(older)
    _table(store, "history").delete("version >= 1")


def _leave_tables(store: Path) -> None:
    (store / "tables" / "memories-99.lance" / "data").mkdir(parents=True)


def _leave_media(store: Path) -> None:
    (store / "media" / "00").mkdir()
    (store / "media" / "00" / ("0" * 64)).write_bytes(b"nobody's")


@pytest.mark.parametrize(
    ("damage", "name", "count"),
    [
        (_drop_indexes, "indexes are there", 3),
        (_lose_index_files, "indexes are there", len(INDEXED) + 1),
        (_double, "one row per version", 7),
        (_lower_version, "one row per version", 1),
        (_leave_tables, "no half-made tables", 1),
        (_leave_media, "no original without memory", 1),
    ],
)
def test_repaired(store: Path, damage: Damage, name: str, count: int) -> None:
    """What can be repaired is found, changes nothing while one only looks, and is whole after the repair."""
    with Memory(store, read_only=True) as memory:
        before = _seen(memory)
    damage(store)
    with Memory(store, read_only=True) as memory:
        assert _wrong(memory.doctor())[name] == (count, 0)
        with pytest.raises(StoreReadOnly):
            memory.doctor(repair=True)
    with Memory(store) as memory:
        found = _wrong(memory.doctor(repair=True))
        assert found == ({} if name == "no half-made tables" else {name: (count, count)})  # opening removed those
        assert memory.doctor().ok
        assert _seen(memory) == before
        assert len(memory.search("word", user_id="wang")) == 5
    with Memory(store) as memory:
        assert _wrong(memory.doctor()) == {}
        assert _seen(memory) == before


def test_index_that_is_behind(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that leaves out too many memories is found and extended."""
    for name in ("TAIL_ROWS", "SCALAR_MOST", "TERMS_MOST"):
        monkeypatch.setattr(health, name, 1)
    with Memory(store) as memory:
        table = _table(store, "memories")
        rows = table.search().limit(10).to_arrow().to_pylist()
        table.add([row | {"id": f"{row['id']}x", "row_id": f"{row['row_id']}x", "user_id": "li"} for row in rows])
        assert _wrong(memory.doctor())["indexes cover"] == (len(INDEXED) + 1, 0)
        assert _wrong(memory.doctor(repair=True))["indexes cover"] == (len(INDEXED) + 1, len(INDEXED) + 1)
        assert "indexes cover" not in _wrong(memory.doctor())


def _lose_media(store: Path) -> None:
    for path in _files(store, "media/*/*"):
        path.unlink()


def _spoil_media(store: Path) -> None:
    for path in _files(store, "media/*/*"):
        path.write_bytes(b"something else")


@pytest.mark.parametrize(
    ("damage", "name"), [(_lose_media, "originals are there"), (_spoil_media, "originals are whole")]
)
def test_media_is_healed_by_adding_it_again(store: Path, damage: Damage, name: str) -> None:
    """An original or thumbnail that is gone or changed is named; the same file added again makes it whole."""
    damage(store)
    with Memory(store) as memory:
        assert _wrong(memory.doctor(repair=True))[name] == (2, 0)
        memory.add(png(), key="picture", description="a word for a picture", user_id="wang")
        assert memory.doctor().ok
        assert memory.media(memory.get(key="picture", user_id="wang").id) == png()


def _lose_rows(store: Path) -> None:
    for path in _files(store, "tables/memories-*.lance/data/*.lance"):
        path.unlink()


def _cut_rows(store: Path) -> None:
    for path in _files(store, "tables/memories-*.lance/data/*.lance"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [_lose_rows, _cut_rows])
def test_lost_rows_are_named(store: Path, damage: Damage) -> None:
    """A table that cannot be read is named, and no original goes for the reason that nobody can say whose it is."""
    damage(store)
    media = _files(store, "media/*/*")
    with Memory(store) as memory:
        for repair in (False, True):
            report = memory.doctor(repair=repair)
            assert not report.ok
            assert _wrong(report)["every memory can be read"][0] >= 1
    assert _files(store, "media/*/*") == media


def test_torn_version_is_set_aside(
    store: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that a power cut left without bytes does not keep the store from being opened, and is told of."""
    monkeypatch.setattr(writes, "BULK", 1)
    with Memory(store) as memory:
        before = _seen(memory)
        memory.add("under way", user_id="wang")
    newest = _files(store, "tables/memories-*.lance/_versions/*.manifest")[0]
    newest.write_bytes(b"")
    with pytest.raises(BackendError):
        Memory(store, read_only=True)
    with caplog.at_level(logging.WARNING), Memory(store) as memory:
        assert _seen(memory) == before
        assert newest.name in caplog.text
        memory.add("under way", user_id="wang")
        memory.maintain()
        assert memory.doctor().ok
        assert len(memory.get_all(user_id="wang")) == 6


def test_another_embedder_is_named(store: Path) -> None:
    """A store file that speaks of an embedder that is another one now is told at opening."""
    pointer = store / "store.json"
    pointer.write_text(pointer.read_text().replace("hashing:64", "hashing:65"))
    with pytest.raises(EmbedderMismatch):
        Memory(store)


def test_closed_store_is_no_finding(store: Path) -> None:
    """Examining a memory that was closed is an error, as every other call is."""
    memory = Memory(store)
    memory.close()
    with pytest.raises(BackendError, match="closed"):
        memory.doctor()
