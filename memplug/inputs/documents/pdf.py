"""PDF files: the words of each page, put together to paragraphs and headings from where they stand and how large.

To be run in a worker: pdfium is not safe between threads, and some files make it eat memory until it aborts.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from memplug.exceptions import EncryptedInput, InputTooLarge, MalformedInput
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.lines import Layout, Line, PageLayout, compounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pypdfium2

    from memplug.inputs.documents.reading import Reading
    from memplug.values.limits import Limits

#: Objects of a page that are looked at to see whether it shows anything.
_OBJECTS = 200
#: So many lines and curves are a drawing, or letters turned into curves; fewer are a frame or a background.
_CURVES = 20
#: Notes and form fields of one page.
_ANNOTATIONS = 1_000
#: What programs write where nobody gave a title, and before the name of a file that was printed.
_NO_TITLE = re.compile(
    r"^(?:\(?(?:anonymous|untitled|unknown)\)?$|Microsoft (?:Word|PowerPoint|Excel) - )", re.IGNORECASE
)
#: Characters of fonts that do not say what their signs mean.
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")


def read(data: bytes, limits: Limits) -> Reading:
    """Reads a PDF file.

    Raises:
        EncryptedInput: It only opens with a password.
        InputTooLarge: It has more pages or characters than are taken.
        MalformedInput: It is damaged, or no page of it can be read.
    """
    document = _opened(data)
    found = Gatherer(limits)
    pages = len(document)
    found.pages(pages)
    layouts = list(_layouts(document, pages, found, limits))
    if not layouts:
        raise MalformedInput("the PDF file is damaged: none of its pages can be read")
    _add(found, layouts)
    found.title = _NO_TITLE.sub("", document.get_metadata_value("Title"))
    return found.reading()


def _opened(data: bytes) -> pypdfium2.PdfDocument:
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise EncryptedInput(
                "the PDF file only opens with a password", hint="save it without one; memplug asks for none"
            ) from error
        raise MalformedInput(f"the PDF file is damaged: {error}") from error


def _layouts(document: pypdfium2.PdfDocument, pages: int, found: Gatherer, limits: Limits) -> Iterator[PageLayout]:
    """The pages that can be read, with all their lines."""
    import pypdfium2

    room = 2 * limits.document_characters
    for number in range(1, pages + 1):
        try:
            page = document[number - 1]
            lines, characters = _lines(page, room)
            notes = tuple(_annotations(page, room, found))
        except pypdfium2.PdfiumError:
            found.warn(f"page {number} is damaged and was left out")
            continue
        room -= characters + sum(map(len, notes))
        if not lines and _shows(page):
            found.scanned.append(number)
        yield PageLayout(number=number, lines=lines, notes=notes)
        page.close()


def _lines(page: pypdfium2.PdfPage, room: int) -> tuple[list[Line], int]:
    """The lines of a page in the order in which it draws them, and how many characters it has.

    The exact limit is held where blocks are made; this one only keeps a bomb from being unpacked to the end.
    """
    text_page = page.get_textpage()
    characters = text_page.count_chars()
    if characters > room:
        raise _too_long()
    text: str = text_page.get_text_range()
    if 2 * len(_UNREADABLE.findall(text)) > len(text):
        return [], characters
    lines, start = [], 0
    for line in text.split("\r\n"):
        if line.strip():
            first = start + _units(line[: len(line) - len(line.lstrip())])
            last = start + _units(line.rstrip()) - 1
            lines.append(_placed(text_page, line.strip(), first, last))
        start += _units(line) + 2
    text_page.close()
    return lines, characters


def _too_long() -> InputTooLarge:
    return InputTooLarge(
        "the PDF file has more characters than are taken from a document", hint="split it into several"
    )


def _units(text: str) -> int:
    """How many numbers of 16 bits pdfium counts for a text."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _placed(text_page: pypdfium2.PdfTextPage, text: str, first: int, last: int) -> Line:
    """A line with where its first and its last character stand."""
    start, end = _box(text_page, first), _box(text_page, last)
    return Line(
        text=text,
        left=start.left,
        right=end.right,
        top_base=start.bottom,
        last_base=end.bottom,
        height=max(start.top - start.bottom, 0.1),
    )


def _box(text_page: pypdfium2.PdfTextPage, place: int) -> Any:
    """The box of a character with the room that its font keeps for it, in points."""
    import pypdfium2.raw as pdfium

    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, place), box)
    return box


def _shows(page: pypdfium2.PdfPage) -> bool:
    """Whether a page shows more than a frame: a picture, or a drawing."""
    import pypdfium2.raw as pdfium

    count = min(pdfium.FPDFPage_CountObjects(page), _OBJECTS)
    kinds = Counter(pdfium.FPDFPageObj_GetType(pdfium.FPDFPage_GetObject(page, place)) for place in range(count))
    seen = kinds[pdfium.FPDF_PAGEOBJ_IMAGE] + kinds[pdfium.FPDF_PAGEOBJ_SHADING] + kinds[pdfium.FPDF_PAGEOBJ_FORM]
    letters = kinds[pdfium.FPDF_PAGEOBJ_TEXT]
    return bool(seen or letters) or kinds[pdfium.FPDF_PAGEOBJ_PATH] >= _CURVES


def _annotations(page: pypdfium2.PdfPage, room: int, found: Gatherer) -> Iterator[str]:
    """What is written into notes and form fields, which belong to no page's text."""
    import pypdfium2.raw as pdfium

    skipped = {pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP}
    count = pdfium.FPDFPage_GetAnnotCount(page)
    if count > _ANNOTATIONS:
        found.warn(f"of {count:,} notes on a page only {_ANNOTATIONS:,} were read")
    for place in range(min(count, _ANNOTATIONS)):
        note = pdfium.FPDFPage_GetAnnot(page, place)
        if not note:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(note)
        words = ""
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            words = ": ".join(filter(None, (_value(note, b"T", room), _value(note, b"V", room))))
        elif kind not in skipped:
            words = _value(note, b"Contents", room)
        pdfium.FPDFPage_CloseAnnot(note)
        room -= len(words)
        yield words


def _value(note: Any, key: bytes, room: int) -> str:
    import pypdfium2.raw as pdfium

    size = pdfium.FPDFAnnot_GetStringValue(note, key, None, 0)
    if size > 2 * room:
        raise _too_long()
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFAnnot_GetStringValue(note, key, buffer, size)
    return bytes(buffer)[: max(size - 2, 0)].decode("utf-16-le", "ignore")


def _add(found: Gatherer, layouts: list[PageLayout]) -> None:
    """Makes blocks of lines, by what is usual for the whole document."""
    layout = Layout(layouts)
    words = compounds(layouts)
    for page in layouts:
        for block in layout.blocks(page, words):
            found.add(block.kind, block.text, level=block.level, page=page.number)
        for note in page.notes:
            found.add("paragraph", note, page=page.number, section="notes")
