"""Local files, read without waiting on a pipe or a device and never beyond a size."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput, UnsafeInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Without O_NONBLOCK, opening a FIFO that nobody writes to waits for ever.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_OTHER_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_file(path: Path, *, head: int, check: Callable[[bytes, int], None]) -> bytes:
    """The bytes of a regular file as long as it was when it was opened; symbolic links are followed.

    Args:
        path: The file.
        head: How many bytes ``check`` wants to see.
        check: Called with the first bytes and the whole length before the rest is read; raises to refuse it.

    Raises:
        MalformedInput: There is no such file, it is a directory, or it cannot be read.
        UnsafeInput: It is a pipe, a socket or a device.
    """
    try:
        # Looked at before it is opened, since opening a device can already do something (rewind a tape).
        _check_regular(path, path.stat())
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            _check_regular(path, status)
            start = file.read(min(head, status.st_size))
            check(start, status.st_size)
            return start + file.read(status.st_size - len(start))
    except FileNotFoundError as error:
        raise MalformedInput(f"no such file: {path}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise MalformedInput(f"cannot read {str(path)!r}: {reason}") from error


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise MalformedInput(f"{path} is a directory", hint="add its files one by one")
    what = next((name for test, name in _OTHER_KINDS if test(status.st_mode)), "no regular file")
    raise UnsafeInput(f"{path} is {what}; only regular files are read")
