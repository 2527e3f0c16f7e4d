"""HTML: what a page says to somebody who reads it."""

from __future__ import annotations

import pytest

from memplug.exceptions import InputTooLarge
from memplug.inputs.documents import html
from memplug.inputs.documents.reading import Reading
from memplug.values.limits import Limits

LIMITS = Limits()


def read(markup: str) -> Reading:
    """What a page holds."""
    return html.read(markup.encode(), LIMITS)


def shapes(markup: str) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    return [(block.kind, block.text) for block in read(markup).blocks]


def test_a_page_as_a_reader_sees_it() -> None:
    """Text, headings, lists, code and title are there; scripts, styles, navigation and hidden parts are not."""
    found = read(
        """<!doctype html><html><head><title>Hand&amp;book</title><style>p {}</style></head><body>
        <nav><a href=/>Home</a></nav><h1>Returns</h1><p>You may <b>re</b>turn it<br>within 14&nbsp;days.<p>Second.
        <ul><li>one<li>two<ol start=1><li>deep</ol></ul><pre>def f():\n    return 1 &lt; 2</pre>
        <script>alert("<p>x</p>")</script><div style="display: none">secret</div><p hidden>secret</p>
        <template><p>secret</p></template><img alt="A chart"><h2>Deadlines</h2><dl><dt>term<dd>meaning</dl>"""
    )
    assert [(block.kind, block.level, block.text) for block in found.blocks] == [
        ("heading", 1, "Returns"),
        ("paragraph", 0, "You may return it\nwithin 14 days."),
        ("paragraph", 0, "Second."),
        ("item", 0, "- one"),
        ("item", 0, "- two"),
        ("item", 0, "  1. deep"),
        ("code", 0, "def f():\n    return 1 < 2"),
        ("paragraph", 0, "A chart"),
        ("heading", 2, "Deadlines"),
        ("item", 0, "term"),
        ("item", 0, "  meaning"),
    ]
    assert found.title == "Hand&book"
    assert found.warnings == ("navigation and hidden text were left out (16 characters)",)


def test_a_page_that_is_all_navigation_is_read() -> None:
    """Where more would be left out than stays, as with a ``nav`` that is never closed, nothing of it is."""
    assert shapes("<html><nav><a>Home</a><p>All the text of this page stands here.") == [
        ("paragraph", "Home"),
        ("paragraph", "All the text of this page stands here."),
    ]


def test_rows_of_tables_carry_the_names_of_their_columns() -> None:
    """Header cells name the others, in the first row or the first column; spans keep the columns apart."""
    assert shapes(
        "<table><caption>Prices<tr><th>Item<th>Price<tr><td>Tea<td>5 &euro;<tr><td colspan=2>none</table>"
    ) == [
        ("paragraph", "Prices"),
        ("row", "Item: Tea, Price: 5 €"),
        ("row", "Item: none"),
    ]
    assert shapes("<table><tr><th>Weight</th><td>5 kg</td></tr></table>") == [("row", "Weight: 5 kg")]
    assert shapes("<table><tr><td>Item<td>Price<tr><td>Tea<td>5</table>") == [("row", "Item: Tea, Price: 5")]
    assert shapes("<table><tr><td>1<td>2<tr><td>3<td>4</table>") == [("row", "1, 2"), ("row", "3, 4")]


def test_a_table_that_lays_out_a_page_gives_its_text() -> None:
    """Tables inside tables, headings inside cells and endless cells are a page's, and not a table's."""
    long = "word " * 300
    assert shapes("<table><tr><td><h1>Title</h1>Text<td><table><tr><th>A<tr><td>1</table></table>") == [
        ("heading", "Title"),
        ("paragraph", "Text"),
        ("row", "A: 1"),
    ]
    assert shapes(f"<table><tr><td>{long}<td>side</table>") == [("paragraph", long.strip()), ("paragraph", "side")]


@pytest.mark.parametrize(
    "head",
    ['<meta charset="koi8-r">', '<meta http-equiv=x content="text/html; charset=koi8-r">', "<meta charset=koi8-r/>"],
)
def test_the_encoding_that_a_page_names_is_used(head: str) -> None:
    """A page of few words says itself in which encoding it is."""
    found = html.read(f"<html>{head}<p>Привет мир".encode("koi8-r"), LIMITS)
    assert [block.text for block in found.blocks] == ["Привет мир"]


def test_what_looks_like_a_tag_and_is_none_stays() -> None:
    """Comparisons, arrows and unfinished tags are text."""
    assert shapes("<p>1 < 2 <3 and a <- b, x<y && z>w") == [("paragraph", "1 < 2 <3 and a <- b, xw")]
    assert shapes("<p>the end is <near") == [("paragraph", "the end is <near")]
    assert shapes('<p title="a > b">text</p><a href=\'x">\'>link</a>') == [("paragraph", "text"), ("paragraph", "link")]


def test_a_broken_page_gives_what_it_has() -> None:
    """Nothing closed, everything closed twice, references to nothing: the words are there."""
    assert shapes("</p></table></ul><h1>A<p>B</h1></li>&nosuch; &#0; &#xD800; &#99999999999;") == [
        ("heading", "A"),
        ("heading", "B"),
        ("paragraph", "&nosuch; \ufffd \ufffd \ufffd"),
    ]


def test_html_has_limits() -> None:
    """Characters and cells are counted: as many as the limit are read, one more is not."""
    assert html.read(b"<p>12345<p>67890", Limits(document_characters=10)).blocks
    with pytest.raises(InputTooLarge):
        html.read(b"<p>12345<p>67890", Limits(document_characters=9))
    table = b"<table><tr><td>1<td>2<tr><td>3<td>4</table>"
    assert html.read(table, Limits(document_cells=4)).blocks
    with pytest.raises(InputTooLarge, match="3 cells"):
        html.read(table, Limits(document_cells=3))
