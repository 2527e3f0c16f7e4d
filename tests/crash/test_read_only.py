"""A store in a folder that its reader may not write, and that belongs to somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memplug import Memory
from support import png

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no user ids")

_NOBODY = 65_534

_READER = """
import sys
from memplug import Memory
from memplug.exceptions import StoreReadOnly
from memplug.reindex import reindex
from memplug.settings import Settings

store, archive, copy = sys.argv[1:]
with Memory(store, read_only=True) as memory:
    item, picture = memory.get(key="text", user_id="wang"), memory.get(key="picture", user_id="wang")
    assert [hit.text for hit in memory.search("first word", user_id="wang")][0] == "a first word"
    assert memory.search("changed", user_id="wang", explain=True)[0].shares
    assert len(memory.get_all(user_id="wang")) == 4
    assert [one.text for one in memory.history(item.id)] == ["a word", "a changed word"]
    assert memory.search("word", user_id="wang", as_of=item.updated_at)
    assert memory.media(picture.id)[:4] == b"\\x89PNG"
    assert memory.open_media(picture.id, thumbnail=True).read(4) == b"RIFF"
    assert memory.search("picture", user_id="wang")[0].image.size == (40, 30)
    assert memory.export(copy).memories == 4
    assert memory.doctor().ok
    for write in (
        lambda: memory.add("more", user_id="wang"),
        lambda: memory.import_(archive),
        lambda: memory.update(item.id, "more"),
        lambda: memory.restore(item.id, 1),
        lambda: memory.delete(item.id),
        lambda: memory.delete(item.id, erase=True),
        lambda: memory.delete_all(user_id="wang"),
        lambda: memory.delete_all(user_id="wang", erase=True),
        lambda: memory.doctor(repair=True),
        memory.maintain,
        lambda: reindex(Settings(location=store, read_only=True), "hashing:128"),
    ):
        try:
            write()
        except StoreReadOnly:
            continue
        raise AssertionError("a write was not refused")
print("read")
"""

_WRITER = """
import sys
from memplug import Memory
from memplug.exceptions import StoreReadOnly

try:
    Memory(sys.argv[1]).add("more", user_id="wang")
except StoreReadOnly:
    print("refused")
"""


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A store with memories in both tiers and an archive of another one, in folders that nobody may write."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv to give a superuser's rights away with")
    with Memory(tmp_path / "other", embedder="hashing:64") as other:
        other.add("an imported word", user_id="li")
        other.export(tmp_path / "archive.zip")
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        memory.add("a first word", user_id="wang")
        memory.add("a word", key="text", user_id="wang")
        memory.maintain()
        memory.add("a changed word", key="text", user_id="wang")
        memory.add(png(), key="picture", description="a word for a picture", user_id="wang")
        memory.add("a late word", user_id="wang")
    for root, _, names in os.walk(tmp_path / "store"):
        for path, mode in ((Path(root), 0o555), *((Path(root, name), 0o444) for name in names)):
            path.chmod(mode)
            if os.geteuid() == 0:
                os.chown(path, _NOBODY, _NOBODY)
    return tmp_path


def _run(program: str, *arguments: object) -> str:
    """Runs a program that may not do what a file's mode forbids."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    if os.geteuid() == 0:
        # Still called root, since the interpreter may lie in root's home, but without a superuser's rights.
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _listed(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_folder_that_cannot_be_written(sealed: Path) -> None:
    """Every read works, each write is one typed error, and nothing in the folder has changed."""
    before = _listed(sealed / "store")
    assert _run(_READER, sealed / "store", sealed / "archive.zip", sealed / "copy.zip") == "read\n"
    assert _listed(sealed / "store") == before


def test_writer_without_rights(sealed: Path) -> None:
    """Who opens such a store for writing is told that it is read-only, at the latest by the first write."""
    assert _run(_WRITER, sealed / "store") == "refused\n"
