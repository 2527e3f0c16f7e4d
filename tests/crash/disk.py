"""What a power cut leaves: a model of a disk that is fed with a program's system calls, recorded by strace.

A file's bytes are certain once the file was synced, a name once the folder was that it stands in. Of what was not
synced a disk may keep anything; three ways of that are told apart by `Kept`.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: ``synced``: nothing but what was synced. ``names``: every name, as on a file system with a journal, but only the
#: bytes that were synced. ``chance``: each change of a folder or not, and only the bytes that were synced.
Kept = Literal["synced", "names", "chance"]

_CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,ftruncate,fallocate,rename,renameat,renameat2,link,linkat,symlink,"
    "unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync,syncfs,copy_file_range,sendfile,io_uring_setup"
)
_LINE = re.compile(r"^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+|\?)(.*)$", re.DOTALL)
_HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FILE = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call.

    Args:
        name: Its name.
        files: The paths of the open files among its arguments.
        texts: Its texts.
        words: All arguments as they were printed.
        result: What it returned.
    """

    name: str
    files: list[str]
    texts: list[bytes]
    words: str
    result: int

    def path(self, place: int = 0) -> Path:
        """The path that an argument means, relative to the folder before it."""
        base = self.files[min(place, len(self.files) - 1)] if self.files else "/"
        return Path(base) / os.fsdecode(self.texts[place])


def traced(command: Sequence[str], logs: Path, told: str) -> list[Call]:
    """Runs a program under strace, and returns its calls in their order; each thread's are in a file of its own."""
    strace = shutil.which("strace")
    assert strace is not None
    options = ["-ff", "-ttt", "-y", "-xx", "-s", "100000000", "-o", str(logs / "log"), "-e", f"trace={_CALLS}"]
    done = subprocess.run(
        [strace, *options, *command], input=told, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    lines = [line for path in logs.glob("log.*") for line in path.read_text("ascii").splitlines()]
    found = [_LINE.match(line) for line in sorted(lines)]
    return [_call(one) for one in found if one is not None and one[4] != "?" and not one[4].startswith("-")]


def _call(match: re.Match[str]) -> Call:
    words = match[3]
    texts = _TEXT.findall(words)
    assert not any(cut for _, cut in texts), "strace cut a text off"
    rest = _TEXT.sub('""', words)
    files = [_HEX.sub(lambda one: _bytes(one[0]).decode(), path) for path in _FILE.findall(rest)]
    return Call(name=match[2], files=files, texts=[_bytes(text) for text, _ in texts], words=rest, result=int(match[4]))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass(slots=True, eq=False)
class File:
    """A file: its bytes, and those that are on the disk for certain."""

    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass(slots=True, eq=False)
class Folder:
    """A folder: its names, and those that are on the disk for certain."""

    names: dict[str, File | Folder] = field(default_factory=dict)
    synced: dict[str, File | Folder] = field(default_factory=dict)


class Disk:
    """A folder of a disk.

    Args:
        top: The folder; empty, and itself on the disk.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.folder = Folder()

    def take(self, call: Call) -> bool:
        """Does what a call did, and says whether it made something certain."""
        if not any(self._inside(path) for path in self._paths(call)):
            return False
        match call.name:
            case "openat" | "open" | "creat":
                self._open(call)
            case "write":
                self._file(Path(call.files[0])).data.extend(call.texts[0][: call.result])
            case "mkdir" | "mkdirat":
                self._set(call.path(), Folder())
            case "rename" | "renameat" | "renameat2" | "link" | "linkat":
                self._set(call.path(1), self._at(call.path(0)))
                if "rename" in call.name:
                    self._drop(call.path(0))
            case "unlink" | "unlinkat" | "rmdir":
                self._drop(call.path())
            case "fsync" | "fdatasync":
                return self._sync(Path(call.files[0]))
            case _:
                raise AssertionError(f"this model does not know {call.name}({call.words})")
        return False

    def _paths(self, call: Call) -> list[Path]:
        by_name = call.name not in {"write", "fsync", "fdatasync", "pwrite64", "writev", "pwritev", "ftruncate"}
        return [call.path(place) for place in range(len(call.texts))] if by_name else [Path(call.files[0])]

    def _inside(self, path: Path) -> bool:
        # The bytes of a lock file mean nothing, and a file that has no name any more never comes back.
        return path.is_relative_to(self.top) and path.suffix != ".lock" and not path.name.endswith("(deleted)")

    def _open(self, call: Call) -> None:
        path = call.path()
        there = self.folder if path == self.top else self._folder(path.parent).names.get(path.name)
        if there is None and "O_CREAT" in call.words:
            self._set(path, File())
        elif isinstance(there, File) and "O_TRUNC" in call.words:
            there.data.clear()

    def _folder(self, path: Path) -> Folder:
        found: File | Folder = self.folder
        for name in path.relative_to(self.top).parts:
            assert isinstance(found, Folder)
            found = found.names[name]
        assert isinstance(found, Folder)
        return found

    def _at(self, path: Path) -> File | Folder:
        return self.folder if path == self.top else self._folder(path.parent).names[path.name]

    def _file(self, path: Path) -> File:
        found = self._at(path)
        assert isinstance(found, File)
        return found

    def _set(self, path: Path, node: File | Folder) -> None:
        self._folder(path.parent).names[path.name] = node

    def _drop(self, path: Path) -> None:
        del self._folder(path.parent).names[path.name]

    def _sync(self, path: Path) -> bool:
        node = self._at(path)
        if isinstance(node, Folder):
            changed = node.synced != node.names
            node.synced = dict(node.names)
            return changed
        changed = node.synced != node.data
        node.synced = bytes(node.data)
        return changed

    def left(self, target: Path, kept: Kept, seed: int = 0) -> None:
        """Makes a folder of what is there after the power has come back."""
        chance = random.Random(seed)  # noqa: S311 - a seed must give the same each time
        self._copy(self.folder, target, kept, chance)

    def _copy(self, folder: Folder, target: Path, kept: Kept, chance: random.Random) -> None:
        target.mkdir()
        for name, node in sorted(_names(folder, kept, chance).items()):
            if isinstance(node, Folder):
                self._copy(node, target / name, kept, chance)
            else:
                (target / name).write_bytes(node.synced)


def _names(folder: Folder, kept: Kept, chance: random.Random) -> dict[str, File | Folder]:
    """Each change of a folder counts or not by itself, where chance decides."""
    if kept != "chance":
        return folder.names if kept == "names" else folder.synced
    found = dict(folder.synced)
    for name in sorted(folder.names.keys() | folder.synced.keys()):
        if chance.random() < 0.5:
            continue
        found.pop(name, None)
        if name in folder.names:
            found[name] = folder.names[name]
    return found


def acknowledged(calls: Sequence[Call], disk: Disk) -> Iterator[tuple[int, bool]]:
    """Goes through the calls, and stops after each one that made something certain, and at each acknowledgement.

    Yields:
        How many operations have returned, and whether the last one did so just now.
    """
    done = 0
    for call in calls:
        if call.name == "write" and call.words.startswith("1<") and (line := call.texts[0].strip()).isdigit():
            done = int(line) + 1
            yield done, True
        elif disk.take(call):
            yield done, False
