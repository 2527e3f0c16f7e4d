"""The ZIP of a skill: judged by its directory before anything is read, then read file by file into memory.

`memplug.safety.zip_directory` holds what no archive may do. A skill is small and made by people who can pack it again,
so here an archive must also be nothing but what it says: readers differ in what they make of the others.
"""

from __future__ import annotations

import copy
import stat
import struct
import unicodedata
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput, UnsafeInput
from memplug.safety.zip_directory import BROKEN, ZipRules, check_names, open_zip

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Sequence

    from memplug.values.limits import Limits

#: How archives begin: with a file, or with the directory of none.
STARTS = (b"PK\x03\x04", b"PK\x05\x06")
#: The record at the end: signature, two disks, entries here and altogether, the directory's size and place, comment.
_END, _END_ROOM, _END_FIELDS = b"PK\x05\x06", 22 + 0xFFFF, struct.Struct("<4s4H2LH")
#: What stands before that record in a ZIP64, and points at another one.
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_UTF8_NAME = 0x800
#: Entries that may come on each file: folders, and what macOS packs along.
_ENTRIES_PER_FILE = 10


def is_zip(data: bytes) -> bool:
    """Whether bytes are a ZIP; also one with other bytes around it, which `open_archive` refuses in clear words."""
    return data.startswith(STARTS) or _END in data[-_END_ROOM:]


def open_archive(data: bytes, limits: Limits) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """The archive, and its files by their paths, composed (NFC).

    Args:
        data: The whole ZIP.
        limits: ``skill_files``, ``skill_file_bytes`` and ``skill_total_bytes`` hold.

    Raises:
        MalformedInput: It is damaged.
        InputTooLarge: It is over a limit.
        EncryptedInput: A file needs a password.
        UnsafeInput: It is made to do harm, or reads differently to different readers.
    """
    entries = _check_frame(data)
    rules = ZipRules(
        entries=_ENTRIES_PER_FILE * limits.skill_files,
        total=limits.skill_total_bytes,
        each=limits.skill_file_bytes,
    )
    file = open_zip(data, rules)
    infos = file.infolist()
    _check_whole(infos, entries)
    check_names(infos)
    files = [(_path(info), info) for info in infos if not _is_folder(info)]
    if len({path.casefold() for path, _ in files}) != len(files):
        raise UnsafeInput("the ZIP file holds two files of one name")
    return file, dict(files)


def read_file(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """All bytes of a file of the archive: exactly as many as its directory says.

    Raises:
        MalformedInput: It is damaged, or there are more or fewer.
    """
    # One byte more is asked for than there must be: with the size that it says, `zipfile` would stop there in silence.
    asked = copy.copy(info)
    asked.file_size += 1
    try:
        data = file.read(asked)
    except BROKEN as error:
        raise MalformedInput(f"the ZIP file's {info.filename[:80]!r} is damaged: {error}") from error
    if len(data) != info.file_size:
        raise MalformedInput(f"the ZIP file's {info.filename[:80]!r} is not as long as its directory says")
    return data


def _check_frame(data: bytes) -> int:
    """How many entries the ZIP says that it has; it must say so once, and have nothing before or behind itself."""
    place = data.rfind(_END, max(0, len(data) - _END_ROOM))
    if place < 0 or len(data) - place < _END_FIELDS.size:
        raise MalformedInput("the ZIP file is damaged: it has no directory", hint="was it cut off?")
    _, disk, first, here, entries, size, offset, comment = _END_FIELDS.unpack_from(data, place)
    if disk or first or here != entries:
        raise MalformedInput("the ZIP file is one of several volumes", hint="pack it as one file")
    if data[max(0, place - _LOCATOR_SIZE) : place].startswith(_LOCATOR):
        # `zipfile` then believes the other record, and would read a directory of any length.
        raise UnsafeInput("the ZIP file has two directories (ZIP64)", hint="pack it again; a skill needs no ZIP64")
    if place + _END_FIELDS.size + comment != len(data):
        raise UnsafeInput("the ZIP file does not end where it says", hint="bytes behind it, or was it cut off?")
    if offset + size != place:
        raise UnsafeInput("the ZIP file's directory is not where it says", hint="are there other bytes before it?")
    return int(entries)


def _check_whole(infos: Sequence[zipfile.ZipInfo], entries: int) -> None:
    if len(infos) != entries:
        raise UnsafeInput(f"the ZIP file says that it holds {entries:,} entries, and holds {len(infos):,}")
    if infos and min(info.header_offset for info in infos):
        raise UnsafeInput("the ZIP file has other bytes before its first file")


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a folder.

    Raises:
        UnsafeInput: It is a folder to some readers and a file to others.
    """
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind and stat.S_ISDIR(kind) != info.is_dir():
        raise UnsafeInput(f"{_shown(info)} is a folder by its name or by its mode, but not by both")
    if info.is_dir() and info.file_size:
        raise UnsafeInput(f"{_shown(info)} is a folder with bytes of its own")
    return info.is_dir()


def _path(info: zipfile.ZipInfo) -> str:
    """The path of a file, composed (NFC).

    Raises:
        UnsafeInput: Two readers could see two names in it.
    """
    name = info.orig_filename
    if not info.flag_bits & _UTF8_NAME and not name.isascii():
        # macOS writes UTF-8 without saying so; `zipfile` takes such a name for one of the first PCs' letters.
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError as error:
            raise UnsafeInput(f"{_shown(info)}: the name is not UTF-8", hint="pack it with UTF-8 names") from error
    if info.filename not in {name, info.orig_filename}:
        raise UnsafeInput(f"{_shown(info)} is called {info.filename[:80]!r} by another field")
    if not name.isprintable():
        raise UnsafeInput(f"{_shown(info)}: the name has characters that cannot be seen")
    return unicodedata.normalize("NFC", name)


def _shown(info: zipfile.ZipInfo) -> str:
    return f"the ZIP file's {info.orig_filename[:80]!r}"
