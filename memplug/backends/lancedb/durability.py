"""Making files survive a power cut. LanceDB itself never calls fsync."""

from __future__ import annotations

import os
from pathlib import Path

#: The parts of a table that a commit adds files to.
_PARTS = ("data", "_deletions", "_indices", "_transactions", "_versions")


def sync_file(path: Path) -> None:
    """Asks the system to write a file's bytes to the disk before going on."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """The same for a folder: the names in it. Passed over where the system cannot open folders (Windows)."""
    if os.name != "nt":
        _sync(path, os.O_RDONLY)


def sync_data(handle: int) -> None:
    """Asks the same for what was written to an open file, but for its times."""
    getattr(os, "fdatasync", os.fsync)(handle)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class TableSync:
    """Syncs what a commit added to a table, each file once.

    Args:
        path: The table's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: set[str] = set()

    def sync(self) -> None:
        """Syncs every file that was not synced before, then the folders that hold them.

        Data goes before the manifest that names it (`_PARTS` is in that order), so that a power cut in between
        leaves the older, whole version. A manifest that another commit adds meanwhile waits for that one's own sync:
        what it names may be missed here.
        """
        settled = set(self._manifests())
        present: set[str] = set()
        for part in _PARTS:
            folders: set[str] = set()
            if part == _PARTS[-1]:
                sync_folder(self.path)  # the first deletion makes a new part, which a manifest must not come before
            for folder, inside, files in os.walk(self.path / part):
                # A folder of an index is a name in the one above.
                subfolders = {os.path.join(folder, name) for name in inside}  # noqa: PTH118 - as below
                folders.update({folder} if subfolders - self._done else ())
                present |= subfolders
                for name in files:
                    path = os.path.join(folder, name)  # noqa: PTH118 - thousands of files, and a set of texts
                    if part == _PARTS[-1] and path not in settled:
                        continue
                    present.add(path)
                    if path in self._done:
                        continue
                    try:
                        sync_file(Path(path))
                    except FileNotFoundError:
                        continue  # another process cleaned up
                    folders.add(folder)
            for folder in sorted(folders, reverse=True):
                sync_folder(Path(folder))
        sync_folder(self.path)
        if not self._done:
            sync_folder(self.path.parent)  # the table's own name, too
        self._done = present

    def _manifests(self) -> list[str]:
        return [os.path.join(folder, name) for folder, _, names in os.walk(self.path / _PARTS[-1]) for name in names]  # noqa: PTH118 - as in `sync`
