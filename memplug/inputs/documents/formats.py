"""Which format a document has: from its bytes first, then from what it is said to be."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput
from memplug.inputs.documents.claims import CONTENT_TYPES, claim
from memplug.inputs.documents.decoding import is_text
from memplug.inputs.documents.guessing import guess
from memplug.inputs.documents.refusals import Refusal, binary_refusal, known_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How much of the start is looked at: the head of any binary file, or some pages of text.
_HEAD = 8_192
#: Where ``%PDF-`` may begin: some writers put other bytes before it, and every viewer skips them.
_PDF_HEAD = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format that memplug reads.

    Args:
        name: As files are called: ``docx``.
        label: For people.
        reader: The module whose ``read(data, limits, **options)`` reads it, in the worker's process.
        options: What that function is told besides.
        text: Whether the file is text that anybody can open, and no container.
    """

    name: str
    label: str
    reader: str
    options: Mapping[str, Any] = field(default_factory=dict)
    text: bool = True

    @property
    def content_type(self) -> str:
        """MIME type."""
        return CONTENT_TYPES[self.name]


def _format(name: str, label: str, module: str, *, text: bool = True, **options: Any) -> Format:
    reader = f"memplug.inputs.documents.{module}"
    return Format(name=name, label=label, reader=reader, options=options, text=text)


#: The closed set of what is read, by name.
FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        _format("pdf", "PDF", "pdf", text=False),
        _format("docx", "Word document", "docx", text=False),
        _format("pptx", "PowerPoint presentation", "pptx", text=False),
        _format("xlsx", "Excel workbook", "xlsx", text=False),
        _format("md", "Markdown", "markdown"),
        _format("mdx", "MDX", "markdown", jsx=True),
        _format("html", "HTML page", "html"),
        _format("json", "JSON", "jsons"),
        _format("jsonl", "JSON Lines", "jsons", lines=True),
        _format("xml", "XML", "xmls"),
        _format("csv", "CSV table", "tables"),
        _format("tsv", "TSV table", "tables", delimiter="\t"),
        _format("txt", "text", "plain"),
    )
}
#: The fixed set of what a worker may be asked to run.
READERS: frozenset[str] = frozenset(one.reader for one in FORMATS.values())

_OFFICE = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
#: A central directory's entry (signature, lengths of name, extra and comment) and the record behind all of them.
_ENTRY, _END = struct.Struct("<4s24xHHH12x"), b"PK\x05\x06"
_END_ROOM, _END_SIZE, _END_OFFSET = 22 + 0xFFFF, 22, 16
#: Entries of an archive that are looked at; no Office file has so many.
_ENTRIES = 2_000
_LOCAL_NAME = re.compile(rb"PK\x03\x04.{26}([\w/.\[\]-]{3,80})", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file is.

    Args:
        format: What it is read as.
        declared_type: What it is said to be, where that is something else.
    """

    format: Format
    declared_type: str | None = None


def find_format(data: bytes, *, media_type: str | None = None, name: str = "") -> Found:
    """What the bytes are.

    Args:
        data: The whole file.
        media_type: What it is declared to be.
        name: What it is called.

    Raises:
        UnsupportedInput: Nothing that memplug reads; the message names what it is.
        EncryptedInput: An Office file that only opens with a password.
        MalformedInput: There are no bytes.
    """
    if not data:
        raise MalformedInput("the document is empty", hint="there is nothing to remember in it")
    refusal = _refusal(data)
    if refusal is not None:
        raise refusal.error
    said = claim(media_type, name)
    container = _container(data)
    found = FORMATS[container or guess(data, said.format)]
    return Found(format=found, declared_type=None if said.type is None or said.format == found.name else said.type)


def is_document(data: bytes) -> bool:
    """Whether the bytes begin like a document: one that is read, or one that is refused with an advice."""
    refusal = _refusal(data)
    return bool(data) and (refusal is None or refusal.document)


def _refusal(data: bytes) -> Refusal | None:
    refusal = known_refusal(data)
    if refusal is not None or _container(data) or is_text(data[:_HEAD]):
        return refusal
    return binary_refusal(data, f"it reads {', '.join(FORMATS)}")


def _container(data: bytes) -> str | None:
    """PDF and Office files, by what they begin with and hold; None for everything else."""
    if b"%PDF-" in data[:_PDF_HEAD] and (data.startswith(b"%PDF-") or not is_text(data[:_HEAD])):
        return "pdf"
    return _office(data) if data.startswith(b"PK\x03\x04") else None


def _office(data: bytes) -> str | None:
    """The kind of an Office file, by the folders in its directory; None where it is another archive.

    It only looks at names. Whether the archive is safe to open is judged where it is opened.
    """
    names = _names(data)
    if not any(name.startswith((b"[Content_Types].xml", b"_rels/")) for name in names):
        return None
    return next((kind for folder, kind in _OFFICE.items() if any(n.startswith(folder.encode()) for n in names)), None)


def _names(data: bytes) -> list[bytes]:
    """The names in an archive's directory. One that was cut off has none; then those of its first entries."""
    found: list[bytes] = []
    end = data.rfind(_END, max(0, len(data) - _END_ROOM))
    at = int.from_bytes(data[end + _END_OFFSET : end + _END_OFFSET + 4], "little") if end >= 0 else len(data)
    while len(found) < _ENTRIES and at + _ENTRY.size <= len(data):
        signature, name, extra, comment = _ENTRY.unpack_from(data, at)
        if signature != b"PK\x01\x02":
            break
        found.append(data[at + _ENTRY.size : at + _ENTRY.size + name])
        at += _ENTRY.size + name + extra + comment
    return found or _LOCAL_NAME.findall(data[:_HEAD])
