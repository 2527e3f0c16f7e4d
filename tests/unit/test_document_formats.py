"""Which format a document has, and what is said of those that have none."""

from __future__ import annotations

import io
import zipfile

import pytest

from memplug.exceptions import EncryptedInput, InputRejected, MalformedInput, UnsupportedInput
from memplug.inputs.documents.formats import FORMATS, READERS, find_format, is_document
from memplug.safety.worker import TASKS
from memplug.testing.inputs import png

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)


def archive(*names: str, first: bytes = b"") -> bytes:
    """A ZIP with these entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        if first:
            file.writestr("mimetype", first)
        for name in names:
            file.writestr(name, "x")
    return out.getvalue()


def office(folder: str) -> bytes:
    """A ZIP with the names of an Office file."""
    return archive("[Content_Types].xml", "_rels/.rels", f"{folder}/document.xml")


def ole(stream: str) -> bytes:
    """An OLE container with a stream of that name."""
    return OLE + stream.encode("utf-16-le") + bytes(500)


def found(data: bytes, **said: str) -> tuple[str, str | None]:
    """The format's name, and the declared type where it is another."""
    one = find_format(data, **said)
    return one.format.name, one.declared_type


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "pdf"),
        (b"\0\0junk\x01\x02\x03\x04\x05%PDF-1.4\n\xff\xfe\0\0\0", "pdf"),
        (office("word"), "docx"),
        (office("ppt"), "pptx"),
        (office("xl"), "xlsx"),
        (office("word")[:150], "docx"),
        (b"<!DOCTYPE html><p>hi", "html"),
        (b"\xef\xbb\xbf\n<html lang=de>", "html"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html/>', "html"),
        ("<html><p>hi".encode("utf-16"), "html"),
        (b"<p>a fragment</p>", "html"),
        (b'<?xml version="1.0"?><a/>', "xml"),
        (b"<rss><channel/></rss>", "xml"),
        (b'{"a": 1}', "json"),
        (b' [\n {"a": 1}]', "json"),
        (b"[1, 2]", "json"),
        (b'{"a": 1}\n{"a": 2}\n', "jsonl"),
        (b"# Title\n\nwords", "md"),
        (b"words\n\n```python\nx = 1\n```\n", "md"),
        (b"a\tb\n1\t2\n3\t4\n5\t6\n", "tsv"),
        (b"a,b\nprose, with commas\n", "txt"),
        (b"[INFO] started\n[INFO] done", "txt"),
        (b"{name} is a placeholder", "txt"),
        (b"#!/bin/sh\n# a comment\n\nls", "txt"),
        (b"from os import path\n\n# comment\nx = 1", "txt"),
        ("你好".encode("gb18030"), "txt"),
    ],
)
def test_the_bytes_alone_tell(data: bytes, name: str) -> None:
    """Without a name or a type, each format is known by what it begins with and holds."""
    assert found(data) == (name, None)
    assert is_document(data)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"name": "a.md"}, "md"),
        ({"name": "a.MDX"}, "mdx"),
        ({"name": "a.csv"}, "csv"),
        ({"name": "a.tab"}, "tsv"),
        ({"name": "a.json"}, "json"),
        ({"name": "a.jsonl"}, "jsonl"),
        ({"name": "a.ndjson"}, "jsonl"),
        ({"name": "a.xsd"}, "xml"),
        ({"name": "a.py"}, "txt"),
        ({"name": "a.log"}, "txt"),
        ({"name": "archive.tar"}, "txt"),
        ({"media_type": "text/markdown"}, "md"),
        ({"media_type": "text/csv; charset=utf-8"}, "csv"),
        ({"media_type": "application/vnd.api+json"}, "json"),
        ({"media_type": "application/atom+xml"}, "xml"),
        ({"media_type": "text/x-python"}, "txt"),
        ({"media_type": "text/plain", "name": "a.md"}, "md"),
        ({"media_type": "application/octet-stream", "name": "a.md"}, "md"),
        ({}, "txt"),
    ],
)
def test_a_name_or_type_tells_texts_apart(said: dict[str, str], name: str) -> None:
    """Texts that look alike are what they are said to be; a server's "text/plain" gives way to the name."""
    assert found(b"words, and more words", **said) == (name, None)


@pytest.mark.parametrize(
    ("data", "said", "expected"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", {"name": "report.docx"}, ("pdf", FORMATS["docx"].content_type)),
        (office("xl"), {"media_type": "application/pdf"}, ("xlsx", "application/pdf")),
        (b"<!doctype html><p>404", {"media_type": "application/pdf"}, ("html", "application/pdf")),
        (b"<!doctype html><p>x", {"name": "a.txt"}, ("html", "text/plain")),
        (b'<?xml version="1.0"?><a/>', {"name": "a.csv"}, ("xml", "text/csv")),
        (b"just words", {"name": "a.pdf"}, ("txt", FORMATS["pdf"].content_type)),
        (b"just words", {"media_type": "video/mp4"}, ("txt", "video/mp4")),
    ],
)
def test_a_file_that_is_something_else_is_read_as_what_it_is(
    data: bytes, said: dict[str, str], expected: tuple[str, str]
) -> None:
    """What contradicts the bytes is remembered, and not believed."""
    assert found(data, **said) == expected


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", MalformedInput, "empty"),
        (ole("WordDocument"), UnsupportedInput, ".docx"),
        (ole("Workbook"), UnsupportedInput, ".xlsx"),
        (ole("PowerPoint Document"), UnsupportedInput, ".pptx"),
        (ole("__properties_version1.0"), UnsupportedInput, "Outlook"),
        (ole("EncryptedPackage"), EncryptedInput, "password"),
        (OLE, UnsupportedInput, "OLE container"),
        (b"{\\rtf1 hello}", UnsupportedInput, "RTF"),
        (b"%!PS-Adobe-3.0", UnsupportedInput, "PostScript"),
        (archive("content.xml", first=b"application/vnd.oasis.opendocument.text"), UnsupportedInput, ".odt"),
        (archive("a.html", first=b"application/epub+zip"), UnsupportedInput, "EPUB"),
        (archive("a.txt"), UnsupportedInput, "ZIP archive"),
        (png(), UnsupportedInput, "PNG"),
        (b"SQLite format 3\0" + bytes(200), UnsupportedInput, "SQLite"),
        (b"\x7fELF" + bytes(range(32)) * 8, UnsupportedInput, "program"),
        (bytes(range(256)) * 4, UnsupportedInput, "unknown type"),
    ],
)
def test_what_is_not_read_is_named_with_an_advice(data: bytes, error: type[InputRejected], words: str) -> None:
    """A file that is no document that memplug reads is refused by what it is."""
    with pytest.raises(error, match=words) as caught:
        find_format(data)
    assert type(caught.value) is error
    assert caught.value.hint


def test_other_files_are_left_to_others() -> None:
    """Old Office files are documents, which get an advice; pictures, programs and other archives are not."""
    assert [is_document(data) for data in (OLE, b"{\\rtf1", ole("EncryptedPackage"))] == [True] * 3
    assert [is_document(data) for data in (png(), archive("a.txt"), b"\x7fELF" + bytes(99), b"")] == [False] * 4


def test_the_worker_runs_the_readers_of_the_formats_and_no_others() -> None:
    """Both lists are the same, so that each format can be read and nothing else can be asked for."""
    assert READERS == TASKS
