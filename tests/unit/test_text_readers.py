"""Plain text, Markdown and MDX: what their readers make of them."""
# ruff: noqa: RUF001 - signs of other scripts

from __future__ import annotations

import pytest

from memplug.exceptions import InputTooLarge
from memplug.inputs.documents import markdown, plain
from memplug.inputs.documents.reading import Block, Reading
from memplug.values.limits import Limits

LIMITS = Limits()
Shape = tuple[str, str]


def shapes(reading: Reading) -> list[Shape]:
    """Kind and text of each block."""
    return [(block.kind, block.text) for block in reading.blocks]


def text(words: str) -> list[Shape]:
    """The blocks of a plain text."""
    return shapes(plain.read(words.encode(), LIMITS))


def md(words: str, *, jsx: bool = False) -> Reading:
    """What a Markdown text holds."""
    return markdown.read(words.encode(), LIMITS, jsx=jsx)


# Plain text -----------------------------------------------------------------------------------------------


def test_paragraphs_stand_between_blank_lines() -> None:
    """A paragraph keeps its line breaks and indents; blank lines of any kind part it from the next."""
    assert text("One\n  two.\r\n\r\nThree.\n \t\n\nFour.\n") == [
        ("paragraph", "One\n  two."),
        ("paragraph", "Three."),
        ("paragraph", "Four."),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ["- milk", "- bread", "- eggs"],
        ["1. open", "2. press", "3. close"],
        ["2026-01-02 10:00:01 INFO started", "2026-01-02 10:00:02 ERROR failed"],
        ["Jan  2 10:00:01 host sshd: hello", "Jan  2 10:00:02 host sshd: bye"],
        ["INFO started", "DEBUG going", "ERROR failed"],
        ["[10:00] Anna: hi", "[10:01] Ben: hello"],
        ["name: Anna", "city: Bonn", "phone number: 12"],
        ["DEBUG=1", "PATH=/usr/bin", "LANG=de"],
        ["姓名：王", "城市：北京"],
    ],
)
def test_lines_of_lists_and_logs_are_not_glued_together(lines: list[str]) -> None:
    """Each line that says something of its own is a block of its own."""
    assert text("\n".join(lines)) == [("item", line) for line in lines]


def test_a_stack_trace_stays_with_its_line() -> None:
    """Lines that belong to a record of a log are not torn off it."""
    first = "2026-01-02 10:00 ERROR failed\n  File a.py, line 1\n  File b.py, line 2"
    assert text(f"{first}\n2026-01-02 10:01 INFO going on") == [
        ("item", first),
        ("item", "2026-01-02 10:01 INFO going on"),
    ]


def test_prose_that_is_wrapped_is_one_paragraph() -> None:
    """A line break inside a sentence is none of a list."""
    prose = "This is a letter: it is wrapped\nat some column. It goes on\nfor a while, and ends here."
    assert text(prose) == [("paragraph", prose)]


def test_controls_do_not_reach_the_blocks() -> None:
    """NULs and colours of terminals are dropped, form feeds end lines; the words stay."""
    assert text("a\0b \x1b[31mred\x1b[0m\x0cnext page") == [("paragraph", "ab red\nnext page")]


def test_plain_text_has_a_limit_on_characters() -> None:
    """As many characters as the limit are read, one more is not."""
    limits = Limits(document_characters=10)
    assert plain.read(b"12345\n\n67890", limits).blocks
    with pytest.raises(InputTooLarge, match="10 characters"):
        plain.read(b"12345\n\n678901", limits)


# Markdown -------------------------------------------------------------------------------------------------


def test_headings_of_both_kinds_have_their_levels() -> None:
    """``#`` up to ``######`` and underlines are headings; their marks are no part of the words."""
    found = md(
        "# One #\n## **Two** {#two}\nThree\n=====\nFour\n----\n###### Six\n####### seven\n#hash\n\n# [Link](x) `code`"
    )
    assert [(block.level, block.text) for block in found.blocks] == [
        (1, "One"),
        (2, "Two"),
        (1, "Three"),
        (2, "Four"),
        (6, "Six"),
        (0, "####### seven\n#hash"),
        (1, "Link code"),
    ]
    assert found.title == "One"


def test_front_matter_is_words_and_gives_the_title() -> None:
    """All it says can be found; no value is taken for a number, a date or a truth."""
    found = md("---\ntitle: Hand: book\n---\n# Other\n")
    assert found.title == "Other"
    assert "no YAML" in found.warnings[0]
    assert ("paragraph", "title: Hand: book") in shapes(found)
    found = md("---\ntitle: 'Hand: book'\ntags: [a, b]\nauthor:\n  name: Li\nversion: 1.10\ndraft: no\n---\n# Other\n")
    assert found.title == "Hand: book"
    assert found.blocks[0] == Block(
        kind="paragraph",
        text="title: Hand: book\ntags: a, b\nauthor.name: Li\nversion: 1.10\ndraft: no",
        section="front matter",
    )


def test_a_rule_at_the_start_is_no_front_matter() -> None:
    """``---`` without an end is a rule, and what follows is text."""
    assert shapes(md("---\nwords\n")) == [("paragraph", "words")]


def test_lists_are_items_with_their_marks() -> None:
    """Items keep their bullets, numbers, indents and further lines; a text behind the list is none of it."""
    found = md("Intro:\n- one\n  more\n- two\n    - deep\n\n  still two\n\n3. third\n\nAfter.")
    assert shapes(found) == [
        ("paragraph", "Intro:"),
        ("item", "- one\n  more"),
        ("item", "- two"),
        ("item", "    - deep"),
        ("item", "  still two"),
        ("item", "3. third"),
        ("paragraph", "After."),
    ]


def test_a_number_inside_a_sentence_begins_no_list() -> None:
    """A line that happens to begin with a number and a point goes on with its paragraph."""
    assert shapes(md("The year was\n1984. It was cold.")) == [("paragraph", "The year was\n1984. It was cold.")]


def test_table_rows_carry_the_names_of_their_columns() -> None:
    """Each row is a record; empty cells say nothing, escaped pipes are no borders."""
    found = md("| Item | **Price** |\n|:-----|------:|\n| Tea | 5 € |\n| a\\|b | |\nLast | 7\n\nAfter")
    assert shapes(found) == [
        ("row", "Item: Tea, Price: 5 €"),
        ("row", "Item: a|b"),
        ("row", "Item: Last, Price: 7"),
        ("paragraph", "After"),
    ]


def test_code_is_kept_whole() -> None:
    """Fences of both kinds, inside lists and quotes, open ones and indented code: to the letter, and never headings."""
    found = md(
        "```py\n# no heading\n\nx = '<!-- -->'\n```\n\n- item\n\n  ~~~\n  a\n    b\n  ~~~\n\n> ```\n> quoted\n> ```\n"
    )
    assert [block.text for block in found.blocks if block.kind == "code"] == [
        "# no heading\n\nx = '<!-- -->'",
        "a\n  b",
        "quoted",
    ]
    assert shapes(md("para\n\n    indented\n      code\n\nend\n\n```\nopen")) == [
        ("paragraph", "para"),
        ("code", "indented\n  code"),
        ("paragraph", "end"),
        ("code", "open"),
    ]


def test_quotes_are_paragraphs_and_open_no_sections() -> None:
    """A quoted heading is somebody else's."""
    assert shapes(md("> # Theirs\n> words\n> > deeper")) == [("paragraph", "Theirs"), ("paragraph", "words\ndeeper")]


def test_comments_and_tags_are_no_text() -> None:
    """What a reader does not see is left out; what only looks like markup stays."""
    found = md(
        "<!-- a\n\nb -->\nSee <b>bold</b><br>and List<String> <!-- no --> or <https://x.y> and 1 < 2.\n\na <!-- open"
    )
    assert shapes(found) == [
        ("paragraph", "See bold\nand List<String>  or <https://x.y> and 1 < 2."),
        ("paragraph", "a <!-- open"),
    ]


def test_html_blocks_are_read_as_pages_are() -> None:
    """A table or a list in HTML gives rows and items."""
    found = md("<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>\n\n<ul><li>x</li></ul>\n")
    assert shapes(found) == [("row", "A: 1, B: 2"), ("item", "- x")]


def test_an_embedded_picture_is_no_text() -> None:
    """A data URL of a megabyte in a link neither counts as text nor is found."""
    picture = "A" * 1_000_000
    found = md(f"See ![the chart](data:image/png;base64,{picture}) here.")
    assert shapes(found) == [("paragraph", "See ![the chart]() here.")]


def test_mdx_leaves_out_what_is_program_and_keeps_what_is_text() -> None:
    """Imports, exports and comments go; components leave their contents and their titles."""
    found = md(
        "import { Card } from './card'\nimport x from 'y'\n\nexport const meta = {\n  a: 1,\n}\n\n# Guide\n\n"
        '<Card title="Quick start" href="/q">\n  Install it. {/* not this */}\n</Card>\n\nUse `List<T>` and import it.',
        jsx=True,
    )
    assert shapes(found) == [
        ("heading", "Guide"),
        ("paragraph", "Quick start\n  Install it."),
        ("paragraph", "Use `List<T>` and import it."),
    ]


def test_markdown_has_limits() -> None:
    """Characters and cells of tables are counted: as many as the limit are read, one more is not."""
    table = b"|a|b|\n|-|-|\n|1|2|\n"
    assert markdown.read(table, Limits(document_cells=4)).blocks
    with pytest.raises(InputTooLarge, match="3 cells"):
        markdown.read(table, Limits(document_cells=3))
    assert markdown.read(b"# 12345\n\n67890", Limits(document_characters=10)).blocks
    with pytest.raises(InputTooLarge):
        markdown.read(b"# 12345\n\n67890", Limits(document_characters=9))
