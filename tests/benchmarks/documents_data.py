"""Documents of all formats with words that are known, since they are made up."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pdfs import Line, pdf

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


class Words:
    """Words that nobody has written before, each of them once.

    Args:
        seed: Which ones.
    """

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - dice, not secrets
        self.written: dict[str, None] = {}

    def one(self) -> str:
        """The next one."""
        while True:
            word = "".join(self._dice.choices(_SYLLABLES, k=self._dice.randint(2, 4)))
            if word not in self.written:
                self.written[word] = None
                return word

    def some(self, count: int) -> str:
        """The next ones, with blanks between them."""
        return " ".join(self.one() for _ in range(count))

    def number(self) -> int:
        """A number, as a word among the others."""
        while True:
            number = self._dice.randint(100, 99_999_999)
            if str(number) not in self.written:
                self.written[str(number)] = None
                return number


def pdf_file(words: Words) -> bytes:
    """Thirty pages of headings and paragraphs."""
    return pdf(*(list(_page(words)) for _ in range(30)), title=words.some(2))


def _page(words: Words) -> Iterator[Line]:
    height = 740.0
    for _ in range(4):
        yield (72, height, 16, words.some(3))
        height -= 26
        for _ in range(9):
            yield (72, height, 11, words.some(10))
            height -= 13.5
        height -= 14


def docx_file(words: Words) -> bytes:
    """Forty sections of headings, paragraphs, items and a table."""
    import docx

    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = words.some(3)
    for _ in range(40):
        document.add_heading(words.some(3), 1)
        for _ in range(4):
            document.add_paragraph(words.some(40))
        document.add_paragraph(words.some(8), style="List Bullet")
        table = document.add_table(rows=4, cols=3)
        for row in table.rows:
            for cell in row.cells:
                cell.text = words.one()
    return _saved(document)


def pptx_file(words: Words) -> bytes:
    """Thirty slides of a title, items, a table and notes."""
    import pptx
    from pptx.util import Inches

    deck = pptx.Presentation()
    for _ in range(30):
        slide: Any = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = words.some(3)
        frame = slide.placeholders[1].text_frame
        frame.text = words.some(6)
        frame.add_paragraph().text = words.some(6)
        table = slide.shapes.add_table(3, 3, 0, 0, Inches(4), Inches(2)).table
        for row in range(3):
            for column in range(3):
                table.cell(row, column).text = words.one()
        slide.notes_slide.notes_text_frame.text = words.some(20)
    return _saved(deck)


def xlsx_file(words: Words) -> bytes:
    """Two sheets of a thousand rows of words, numbers and dates."""
    import openpyxl

    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet(words.one())):
        sheet.append([words.one() for _ in range(5)])
        for day in range(1_000):
            date = dt.date(2020, 1, 1) + dt.timedelta(days=day)
            sheet.append([words.one(), words.some(3), words.number(), date, words.one()])
    return _saved(book)


def _saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def html_file(words: Words) -> bytes:
    """A page of headings, paragraphs, items and a table, with a script that is none of its words."""
    parts = [f"<title>{words.some(3)}</title><script>var hidden = 'zzz';</script>"]
    for _ in range(100):
        rows = "".join(f"<tr><td>{words.one()}</td><td>{words.one()}</td></tr>" for _ in range(3))
        items = "".join(f"<li>{words.some(4)}</li>" for _ in range(3))
        parts.append(f"<h2>{words.some(3)}</h2><p>{words.some(40)}</p><ul>{items}</ul><table>{rows}</table>")
    return f"<!DOCTYPE html><html><body>{''.join(parts)}</body></html>".encode()


def md_file(words: Words) -> bytes:
    """Headings, paragraphs, items, a table and code."""
    parts = []
    for _ in range(100):
        table = f"| {words.one()} | {words.one()} |\n|---|---|\n| {words.one()} | {words.one()} |"
        code = f"```python\n{words.one()} = {words.number()}\n```"
        parts.append(
            f"## {words.some(3)}\n\n{words.some(40)}\n\n- {words.some(4)}\n- {words.some(4)}\n\n{table}\n\n{code}\n"
        )
    return "\n".join(parts).encode()


def csv_file(words: Words) -> bytes:
    """Two thousand records."""
    lines = [",".join(words.one() for _ in range(4))]
    lines += [f'{words.one()},"{words.one()}, {words.one()}",{words.number()},{words.one()}' for _ in range(2_000)]
    return "\r\n".join(lines).encode()


def json_file(words: Words) -> bytes:
    """A thousand orders."""
    names = [words.one() for _ in range(4)]
    orders = [
        {
            names[0]: words.number(),
            names[1]: words.some(4),
            names[2]: [words.one(), words.one()],
            names[3]: {"of": words.one()},
        }
        for _ in range(1_000)
    ]
    return json.dumps(orders).encode()


MAKERS: dict[str, Callable[[Words], bytes]] = {
    "pdf": pdf_file,
    "docx": docx_file,
    "pptx": pptx_file,
    "xlsx": xlsx_file,
    "html": html_file,
    "md": md_file,
    "csv": csv_file,
    "json": json_file,
}
