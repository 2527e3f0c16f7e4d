"""PDF files made by hand, honest ones and others."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

#: A line of text: distances from the left and from the bottom in points, size in points, words.
Line = tuple[float, float, float, str]


def obj(number: int, body: bytes) -> bytes:
    """An object of this number."""
    return b"%d 0 obj\n%s\nendobj\n" % (number, body)


def stream(data: bytes, entries: bytes = b"", *, packed: bool = False) -> bytes:
    """A stream, plain or packed by deflate."""
    if packed:
        data, entries = zlib.compress(data, 9), entries + b" /Filter /FlateDecode"
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def pdf_file(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A file of these objects, the first of which has the number 1."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += obj(number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def literal(text: str) -> bytes:
    """A string in a content stream, in the encoding of Windows."""
    data = text.encode("cp1252")
    return b"(" + data.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


def content(lines: Sequence[Line], font: bytes = b"F1") -> bytes:
    """What writes lines on a page."""
    return b"".join(
        b"BT /%s %g Tf 1 0 0 1 %g %g Tm %s Tj ET\n" % (font, size, x, y, literal(text)) for x, y, size, text in lines
    )


def pdf(
    *pages: Sequence[Line] | bytes,
    title: str = "",
    font: bytes = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    extra: Sequence[bytes] = (),
    page_entries: bytes = b"",
    resources: bytes = b"",
) -> bytes:
    """A PDF with these pages: lines of text, or content streams.

    Objects 1 to 4 are the catalogue, the pages, the font and the properties; ``extra`` ones begin at 5.
    """
    first = 5 + len(extra)
    kids = b" ".join(b"%d 0 R" % (first + 2 * place) for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        font,
        b"<< /Title %s >>" % literal(title),
        *extra,
    ]
    for place, page in enumerate(pages):
        body = page if isinstance(page, bytes) else content(page)
        uses = b"/Resources << /Font << /F1 3 0 R >> %s >>" % resources
        head = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R" % (first + 2 * place + 1)
        objects.append(b"%s %s %s >>" % (head, page_entries, uses))
        objects.append(stream(body, packed=True))
    return pdf_file(objects, b"/Root 1 0 R /Info 4 0 R")


def paragraphs(*texts: tuple[float, str], top: float = 720, x: float = 72) -> list[Line]:
    """Lines of text from top to bottom: each with its size, with the space between lines that is usual for it.

    An empty one leaves half a line more, as between paragraphs.
    """
    lines: list[Line] = []
    for size, text in texts:
        top -= size * (1.2 if text else 0.6)
        if text:
            lines.append((x, top, size, text))
    return lines
