"""Documents that mean harm, read as memplug reads any: in the worker's process, within its limits."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator

import pytest

from hostile.bombs import OFFICE, PDFS, Bomb, docx, drivel, paragraph, presentation, xlsx
from memplug.exceptions import (
    EncryptedInput,
    InputRejected,
    InputTooLarge,
    MalformedInput,
    UnsafeInput,
    UnsupportedInput,
)
from memplug.inputs.documents.reading import Reading
from memplug.safety.worker import Pool
from memplug.values.limits import Limits
from pdfs import paragraphs, pdf

#: With time for a machine that is busy with other things; none of these takes five seconds on an idle one.
LIMITS = Limits(parser_seconds=120)
#: What each bomb comes to: an error, or the characters of a harmless reading.
PDF_ENDS: dict[str, type[InputRejected] | int] = {
    "60 MB of text": 299,
    "a gigabyte of blanks": InputRejected,
    "a form that draws itself": InputRejected,
    "half a million forms": 1,
    "100,000 pages": InputTooLarge,
    "a count that lies": 0,
    "a negative count": 0,
    "pages in a circle": 0,
    "a page as large as a town": 0,
    "a swollen font": 500_000,
    "endless notes": InputTooLarge,
    "a password": EncryptedInput,
    "a table in a loop": 1,
    "nested arrays": 0,
    "nested dictionaries": MalformedInput,
    "cut off": MalformedInput,
    "only a head": MalformedInput,
    "noise": MalformedInput,
}
OFFICE_ENDS: dict[str, type[InputRejected] | int] = {
    "billion laughs": UnsafeInput,
    "an entity from a file": UnsafeInput,
    "20,000 nested elements": 1,
    "20,000 nested tables": 1,
    "a text of 60 MB": UnsafeInput,
    "a text of 6 MB": InputTooLarge,
    "400,000 paragraphs": UnsafeInput,
    "400,000 different paragraphs": 385_126,
    "styles in a circle": 1,
    "notes in a circle": 8,
    "half a surrogate": MalformedInput,
    "no body": MalformedInput,
    "no XML": MalformedInput,
    "noise inside": MalformedInput,
    "a size too small": MalformedInput,
    "a size too large": 9_999,
    "more than 200 MB": InputTooLarge,
    "a gigabyte declared": UnsafeInput,
    "entries on top of each other": UnsafeInput,
    "5,000 parts": InputTooLarge,
    "a password for each part": EncryptedInput,
    "an encrypted container": EncryptedInput,
    "an old Word document": UnsupportedInput,
    "cut off": MalformedInput,
    "a cell far away": 3,
    "absurd numbers": 431,
    "absurd formats": 83,
    "two million cells": UnsafeInput,
    "501 slides": InputTooLarge,
    "a slide that is its own note": 500,
    "500 slides of 20,000 letters": InputTooLarge,
}
GOOD = {
    "pdf": pdf(paragraphs((11, "a good document"))),
    "docx": docx(paragraph("a good document")),
    "xlsx": xlsx('<row><c t="inlineStr"><is><t>a good document</t></is></c></row>'),
    "pptx": presentation(1, texts="a good document"),
}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """The process that all of them go to, one after another."""
    pool = Pool()
    yield pool
    pool.close()


def reading(pool: Pool, kind: str, data: bytes, limits: Limits = LIMITS) -> Reading:
    """What is read from a document."""
    return Reading.of_json(pool.run(f"memplug.inputs.documents.{kind}", data, limits=limits))


def check(pool: Pool, kind: str, bomb: Bomb, end: type[InputRejected] | int) -> None:
    """Reads a bomb, and then a good document of its kind. What the process may use, the system holds it to."""
    data = bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if isinstance(end, int):
        assert sum(len(block.text) for block in reading(pool, kind, data).blocks) == end
    else:
        with pytest.raises(end) as caught:
            reading(pool, kind, data)
        assert len(str(caught.value)) < 600
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400_000, "the memory is used by the process that reads, and not by this one"
    assert "a good document" in [block.text for block in reading(pool, kind, GOOD[kind]).blocks]


def test_each_bomb_has_an_end() -> None:
    """None is forgotten here."""
    assert [*PDF_ENDS, *OFFICE_ENDS] == [*PDFS, *OFFICE]


@pytest.mark.parametrize("name", PDFS)
def test_pdf(pool: Pool, name: str) -> None:
    """A typed error or a harmless reading, and the next document is read."""
    check(pool, "pdf", PDFS[name], PDF_ENDS[name])


@pytest.mark.parametrize("name", OFFICE)
def test_office(pool: Pool, name: str) -> None:
    """A typed error or a harmless reading, and the next document is read."""
    kind, bomb = OFFICE[name]
    check(pool, kind, bomb, OFFICE_ENDS[name])


@pytest.mark.parametrize("kind", GOOD)
def test_no_damage_gives_anything_but_a_typed_error(pool: Pool, kind: str) -> None:
    """Many damaged copies of a document are each read or refused."""
    dice = random.Random(kind)  # noqa: S311 - dice, not secrets
    refused = 0
    for _ in range(15):
        data = bytearray(GOOD[kind])
        for _ in range(dice.choice((1, 5, 30))):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            reading(pool, kind, bytes(data))
        except InputRejected:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("kind", GOOD)
def test_other_files_are_refused(pool: Pool, kind: str) -> None:
    """Nothing, text, and files of the other kinds."""
    for data in (b"", b"hello", *(other for name, other in GOOD.items() if name != kind)):
        with pytest.raises(InputRejected):
            reading(pool, kind, data)


def test_time_and_memory_are_the_callers_to_set(pool: Pool) -> None:
    """A document that is read in a second is too much for a tenth of one, and for less memory than it takes."""
    data = PDFS["half a million forms"]()
    with pytest.raises(InputTooLarge, match=r"0\.1 seconds"):
        reading(pool, "pdf", data, Limits(parser_seconds=0.1))
    long = docx("".join(map(paragraph, drivel(150_000))))
    assert reading(pool, "docx", long).blocks
    with pytest.raises(InputTooLarge, match="50 MB"):
        reading(pool, "docx", long, Limits(parser_bytes=50_000_000))
    assert reading(pool, "docx", GOOD["docx"]).blocks
