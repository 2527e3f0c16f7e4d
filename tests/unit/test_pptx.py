"""What is read from presentations."""

from __future__ import annotations

import io
from typing import Any

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from hostile.bombs import presentation
from memplug.exceptions import InputTooLarge
from memplug.inputs.documents.pptx import read
from memplug.inputs.documents.reading import Reading
from memplug.values.limits import Limits
from support import png

LIMITS = Limits()
#: Layouts of python-pptx's own template: title and content, title only, nothing.
CONTENT, TITLE, BLANK = 1, 5, 6


def slide(deck: Any, layout: int) -> Any:
    """A new slide."""
    return deck.slides.add_slide(deck.slide_layouts[layout])


def saved(deck: Any) -> Reading:
    """What is read from a presentation that python-pptx writes."""
    out = io.BytesIO()
    deck.save(out)
    return read(out.getvalue(), LIMITS)


def test_a_slide_is_a_page_with_title_bullets_and_notes() -> None:
    """The title stands first, wherever it is among the shapes."""
    deck = pptx.Presentation()
    first = slide(deck, CONTENT)
    frame = first.placeholders[1].text_frame
    frame.text = "Revenue grew"
    frame.add_paragraph().text = "Costs fell"
    first.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "A remark"
    first.shapes.title.text = "Results"
    first.shapes._spTree.append(first.shapes.title._element)
    first.notes_slide.notes_text_frame.text = "Mention the office"
    second = slide(deck, TITLE)
    second.shapes.title.text = "Outlook"
    reading = saved(deck)
    assert [(block.kind, block.level, block.page, block.section, block.text) for block in reading.blocks] == [
        ("heading", 1, 1, "", "Results"),
        ("item", 0, 1, "", "Revenue grew"),
        ("item", 0, 1, "", "Costs fell"),
        ("paragraph", 0, 1, "", "A remark"),
        ("paragraph", 0, 1, "notes", "Mention the office"),
        ("heading", 1, 2, "", "Outlook"),
    ]
    assert (reading.pages, reading.title) == (2, "Results")


def test_tables_and_charts_are_rows() -> None:
    """With the names of columns and series."""
    deck = pptx.Presentation()
    one = slide(deck, BLANK)
    table = one.shapes.add_table(2, 2, 0, 0, Inches(1), Inches(1)).table
    for number, row in enumerate((("Region", "Sales"), ("North", "12"))):
        for place, text in enumerate(row):
            table.cell(number, place).text = text
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call] # says nothing of its types
    data.categories = ["East", "West"]
    data.add_series("Q1", (19.2, 21.4))
    data.add_series("Q2", (1, 2))
    one.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(1), Inches(1), data)
    assert [(block.kind, block.text) for block in saved(deck).blocks] == [
        ("row", "Region: North, Sales: 12"),
        ("row", "East: Q1: 19.2, Q2: 1"),
        ("row", "West: Q1: 21.4, Q2: 2"),
    ]


def test_a_slide_of_pictures_is_a_scan() -> None:
    """One with words is none; what its author wrote about a picture is read."""
    deck = pptx.Presentation()
    for words in ("", "Our team"):
        one = slide(deck, BLANK)
        picture = one.shapes.add_picture(io.BytesIO(png()), 0, 0)
        picture._element._nvXxPr.cNvPr.set("descr", "a red\nfield")
        if words:
            one.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = words
    reading = saved(deck)
    assert reading.scanned == (1,)
    assert [block.text for block in reading.blocks] == ["[a red field]", "Our team", "[a red field]"]


def test_slides_are_read_in_the_order_in_which_they_are_shown() -> None:
    """And not in that of their files."""
    deck = pptx.Presentation()
    for words in ("one", "two", "three"):
        slide(deck, TITLE).shapes.title.text = words
    order = deck.slides._sldIdLst
    order.insert(0, order[2])
    assert [block.text for block in saved(deck).blocks] == ["three", "one", "two"]


def test_slides_and_characters_are_counted() -> None:
    """As many as are allowed are read, and one more is refused."""
    data = presentation(2, texts="12345")
    for good in (Limits(document_pages=2), Limits(document_characters=10)):
        assert read(data, good).pages == 2
    for bad, words in ((Limits(document_pages=1), "2 slides"), (Limits(document_characters=9), "9 characters")):
        with pytest.raises(InputTooLarge, match=words):
            read(data, bad)
