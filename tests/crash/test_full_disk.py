"""The LanceDB store on a disk without room, a real one: a small file system in memory."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from memplug import Memory
from memplug.backends.lancedb import writes
from memplug.exceptions import StoreFull
from memplug.reindex import reindex
from memplug.settings import Settings
from support import png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")

_ROOM = 16 * 2**20
_PAGE = 4_096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (mount := shutil.which("mount")) is None:
        pytest.skip("there is no mount command, so no small disk can be made")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={_ROOM}", "memplug-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.strip()}")
    yield folder
    gc.collect()  # errors hold on to tables, and these to files
    subprocess.run(["umount", str(folder)], check=True)


def _fill(disk: Path) -> Path:
    """Takes all the room that there is."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (2**16, 2**12, 2**9, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def _use_up(memory: Memory, disk: Path) -> None:
    """Leaves no room in the page that the journal ends in: a small commit would find some there."""
    sizes = []
    for padding in (0, 0, None):
        [journal] = disk.glob("store/tables/recent-*.journal/*.log")
        sizes.append(journal.stat().st_size)
        # Metadata is not analysed, so that a sign more is a byte more.
        taken = _PAGE - (2 * sizes[-1] - sizes[-2]) % _PAGE if padding is None else padding
        memory.add(f"pad {len(sizes)}", user_id="pad", metadata={"x": "x" * taken})
    assert -journal.stat().st_size % _PAGE < 8


def _seen(memory: Memory) -> list[object]:
    """What every read answers."""
    items = memory.get_all(user_id="wang").items
    return [
        sorted((item.text, item.key or "", item.version) for item in items),
        sorted(hit.id for hit in memory.search("word", user_id="wang", top_k=50)),
        sorted(hit.id for hit in memory.search("word", user_id="wang", filters={"key": "picture"})),
        [[one.text for one in memory.history(item.id)] for item in items[:2]],
        memory.get(key="text", user_id="wang").version,
        memory.media(memory.get(key="picture", user_id="wang").id),
    ]


def _writes(memory: Memory, disk: Path, archive: Path) -> dict[str, Callable[[], object]]:
    """Every verb that needs room."""
    text, picture = memory.get(key="text", user_id="wang"), memory.get(key="picture", user_id="wang")
    return {
        "add": lambda: memory.add("one more word", user_id="wang"),
        "add a picture": lambda: memory.add(png("green", (200, 200)), user_id="wang", description="word"),
        "upsert": lambda: memory.add("another word", key="text", user_id="wang"),
        "batch": lambda: memory.add([f"word {n}" for n in range(60)], user_id="wang"),
        "update": lambda: memory.update(text.id, "a changed word"),
        "restore": lambda: memory.restore(text.id, 1),
        "delete": lambda: memory.delete(text.id),
        "delete_all": lambda: memory.delete_all(user_id="wang"),
        "erase": lambda: memory.delete(picture.id, erase=True),
        "erase all": lambda: memory.delete_all(user_id="wang", erase=True),
        "import": lambda: memory.import_(archive),
        "export": lambda: memory.export(disk / "export.zip"),
    }


def test_full_disk(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write is one typed error that changes nothing, every read goes on, and with room again all works."""
    monkeypatch.setattr(writes, "BULK", 50)
    with Memory(tmp_path / "other", embedder="hashing:64") as other:
        other.add([f"an imported word {n}" for n in range(5)], user_id="li")
        other.export(archive := tmp_path / "other.zip")
    with Memory(disk / "store", embedder="hashing:64") as memory:
        for n in range(12):
            memory.add(f"word {n}", user_id="wang")
        for text in ("the first word", "the second word"):
            memory.add(text, key="text", user_id="wang")
        memory.add(png(), key="picture", description="a word for a picture", user_id="wang")
        memory.maintain()
        memory.add("a late word", user_id="wang")
        _use_up(memory, disk)
        before = _seen(memory)
        filler = _fill(disk)
        for name, write in _writes(memory, disk, archive).items():
            with pytest.raises(StoreFull):
                write()
            assert _seen(memory) == before, name
            _fill(disk)
        assert memory.doctor().ok
        with Memory(disk / "store", read_only=True) as reader:
            assert _seen(reader) == before
        filler.unlink()
        assert _seen(memory) == before
        _go_on(memory, disk, archive)


def _go_on(memory: Memory, disk: Path, archive: Path) -> None:
    """Everything works again, through the handle that met the full disk."""
    verbs = _writes(memory, disk, archive)
    for name in ("add", "add a picture", "upsert", "batch", "update", "restore", "import", "export", "erase", "delete"):
        verbs[name]()
    memory.maintain()
    assert memory.doctor(repair=True).ok
    assert len(memory.get_all(user_id="li")) == 5
    found = [item.text for item in memory.get_all(user_id="wang", filters={"text": {"contains": "one more"}})]
    assert found == ["one more word"]
    verbs["erase all"]()
    assert len(memory.get_all(user_id="wang")) == 0
    assert list(memory.engine.store.backend.list_media()) == []


def test_maintenance_on_a_full_disk(disk: Path) -> None:
    """Maintenance and reindexing that find no room lose nothing, and leave no half-made table in the way."""
    settings = Settings(location=str(disk / "store"))
    with Memory(disk / "store", embedder="hashing:64") as memory:
        memory.add([f"word {n}" for n in range(100)], user_id="wang")
        memory.add(png(), key="picture", description="a word for a picture", user_id="wang")
        memory.add("a word under a key", key="text", user_id="wang")
        before = _seen(memory)
        filler = _fill(disk)
        with pytest.raises(StoreFull):
            memory.maintain()
        assert _seen(memory) == before
    with pytest.raises(StoreFull):
        reindex(settings, "hashing:128")
    with Memory(disk / "store") as memory:
        assert _seen(memory) == before
        filler.unlink()
        assert len(list((disk / "store" / "tables").iterdir())) == 3
        memory.maintain()
        assert _seen(memory) == before
    reindex(settings, "hashing:128")
