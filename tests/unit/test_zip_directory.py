"""ZIP files are judged by what their directory says."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Mapping
from contextlib import suppress

import pytest

from hostile.bombs import docx, drivel, overlapping, paragraph
from memplug.exceptions import EncryptedInput, InputRejected, InputTooLarge, MalformedInput, UnsafeInput
from memplug.inputs.documents.docx import read
from memplug.safety.zip_directory import ZipRules, check_directory, check_names, open_zip, read_entry
from memplug.values.limits import MIB, Limits

RULES = ZipRules(entries=5, total=10 * MIB, each=2 * MIB)


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return out.getvalue()


def info(name: str, **fields: int) -> zipfile.ZipInfo:
    """An entry of a directory."""
    found = zipfile.ZipInfo(name)
    for field, value in {"header_offset": 0, **fields}.items():
        setattr(found, field, value)
    return found


def test_an_honest_archive_is_opened_and_read() -> None:
    """Entries that are empty, folders, and bytes in front of the archive do no harm."""
    data = packed({"a": b"one", "empty": b"", "folder/": b"", "folder/b": b"two"})
    for whole in (data, b"#!/bin/sh\n" + data):
        file = open_zip(whole, RULES)
        assert [read_entry(file, one) for one in file.infolist()] == [b"one", b"", b"", b"two"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_not_taken(method: int) -> None:
    """Only what every reader knows."""
    with pytest.raises(MalformedInput, match="packed by method"):
        open_zip(packed({"a": b"one"}, method), RULES)


def test_entries_and_bytes_are_counted() -> None:
    """As many as are allowed are taken, and one more is refused."""
    files = {str(number): drivel(100).encode() for number in range(3)}
    for rules in (
        ZipRules(entries=3, total=300, each=100),
        ZipRules(entries=9, total=300),
        ZipRules(entries=9, total=999, each=100),
    ):
        assert len(open_zip(packed(files), rules).infolist()) == 3
    for rules, words in (
        (ZipRules(entries=2, total=300, each=100), "2 entries"),
        (ZipRules(entries=3, total=299, each=100), "299 bytes"),
        (ZipRules(entries=3, total=300, each=99), "99 bytes"),
    ):
        with pytest.raises(InputTooLarge, match=words):
            open_zip(packed(files), rules)


def test_what_is_packed_too_tightly_is_a_bomb() -> None:
    """A little is free, since small files of blanks are common."""
    check_directory([info("a", file_size=200 * 9 + MIB, compress_size=9)], RULES, end=99)
    with pytest.raises(UnsafeInput, match="200th"):
        check_directory([info("a", file_size=200 * 9 + MIB + 1, compress_size=9)], RULES, end=99)


def test_entries_do_not_share_bytes() -> None:
    """Neither wholly nor in part, whatever order the directory has, nor with the directory itself."""
    first, second = info("a", compress_size=10), info("b", compress_size=10, header_offset=41)
    check_directory([second, first], RULES, end=82)
    for offset, end, words in ((40, 99, "shares its bytes"), (0, 99, "shares its bytes"), (41, 81, "longer than")):
        second.header_offset = offset
        with pytest.raises(UnsafeInput, match=words):
            check_directory([second, first], RULES, end=end)
    with pytest.raises(UnsafeInput, match="shares its bytes"):
        open_zip(overlapping(5), RULES)


def test_an_entry_is_there_once() -> None:
    """Else two readers may see two files."""
    with pytest.raises(UnsafeInput, match="twice"):
        check_directory([info("a"), info("a", header_offset=50)], RULES, end=99)


@pytest.mark.parametrize("flag", [0x1, 0x41, 0x2000])
def test_passwords_are_not_asked_for(flag: int) -> None:
    """Nor is a hidden directory read."""
    with pytest.raises(EncryptedInput):
        check_directory([info("a", flag_bits=flag)], RULES, end=99)


def test_an_endless_directory_is_not_read() -> None:
    """Neither one that says so nor one that does not, since reading it takes memory for each entry."""
    honest = packed({str(number): b"" for number in range(6)})
    with pytest.raises(InputTooLarge, match="5 entries"):
        open_zip(honest, RULES)
    data = bytearray(packed({"a": b""}))
    for field, value in ((12, 5_001), (12, 0xFFFFFFFF)):
        data[len(data) - 22 + field : len(data) - 22 + field + 4] = struct.pack("<L", value)
        with pytest.raises(InputTooLarge, match="directory"):
            open_zip(bytes(data), RULES)


def longer(data: bytes, **said: int) -> bytes:
    """An archive with a ZIP64 record of its end, as some programs always write one.

    Args:
        data: An archive without.
        said: What that says in place of the truth, by field; ``led`` is where it is said to begin, and ``plain_…`` is
            what the record behind it says.
    """
    end = len(data) - 22
    _, _, _, here, entries, size, offset, _ = struct.unpack_from("<4s4H2LH", data, end)
    told = {"entries": entries, "size": size, "offset": offset, "led": end, "plain_entries": 0xFFFF}
    told |= {"plain_size": 0xFFFFFFFF, "plain_offset": 0xFFFFFFFF} | said
    numbers = (told["entries"], told["entries"], told["size"], told["offset"])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *numbers)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, told["led"], 1)
    plain = (told["plain_entries"], told["plain_entries"], told["plain_size"], told["plain_offset"])
    assert here == entries
    return data[:end] + record + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *plain, 0)


@pytest.mark.parametrize("plain", [{}, {"plain_entries": 2}, {"plain_entries": 2, "plain_size": 94}])
def test_longer_ends_are_believed_as_far_as_they_are_one(plain: dict[str, int]) -> None:
    """An archive with a ZIP64 record is read, whether the record behind it says the same or leaves it to that."""
    data = longer(packed({"a": b"one", "b": b"two"}), **plain)
    for whole in (data, b"#!/bin/sh\n" + data):
        file = open_zip(whole, RULES)
        assert [read_entry(file, one) for one in file.infolist()] == [b"one", b"two"]


def test_office_files_with_a_longer_end_are_read() -> None:
    """As some programs write every one of theirs."""
    reading = read(longer(docx(paragraph("Refunds take ten days."))), Limits())
    assert [block.text for block in reading.blocks] == ["Refunds take ten days."]


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"size": 5_001}, InputTooLarge, "directory"),
        ({"size": 2**40}, InputTooLarge, "directory"),
        ({"entries": 6}, InputTooLarge, "5 entries"),
        ({"entries": 3, "plain_entries": 2}, UnsafeInput, "differ"),
        ({"size": 2**40, "plain_entries": 2, "plain_size": 94}, UnsafeInput, "differ"),
        ({"offset": 2**40}, UnsafeInput, "shares"),
    ],
)
def test_longer_ends_are_judged(said: dict[str, int], error: type[Exception], words: str) -> None:
    """What only the ZIP64 record says is held to the same rules, since that is what is read."""
    with pytest.raises(error, match=words):
        open_zip(longer(packed({"a": b"one", "b": b"two"}), **said), RULES)


def test_a_longer_end_is_where_everybody_looks() -> None:
    """One that is missing, and a second one where newer readers look first, are both refused."""
    whole = longer(packed({"a": b"one"}))
    at = whole.index(b"PK\x06\x06")
    with pytest.raises(MalformedInput, match="missing"):
        open_zip(whole[:at] + whole[at : at + 56].replace(b"PK\x06\x06", b"PK\x06\x08") + whole[at + 56 :], RULES)
    second = longer(packed({"a": b"one" + whole[at : at + 56]}, zipfile.ZIP_STORED), led=34)
    assert second[34:38] == b"PK\x06\x06"
    with pytest.raises(UnsafeInput, match="two ZIP64"):
        open_zip(second, RULES)


@pytest.mark.parametrize("cut", [0, 1, 10, 30, 60, 90])
def test_damaged_archives_are_malformed(cut: int) -> None:
    """Wherever they were cut off; with noise in between, they give what was packed or a typed error."""
    data = packed({"a": drivel(100).encode()})
    with pytest.raises(MalformedInput):
        open_zip(data[: len(data) * cut // 100], RULES)
    broken = bytearray(data)
    broken[len(data) * cut // 100] ^= 0xFF
    with suppress(InputRejected):
        file = open_zip(bytes(broken), RULES)
        assert [read_entry(file, one) for one in file.infolist()] == [drivel(100).encode()]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "C:/x",
        "C:x",
        "a\\b",
        "..\\x",
        "a//b",
        "./x",
        "a/.",
        "a/./b",
        "x.",
        "x ",
        "a. /b",
        "con",
        "a/NUL.txt",
        "com1.md",
        "a\x01b",
        "a\x7fb",
        "a\0b",
        "what?",
        "x" * 201,
        "/".join("abcdefghi"),
        "",
        "a|b",
    ],
)
def test_names_are_plain_paths_inside_the_archive(name: str) -> None:
    """On every system that files may be written to one day."""
    with pytest.raises(UnsafeInput):
        check_names([info("fine"), info(name)])


def test_good_names_pass() -> None:
    """With blanks, dots, in all languages, with folders of their own or without."""
    check_names(
        [info(name) for name in ("a b/c.tar.gz", "a b/", ".hidden", "技能/说明.md", "café.md", "console", "x" * 200)]
    )


@pytest.mark.parametrize(
    "names", [("a.md", "A.MD"), ("caf\u00e9", "cafe\u0301"), ("a", "a/b"), ("a/b", "A"), ("stra\u00dfe", "STRASSE")]
)
def test_two_names_never_mean_one_file(names: tuple[str, str]) -> None:
    """Where case or the spelling of accents does not count, or a file is a folder."""
    with pytest.raises(UnsafeInput):
        check_names(map(info, names))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind: int) -> None:
    """By what the directory says of their kind; files and folders pass."""
    with pytest.raises(UnsafeInput, match="links"):
        check_names([info("a", external_attr=(kind | 0o644) << 16)])
    check_names([info("a", external_attr=(stat.S_IFREG | 0o755) << 16), info("b/", external_attr=stat.S_IFDIR << 16)])
