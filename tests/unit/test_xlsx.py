"""What is read from spreadsheets."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment

from hostile.bombs import xlsx as written
from memplug.exceptions import InputTooLarge
from memplug.inputs.documents.number_formats import built_in, shown
from memplug.inputs.documents.reading import Reading
from memplug.inputs.documents.xlsx import read
from memplug.values.limits import Limits

LIMITS = Limits()


def saved(book: Any) -> Reading:
    """What is read from a workbook that openpyxl writes."""
    out = io.BytesIO()
    book.save(out)
    return read(out.getvalue(), LIMITS)


def rows(*rows: tuple[Any, ...]) -> list[tuple[str, str]]:
    """Where each row of a sheet stands, and its words."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return [(block.section, block.text) for block in saved(book).blocks[1:]]


def test_each_row_carries_the_names_of_its_columns() -> None:
    """A title above, numbers and dates as people see them, formulas that nobody has worked out, truth."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Orders"
    for row in (
        ["Sales report 2024"],
        [],
        ["Date", "Customer", "Amount", "Share", "Empty", "Paid"],
        [dt.date(2024, 3, 5), "Li", 1234.5, 0.15, None, True],
        [dt.datetime(2024, 3, 6, 14, 30), "Wang", 0.1 + 0.2, None, None, False],  # noqa: DTZ001 - cells know no zone
    ):
        sheet.append(row)
    sheet["C4"].number_format, sheet["D4"].number_format, sheet["C6"] = '#,##0.00 "€"', "0.0%", "=SUM(C4:C5)"
    assert [(block.kind, block.section, block.text) for block in saved(book).blocks] == [
        ("heading", "", "Orders"),
        ("paragraph", "Orders!A1", "Sales report 2024"),
        (
            "row",
            "Orders!A4:F4",
            "Date: 2024-03-05, Customer: Li, Amount: 1,234.50 €, Share: 15.0%, Paid: TRUE",
        ),
        ("row", "Orders!A5:F5", "Date: 2024-03-06 14:30:00, Customer: Wang, Amount: 0.3, Paid: FALSE"),
        ("row", "Orders!C6", "Amount: =SUM(C4:C5)"),
        ("row", "Orders!A3:F3", "Empty"),
    ]


def test_a_second_table_has_names_of_its_own() -> None:
    """Behind a gap, where it does not fit below the first; texts behind a gap are no names where they do."""
    assert rows(
        ("Name", "City"), ("Li", "Bonn"), (), ("Wang", "Rome"), (), ("Item", "Price", "Unit"), ("Tea", 3, "kg")
    ) == [
        ("Sheet!A2:B2", "Name: Li, City: Bonn"),
        ("Sheet!A4:B4", "Name: Wang, City: Rome"),
        ("Sheet!A7:C7", "Item: Tea, Price: 3, Unit: kg"),
    ]


def test_numbers_without_names_stand_alone() -> None:
    """A first row of numbers is no header."""
    assert rows((1, 2), (3, 4)) == [("Sheet!A1:B1", "1, 2"), ("Sheet!A2:B2", "3, 4")]


def test_all_sheets_are_read_with_comments_and_charts() -> None:
    """A name with blanks is quoted in places, as spreadsheets do."""
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = 5, 7
    book.active["A1"].comment = Comment("too low", "me")
    chart = BarChart()
    chart.title = "Sold"
    chart.add_data(Reference(book.active, min_col=1, min_row=1, max_row=2))
    book.active.add_chart(chart)
    book.create_sheet("Li's notes").append(["x"])
    book["Li's notes"].sheet_state = "hidden"
    found = [(block.section, block.text) for block in saved(book).blocks]
    assert ("Sheet!A1", "too low") in [(section, text.splitlines()[-1]) for section, text in found]
    assert ("Sheet", "Sold") in found
    assert found[-2:] == [("", "Li's notes"), ("'Li''s notes'!A1", "x")]


def test_strings_are_found_wherever_they_are_kept() -> None:
    """Shared in runs, without how they are pronounced; in the cell; as the result of a formula; errors as they are."""
    strings = "<si><r><t>東</t></r><r><t>京</t></r><rPh><t>トウキョウ</t></rPh></si><si><t> two </t></si>"
    cells = (
        '<c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="inlineStr"><is><t>in</t><r><t>line</t></r></is></c>'
        '<c t="str"><f>A1</f><v>three</v></c><c t="e"><v>#REF!</v></c><c><f>1+1</f><v>2</v></c>'
    )
    data = written(f"<row>{cells}</row>", strings=strings)
    assert read(data, LIMITS).blocks[-1].text == "東京, two, inline, three, #REF!, 2"


def test_cells_and_characters_are_counted() -> None:
    """As many as are allowed are read, and one more is refused."""
    data = written("<row><c><v>12</v></c><c><v>34</v></c></row><row><c><v>5</v></c></row>")
    assert [block.text for block in read(data, Limits(document_cells=3, document_characters=8)).blocks] == [
        "S",
        "12, 34",
        "5",
    ]
    for bad, words in ((Limits(document_cells=2), "2 cells"), (Limits(document_characters=7), "7 characters")):
        with pytest.raises(InputTooLarge, match=words):
            read(data, bad)


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("0.30000000000000004", "General", "0.3"),
        ("12", "General", "12"),
        ("1E+20", "General", "1e+20"),
        ("123456789012345", "General", "123456789012345"),
        ("1234.5", "0", "1235"),
        ("1.005", "0.00", "1.01"),
        ("1234567.891", "#,##0.00", "1,234,567.89"),
        ("-1234.5", '#,##0.00 "€";[Red]-#,##0.00 "€"', "-1,234.50 €"),
        ("1234.5", "[$€-407] #,##0.00", "€ 1,234.50"),
        ("1234.5", '_-* #,##0.00\\ "kr"_-', "1,234.50 kr"),
        ("99", '"No. "000', "No. 099"),
        ("1067", "00000", "01067"),
        ("5551234567", "(000) 000-0000", "5551234567"),
        ("0.125", "0.0%", "12.5%"),
        ("0.5", "0%", "50%"),
        ("2.5", "0.###", "2.5"),
        ("2", "0.###", "2"),
        ("12345678", "#,##0.0,,", "12.3"),
        ("12345", "0.00E+00", "1.23E+04"),
        ("0.75", "# ?/?", "0.75"),
        ("-0.001", "0.00", "0.00"),
        ("45356", "dd.mm.yyyy", "2024-03-05"),
        ("45356.75", "m/d/yy h:mm", "2024-03-05 18:00"),
        ("45356.75", "[$-409]d-mmm-yyyy h:mm:ss AM/PM", "2024-03-05 18:00:00"),
        ("0.5", "h:mm", "12:00"),
        ("1.25", "[h]:mm", "30:00"),
        ("1", "yyyy-mm-dd", "1900-01-01"),
        ("61", "yyyy-mm-dd", "1900-03-01"),
        ("45356", "mmmm", "2024-03-05"),
        ("-1", "yyyy-mm-dd", "-1"),
        ("1e300", "yyyy-mm-dd", "1e+300"),
        ("nan", "0", "nan"),
        ("x", "0", "x"),
        ("5", "@", "5"),
        ("5", '"only words"', "5"),
    ],
)
def test_numbers_are_shown_as_people_see_them(value: str, code: str, words: str) -> None:
    """Dates as ISO 8601, since 3/5 means two days."""
    assert shown(value, code) == words


def test_days_may_be_counted_from_1904() -> None:
    """As old Macs do; and formats may be known by number alone."""
    assert shown("43894", built_in(14), since_1904=True) == "2024-03-05"
    assert shown("0.5", built_in(9)) == "50%"
    assert shown("45356", built_in(31)) == "2024-03-05"
    assert shown("7", built_in(99)) == "7"
