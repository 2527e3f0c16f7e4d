"""Hostile skill ZIPs: each is one typed error, the store stays as it was, and nothing is written anywhere."""

from __future__ import annotations

import io
import os
import random
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from memplug import Limits, Memory
from memplug.exceptions import (
    EncryptedInput,
    InputRejected,
    InputTooLarge,
    MalformedInput,
    MemplugError,
    UnsafeInput,
)
from memplug.skills.package import open_package
from skills import manifest, skill_zip
from zips import DEVICE, FOLDER, LINK, PIPE, STORED, UTF8, Entry, pack, zip64

MAIN = Entry(name="SKILL.md", data=manifest().encode())
MIB = 1_048_576
NOISE = random.Random(7).randbytes(60_000)  # noqa: S311 - noise


def with_entries(*entries: Entry) -> bytes:
    """A good skill with these entries besides."""
    return pack([MAIN, *entries])


def named(*names: str | bytes) -> bytes:
    """A good skill with files of these names besides."""
    return with_entries(*(Entry(name=name) for name in names))


def _cut_off() -> bytes:
    data = named("a.md")
    return data[: len(data) - 10]


def _hole() -> bytes:
    """The first half lost, and the directory where it was."""
    data = with_entries(Entry(name="a.bin", data=NOISE, method=STORED))
    return data[30_000:]


def _short_of_itself() -> bytes:
    """An entry that holds more than the directory says, whose checksum fits what it says."""
    whole = Entry(name="a.md", data=b"what it says" + b" and what it hides")
    said = Entry(name="a.md", data=b"what it says", body=whole.packed())
    return with_entries(said)


#: Names that mean a file elsewhere, or two files to two readers.
NAMES: Mapping[str, bytes] = {
    "parent": named("../../evil.md"),
    "parent within": named("a/../../SKILL.md"),
    "current": named("./a.md"),
    "absolute": named("/etc/evil"),
    "empty component": named("a//b.md"),
    "network share": named("//host/share/a.md"),
    "backslash": named("..\\evil.md"),
    "drive": named("C:evil.md"),
    "alternate stream": named("a.md:hidden"),
    "NUL": named("a.md\0.exe"),
    "line feed": named("a\nb.md"),
    "right to left": named("gpj.\u202eexe.md"),
    "invisible": named("a\u200b.md"),
    "invisible, and no flag": with_entries(Entry(name="gpj.\u202eexe.md", flags=0)),
    "reserved": named("CON.md"),
    "reserved folder": named("aux/a.md"),
    "ends with a dot": named("folder./a.md"),
    "ends with a blank": named("folder /a.md"),
    "too long": named("a" * 198 + ".md"),
    "too deep": named("/".join("abcdefgh") + "/a.md"),
    "twice": named("a.md", "a.md"),
    "twice but for NUL": named("SKILL.md\0.exe"),
    "twice but for case": named("readme.md", "README.MD"),
    "twice but for sharp s": named("straße.md", "STRASSE.md"),
    "twice but for composition": named("é.md", unicodedata.normalize("NFD", "é.md")),
    "twice but for the flag": with_entries(Entry(name="é.md"), Entry(name="é.md", flags=0)),
    "second manifest": named("skill.md"),
    "not UTF-8, and no flag": with_entries(Entry(name=b"caf\x82.md", flags=0)),
    "file and folder": named("a", "a/b.md"),
    "file and explicit folder": with_entries(Entry(name="a/", data=b"", mode=FOLDER), Entry(name="A")),
}
#: What lies in the archive, and what it says of itself.
STRUCTURES: Mapping[str, tuple[bytes, type[InputRejected]]] = {
    "flagged as UTF-8, and not": (with_entries(Entry(name=b"caf\xff.md")), MalformedInput),
    "link": (with_entries(Entry(name="link", data=b"/etc/passwd", mode=LINK)), UnsafeInput),
    "device": (with_entries(Entry(name="null", data=b"", mode=DEVICE)), UnsafeInput),
    "pipe": (with_entries(Entry(name="pipe", data=b"", mode=PIPE)), UnsafeInput),
    "folder with bytes": (with_entries(Entry(name="a/", data=b"hidden", mode=FOLDER)), UnsafeInput),
    "file that is a folder": (with_entries(Entry(name="a", data=b"", mode=FOLDER)), UnsafeInput),
    "folder that is a file": (with_entries(Entry(name="a/", data=b"")), UnsafeInput),
    "encrypted": (with_entries(Entry(name="a.md", flags=UTF8 | 1)), EncryptedInput),
    "strongly encrypted": (with_entries(Entry(name="a.md", flags=UTF8 | 0x40)), EncryptedInput),
    "encrypted manifest": (pack([Entry(name="SKILL.md", flags=UTF8 | 1)]), EncryptedInput),
    "bzip2": (with_entries(Entry(name="a.md", method=12)), MalformedInput),
    "LZMA": (with_entries(Entry(name="a.md", method=14)), MalformedInput),
    "unknown method": (with_entries(Entry(name="a.md", method=99)), MalformedInput),
    "bomb": (with_entries(Entry(name="a.bin", data=bytes(9 * MIB))), UnsafeInput),
    "overlap": (with_entries(Entry(name="a.md"), Entry(name="b.md", offset=0, local_name="SKILL.md")), UnsafeInput),
    "beyond its end": (with_entries(Entry(name="a.md", packed_size=10_000_000, size=10_000_000)), UnsafeInput),
    "longer than it says": (_short_of_itself(), MalformedInput),
    "shorter than it says": (with_entries(Entry(name="a.md", size=500)), MalformedInput),
    "stored, longer than it says": (with_entries(Entry(name="a", data=b"xy", method=STORED, size=1)), MalformedInput),
    "wrong checksum": (with_entries(Entry(name="a.md", crc=1)), MalformedInput),
    "wrong checksum of the manifest": (pack([Entry(name="SKILL.md", data=MAIN.data, crc=1)]), MalformedInput),
    "damaged": (with_entries(Entry(name="a.md", body=b"\xff\xff\xff\xff")), MalformedInput),
    "other name inside": (with_entries(Entry(name="a.md", local_name="b.md")), MalformedInput),
    "nothing where it should be": (with_entries(Entry(name="a.md", offset=7)), UnsafeInput),
    "cut off": (_cut_off(), MalformedInput),
    "hole": (_hole(), UnsafeInput),
    "only a beginning": (b"PK\x03\x04", MalformedInput),
    "only an end": (pack([]), MalformedInput),
    "bytes before": (pack([MAIN], before=b"#!/bin/sh\n"), UnsafeInput),
    "bytes before the first": (pack([MAIN], before=b"#!/bin/sh\n", known=True), UnsafeInput),
    "text before": (pack([MAIN], before=manifest().encode()), UnsafeInput),
    "bytes behind": (pack([MAIN], behind=b"<script>"), UnsafeInput),
    "bytes behind a comment": (pack([MAIN], comment=b"hello", behind=b"x"), UnsafeInput),
    "another archive behind": (pack([MAIN], behind=pack([Entry(name="evil.md")])), UnsafeInput),
    "bytes within": (pack([MAIN], inside=b"hidden"), UnsafeInput),
    "ZIP64 with another count": (zip64([MAIN], count=1), UnsafeInput),
    "ZIP64 inside the directory": (zip64([MAIN], count=1, counted=True), UnsafeInput),
    "ZIP64 that lies": (zip64([MAIN, Entry(name="a.md")], count=4_000_000_000), UnsafeInput),
    "too few entries said": (pack([MAIN, Entry(name="a.md")], count=1), UnsafeInput),
    "too many entries said": (pack([MAIN], count=60_000), InputTooLarge),
    "several volumes": (pack([MAIN], disk=1), MalformedInput),
    "gzip": (b"\x1f\x8b\x08\0" + NOISE[:100], MalformedInput),
    "7z": (b"7z\xbc\xaf\x27\x1c" + NOISE[:100], MalformedInput),
}
#: Archives that are in order, and no skill.
CONTENTS: Mapping[str, tuple[bytes, type[InputRejected]]] = {
    "no manifest": (skill_zip({"README.md": "hello"}), MalformedInput),
    "manifest too deep": (skill_zip({"SKILL.md": manifest()}, folder="a/b"), MalformedInput),
    "two skills": (skill_zip({"a/SKILL.md": manifest("a"), "b/SKILL.md": manifest("b")}), MalformedInput),
    "two roots": (skill_zip({"a/SKILL.md": manifest("a"), "b/x.md": "x"}), MalformedInput),
    "file beside the folder": (skill_zip({"a/SKILL.md": manifest("a"), "x.md": "x"}), MalformedInput),
    "manifest is a folder": (pack([Entry(name="SKILL.md/", data=b"", mode=FOLDER)]), MalformedInput),
    "201 files": (skill_zip({"SKILL.md": manifest()} | {f"{n}.md": b"" for n in range(200)}), InputTooLarge),
    "3,000 folders": (with_entries(*(Entry(name=f"{n}/", data=b"", mode=FOLDER) for n in range(3_000))), InputTooLarge),
    "file of 10 MB and a byte": (with_entries(Entry(name="a", data=NOISE, size=10 * MIB + 1)), InputTooLarge),
    "100 MB and more": (
        with_entries(*(Entry(name=f"{n}", data=NOISE, size=10 * MIB) for n in range(11))),
        InputTooLarge,
    ),
    "manifest of 100 KB and a byte": (
        pack([Entry(name="SKILL.md", data=manifest().encode().ljust(100 * 1024 + 1))]),
        InputTooLarge,
    ),
    "manifest is no text": (skill_zip({"SKILL.md": NOISE[:1000]}), MalformedInput),
    "manifest is empty": (skill_zip({"SKILL.md": b""}), MalformedInput),
    "manifest has no front matter": (skill_zip({"SKILL.md": "# Hello"}), MalformedInput),
    "manifest is an alias bomb": (
        skill_zip({"SKILL.md": "---\nname: a\ndescription: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n"}),
        MalformedInput,
    ),
}
CASES: Mapping[str, tuple[bytes, type[InputRejected]]] = {
    **{name: (data, UnsafeInput) for name, data in NAMES.items()},
    **STRUCTURES,
    **CONTENTS,
}
_ROUNDS = 2_000
GOOD = skill_zip({"SKILL.md": manifest("good"), "references/x.md": "kept"}, folder="good")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to work in, three levels above which nothing else is, so that an escape would be seen."""
    top = tmp_path_factory.mktemp("top")
    work = top / "a" / "b" / "work"
    work.mkdir(parents=True)
    before = Path.cwd()
    os.chdir(work)
    yield top
    os.chdir(before)


@pytest.fixture(scope="module")
def memory(place: Path) -> Iterator[Memory]:
    """A store on disk that holds one good skill."""
    with Memory(place / "a" / "store", embedder="hashing:64") as opened:
        opened.add(GOOD, user_id="u")
        yield opened


def outside(place: Path) -> list[Path]:
    """All files that are not the store's."""
    store = place / "a" / "store"
    return [path for path in place.rglob("*") if path.is_file() and store not in path.parents]


def test_there_are_enough_cases() -> None:
    """At least 21 hostile archives, each of its own kind."""
    assert len({data for data, _ in CASES.values()}) == len(CASES) > 21


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_archive_is_one_typed_error(case: str, place: Path, memory: Memory) -> None:
    """It is refused with a stable code and words; the store holds what it held; nothing lies anywhere else."""
    data, expected = CASES[case]
    originals = set(memory.engine.store.backend.list_media())
    with pytest.raises(InputRejected) as caught:
        memory.add(data, kind="skill", user_id="u")
    assert type(caught.value) is expected, caught.value
    assert caught.value.code == expected.code
    assert caught.value.message
    assert caught.value.__cause__ is None or not isinstance(caught.value.__cause__, MemplugError)
    assert [item.text for item in memory.get_all(user_id="u")] == ["good: What it does."]
    assert memory.skill("good", user_id="u").read("references/x.md") == b"kept"
    assert set(memory.engine.store.backend.list_media()) == originals
    assert outside(place) == []


def test_a_hostile_archive_takes_no_good_one_with_it(memory: Memory) -> None:
    """In one request, each bad skill is rejected alone."""
    bad, good = CASES["parent"][0], skill_zip({"SKILL.md": manifest("beside")})
    result = memory.add([bad, good, CASES["bomb"][0]], kind="skill", user_id="other")
    assert [outcome.event for outcome in result.outcomes] == ["rejected", "added", "rejected"]
    assert [outcome.error.code for outcome in result.outcomes if outcome.error] == ["input.unsafe", "input.unsafe"]


def test_a_nested_archive_is_opaque(memory: Memory) -> None:
    """An archive inside a skill is a file like others: kept byte for byte, never opened."""
    bomb = CASES["bomb"][0]
    memory.add(skill_zip({"SKILL.md": manifest("nested"), "assets/42.zip": bomb}), user_id="nested")
    assert memory.skill("nested", user_id="nested").read("assets/42.zip") == bomb


def test_another_name_in_an_extra_field_is_never_a_path() -> None:
    """Newer Pythons believe a name in an extra field; either it is refused, or the directory's name holds."""
    header = b"a.md"
    field = struct.pack("<BL", 1, zlib.crc32(header)) + b"../../evil.md"
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    try:
        package = open_package(with_entries(Entry(name=header, extra=extra)), Limits())
    except UnsafeInput:
        return
    assert [file.path for file in package.files] == ["SKILL.md", "a.md"]


def test_what_a_common_packer_writes_is_taken() -> None:
    """The rules let through what Python's own packer and macOS write: folders, streamed entries, unflagged UTF-8."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("my-skill")
        file.writestr("my-skill/SKILL.md", manifest())
        with file.open("my-skill/streamed.txt", "w", force_zip64=True) as entry:
            entry.write(b"streamed")
    package = open_package(buffer.getvalue(), Limits())
    assert [file.path for file in package.files] == ["SKILL.md", "streamed.txt"]
    assert package.read("streamed.txt") == b"streamed"
    finder = pack(
        [
            Entry(name="my-skill/", data=b"", mode=FOLDER),
            Entry(name="my-skill/SKILL.md", data=MAIN.data),
            Entry(name=unicodedata.normalize("NFD", "my-skill/é.md"), data=b"e", flags=0),
            Entry(name="__MACOSX/my-skill/._SKILL.md"),
            Entry(name=".DS_Store"),
        ]
    )
    package = open_package(finder, Limits())
    assert [file.path for file in package.files] == ["SKILL.md", "é.md"]
    assert (package.read("é.md"), package.read(unicodedata.normalize("NFD", "é.md"))) == (b"e", b"e")
    assert package.warnings == ("2 files that the packer left beside it were passed over",)


def test_random_damage_is_always_a_typed_error_or_a_skill() -> None:
    """Whatever byte of an archive is changed, it opens and reads, or one `InputRejected` says why not."""
    good = skill_zip({"SKILL.md": manifest(), "a/b.txt": "hello " * 50, "c.bin": NOISE[:200]}, folder="my-skill")
    dice = random.Random(11)  # noqa: S311 - dice
    opened = 0
    for _ in range(_ROUNDS):
        data = bytearray(good)
        for _ in range(dice.choice((1, 1, 2, 8))):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            package = open_package(bytes(data), Limits())
            for file in package.files:
                assert len(package.read(file.path)) == file.size
        except InputRejected:
            continue
        opened += 1
    assert 0 < opened < _ROUNDS
