"""Text files made to do harm: each ends, in time, as a typed error or as a reading that keeps to the limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from memplug import Limits, Memory
from memplug.exceptions import InputRejected, InputTooLarge, MalformedInput, UnsafeInput, UnsupportedInput
from memplug.inputs.document import DocumentInput
from memplug.inputs.documents.chunking import LONGEST
from memplug.plugins.protocols import ParseContext
from memplug.values.draft import Part
from memplug.values.source import Source

if TYPE_CHECKING:
    from memplug.values.draft import Draft

LIMITS = Limits()
#: Longest section and context together that a passage of any file may have: they are stored with each.
MAX_PLACE = 4_000


def parse(name: str, data: bytes, limits: Limits = LIMITS) -> Draft:
    """The draft of a file, read in the worker's process."""
    (draft,) = DocumentInput().parse(Part(index=0, source=Source(data=data, name=name)), ParseContext(limits=limits))
    return draft


def _laughs() -> bytes:
    entities = b"".join(b'<!ENTITY %c "&%c;&%c;&%c;">' % (98 + n, 97 + n, 97 + n, 97 + n) for n in range(20))
    return b'<!DOCTYPE l [<!ENTITY a "lol">' + entities + b"]><l>&u;</l>"


#: Files that are refused, each with its error.
REFUSED: dict[str, tuple[str, Callable[[], bytes], type[InputRejected]]] = {
    "json: 10,000 brackets": ("a.json", lambda: b"[" * 10_000, InputTooLarge),
    "json: 10,000 closed objects": ("a.json", lambda: b'{"a":' * 10_000 + b"1" + b"}" * 10_000, InputTooLarge),
    "json: 101 levels": ("a.json", lambda: b"[" * 101 + b"1" + b"]" * 101, InputTooLarge),
    "json: a string of 50 MB": ("a.json", lambda: b'"' + b"a" * 50_000_000 + b'"', InputTooLarge),
    "json: 2.6 million numbers": ("a.json", lambda: b"[" + b"1," * 2_600_000 + b"1]", InputTooLarge),
    "jsonl: a line of 200 brackets": ("a.jsonl", lambda: b"[" * 200 + b"]" * 200, InputTooLarge),
    "xml: billion laughs": ("a.xml", _laughs, UnsafeInput),
    "xml: quadratic blow-up": (
        "a.xml",
        lambda: b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 50_000 + b'">]><l>' + b"&a;" * 50_000 + b"</l>",
        UnsafeInput,
    ),
    "xml: a local file": (
        "a.xml",
        lambda: b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
        UnsafeInput,
    ),
    "xml: a parameter entity": (
        "a.xml",
        lambda: b'<!DOCTYPE l [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]><l>x</l>',
        UnsafeInput,
    ),
    "xml: 20,000 levels": ("a.xml", lambda: b"<a>" * 20_000 + b"</a>" * 20_000, InputTooLarge),
    "xml: an attribute of 6 MB": ("a.xml", lambda: b'<a b="' + b"x" * 6_000_000 + b'"/>', InputTooLarge),
    "xml: nothing in it": ("a.xml", lambda: b"<r>" + b"<e/>" * 100_000 + b"</r>", MalformedInput),
    "html: 200,000 open comments": ("a.html", lambda: b"<html>" + b"<!--" * 200_000, MalformedInput),
    "html: 300,000 open elements": ("a.html", lambda: b"<html>" + b"<div>" * 300_000, MalformedInput),
    "html: 6 MB of text": ("a.html", lambda: b"<html>" + (b"word " * 1_000 + b"<p>") * 1_200, InputTooLarge),
    "csv: 2,000,001 empty cells": ("a.csv", lambda: b"," * 2_000_000, InputTooLarge),
    "csv: rows of nothing": ("a.csv", lambda: (b"," * 999 + b"\n") * 2_001, InputTooLarge),
    "csv: names repeated for each cell": (
        "a.csv",
        lambda: b"n" * 99 + b",b\n" + b"1,2\n" * 60_000,
        InputTooLarge,
    ),
    "txt: a line of 50 MB": ("a.txt", lambda: b"a" * 50_000_000, InputTooLarge),
    "txt: NULs": ("a.txt", lambda: b"\0" * 1_000, UnsupportedInput),
    "md: a binary file": ("a.md", lambda: bytes(range(256)) * 100, UnsupportedInput),
    "txt: blank": ("a.txt", lambda: b" \n" * 1_000_000, MalformedInput),
}
#: Files that are read, since there is no harm in them once they are read with care.
READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "json: NaN": ("a.json", lambda: b'{"a": NaN, "b": -Infinity}'),
    "json: half a surrogate pair": ("a.json", lambda: b'{"a": "\\ud800"}'),
    "json: names twice": ("a.json", lambda: b'{"user_id": "me", "user_id": "you"}'),
    "json: a number of a million digits": ("a.json", lambda: b'{"a": ' + b"9" * 1_000_000 + b"}"),
    "json: a name of a megabyte": ("a.json", lambda: b'{"' + b"k" * 1_000_000 + b'": {"a": {"b": 1}}}'),
    "json: 100,000 names": ("a.json", lambda: b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(100_000)) + b"}"),
    "json: a NUL": ("a.json", lambda: b'{"a": "b\\u0000c"}'),
    "jsonl: 20,000 broken lines": ("a.jsonl", lambda: b'{"a":1}\n' + b"{{{\n" * 20_000),
    "xml: a document type elsewhere": ("a.xml", lambda: b'<!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><l>hi</l>'),
    "xml: 100,000 attributes": ("a.xml", lambda: b"<a " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>"),
    "xml: 100,000 names": (
        "a.xml",
        lambda: b"<r>" + b"".join(b"<e%d>a</e%d>" % (n, n) for n in range(100_000)) + b"</r>",
    ),
    "xml: marks 100,000 deep": ("a.xml", lambda: b"<r>t" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</r>"),
    "xml: cut off": ("a.xml", lambda: b"<r>" + b"<e>hello</e>" * 50_000),
    "xml: a NUL": ("a.xml", lambda: b"<r>a\0b</r>"),
    "xml: an encoding that is none": ("a.xml", lambda: b'<?xml version="1.0" encoding="punycode"?><r>x</r>'),
    "html: 300,000 open tags": ("a.html", lambda: b"<html>" + b"<a " * 300_000),
    "html: quotes without end": ("a.html", lambda: b"<html>" + b"<a b='" * 100_000 + b">x"),
    "html: an attribute of 30 MB": ("a.html", lambda: b'<html><p title="' + b"x" * 30_000_000 + b'">hi'),
    "html: references to nothing": ("a.html", lambda: b"<html>&#" + b"9" * 1_000_000 + b";&#xD800;&#0;x"),
    "html: tables in tables": ("a.html", lambda: b"<html>" + b"<table><tr><td>" * 50_000 + b"x"),
    "html: wide cells": ("a.html", lambda: b"<html><table><tr>" + b'<td colspan="9999999999">x' * 10_000),
    "html: scripts without end": ("a.html", lambda: b"<html>x" + b"<script " * 300_000),
    "yaml: aliases of aliases": ("a.md", lambda: b"---\na: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n---\n# hi\n"),
    "yaml: 10,000 brackets": ("a.md", lambda: b"---\na: " + b"[" * 10_000 + b"\n---\n# hi\n"),
    "yaml: an object of Python": ("a.md", lambda: b"---\na: !!python/object/apply:os.system [id]\n---\n# hi\n"),
    "yaml: names twice": ("a.md", lambda: b"---\ntitle: a\ntitle: b\n---\n# hi\n"),
    "md: comments without end": ("a.md", lambda: b"a <!-- \n" * 100_000),
    "md: a heading of a million brackets": ("a.md", lambda: b"# " + b"[" * 1_000_000),
    "md: a heading of a million blanks": ("a.md", lambda: b"# a" + b" " * 1_000_000 + b"b\n" + b"-" + b" -" * 500_000),
    "md: quotes in quotes": ("a.md", lambda: b"> " * 300_000 + b"x"),
    "md: a table of 100,000 columns": ("a.md", lambda: b"\n".join(cell * 100_000 for cell in (b"|a", b"|-", b"|x"))),
    "csv: a quote without end": ("a.csv", lambda: b'a,b\n1,"x\n' + b"2,y\n" * 20_000),
    "csv: a cell of 2 MB": ("a.csv", lambda: b"a,b\n1," + b"x" * 2_000_000),
    "csv: a NUL": ("a.csv", lambda: b"a,b\n1,\0x\n"),
    "csv: 50,000 columns": (
        "a.csv",
        lambda: b",".join(b"c%d" % n for n in range(50_000)) + b"\n" + b"1," * 49_999 + b"1",
    ),
    "txt: a line of 2 MB": ("a.txt", lambda: b"a" * 2_000_000),
    "txt: 300,000 words": ("a.txt", lambda: b"ab " * 300_000),
    "txt: 10 million blank lines": ("a.txt", lambda: b" \n" * 10_000_000 + b"x"),
    "txt: accents without a letter": ("a.txt", lambda: b"a" + b"\xcc\x81" * 100_000),
    "txt: two encodings": ("a.txt", lambda: "Grüße, schöne Straße ".encode() * 50 + "Köln".encode("latin-1")),
    "txt: no encoding": ("a.txt", lambda: bytes([*range(128, 256)] * 2_000)),
    "txt: colours and bells": ("a.txt", lambda: b"\x1b[31mred\x1b[0m words \x07 and more words, so that it is text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_hostile_file_is_refused_with_its_error(case: str) -> None:
    """A typed error that says something, before the parser's time is up."""
    name, made, error = REFUSED[case]
    with pytest.raises(error) as caught:
        parse(name, made())
    assert caught.value.message
    assert "seconds" not in caught.value.message


@pytest.mark.parametrize("case", READ)
def test_a_strange_file_is_read_within_the_limits(case: str) -> None:
    """Its words are in passages of the usual size, whose places are of a size that can be stored with each."""
    name, made = READ[case]
    draft = parse(name, made())
    assert draft.pieces
    assert sum(len(piece.text) for piece in draft.pieces) <= LIMITS.document_characters
    for piece in draft.pieces:
        assert 0 < len(piece.text) <= LONGEST
        assert len(piece.source.section or "") + len(piece.context) <= MAX_PLACE
        f"{piece.text}{piece.context}{piece.source.section}".encode()
        assert not any(ord(one) < 0x20 and one not in "\t\n\r" for one in piece.text)
    assert len(draft.text) <= MAX_PLACE
    assert len(str(draft.metadata)) < LIMITS.metadata_bytes


def test_no_file_is_opened_and_no_server_asked() -> None:
    """What a document refers to stays where it is: the words of the local file are nowhere in the reading."""
    inclusion = (
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/>x</a>'
    )
    for name, data in (
        ("a.xml", inclusion),
        ("a.html", b'<html><iframe src="file:///etc/passwd"></iframe><img src="file:///etc/passwd">x'),
        ("a.md", b"![x](file:///etc/passwd) {% include /etc/passwd %}"),
    ):
        assert "root:" not in "".join(piece.text for piece in parse(name, data).pieces)


def test_a_reader_that_takes_too_long_is_ended_and_the_next_document_read() -> None:
    """The clock holds for text files as well, and costs only the file that ran against it."""
    slow = b"a,b\n" + b"1,2\n" * 900_000
    start = time.monotonic()
    with pytest.raises(InputTooLarge, match="seconds"):
        parse("a.csv", slow, Limits(parser_seconds=0.2))
    assert time.monotonic() - start < LIMITS.parser_seconds
    assert parse("a.csv", b"a,b\n1,2\n").pieces


def test_a_store_is_whole_after_all_of_them() -> None:
    """One request with hostile and good files: each bad one is one rejected outcome, and the good ones are found."""
    bad = ["json: 10,000 brackets", "xml: billion laughs", "csv: 2,000,001 empty cells", "txt: NULs"]
    sources = [Source(data=REFUSED[case][1](), name=REFUSED[case][0]) for case in bad]
    with Memory("memory://", embedder="hashing:64") as memory:
        files = [
            Source(data=b"the first word", name="one.txt"),
            *sources,
            Source(data=b"the last word", name="two.txt"),
        ]
        result = memory.add(files, user_id="wang")
        assert [outcome.event for outcome in result.outcomes] == ["added", *["rejected"] * 4, "added"]
        assert memory.search("last word", user_id="wang")[0].text == "the last word"
        assert memory.doctor().ok
