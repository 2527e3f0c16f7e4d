"""Erasure: a marker word goes in by every way there is; after erasing nothing on the disk gives it back.

What is looked at: the bytes of every file, and every row of every version of every table as LanceDB reads it, since
files may be compressed. Indexes are files; they hold words and ids as they are.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import lancedb
import pytest
from PIL import Image

from memplug import Media, Memory, hookimpl
from memplug.exceptions import NotFound
from memplug.store import View
from support import Clock, png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.scoped import ScopedMemory

#: Each way in has its own word after this.
MARK = "xylophonequartz"
EMBEDDER = "hashing:64"
#: A colour each, so that no two pictures are one.
_COLORS = itertools.count(1)


class Describer:
    """Sees the marker in every picture but those of somebody who stays."""

    name = "eyes"

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("eyes", lambda: self)

    def accepts(self, media: Media) -> bool:
        """Photographs only."""
        return media.content_type == "image/jpeg"

    def describe(self, media: Media, *, context: str) -> str:
        """What it sees."""
        assert media.data
        return f"{MARK}seen beside {context}"


def picture(word: str = "") -> bytes:
    """A picture of its own, with a word in its EXIF data."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = word
    Image.new("RGB", (30, 30), f"#{next(_COLORS):06x}").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def _messages() -> list[dict[str, Any]]:
    url = "data:image/jpeg;base64," + base64.b64encode(picture()).decode()
    return [
        {"role": "user", "name": f"{MARK}speaker", "content": f"{MARK}turn one"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": f"{MARK}alongside"},
                {"type": "image_url", "image_url": {"url": url}},
            ],
        },
    ]


def _archive(folder: Path, clock: Clock) -> Path:
    with Memory(folder / "other", embedder=EMBEDDER, clock=clock) as other:
        first = other.add(f"{MARK}importedold", user_id="other", key=f"{MARK}importedkey").ids[0]
        other.update(first, f"{MARK}imported")
        other.add(picture(f"{MARK}importedexif"), user_id="other", description=f"{MARK}importedpicture")
        other.export(folder / "other.zip")
    return folder / "other.zip"


def _edits(mine: ScopedMemory, clock: Clock) -> None:
    """Versions that are not the current one any more, and memories that are not there any more."""
    changed = mine.add(f"{MARK}versionone", key="changed").ids[0]
    mine.update(changed, f"{MARK}versiontwo", metadata={"is": f"{MARK}versionmetadata"})
    mine.update(changed, "harmless", metadata=None)
    deleted = mine.add(f"{MARK}deleted").ids[0]
    mine.delete(deleted)
    restored = mine.add(f"{MARK}restored").ids[0]
    mine.delete(restored)
    mine.restore(restored, 1)
    mine.add(f"{MARK}expired", expires_at=clock() + timedelta(seconds=1))
    mine.add(picture(f"{MARK}expiredexif"), expires_at=clock() + timedelta(seconds=1))


def fill(memory: Memory, folder: Path, clock: Clock, pause: Callable[[], object], user: str) -> None:
    """Lets the marker in by every way there is, with something to do in between."""
    mine = memory.scoped(user_id=user)
    mine.add(f"a text about {MARK}text")
    pause()
    mine.add(_messages(), run_id=f"{MARK}run", agent_id=f"{MARK}agent", bucket=f"{MARK}bucket")
    (named := folder / f"{MARK}filename.jpg").write_bytes(picture(f"{MARK}exif"))
    mine.add(named, description=f"{MARK}description")
    mine.add("a word", key=f"{MARK}key", tags=[f"{MARK}tag"], metadata={f"{MARK}field": [f"{MARK}value"]})
    pause()
    _edits(mine, clock)
    for word in ("mergedone", "mergedtwo"):
        mine.add("said twice", tags=[f"{MARK}{word}tag"], metadata={word: f"{MARK}{word}"})
    mine.add(picture(), description=f"{MARK}pending", wait=False)
    pause()
    assert memory.import_(_archive(folder, clock), user_id=user).rejected == ()
    clock.advance(seconds=2)


WORDS = (
    "text",
    "speaker",
    "turn",
    "alongside",
    "run",
    "agent",
    "bucket",
    "filename",
    "exif",
    "description",
    "key",
    "tag",
    "field",
    "value",
    "versionone",
    "versiontwo",
    "versionmetadata",
    "deleted",
    "restored",
    "expired",
    "expiredexif",
    "mergedone",
    "mergedtwo",
    "mergedonetag",
    "pending",
    "seen",
    "imported",
    "importedold",
    "importedkey",
    "importedexif",
    "importedpicture",
)


def dump(store: Path) -> str:
    """Everything that the store's files hold, and every row of every version of every table."""
    files = [path for path in store.rglob("*") if path.is_file()]
    raw = b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files).decode("latin-1")
    connection = lancedb.connect(str(store / "tables"))
    for folder in (store / "tables").glob("*.lance"):
        table = connection.open_table(folder.stem)
        for version in table.list_versions():
            table.checkout(version["version"])
            raw += str(table.search().limit(100_000).to_list())
    return raw


def marks(store: Path) -> set[str]:
    """The ways in whose word is still there."""
    return {found.removeprefix(MARK) for found in re.findall(f"{MARK}[a-z]*", dump(store).lower())}


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    """A store with memories of somebody who stays."""
    with Memory(tmp_path / "store", embedder=EMBEDDER, plugins=[Describer()], clock=clock) as opened:
        opened.add([f"a word that stays {n}" for n in range(5)], user_id="stays")
        opened.add(png(), user_id="stays", description="a picture that stays")
        yield opened


def _whole(memory: Memory) -> None:
    """What is somebody else's is untouched."""
    items = memory.get_all(user_id="stays").items
    assert len(items) == 6
    assert len(memory.search("stays", user_id="stays")) == 6
    assert [memory.media(item.id) for item in items if item.media] == [png()]
    assert memory.doctor().ok


@pytest.mark.parametrize("moved", ["recent", "moved", "both"])
def test_everything_of_a_user(memory: Memory, tmp_path: Path, clock: Clock, moved: str) -> None:
    """After `delete_all(erase=True)` no word that ever went in is anywhere, wherever it had come to lie."""
    fill(memory, tmp_path, clock, memory.maintain if moved == "both" else lambda: None, f"{MARK}user")
    memory.close()
    with Memory(tmp_path / "store", clock=clock) as again:
        if moved == "moved":
            again.maintain()
        gone = {"expired", "expiredexif"} if moved == "moved" else set()
        assert {*WORDS, "user"} - marks(tmp_path / "store") == gone, "the test does not see what it looks for"
        assert again.delete_all(user_id=f"{MARK}user", erase=True) > 10
        assert marks(tmp_path / "store") == set()
        assert len(list(again.engine.store.backend.list_media())) == 2
        _whole(again)
    assert marks(tmp_path / "store") == set()


def test_each_memory(memory: Memory, tmp_path: Path, clock: Clock) -> None:
    """Erased one by one, each memory takes its own words along, and the others keep theirs until their turn."""
    fill(memory, tmp_path, clock, lambda: None, "gone")
    memory.maintain()
    before = marks(tmp_path / "store")
    ids = memory.engine.store.ids(View(scope=memory.scoped(user_id="gone").scope))
    for id_ in ids[:5]:
        memory.delete(id_, erase=True)
        with pytest.raises(NotFound):
            memory.history(id_)
    assert set() < marks(tmp_path / "store") & set(WORDS) < before & set(WORDS)
    assert memory.delete_all(user_id="gone", erase=True) == len(ids) - 5
    assert marks(tmp_path / "store") == set()
    _whole(memory)


def test_shared_media_stays(memory: Memory) -> None:
    """An original that several memories name, also of other users or in older versions, goes with the last of them."""
    shared, backend = picture(), memory.engine.store.backend
    one = memory.add(shared, user_id="one", key="a").ids[0]
    two = memory.add(shared, user_id="two").ids[0]
    older = memory.add(shared, user_id="three", key="b").ids[0]
    memory.add(picture(), user_id="three", key="b")
    item = memory.get(two)
    assert item.media is not None
    for erased, left in ((one, {two, older}), (two, {older})):
        memory.delete(erased, erase=True)
        assert {item.media.digest, item.media.thumbnail} <= set(backend.list_media())
        assert all(memory.history(id_) for id_ in left)
    memory.delete(older, erase=True)
    assert len(list(backend.list_media())) == 2
    _whole(memory)


@pytest.mark.parametrize("backend", ["whole", "tables"])
def test_expired_media_goes(memory: Memory, tmp_path: Path, clock: Clock, backend: str) -> None:
    """Maintenance removes what has expired with its originals; so does the backend's own, which nobody asks for."""
    ends = clock() + timedelta(seconds=1)
    memory.add(picture(f"{MARK}exif"), user_id="gone", description=f"{MARK}words", expires_at=ends)
    memory.add(f"{MARK}text", user_id="gone", expires_at=ends)
    clock.advance(seconds=2)
    if backend == "whole":
        memory.maintain()
    else:
        memory.engine.store.backend.maintain(now=clock())
    assert marks(tmp_path / "store") == set()
    assert len(list(memory.engine.store.backend.list_media())) == 2
    _whole(memory)


_KILLED = """
import os, signal, sys
from memplug import Memory

store, place = sys.argv[1], int(sys.argv[2])
memory = Memory(store)
seen = []

def look(event, arguments):
    if event in {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"} and store in str(arguments[0]):
        seen.append(event)
        if len(seen) == place:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(look)
memory.delete_all(user_id="gone", erase=True)
print(len(seen), flush=True)
os._exit(0)
"""


def _killed(store: Path, place: int) -> int | None:
    """Erases in a process that is killed at its n-th step on files; gives the number of steps where it came through."""
    command = [sys.executable, "-c", _KILLED, str(store), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, -9}, done.stderr
    return int(done.stdout) if done.returncode == 0 else None


def _survived(store: Path, place: int) -> int | None:
    """One kill, and what holds after it: what is not shown any more is gone, and trying again takes the rest."""
    with Memory(store, embedder=EMBEDDER) as memory:
        memory.add(picture(f"{MARK}exif"), user_id="gone", description=f"{MARK}words")
        memory.maintain()
        memory.add(picture(f"{MARK}exiftoo"), user_id="gone", description=f"{MARK}wordstoo", key="k")
        memory.add(f"{MARK}later", user_id="gone", key="k")
    steps = _killed(store, place)
    with Memory(store) as memory:
        if not memory.get_all(user_id="gone"):
            assert marks(store) == set(), f"at step {place}: it is gone from reads, and not from the disk"
        memory.delete_all(user_id="gone", erase=True)
        assert marks(store) == set(), f"at step {place}: left after trying again"
        assert len(list(memory.engine.store.backend.list_media())) == 2
        _whole(memory)
    return steps


@pytest.mark.parametrize("place", [12, 30, 48])
def test_killed_erasure(memory: Memory, tmp_path: Path, place: int) -> None:
    """An erasure that is killed is finished by the next one who opens the store, or done by trying again."""
    memory.close()
    _survived(tmp_path / "store", place)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_erasure_killed_anywhere(memory: Memory, tmp_path: Path) -> None:
    """The same at every single step: `pytest -m slow tests/hostile/test_erasure.py`."""
    memory.close()
    for place in itertools.count(1):
        if _survived(tmp_path / "store", place) is not None:
            assert place > 20
            return
