"""JSON, JSON Lines, XML, CSV and TSV: records as words, each with its place."""

from __future__ import annotations

import csv
import io
import json

import pytest

from memplug.exceptions import InputTooLarge, UnsafeInput
from memplug.inputs.documents import jsons, tables, xmls
from memplug.inputs.documents.reading import Reading
from memplug.values.limits import Limits

LIMITS = Limits()


def places(reading: Reading) -> list[tuple[str, str]]:
    """Section and text of each block."""
    return [(block.section, block.text) for block in reading.blocks]


def read_json(text: str, *, lines: bool = False) -> Reading:
    """What a JSON text holds."""
    return jsons.read(text.encode(), LIMITS, lines=lines)


def read_xml(text: str) -> Reading:
    """What an XML text holds."""
    return xmls.read(text.encode(), LIMITS)


def read_csv(text: str) -> Reading:
    """What a CSV text holds."""
    return tables.read(text.encode(), LIMITS)


# JSON -----------------------------------------------------------------------------------------------------


def test_each_record_of_a_list_is_a_block_with_its_path() -> None:
    """Names are words, and what is inside a record stays with it."""
    text = '[{"id": 1, "who": {"name": "Li", "city": "Bonn"}, "tags": ["a", "b"]}, {"id": 2, "first name": null}]'
    assert places(read_json(text)) == [
        ("$[0]", "id: 1, who: {name: Li, city: Bonn}, tags: [a, b]"),
        ("$[1]", "id: 2, first name: null"),
    ]


def test_each_branch_of_an_object_is_a_block_with_its_path() -> None:
    """Values stand together; lists of records give each of them, wherever they hang."""
    text = '{"name": "shop", "open": true, "owner": {"name": "Li"}, "a b": {"x": 1}, "orders": [{"n": 1}, {"n": 2}]}'
    found = read_json(text)
    assert places(found) == [
        ("$", "name: shop, open: true"),
        ("$.owner", "owner: name: Li"),
        ('$["a b"]', "a b: x: 1"),
        ("$.orders[0]", "n: 1"),
        ("$.orders[1]", "n: 2"),
    ]
    assert found.title == "shop"


def test_large_branches_fall_into_their_parts() -> None:
    """No record is longer than a passage where its parts have paths of their own."""
    deep = {"chapters": [{"title": f"T{n}", "text": "word " * 100} for n in range(4)], "end": "x"}
    found = read_json(json.dumps({"book": deep}))
    assert [section for section, _ in places(found)] == [
        *(f"$.book.chapters[{n}]" for n in range(4)),
        "$.book.end",
    ]
    assert all(len(text) < 1_100 for _, text in places(found))
    long = read_json(json.dumps({"a": 1, "essay": "word " * 1_000, "b": 2}))
    assert [section for section, _ in places(long)] == ["$.a", "$.essay", "$.b"]


def test_numbers_stay_as_they_are_written() -> None:
    """Neither the digits behind the point nor those of a long number change."""
    found = read_json('{"price": 1.10, "small": 1E-400, "long": 123456789012345678901234567890, "zero": -0.0}')
    assert places(found)[0][1] == "price: 1.10, small: 1E-400, long: 123456789012345678901234567890, zero: -0.0"


def test_no_member_with_a_name_that_is_there_twice_is_lost() -> None:
    """Every JSON parser keeps one of them; here both can be found."""
    assert places(read_json('{"limit": 600, "limit": 800}')) == [("$", "limit: 600, limit: 800")]


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": Infinity}', '{"a": 1,}', "{'a': 1}", '{"a": "\\ud800"}', '{"a": 1} // comment', '{"a": "b'],
)
def test_what_is_no_json_is_read_as_text(text: str) -> None:
    """Configuration files with comments and cut-off files keep their words; a warning says what is wrong."""
    found = read_json(text)
    assert places(found) == [("", text)]
    assert "not valid JSON" in found.warnings[0]


def test_json_lines_are_records_with_the_numbers_of_their_lines() -> None:
    """A line that is none costs only itself, and a file that was called JSON is read all the same."""
    text = '{"a": 1, "b": 2}\n\n{"a": 3, "b": 4}\nbroken\n'
    expected = [("line 1", "a: 1, b: 2"), ("line 3", "a: 3, b: 4"), ("line 4", "broken")]
    for lines in (True, False):
        found = read_json(text, lines=lines)
        assert places(found) == expected
        assert "not valid JSON" in found.warnings[0]


@pytest.mark.parametrize(("text", "blocks"), [('"word"', [("$", "word")]), ("5", [("$", "5")]), ("[]", []), ("{}", [])])
def test_json_of_one_value(text: str, blocks: list[tuple[str, str]]) -> None:
    """A bare value is text; an empty list holds none."""
    assert places(read_json(text)) == blocks


def test_json_has_a_limit_on_its_nesting() -> None:
    """As deep as the limit is read, one level more is not; far deeper is refused in the same words."""
    assert read_json("[" * 100 + "1" + "]" * 100).blocks
    for depth in (101, 150, 100_000):
        with pytest.raises(InputTooLarge, match="deeper than 100"):
            read_json("[" * depth + "1" + "]" * depth)


# XML ------------------------------------------------------------------------------------------------------


def test_a_feed_gives_each_entry_with_its_path() -> None:
    """Names of elements and attributes are words; the text of an entry stays together."""
    found = read_xml(
        """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>https://x.y</link>
        <item id="7"><title>A</title><description>Hello <b>big</b> world</description><tag>x</tag><tag>y</tag></item>
        <item><title>B</title><dc:creator xmlns:dc="http://d">Li</dc:creator></item></channel></rss>"""
    )
    assert places(found) == [
        ("/rss/@version", "version: 2.0"),
        ("/rss/channel", "title: News, link: https://x.y"),
        ("/rss/channel/item", "item: id: 7, title: A, description: Hello big world, tag: x, tag: y"),
        ("/rss/channel/item[2]", "item: title: B, dc:creator: Li"),
    ]
    assert found.title == "News"


def test_marks_inside_a_text_do_not_tear_it_apart() -> None:
    """Text before, between and behind elements makes one text of all of it, also a long one."""
    assert places(read_xml("<d><p class='x'>One <i>two</i> three</p><p><i>a</i> b <i>c</i></p></d>")) == [
        ("/d", "p: class: x, One two three, p: a b c")
    ]
    long = read_xml(f"<d><p>Start {'<i>word</i> ' * 1_000}end.</p></d>")
    assert places(long) == [("/d/p", f"p: Start {'word ' * 1_000}end.")]


def test_large_elements_fall_into_their_parts() -> None:
    """Each part has its own path, in the order of the document."""
    found = read_xml(f"<d><a>x</a><s><p>{'one ' * 150}</p><p>{'two ' * 150}</p></s><b>y</b></d>")
    assert [section for section, _ in places(found)] == ["/d/a", "/d/s", "/d/b"]
    assert "one one" in found.blocks[1].text
    assert "two two" in found.blocks[1].text


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "gb2312", "utf-16"])
def test_the_encoding_that_an_xml_document_names_is_used(encoding: str) -> None:
    """Also those that expat itself does not know."""
    word = "数据" if encoding.startswith("gb") else "Größe"
    data = f'<?xml version="1.0" encoding="{encoding}"?><a><b>{word}</b></a>'.encode(encoding)
    assert xmls.read(data, LIMITS).blocks[0].text == f"b: {word}"


@pytest.mark.parametrize("text", ["<a>&nbsp;</a>", "<a><b></a>", "<a>", "<a>x</a><b/>", "<a b=c/>", "<a>1 < 2</a>"])
def test_what_is_no_xml_is_read_as_text(text: str) -> None:
    """A damaged document keeps its words, with a warning."""
    found = read_xml(text)
    assert places(found) == [("", text)]
    assert "not valid XML" in found.warnings[0]


@pytest.mark.parametrize(
    "doctype",
    ['<!DOCTYPE a [<!ENTITY b "c">]>', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'],
)
def test_entities_are_refused(doctype: str) -> None:
    """Neither is anything expanded nor any file opened."""
    with pytest.raises(UnsafeInput, match="entities"):
        read_xml(f"{doctype}<a>&b;</a>")


def test_a_document_type_without_entities_is_harmless() -> None:
    """Property lists and old feeds have one."""
    doctype = '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">'
    assert places(read_xml(f"{doctype}<plist><dict><key>Name</key><string>x</string></dict></plist>")) == [
        ("/plist/dict", "dict: key: Name, string: x")
    ]


def test_xml_has_a_limit_on_its_nesting() -> None:
    """As deep as the limit is read, one level more is not."""
    assert read_xml("<a>" * 100 + "<b>x</b>" + "</a>" * 100).blocks
    with pytest.raises(InputTooLarge, match="deeper than 100"):
        read_xml("<a>" * 101 + "<b>x</b>" + "</a>" * 101)


# CSV ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_record_is_a_row_with_names(delimiter: str) -> None:
    """Whatever stands between cells; quoted cells may hold it, and quotes and line breaks."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(
        [["Name", "Age", "Note"], ["Li, Wang; x|y", "30", 'said "hi"\nand left'], ["Ben", "", "2\t3"]]
    )
    found = read_csv(out.getvalue())
    assert places(found) == [
        ("row 2", 'Name: Li, Wang; x|y, Age: 30, Note: said "hi"\nand left'),
        ("row 3", "Name: Ben, Note: 2\t3"),
    ]
    assert {block.kind for block in found.blocks} == {"row"}


def test_a_table_without_names_gives_its_values() -> None:
    """A first row of numbers, dates or equal cells is a record."""
    for first in ("1,2", "2026-01-02,x", "a,a", "5 €,x"):
        assert read_csv(f"{first}\n3,4\n").blocks[-1].text == "3, 4"


def test_columns_without_a_name_get_a_number() -> None:
    """As pandas writes its index; years are names."""
    assert places(read_csv(",City,2024\n0,Bonn,5\n1,Köln,7\n"))[0] == ("row 2", "column 1: 0, City: Bonn, 2024: 5")


def test_what_stands_above_a_table_is_text() -> None:
    """Banks write the account above the transactions; Excel may say the delimiter first."""
    text = "sep=;\nAccount 5;;;\n;;;\nDate;Text;Amount;Balance\n2026-01-02;Tea;-5,00;95,00\n"
    assert places(read_csv(text)) == [
        ("row 1", "Account 5"),
        ("row 4", "Date: 2026-01-02, Text: Tea, Amount: -5,00, Balance: 95,00"),
    ]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest() -> None:
    """All rows behind it stay rows, and a warning says so. Inches are no quotes."""
    found = read_csv('a,b\n1,"x\n2,y\n3,z\n')
    assert [text for _, text in places(found)] == ['a: 1, b: "x', "a: 2, b: y", "a: 3, b: z"]
    assert "never closed" in found.warnings[0]
    assert read_csv('Pipe,Size\nA,5" wide\nB,6"\n').warnings == ()


def test_rows_of_different_lengths_are_read() -> None:
    """Cells beyond the names have none; blank rows are none."""
    assert places(read_csv("a,b\n1\n\n1,2,3\n")) == [("row 2", "a: 1"), ("row 4", "a: 1, b: 2, 3")]


def test_tables_have_limits() -> None:
    """Cells and characters are counted, empty ones too: as many as the limit are read, one more is not."""
    assert tables.read(b"a,b\n1,2\n,\n", Limits(document_cells=6)).blocks
    with pytest.raises(InputTooLarge, match="5 cells"):
        tables.read(b"a,b\n1,2\n,\n", Limits(document_cells=5))
    with pytest.raises(InputTooLarge, match="characters"):
        tables.read(b"a,b\n1,2\n", Limits(document_characters=9))
    before = csv.field_size_limit()
    assert tables.read(b"a,b\n1," + b"x" * 300_000, LIMITS).blocks
    assert csv.field_size_limit() == before
