"""The files of an export: one file, an unpacked folder, or a ZIP; always found by name in a list, never by a path."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.pipelines.zips import check_directory, grows_too_much, opened_entry, opened_zip, too_tight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

#: Files of an export, so that a folder that is none (a whole disk) is not walked to its end.
_FILES = 200_000
#: macOS packs its own notes beside the files.
_IGNORED = re.compile(r"(^|/)(__MACOSX/|\.)")


class Bundle(ABC):
    """The files of an export.

    Args:
        name: What people call it.
        sizes: Bytes of each file, by its path inside the export.
    """

    name: str
    sizes: Mapping[str, int]

    @abstractmethod
    def opened(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file, open for reading, as a context.

        Raises:
            MalformedInput: It cannot be read.
            UnsafeInput: It is packed in a way that only serves to do harm.
        """

    def matching(self, pattern: re.Pattern[str]) -> list[str]:
        """The files whose last name matches as a whole, in the order of their names."""
        return sorted(name for name in self.sizes if pattern.fullmatch(PurePosixPath(name).name))

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a file.

        Raises:
            InputTooLarge: There are more than ``limit``.
            MalformedInput, UnsafeInput: See `opened`.
        """
        if self.sizes[name] > limit:
            raise InputTooLarge(f"{self.sizes[name]:,} bytes are too many; at most {limit:,} are taken")
        with self.opened(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise InputTooLarge(f"{name!r:.100} grew over {limit:,} bytes while it was read")
        return data

    def close(self) -> None:  # noqa: B027 - most have nothing open
        """Lets go of the files."""


class Folder(Bundle):
    """An unpacked export. Links in it lead nowhere: they may lead anywhere."""

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self._root = root
        found: dict[str, int] = {}
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                status = _status(path)
                inside = path.relative_to(root).as_posix()
                if status is not None and stat.S_ISREG(status.st_mode) and not _IGNORED.search(inside):
                    found[inside] = status.st_size
            if len(found) > _FILES:
                raise InputTooLarge(f"the folder holds more than {_FILES:,} files", hint="name the export's own folder")
        self.sizes = found

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """See `Bundle.opened`."""
        try:
            with (self._root / name).open("rb") as file:
                yield file
        except OSError as error:
            raise MalformedInput(f"cannot read {name!r}: {error.strerror or error}") from error


class OneFile(Folder):
    """A single file of an export."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._root = path.parent
        try:
            self.sizes = {path.name: path.stat().st_size}
        except (OSError, ValueError) as error:
            raise MalformedInput(f"cannot read {path.name!r}: {getattr(error, 'strerror', None) or error}") from error


class Zipped(Bundle):
    """An export as it was downloaded."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._file = opened_zip(path)
        try:
            infos = [info for info in self._file.infolist() if not info.is_dir()]
            check_directory(infos, path.stat().st_size)
        except BaseException:
            self._file.close()
            raise
        self._infos = {info.filename: info for info in infos if not _IGNORED.search(info.filename)}
        self.sizes = {name: info.file_size for name, info in self._infos.items()}

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """See `Bundle.opened`."""
        info = self._infos[name]
        if grows_too_much(info):
            raise too_tight(f"the export's {name!r:.100}")
        with opened_entry(self._file, info) as file:
            yield file

    def close(self) -> None:
        """Lets go of the ZIP."""
        self._file.close()


def open_bundle(path: Path) -> Bundle:
    """The files of the export at a path.

    Raises:
        MalformedInput, UnsafeInput: There is nothing to read, or it was made to do harm.
    """
    if path.is_dir():
        return Folder(path)
    return Zipped(path) if zipfile.is_zipfile(path) else OneFile(path)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None
