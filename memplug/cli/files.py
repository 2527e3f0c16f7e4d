"""Writes files for people, never over one that is there unless they say so."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from memplug.exceptions import ConfigError


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
