"""The one place where LanceDB's errors become memplug's."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from memplug.exceptions import BackendError, StoreFull, StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What LanceDB raises: its own errors come as these builtins, with the reason in the message only.
_RAISED = (OSError, RuntimeError, ValueError, KeyError, TypeError, pa.ArrowException)
_FULL = ("no space left", "storage full", "storagefull", "quota exceeded", "os error 28", "os error 122")
_DENIED = ("permission denied", "read-only file system", "os error 13", "os error 30", "permissiondenied")
#: A reader's version was cleaned up, or its table replaced, while it was reading; the newest can be read.
_VANISHED = ("not found", "no such file", "does not exist", "os error 2)", "dataset was not found")
#: What a signed address carries: whoever reads it in a log could use it.
_SIGNED = re.compile(r"([?&](?:sig|x-amz-[a-z-]+|x-goog-[a-z-]+)=)[^&\s\"')]+", re.IGNORECASE)


class Vanished(BackendError):
    """Files went away under a read, since another process cleaned up; the same read works when asked again."""

    retryable = True


@contextmanager
def lance_errors(action: str) -> Iterator[None]:
    """Turns whatever LanceDB, Arrow or the file system raises into one typed error.

    Args:
        action: What was being done, as in "cannot <action>".

    Raises:
        StoreFull, StoreReadOnly, Vanished, BackendError: By the cause, which stays as ``__cause__``.
    """
    try:
        yield
    except _RAISED as error:
        raise kind_of(error)(f"cannot {action}: {_words(error)}") from error


def kind_of(error: Exception) -> type[BackendError]:
    """The error that a foreign one becomes."""
    code = error.errno if isinstance(error, OSError) else None
    words = str(error).lower()
    if code in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} or any(sign in words for sign in _FULL):
        return StoreFull
    if code in {errno.EACCES, errno.EPERM, errno.EROFS} or any(sign in words for sign in _DENIED):
        return StoreReadOnly
    if code == errno.ENOENT or any(sign in words for sign in _VANISHED):
        return Vanished
    return BackendError


def _words(error: Exception) -> str:
    """The first line of the message: LanceDB appends Rust source places and whole plans."""
    return _SIGNED.sub(r"\1…", (str(error).splitlines() or [type(error).__name__])[0][:500])
