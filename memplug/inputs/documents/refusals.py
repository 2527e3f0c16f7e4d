"""Files that are not read: what they are, in words, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from memplug.exceptions import EncryptedInput, InputRejected, UnsupportedInput
from memplug.safety.media_type import sniff

#: Binary files by how they begin; those of `sniff` come on top.
_BINARIES: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "a Linux program"),
    (b"MZ", "a Windows program"),
    (b"\xca\xfe\xba\xbe", "a Java class or a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\x00asm", "a WebAssembly module"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet table"),
    (b"ARROW1", "an Arrow table"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"wOFF", "a font"),
    (b"\x00\x01\x00\x00\x00", "a font"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: What is in an OLE container, by the name of a stream.
_OLE_KINDS: tuple[tuple[str, str, str], ...] = (
    ("WordDocument", "a Word document of the old kind (.doc)", "save it as .docx"),
    ("Workbook", "an Excel workbook of the old kind (.xls)", "save it as .xlsx"),
    ("PowerPoint Document", "a PowerPoint presentation of the old kind (.ppt)", "save it as .pptx"),
    ("__properties_version1.0", "an Outlook message (.msg)", "save it as text or PDF"),
)
_MARKED: tuple[tuple[bytes, str, str], ...] = (
    (b"{\\rtf", "an RTF document", "save it as .docx or text"),
    (b"%!PS", "a PostScript document", "save it as PDF"),
)
#: What an archive's first entry, named ``mimetype``, says it is.
_ZIP_DOCUMENTS: tuple[tuple[bytes, str, str], ...] = (
    (b"application/vnd.oasis.opendocument.text", "an OpenDocument text (.odt)", "save it as .docx or PDF"),
    (b"application/vnd.oasis.opendocument.spreadsheet", "an OpenDocument table (.ods)", "save it as .xlsx or CSV"),
    (b"application/vnd.oasis.opendocument.presentation", "an OpenDocument presentation (.odp)", "save it as .pptx"),
    (b"application/epub+zip", "an EPUB book", "save it as PDF or HTML"),
)
_FIRST_NAME = slice(30, 38)
#: As much as is looked at to find out what else the bytes are.
_HEAD = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a file is not read.

    Args:
        error: What to raise.
        document: Whether it is a document all the same, of a format that people may save as another.
    """

    error: InputRejected
    document: bool


def known_refusal(data: bytes) -> Refusal | None:
    """Why bytes of a well-known kind of document are not read; None where they are of no such kind."""
    if data.startswith(_OLE):
        return _ole(data)
    head = data[:_HEAD].lstrip()
    for magic, what, hint in _MARKED:
        if head.startswith(magic):
            return _advised(what, hint)
    if data[_FIRST_NAME] == b"mimetype" and data.startswith(b"PK"):
        for type_, what, hint in _ZIP_DOCUMENTS:
            if data.startswith(type_, _FIRST_NAME.stop):
                return _advised(what, hint)
    return None


def binary_refusal(data: bytes, known: str) -> Refusal:
    """Why bytes that are no text are not read.

    Args:
        data: The bytes.
        known: Which formats are.
    """
    if data.startswith(b"PK"):
        error = UnsupportedInput("a ZIP archive is no document", hint="add the files in it one by one")
        return Refusal(error=error, document=False)
    kind = sniff(data[:_HEAD])
    unnamed = "a binary file of an unknown type"
    what = next((name for magic, name in _BINARIES if data.startswith(magic)), unnamed)
    shown = what if kind is None else f"a file of the type {kind.name}"
    return Refusal(error=UnsupportedInput(f"{shown} is no document that memplug reads", hint=known), document=False)


def _advised(what: str, hint: str) -> Refusal:
    return Refusal(error=UnsupportedInput(f"{what} is not read", hint=hint), document=True)


def _ole(data: bytes) -> Refusal:
    """Office files of the old kind, and encrypted ones of the new: both are containers with named streams."""
    if _stream("EncryptedPackage") in data:
        error = EncryptedInput("the Office file only opens with a password", hint="save it without one")
        return Refusal(error=error, document=True)
    for name, what, hint in _OLE_KINDS:
        if _stream(name) in data:
            return _advised(what, hint)
    return _advised("an OLE container", "save what is in it as a file of its own")


def _stream(name: str) -> bytes:
    return name.encode("utf-16-le")
