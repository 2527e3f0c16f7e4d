"""ZIP files judged by their directory, before anything in them is unpacked.

Python's `zipfile` reads a directory of any length, opens entries that share their bytes, and mends names that point
out of the archive. Whoever takes in a ZIP opens it here, with the numbers that hold for what it is to be.
"""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.exceptions import EncryptedInput, InputTooLarge, MalformedInput, UnsafeInput
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What the reading side raises for a damaged or hostile file, depending on where it breaks.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    IndexError,
)
#: Encrypted, strongly encrypted, or with an encrypted directory.
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
#: The record at the end: signature, where it stands at most, and its fields; bytes of a local header without its name.
_END, _END_ROOM, _END_FIELDS = b"PK\x05\x06", 22 + 0xFFFF, struct.Struct("<4s4H2LH")
#: The same for archives that need more digits, and what stands between the two and leads to it: signature, disk, where
#: it begins, and number of disks.
_END64, _END64_FIELDS = b"PK\x06\x06", struct.Struct("<4sQ2H2L4Q")
_LOCATES64, _LOCATOR64 = b"PK\x06\x07", struct.Struct("<4sLQL")
_LOCAL_HEADER = 30
#: Bytes of one entry in the directory: more than any packer writes, and few enough to bound what `zipfile` reads.
_ENTRY_ROOM = 1_000
_UTF8_NAME = 0x800
_NAME_LENGTH, _NAME_DEPTH = 200, 8
#: Names that are devices on Windows, whatever their extension.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipRules:
    """How much an archive may hold.

    Args:
        entries: Files and folders.
        total: Bytes of all files, unpacked.
        each: Bytes of one file, unpacked; None where only the total counts.
        ratio: What one entry may grow by when it is unpacked. Packers shrink texts to a tenth, tables of zeros to a
            hundredth, and only a bomb comes out a thousand times as large.
        free: Bytes of one entry that are not held against the ratio.
    """

    entries: int
    total: int
    each: int | None = None
    ratio: int = 200
    free: int = MIB


def open_zip(data: bytes, rules: ZipRules) -> zipfile.ZipFile:
    """The archive open for reading, once its directory has passed.

    Args:
        data: The whole file; it is not copied.
        rules: How much it may hold.

    Raises:
        MalformedInput: It is no ZIP, damaged, or packed by a method that is not taken.
        InputTooLarge: It holds more, or says so, than the rules admit.
        EncryptedInput: An entry needs a password.
        UnsafeInput: It is made to do harm.
    """
    _check_end(data, rules)
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except BROKEN as error:
        raise MalformedInput(f"the ZIP file is damaged: {error}") from error
    check_directory(file.infolist(), rules, end=file.start_dir)
    return file


def _check_end(data: bytes, rules: ZipRules) -> None:
    """Refuses an endless directory by the record behind it, since `zipfile` reads all of it at once."""
    place = data.rfind(_END, max(0, len(data) - _END_ROOM))
    if place < 0 or len(data) - place < _END_FIELDS.size:
        raise MalformedInput("the ZIP file is damaged: it has no directory", hint="was it cut off?")
    *_, entries, size, _offset, _comment = _END_FIELDS.unpack_from(data, place)
    entries, size = _longer(data, place, entries, size)
    if entries > rules.entries:
        raise _too_many(rules)
    if size > rules.entries * _ENTRY_ROOM:
        raise InputTooLarge("the ZIP file's directory is larger than its entries need")


def _longer(data: bytes, place: int, entries: int, size: int) -> tuple[int, int]:
    """Entries of the directory and its bytes as the ZIP64 record says, where there is one; else as they are.

    `zipfile` believes that record whatever the one behind it says, so both have to say the same. Some programs write
    one for every archive; those who do not need to may give all ones in the other.

    Raises:
        MalformedInput: What leads to it leads elsewhere.
        UnsafeInput: The two say different things, or a second one lies where other readers look.
    """
    at = place - _LOCATOR64.size
    if at < 0 or not data.startswith(_LOCATES64, at):
        return entries, size
    _, _, led, _ = _LOCATOR64.unpack_from(data, at)
    at -= _END64_FIELDS.size
    if at < 0 or not data.startswith(_END64, at):
        raise MalformedInput("the ZIP file is damaged: its ZIP64 record is missing")
    if led != at and data.startswith(_END64, led):
        raise UnsafeInput("the ZIP file has two ZIP64 records, so that two readers may see two directories")
    *_, entries64, size64, _offset = _END64_FIELDS.unpack_from(data, at)
    if entries not in {entries64, 0xFFFF} or size not in {size64, 0xFFFFFFFF}:
        raise UnsafeInput("the ZIP file's two ends differ, so that two readers may see two directories")
    return entries64, size64


def check_directory(infos: Sequence[zipfile.ZipInfo], rules: ZipRules, *, end: int) -> None:
    """Refuses what only serves to do harm, by what the directory says.

    Args:
        infos: All entries.
        rules: How much they may hold.
        end: Where the entries end and the directory begins, in bytes from the start of the file.

    Raises:
        InputTooLarge: More entries or bytes than the rules admit.
        EncryptedInput: An entry needs a password.
        MalformedInput: One is packed by a method that is not taken.
        UnsafeInput: Entries share their bytes or their name, or one is packed as tightly as only a bomb is.
    """
    if len(infos) > rules.entries:
        raise _too_many(rules)
    for info in infos:
        _check_packing(info)
        _check_growth(info, rules)
    if sum(info.file_size for info in infos) > rules.total:
        raise InputTooLarge(f"the ZIP file's contents come to more than {rules.total:,} bytes")
    if len({info.filename for info in infos}) != len(infos):
        raise UnsafeInput("the ZIP file holds an entry twice, so that two readers may see two files")
    _check_overlap(infos, end)


def _too_many(rules: ZipRules) -> InputTooLarge:
    return InputTooLarge(f"the ZIP file holds more than {rules.entries:,} entries")


def _check_packing(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise EncryptedInput(
            f"{_shown(info)} is encrypted", hint="save it again without a password; memplug asks for none"
        )
    if info.compress_type not in _METHODS:
        raise MalformedInput(f"{_shown(info)} is packed by method {info.compress_type}", hint="pack it by deflate")


def _check_growth(info: zipfile.ZipInfo, rules: ZipRules) -> None:
    if rules.each is not None and info.file_size > rules.each:
        raise InputTooLarge(f"{_shown(info)} has more than {rules.each:,} bytes")
    if info.file_size > rules.ratio * info.compress_size + rules.free:
        raise UnsafeInput(f"{_shown(info)} is packed to less than a {rules.ratio}th of its size")


def _check_overlap(infos: Iterable[zipfile.ZipInfo], end: int) -> None:
    """No two entries share bytes: the bomb of 42 GB in 214 kB lets each one unpack the whole behind it."""
    free = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < free:
            raise UnsafeInput(f"{_shown(info)} shares its bytes with another entry")
        name = len(info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437", "replace"))
        free = info.header_offset + _LOCAL_HEADER + name + info.compress_size
        if free > end:
            raise UnsafeInput(f"{_shown(info)} says that it is longer than the ZIP file")


def check_names(infos: Iterable[zipfile.ZipInfo]) -> None:
    """Refuses names that mean another file elsewhere, or two files where a file system knows one.

    Raises:
        UnsafeInput: A name is no plain relative path, belongs to a link or a device, or means the same as another.
    """
    files: set[str] = set()
    folders: set[str] = set()
    for info in infos:
        if wrong := _wrong_name(info):
            raise UnsafeInput(f"{_shown(info)}: {wrong}")
        plain = unicodedata.normalize("NFC", info.filename.rstrip("/")).casefold()
        if not info.is_dir() and plain in files:
            raise UnsafeInput(f"{_shown(info)} is there twice where case does not count")
        (folders if info.is_dir() else files).add(plain)
        parts = plain.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    if both := sorted(files & folders):
        raise UnsafeInput(f"the ZIP file's {both[0]!r} is a file and a folder")


def _wrong_name(info: zipfile.ZipInfo) -> str:
    """What is wrong with a name; empty where nothing is."""
    name = info.orig_filename
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "only files and folders are taken, no links or devices"
    if any(not one.isprintable() or one in '\\:"<>|?*' for one in name):
        return "the name has characters that a file's name cannot have everywhere"
    parts = (name.removesuffix("/")).split("/")
    if len(name) > _NAME_LENGTH or len(parts) > _NAME_DEPTH:
        return f"the name has more than {_NAME_LENGTH} characters or {_NAME_DEPTH} levels"
    if any(part != part.rstrip(". ") or not part for part in parts):
        return "the name is not a path inside the archive"
    if any(part.partition(".")[0].rstrip().lower() in _DEVICES for part in parts):
        return "the name is a device's on Windows"
    return ""


def _shown(info: zipfile.ZipInfo) -> str:
    return f"the ZIP file's {info.orig_filename[:80]!r}"


def read_entry(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """All bytes of an entry: as many as the directory says, or it is damaged.

    Raises:
        MalformedInput: It is damaged.
    """
    try:
        data = file.read(info)
    except BROKEN as error:
        raise MalformedInput(f"{_shown(info)} is damaged: {error}") from error
    if len(data) != info.file_size:
        raise MalformedInput(f"{_shown(info)} is damaged: it is not as long as it says")
    return data
