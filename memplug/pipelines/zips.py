"""ZIP files from anywhere: found by name, never extracted to a path, checked before and while they are read."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from memplug.exceptions import MalformedInput, UnsafeInput
from memplug.safety.zip_directory import BROKEN
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: What one entry may grow by when it is unpacked, and how much is free. Other packers shrink texts to a tenth, and
#: only a bomb comes out a thousand times as large.
_RATIO, _FREE = 200, MIB
#: Encrypted, strongly encrypted, or with an encrypted directory.
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def opened_zip(path: Path) -> zipfile.ZipFile:
    """The file open for reading.

    Raises:
        MalformedInput: There is no such file, or it is no ZIP.
    """
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise MalformedInput(f"there is no file {path.name!r}") from None
    except BROKEN as error:
        raise MalformedInput(f"{path.name!r} is not a ZIP file: {error}") from error


def check_directory(infos: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Refuses what only serves to do harm, by what the directory of a ZIP says.

    Args:
        infos: All entries.
        size: Bytes of the whole file.

    Raises:
        UnsafeInput: An entry is there twice, or entries share their bytes.
        MalformedInput: One is encrypted or packed by a method that is not taken.
    """
    if len({info.filename for info in infos}) != len(infos):
        raise UnsafeInput("the archive holds an entry twice")
    for info in infos:
        _check_packing(info)
    if sum(info.compress_size for info in infos) > size:
        raise UnsafeInput("the archive's entries share their bytes, or say that there are more than there are")


def _check_packing(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise MalformedInput(
            f"the archive's {info.filename} is encrypted", hint="pack it again without a password; memplug needs none"
        )
    if info.compress_type not in _METHODS:
        raise MalformedInput(
            f"the archive's {info.filename} is packed by method {info.compress_type}", hint="pack it by deflate"
        )


def grows_too_much(info: zipfile.ZipInfo) -> bool:
    """Whether an entry says that it is packed as tightly as only a bomb is; reading stops at the size it says."""
    return info.file_size > _RATIO * info.compress_size + _FREE


def too_tight(what: str) -> UnsafeInput:
    """The error of an entry that grows too much."""
    return UnsafeInput(f"{what} is packed to less than a {_RATIO}th of its size")


@contextmanager
def opened_entry(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """An entry open for reading; however it is broken, it is one typed error.

    Raises:
        MalformedInput: It is damaged.
    """
    try:
        with file.open(info) as entry:
            yield entry
    except BROKEN as error:
        raise MalformedInput(f"the archive's {info.filename} is damaged: {error}") from error
