"""A skill's folder on disk as the ZIP that it would be, the same bytes each time."""

from __future__ import annotations

import io
import stat
import zipfile
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput, UnsafeInput
from memplug.safety.files import read_file
from memplug.skills.manifest import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.values.limits import Limits

#: The first moment that a ZIP can name, so that the same files are the same bytes whenever they were written.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX, _MODE = 3, (stat.S_IFREG | 0o644) << 16
#: Levels of folders, as in an archive.
_DEPTH = 8


def is_skill_folder(path: Path) -> bool:
    """Whether a path is a folder that holds a `SKILL.md`."""
    return path.is_dir() and any((path / name).is_file() for name in (MAIN, MAIN.lower()))


def pack_folder(folder: Path, limits: Limits) -> bytes:
    """The folder as a ZIP, its files sorted and stored as they are: what deflate makes of them differs by machine.

    Args:
        folder: With a `SKILL.md` in it.
        limits: ``skill_files``, ``skill_file_bytes`` and ``skill_zip_bytes`` hold.

    Raises:
        MalformedInput: It cannot be read, or a name in it is not Unicode.
        UnsafeInput: It holds a link, a pipe or a device.
        InputTooLarge: It is over a limit.
    """
    top = folder.resolve()
    buffer, left = io.BytesIO(), limits.skill_zip_bytes
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for number, path in enumerate(_files(top, _DEPTH), start=1):
            if number > limits.skill_files:
                raise InputTooLarge(f"the skill's folder has more than {limits.skill_files:,} files", hint=str(path))
            data = _read(path, min(left, limits.skill_file_bytes))
            left -= len(data)
            info = zipfile.ZipInfo(_name(path.relative_to(top.parent)), _EPOCH)
            info.create_system, info.external_attr = _UNIX, _MODE
            file.writestr(info, data)
    return buffer.getvalue()


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """The files below a folder, in an order that does not depend on the disk's."""
    if depth == 0:
        raise InputTooLarge(f"the skill's folder has more than {_DEPTH} levels", hint=str(folder))
    try:
        members = sorted(folder.iterdir())
    except OSError as error:
        raise MalformedInput(f"cannot read {str(folder)!r}: {error.strerror or error}") from error
    for member in members:
        if member.is_symlink():
            raise UnsafeInput(f"{member} is a link; a skill's folder must hold its files itself")
        if member.is_dir():
            yield from _files(member, depth - 1)
        else:
            yield member


def _read(path: Path, most: int) -> bytes:
    def check(_head: bytes, size: int) -> None:
        if size > most:
            raise InputTooLarge(f"{path} is too large for a skill", hint=f"{most:,} bytes are left for it")

    return read_file(path, head=0, check=check)


def _name(path: Path) -> str:
    name = path.as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise MalformedInput(f"the name of {name!r} is not Unicode") from error
    return name
