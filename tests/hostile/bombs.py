"""Documents that mean harm. All of them are made here, and all of them are small."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

from pdfs import content, literal, pdf, pdf_file, stream

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
Bomb = Callable[[], bytes]


def office(parts: Mapping[str, str | bytes], main: str) -> bytes:
    """An Office file with these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types"/>')
        file.writestr("_rels/.rels", relations({"r1": ("officeDocument", main)}))
        for name, part in parts.items():
            file.writestr(name, part)
    return out.getvalue()


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A part of relations: kind and target by id."""
    told = "".join(
        f'<Relationship Id="{name}" Type="{_R}/{kind}" Target="{target}"/>' for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{told}</Relationships>'


def docx(body: str, *, doctype: str = "", **parts: str) -> bytes:
    """A DOCX file with this body; further parts are related to it by their names."""
    document = f'{doctype}<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    more: dict[str, str | bytes] = {f"word/{name}.xml": part for name, part in parts.items()}
    more["word/_rels/document.xml.rels"] = relations({name: (name, f"{name}.xml") for name in parts})
    return office({"word/document.xml": document} | more, "word/document.xml")


def paragraph(text: str) -> str:
    """A paragraph of a DOCX file."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def xlsx(rows: str, *, styles: str = "", strings: str = "") -> bytes:
    """An XLSX file with one sheet of these rows."""
    parts: dict[str, str | bytes] = {
        "xl/workbook.xml": f'<workbook xmlns="{_S}" xmlns:r="{_R}"><sheet name="S" r:id="s"/></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            {
                "s": ("worksheet", "sheet.xml"),
                "t": ("styles", "styles.xml"),
                "u": ("sharedStrings", "strings.xml"),
            }
        ),
        "xl/sheet.xml": f'<worksheet xmlns="{_S}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/styles.xml": f'<styleSheet xmlns="{_S}">{styles}</styleSheet>',
        "xl/strings.xml": f'<sst xmlns="{_S}">{strings}</sst>',
    }
    return office(parts, "xl/workbook.xml")


def presentation(slides: int, *, texts: str = "") -> bytes:
    """A PPTX file that shows one slide so often."""
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    ids = "".join(f'<p:sldId id="{256 + number}" r:id="s"/>' for number in range(slides))
    slide = f'<p:sld xmlns:p="urn:p" xmlns:a="{drawing}"><p:sp><a:p><a:r><a:t>{texts}</a:t></a:r></a:p></p:sp></p:sld>'
    parts: dict[str, str | bytes] = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="urn:p" xmlns:r="{_R}">{ids}</p:presentation>',
        "ppt/_rels/presentation.xml.rels": relations({"s": ("slide", "slide.xml")}),
        "ppt/slide.xml": slide,
        "ppt/_rels/slide.xml.rels": relations({"n": ("notesSlide", "slide.xml"), "c": ("chart", "presentation.xml")}),
    }
    return office(parts, "ppt/presentation.xml")


def drivel(size: int) -> str:
    """Text that no packer makes much smaller."""
    dice = random.Random(1)  # noqa: S311 - dice, not secrets
    return "".join(dice.choices("abcdefghijklmnopqrstuvwxyz ", k=size))


def _flate_zeros() -> bytes:
    """A content stream of a gigabyte of blanks, packed twice."""
    packer, blanks = zlib.compressobj(1), b" " * 1_000_000
    once = b"".join(packer.compress(blanks) for _ in range(1_000)) + packer.flush()
    return _with_stream(b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>", zlib.compress(once, 9))


def _with_stream(head: bytes, data: bytes) -> bytes:
    """A PDF with one page, whose content is this stream."""
    return pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << >> >>",
            head % len(data) + b"\nstream\n" + data + b"\nendstream",
        ]
    )


def _forms(depth: int, *, circle: bool) -> bytes:
    """Forms that each draw the next one twice; in a circle, the last one draws itself."""
    forms = []
    for number in range(depth):
        following = number + 1 if number + 1 < depth else number
        drawn = b"/X Do /X Do" if circle or number + 1 < depth else content([(1, 1, 12, "x")])
        uses = b"/XObject << /X %d 0 R >> /Font << /F1 3 0 R >>" % (5 + following)
        forms.append(stream(drawn, b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << %s >>" % uses))
    return pdf(b"/X Do", extra=forms, resources=b"/XObject << /X 5 0 R >>")


def _page_tree(kids: bytes, count: int) -> bytes:
    return pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
        ]
    )


def _swollen_font() -> bytes:
    """Each letter stands for five hundred."""
    mapping = b"<41> <%s>" % (b"0042" * 500)
    cmap = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar %s endbfchar" % mapping
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>"
    lines = b"BT /F1 1 Tf " + b"(" + b"A" * 1_000 + b") Tj 0 1 Td " * 1 + b"ET\n"
    return pdf(lines * 200, font=font, extra=[stream(cmap)])


def _notes() -> bytes:
    """A page with a million characters in each of its hundred notes."""
    note = b"<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents 5 0 R >>"
    return pdf([], extra=[literal("x" * 1_000_000), note], page_entries=b"/Annots [%s]" % (b"6 0 R " * 5_000))


def _encrypted() -> bytes:
    handler = b"/Filter /Standard /V 1 /R 2 /P -4 /O (%s) /U (%s)" % (b"o" * 32, b"u" * 32)
    return pdf_file(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>", b"<< %s >>" % handler],
        b"/Root 1 0 R /Encrypt 3 0 R /ID [(x) (x)]",
    )


def _looping_table() -> bytes:
    """A table of objects that says that the one before it is itself."""
    whole = pdf([(1, 1, 12, "x")])
    start = whole.rindex(b"xref\n0")
    return whole.replace(b"trailer\n<<", b"trailer\n<< /Prev %d" % start)


PDFS: dict[str, Bomb] = {
    "60 MB of text": lambda: pdf(content([(1, 1, 12, "words " * 50)]) * 180_000),
    "a gigabyte of blanks": _flate_zeros,
    "a form that draws itself": lambda: _forms(1, circle=True),
    "half a million forms": lambda: _forms(19, circle=False),
    "100,000 pages": lambda: _page_tree(b"3 0 R " * 100_000, 100_000),
    "a count that lies": lambda: _page_tree(b"3 0 R", 2_000_000_000),
    "a negative count": lambda: _page_tree(b"3 0 R", -5),
    "pages in a circle": lambda: _page_tree(b"2 0 R 3 0 R", 3),
    "a page as large as a town": lambda: pdf(
        content([(1, 1, 1e9, "x")]), page_entries=b"/MediaBox [-1e30 -1e30 1e30 1e30]"
    ),
    "a swollen font": _swollen_font,
    "endless notes": _notes,
    "a password": _encrypted,
    "a table in a loop": _looping_table,
    "nested arrays": lambda: pdf(b"[" * 2_000_000),
    "nested dictionaries": lambda: b"%PDF-1.7\n1 0 obj\n" + b"<< /A " * 200_000,
    "cut off": lambda: pdf([(1, 1, 12, "x")])[:300],
    "only a head": lambda: b"%PDF-1.7\n",
    "noise": lambda: b"%PDF-1.7\n" + random.Random(2).randbytes(50_000),  # noqa: S311
}


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return docx(paragraph("&l9;"), doctype=f'<!DOCTYPE d [<!ENTITY l0 "lol">{entities}]>')


def _foreign_entity() -> bytes:
    return docx(paragraph("&file;"), doctype='<!DOCTYPE d [<!ENTITY file SYSTEM "file:///etc/passwd">]>')


def _far_cell() -> bytes:
    return xlsx('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row><row><c r="A1"><v>2</v></c></row>')


def _absurd_numbers() -> bytes:
    """Places, styles and strings that are not there, and values that are no numbers."""
    cells = "".join(
        f'<c r="{place}" t="{kind}" s="{style}"><v>{value}</v></c>'
        for place, kind, style, value in (
            ("A" * 50, "n", "9" * 400, "1e999"),
            ("ZZZ9999999", "s", "-1", "9" * 400),
            ("A0", "b", "x", "nan"),
            ("", "n", "0", "-" + "9" * 400),
            ("B2", "e", "", "#REF!"),
            ("C3", "n", "1", "1e300"),
            ("D4", "n", "1", "-7"),
        )
    )
    styles = '<cellXfs><xf numFmtId="9999999999"/><xf numFmtId="14"/></cellXfs>'
    return xlsx(f'<row r="99999999999999999999">{cells}</row>', styles=styles)


def _absurd_formats() -> bytes:
    """Formats of numbers that regular expressions could lose themselves in."""
    codes = ["[" * 100_000, '"' * 99_999, "#,##0." * 20_000, "\\" * 99_999, "0" * 100_000, "[h]" * 30_000, "%" * 99_999]
    told = "".join(
        f'<numFmt numFmtId="{200 + n}" formatCode="{code.replace(chr(34), "&quot;")}"/>' for n, code in enumerate(codes)
    )
    uses = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(codes)))
    cells = "".join(f'<c s="{n}"><v>1234.5</v></c>' for n in range(len(codes)))
    return xlsx(f"<row>{cells}</row>", styles=f"<numFmts>{told}</numFmts><cellXfs>{uses}</cellXfs>")


def overlapping(entries: int = 100) -> bytes:
    """Entries that each unpack the same kernel: the directory points all of them at one."""
    kernel = zlib.compress(b"\0" * 1_000_000, 9)[2:-4]
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(kernel), 1_000_000, 4, 0) + b"0000" + kernel
    directory = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(kernel), 1_000_000, 4, 0, 0, 0, 0, 0, 0)
        + f"{number:04}".encode()
        for number in range(entries)
    )
    return (
        local
        + directory
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, len(directory), len(local), 0)
    )


def _flagged(data: bytes, flag: int) -> bytes:
    """The file with a flag set for each of its entries."""
    out = bytearray(data)
    at = data.index(b"PK\x01\x02")
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        out[at + 8] |= flag
        at += 4
    return bytes(out)


def _lying(data: bytes, size: int) -> bytes:
    """The file with another unpacked size in the directory, for the part that matters."""
    out = bytearray(data)
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"word/document.xml"))
    out[at + 24 : at + 28] = size.to_bytes(4, "little")
    return bytes(out)


def _broken(data: bytes) -> bytes:
    """The file with noise in the middle of what is packed."""
    at = data.index(b"word/document.xml") + 60
    return data[:at] + random.Random(3).randbytes(40) + data[at + 40 :]  # noqa: S311


def _styles_in_a_circle() -> bytes:
    circle = "".join(f'<w:style w:styleId="s{n}"><w:basedOn w:val="s{(n + 1) % 3}"/></w:style>' for n in range(3))
    body = f'<w:p><w:pPr><w:pStyle w:val="s0"/><w:outlineLvl w:val="{"9" * 30}"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>'
    return docx(body, styles=f'<w:styles xmlns:w="{_W}">{circle}</w:styles>')


def _crossed_notes() -> bytes:
    """Notes that refer to each other."""
    note = '<w:footnote w:id="1"><w:p><w:r><w:footnoteReference w:id="1"/><w:t>x</w:t></w:r></w:p></w:footnote>'
    body = '<w:p><w:r><w:footnoteReference w:id="1"/></w:r></w:p>'
    return docx(body, footnotes=f'<w:footnotes xmlns:w="{_W}">{note}</w:footnotes>')


def ole(stream_name: str) -> bytes:
    """A container of the old Office with a stream of this name."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1_000) + stream_name.encode("utf-16-le") + bytes(1_000)


_TABLES = "<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='99999999'/></w:tcPr>"
OFFICE: dict[str, tuple[str, Bomb]] = {
    "billion laughs": ("docx", _laughs),
    "an entity from a file": ("docx", _foreign_entity),
    "20,000 nested elements": ("docx", lambda: docx("<w:x>" * 20_000 + paragraph("x") + "</w:x>" * 20_000)),
    "20,000 nested tables": (
        "docx",
        lambda: docx(_TABLES * 20_000 + paragraph("x") + "</w:tc></w:tr></w:tbl>" * 20_000),
    ),
    "a text of 60 MB": ("docx", lambda: docx(paragraph("a" * 60_000_000))),
    "a text of 6 MB": ("docx", lambda: docx(paragraph(drivel(6_000_000)))),
    "400,000 paragraphs": ("docx", lambda: docx(paragraph("a") * 400_000)),
    "400,000 different paragraphs": ("docx", lambda: docx("".join(map(paragraph, drivel(400_000))))),
    "styles in a circle": ("docx", _styles_in_a_circle),
    "notes in a circle": ("docx", _crossed_notes),
    "half a surrogate": ("docx", lambda: docx(paragraph("&#xD800;"))),
    "no body": ("docx", lambda: office({"word/other.xml": "<x/>"}, "../../etc/passwd")),
    "no XML": ("docx", lambda: docx("<w:p>" * 3)),
    "noise inside": ("docx", lambda: _broken(docx(paragraph(drivel(10_000))))),
    "a size too small": ("docx", lambda: _lying(docx(paragraph(drivel(10_000))), 300)),
    "a size too large": ("docx", lambda: _lying(docx(paragraph(drivel(10_000))), 900_000)),
    "more than 200 MB": ("docx", lambda: _lying(docx(paragraph(drivel(2_000_000))), 201_000_000)),
    "a gigabyte declared": ("docx", lambda: _lying(docx(paragraph("a")), 1_000_000_000)),
    "entries on top of each other": ("docx", overlapping),
    "5,000 parts": ("docx", lambda: docx("", **{f"p{n}": "" for n in range(5_000)})),
    "a password for each part": ("docx", lambda: _flagged(docx(paragraph("x")), 1)),
    "an encrypted container": ("xlsx", lambda: ole("EncryptedPackage")),
    "an old Word document": ("docx", lambda: ole("WordDocument")),
    "cut off": ("docx", lambda: docx(paragraph(drivel(9_000)))[:5_000]),
    "a cell far away": ("xlsx", _far_cell),
    "absurd numbers": ("xlsx", _absurd_numbers),
    "absurd formats": ("xlsx", _absurd_formats),
    "two million cells": ("xlsx", lambda: xlsx(f"<row>{'<c><v>1</v></c>' * 250_000}</row>" * 9)),
    "501 slides": ("pptx", lambda: presentation(501)),
    "a slide that is its own note": ("pptx", lambda: presentation(500, texts="x")),
    "500 slides of 20,000 letters": ("pptx", lambda: presentation(500, texts=drivel(20_000))),
}
