"""Writes files for people, never over one that is there unless they say so."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from memplug.exceptions import ConfigError, UnsafeInput

if TYPE_CHECKING:
    from collections.abc import Iterable


def save(source: BinaryIO, path: Path, *, force: bool) -> None:
    """Copies a file; the new one appears only when it is whole.

    Args:
        source: Open for reading.
        path: Where to.
        force: Whether a file that is there is replaced.

    Raises:
        ConfigError: The file exists, and ``force`` is not set.
        OSError: It cannot be written.
    """
    refuse_existing(path, force=force)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as target:
            shutil.copyfileobj(source, target)
        Path(partial).chmod(0o666 & ~_umask())
        _publish(Path(partial), path, force=force)
    finally:
        Path(partial).unlink(missing_ok=True)


def save_all(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Writes files into a new folder; that appears only when all of them are there. None of them can be run.

    Args:
        files: Each with its path inside the folder: plain names between slashes.
        folder: Where to; it must not be there yet.

    Raises:
        ConfigError: The folder exists.
        UnsafeInput: A path would lead out of it.
        OSError: It cannot be written.
    """
    if os.path.lexists(folder):
        raise ConfigError(f"{folder} exists already", hint="name a folder that is not there yet")
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for path, data in files:
            target = partial.joinpath(*_inside(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(data)
        partial.chmod(0o777 & ~_umask())
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _inside(path: str) -> list[str]:
    """The names of a path that stays inside its folder. Archives are judged before; this is where it would harm."""
    names = path.split("/")
    if any(name in {"", ".", ".."} or not name.isprintable() or set(name) & {"\\", ":"} for name in names):
        raise UnsafeInput(f"{path!r:.200} is no path inside a folder")
    return names


def refuse_existing(path: Path, *, force: bool) -> None:
    """Checks that a file may be written.

    Raises:
        ConfigError: It exists, and ``force`` is not set.
    """
    if not force and os.path.lexists(path):
        raise ConfigError(f"{path} exists already", hint="--force replaces it")


def _publish(partial: Path, path: Path, *, force: bool) -> None:
    """Gives the whole file its name; a link fails where somebody was faster, a rename would not."""
    if force:
        partial.replace(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        refuse_existing(path, force=False)
    except OSError:
        # FAT and some network folders know no hard links.
        refuse_existing(path, force=False)
        partial.replace(path)


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
