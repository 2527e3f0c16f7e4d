"""What is read from PDF files."""

from __future__ import annotations

import pytest

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.inputs.documents.pdf import read
from memplug.inputs.documents.reading import Reading
from memplug.values.limits import Limits
from pdfs import Line, paragraphs, pdf, pdf_file, stream

LIMITS = Limits()
BODY = "A line of text that is as long as the lines of a paragraph mostly are."
IMAGE = (
    b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>\n"
    b"stream\n\0\nendstream"
)


def found(*pages: list[Line] | bytes) -> list[tuple[str, int, str]]:
    """Kind, level and words of what is read."""
    return [(block.kind, block.level, block.text) for block in read(pdf(*pages), LIMITS).blocks]


def texts(reading: Reading) -> list[str]:
    """The words of all blocks."""
    return [block.text for block in reading.blocks]


def test_a_page_falls_into_headings_paragraphs_and_items() -> None:
    """By size and distance; lines of a paragraph are joined, and items stand alone."""
    page = paragraphs(
        (20, "Handbook"),
        (11, ""),
        (14, "Returns"),
        (11, ""),
        (11, BODY),
        (11, BODY),
        (11, ""),
        (11, BODY),
        (11, "• first"),
        (11, "• second"),
        (11, "1. third"),
    )
    assert found(page) == [
        ("heading", 1, "Handbook"),
        ("heading", 2, "Returns"),
        ("paragraph", 0, f"{BODY} {BODY}"),
        ("paragraph", 0, BODY),
        ("item", 0, "first"),
        ("item", 0, "second"),
        ("item", 0, "1. third"),
    ]


def test_each_block_says_its_page() -> None:
    """Also behind pages with nothing on them, which are no scans; neither are such with a frame only."""
    reading = read(pdf([(72, 700, 12, "one")], [], b"0 0 600 700 re f", [(72, 700, 12, "four")]), LIMITS)
    assert [(block.text, block.page) for block in reading.blocks] == [("one", 1), ("four", 4)]
    assert (reading.pages, reading.scanned) == (4, ())


def test_a_page_with_a_picture_and_no_text_is_a_scan() -> None:
    """It is what OCR is for."""
    drawn = b"q 600 0 0 700 0 0 cm /I Do Q"
    reading = read(
        pdf(drawn, [(72, 700, 12, "two")], drawn, extra=[IMAGE], resources=b"/XObject << /I 5 0 R >>"), LIMITS
    )
    assert reading.scanned == (1, 3)


def test_a_page_of_drawn_letters_is_a_scan() -> None:
    """Text that was turned into curves can only be seen."""
    assert read(pdf(b"1 1 m 2 2 l S\n" * 40), LIMITS).scanned == (1,)


def test_a_page_in_a_font_without_meaning_is_a_scan() -> None:
    """Signs that stand for no character are no words."""
    cmap = stream(b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <00> <ff> <E000> endbfrange")
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>"
    reading = read(pdf([(72, 700, 12, "unreadable")], font=font, extra=[cmap]), LIMITS)
    assert (reading.blocks, reading.scanned) == ((), (1,))


def test_words_broken_at_the_end_of_a_line_are_made_whole() -> None:
    """The hyphen stays where the document writes the word with it elsewhere, and before capitals."""
    page = paragraphs(
        (11, "This well-known text speaks of many things, such as infor-"),
        (11, "mation, and it is still as well-"),
        (11, "known as ever to all of us who live in Baden-"),
        (11, "Baden and elsewhere."),
    )
    (block,) = read(pdf(page), LIMITS).blocks
    assert "information, and it is still as well-known as ever to all of us who live in Baden-Baden" in block.text


def test_characters_of_all_planes_come_through() -> None:
    """Also those that take two numbers of 16 bits, and Chinese lines are joined without blanks."""
    cmap = stream(
        b"1 begincodespacerange <00> <ff> endcodespacerange "
        b"3 beginbfchar <41> <D83DDE00> <42> <4E2D> <43> <6587> endbfchar"
    )
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>"
    page = [(72.0, 700.0, 12.0, "BCBC"), (72.0, 686.0, 12.0, "CBCB"), (72.0, 600.0, 12.0, "Ax A")]
    assert texts(read(pdf(page, font=font, extra=[cmap]), LIMITS)) == ["中文中文文中文中", "😀x 😀"]


def test_columns_and_rows_do_not_run_into_each_other() -> None:
    """A jump up begins a block, as does a line below one that stops early, or a figure below a figure."""
    left = paragraphs((11, "The left column has lines that"), (11, "are as long as these two are."))
    right = paragraphs((11, "The right column begins on"), (11, "the height of the left one."), x=350)
    table = paragraphs((11, "Apples 2.50"), (11, "Pears 3.50"), (11, BODY), (11, "The end"), (11, BODY), top=600)
    assert texts(read(pdf([*left, *right, *table]), LIMITS)) == [
        "The left column has lines that are as long as these two are.",
        "The right column begins on the height of the left one.",
        "Apples 2.50",
        "Pears 3.50",
        f"{BODY} The end",
        BODY,
    ]


def test_large_text_is_no_heading_where_most_is_large() -> None:
    """A slide or a poster has no headings that size could tell."""
    page = paragraphs((30, "Everything is large"), (30, "on this page of few"), (11, "But this is longer, and small."))
    assert {kind for kind, _, _ in found(page)} == {"paragraph"}


def test_notes_and_form_fields_are_read() -> None:
    """They belong to no page's text; links and the windows of notes say nothing."""
    notes = [
        b"<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (Check this) >>",
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (Name) /V (Li Na) /Rect [0 0 9 9] >>",
        b"<< /Type /Annot /Subtype /Popup /Contents (Check this) /Rect [0 0 9 9] >>",
    ]
    reading = read(pdf([(72, 700, 12, "Form")], extra=notes, page_entries=b"/Annots [5 0 R 6 0 R 7 0 R]"), LIMITS)
    assert [(block.text, block.section) for block in reading.blocks] == [
        ("Form", ""),
        ("Check this", "notes"),
        ("Name: Li Na", "notes"),
    ]


@pytest.mark.parametrize(
    ("written", "title"),
    [("The Handbook", "The Handbook"), ("", ""), ("untitled", ""), ("Microsoft Word - offer.doc", "offer.doc")],
)
def test_the_title_is_the_documents_own(written: str, title: str) -> None:
    """What programs write where there is none is no title."""
    assert read(pdf([], title=written), LIMITS).title == title


def test_pages_and_characters_are_counted() -> None:
    """As many as are allowed are read, and one more is refused."""
    data = pdf([(72, 700, 12, "12345")], [(72, 700, 12, "67890")])
    for good in (Limits(document_pages=2), Limits(document_characters=10)):
        assert texts(read(data, good)) == ["12345", "67890"]
    for bad, words in ((Limits(document_pages=1), "2 pages"), (Limits(document_characters=9), "9 characters")):
        with pytest.raises(InputTooLarge, match=words):
            read(data, bad)


def test_a_damaged_page_does_not_take_the_others_along() -> None:
    """It is named, and the rest is read."""
    whole = pdf([(72, 700, 12, "one")], [(72, 700, 12, "two")], [(72, 700, 12, "three")])
    assert texts(read(whole, LIMITS)) == ["one", "two", "three"]
    reading = read(whole.replace(b"/Kids [5 0 R 7 0 R", b"/Kids [5 0 R 99 0 R"), LIMITS)
    assert texts(reading) == ["one", "three"]
    assert reading.warnings == ("page 2 is damaged and was left out",)


def test_a_file_without_pages_is_damaged() -> None:
    """There is nothing to read, and that is said."""
    with pytest.raises(MalformedInput):
        read(pdf_file([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]), LIMITS)
