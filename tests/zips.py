"""ZIP files written byte by byte, so that each of their fields can lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

STORED, DEFLATED = 0, 8
UTF8 = 0x800
FILE, FOLDER, LINK, DEVICE, PIPE = 0o100644, 0o040755, 0o120777, 0o020666, 0o010644


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry; what is None is what it should be.

    Args:
        name: As bytes where it is no UTF-8.
        data: Before it is packed.
        method: Packs the data, where that is one of the two that everybody has.
        flags: UTF-8 names unless something else is said.
        mode: Unix type and permissions.
        size, packed_size, crc: What the directory says.
        offset: Where the directory says that the entry begins.
        local_name: What its own header says.
        extra: Extra field of the directory.
        body: The packed bytes instead of the data's.
    """

    name: str | bytes
    data: bytes = b"x"
    method: int = DEFLATED
    flags: int = UTF8
    mode: int = FILE
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    local_name: str | bytes | None = None
    extra: bytes = b""
    body: bytes | None = None

    def packed(self) -> bytes:
        """The bytes that lie in the file."""
        if self.body is not None:
            return self.body
        if self.method != DEFLATED:
            return self.data
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(self.data) + packer.flush()

    def header(self, name: bytes) -> bytes:
        """What the entry's own header and the directory have in common, without the signature."""
        packed = len(self.packed()) if self.packed_size is None else self.packed_size
        size = len(self.data) if self.size is None else self.size
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        return struct.pack("<4H3L2H", self.flags, self.method, 0, 0x21, crc, packed, size, len(name), len(self.extra))


def pack(
    entries: Sequence[Entry],
    *,
    before: bytes = b"",
    known: bool = False,
    inside: bytes = b"",
    counted: bool = False,
    behind: bytes = b"",
    count: int | None = None,
    disk: int = 0,
    comment: bytes = b"",
) -> bytes:
    """The ZIP file of these entries.

    Args:
        entries: In their order.
        before, behind: Bytes around the archive, which it does not know of.
        known: It knows of those before it, so that all places in it are right.
        inside: Bytes between the directory and the record at the end.
        counted: That record counts them as the directory's.
        count: How many entries it says to have.
        disk: Number of this volume.
        comment: Of the archive.
    """
    body, directory = before if known else b"", b""
    for entry in entries:
        name, offset = _name(entry.name), len(body) if entry.offset is None else entry.offset
        local = name if entry.local_name is None else _name(entry.local_name)
        version = struct.pack("<H", 20)
        body += b"PK\x03\x04" + version + entry.header(local) + local + entry.extra + entry.packed()
        directory += b"PK\x01\x02" + struct.pack("<BB", 20, 3) + version + entry.header(name)
        directory += struct.pack("<3H2L", 0, 0, 0, entry.mode << 16, offset) + name + entry.extra
    said = len(entries) if count is None else count
    size = len(directory) + len(inside) * counted
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", disk, 0, said, said, size, len(body), len(comment))
    return (b"" if known else before) + body + directory + inside + end + comment + behind


def zip64(entries: Sequence[Entry], *, count: int, counted: bool = False) -> bytes:
    """A ZIP file with a second record of its directory, as ZIP64 has it, that says another number of entries.

    Args:
        entries: In their order.
        count: That number.
        counted: The first record counts the second one as part of the directory.
    """
    plain = pack(entries)
    place = len(plain) - 22
    size, offset = struct.unpack_from("<2L", plain, place + 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    return pack(entries, inside=record + locator, counted=counted)


def _name(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name
