"""Spreadsheets: each row by itself, with the names of its columns, and numbers and dates as people see them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.graphics import add_graphics
from memplug.inputs.documents.number_formats import built_in, shown
from memplug.inputs.documents.ooxml import Attributes, Package, Texts, attribute, is_on
from memplug.inputs.documents.rows import names_columns, row_text

if TYPE_CHECKING:
    from memplug.inputs.documents.reading import Reading
    from memplug.values.limits import Limits

_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_BARE_NAME = re.compile(r"[^\W\d]\w*")
_TRUTH = {"0": "FALSE", "1": "TRUE"}


def read(data: bytes, limits: Limits) -> Reading:
    """Reads an XLSX file.

    Raises:
        InputTooLarge: It has more cells or characters than are taken, or more parts.
        UnsafeInput, EncryptedInput, UnsupportedInput, MalformedInput: See `Package`.
    """
    package = Package(data)
    main = package.main("xl/workbook.xml")
    book = _Book()
    package.follow_main(main, "workbook", book)
    for part in package.related(main, "styles"):
        package.follow(part, book.styles)
    for part in package.related(main, "sharedStrings"):
        package.follow(part, book.strings)
    found = Gatherer(limits)
    relations = package.relations(main)
    for name, relation in book.sheets:
        if relation in relations:
            _add_sheet(found, package, Sheet(name, relations[relation].target, book, found))
    found.title = package.title()
    return found.reading()


def _add_sheet(found: Gatherer, package: Package, sheet: Sheet) -> None:
    found.add("heading", sheet.name, level=1)
    package.follow(sheet.part, sheet)
    sheet.close()
    for target in package.related(sheet.part, "comments"):
        comments = _Comments()
        package.follow(target, comments)
        for place, text in comments.texts:
            found.add("paragraph", text, section=f"{sheet.shown_name}!{place}")
    for target in package.related(sheet.part, "drawing"):
        boxes = Texts({"t"}, within="p")
        package.follow(target, boxes)
        for text in boxes.found:
            found.add("paragraph", text, section=sheet.shown_name)
        add_graphics(found, package, target, section=sheet.shown_name)


class _Book:
    """Follows the workbook for its sheets."""

    def __init__(self) -> None:
        self.styles = _Styles()
        self.strings = _Strings()
        #: The sheets' names, each with the id of the relation to its part.
        self.sheets: list[tuple[str, str]] = []
        self.since_1904 = False

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name == "sheet":
            relation = next((value for key, value in _pairs(attributes) if key.endswith("}id")), "")
            self.sheets.append((attribute(attributes, "name"), relation))
        elif name == "workbookPr":
            self.since_1904 = is_on(attribute(attributes, "date1904", "0"))

    def end(self, name: str) -> None:
        """See `Handler`."""

    def data(self, text: str) -> None:
        """See `Handler`."""


def _pairs(attributes: Attributes) -> list[tuple[str, str]]:
    return list(zip(attributes[::2], attributes[1::2], strict=True))


class _Styles:
    """Follows the part of styles for the number formats of cells."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._inside = False
        #: The format code of each style, by number.
        self.formats: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name == "numFmt":
            self._codes[attribute(attributes, "numFmtId")] = attribute(attributes, "formatCode")
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            number = attribute(attributes, "numFmtId", "0")
            known = built_in(int(number)) if number.isascii() and number.isdigit() and len(number) < 4 else "General"  # noqa: PLR2004
            self.formats.append(self._codes.get(number, known))

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name == "cellXfs":
            self._inside = False

    def data(self, text: str) -> None:
        """See `Handler`."""

    def format(self, style: str) -> str:
        """The format code of a cell's style."""
        place = int(style) if style.isascii() and style.isdigit() else 0
        return self.formats[place] if place < len(self.formats) else "General"


class _Strings:
    """Follows the part of shared strings; how Japanese is pronounced (``rPh``) is no part of them."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._open = self._aside = False

    def start(self, name: str, attributes: Attributes) -> None:  # noqa: ARG002 - see `Handler`
        """See `Handler`."""
        if name == "rPh":
            self._aside = True
        elif name == "t":
            self._open = not self._aside

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name == "t":
            self._open = False
        elif name == "rPh":
            self._aside = False
        elif name == "si":
            self.found.append("".join(self._pieces))
            self._pieces = []

    def data(self, text: str) -> None:
        """See `Handler`."""
        if self._open:
            self._pieces.append(text)

    def at(self, place: str) -> str:
        """The string of this number; one that is not there is empty."""
        number = int(place) if place.isascii() and place.isdigit() and len(place) < 10 else len(self.found)  # noqa: PLR2004
        return self.found[number] if number < len(self.found) else ""


@dataclass(slots=True)
class _Row:
    number: int = 0
    #: The cells that hold something: their words by column, and whether each is text.
    cells: dict[int, str] = field(default_factory=dict)
    texts: int = 0


class Sheet:
    """Follows the part of a sheet, and adds its rows.

    Args:
        name: As people see it.
        part: Where it is.
        book: Its workbook.
        found: Takes the rows.
    """

    def __init__(self, name: str, part: str, book: _Book, found: Gatherer) -> None:
        self.name, self.part = name, part
        self.shown_name = name if _BARE_NAME.fullmatch(name) else "'{}'".format(name.replace("'", "''"))
        self._book, self._found = book, found
        self._row = _Row()
        self._column = 0
        self._type = self._style = ""
        self._text: list[str] | None = None
        self._value = self._formula = self._inline = ""
        self._aside = False
        self._names: dict[int, str] = {}
        self._unused: dict[int, str] = {}
        self._names_place = ""
        self._last = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name == "c":
            self._begin_cell(attributes)
        elif name in {"v", "f", "t"}:
            self._text = None if self._aside else []
        elif name == "row":
            number = attribute(attributes, "r")
            known = number.isascii() and number.isdigit() and len(number) < 8  # noqa: PLR2004 - Excel has 1,048,576
            self._row = _Row(int(number) if known else self._row.number + 1)
            self._column = 0
        elif name == "rPh":
            self._aside = True

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name == "v":
            self._value, self._text = "".join(self._text or ()), None
        elif name == "c":
            self._close_cell()
        elif name == "row":
            self._close_row()
        elif name == "f":
            self._formula, self._text = "".join(self._text or ()), None
        elif name == "t":
            self._inline, self._text = self._inline + "".join(self._text or ()), None
        elif name == "rPh":
            self._aside = False

    def data(self, text: str) -> None:
        """See `Handler`."""
        if self._text is not None:
            self._text.append(text)

    def _begin_cell(self, attributes: Attributes) -> None:
        found = dict(zip(attributes[::2], attributes[1::2], strict=True))
        reference = _REFERENCE.fullmatch(found.get("r", ""))
        self._column = _column(reference[1]) if reference else self._column + 1
        self._type, self._style = found.get("t", "n"), found.get("s", "")
        self._value = self._formula = self._inline = ""

    def _close_cell(self) -> None:
        text = " ".join(self._words().split())
        if not text:
            return
        self._found.cells(1)
        before = self._row.cells.get(self._column)  # no program writes a cell twice, but nothing is lost where one does
        self._row.cells[self._column] = text if before is None else f"{before} {text}"
        self._row.texts += self._type in {"s", "inlineStr", "str"}

    def _words(self) -> str:
        if self._type == "s":
            return self._book.strings.at(self._value.strip())
        if self._type == "inlineStr":
            return self._inline
        if not self._value:
            # Programs that write formulas without working them out leave the cell empty.
            return f"={self._formula}" if self._formula else ""
        if self._type == "b":
            return _TRUTH.get(self._value.strip(), self._value)
        if self._type == "n":
            code = self._book.styles.format(self._style)
            return shown(self._value.strip(), code, since_1904=self._book.since_1904)
        return self._value

    def _close_row(self) -> None:
        row = self._row
        if not row.cells:
            return
        if self._is_header(row):
            self._tell_unused()
            self._names, self._unused, self._names_place = dict(row.cells), dict(row.cells), self._place(row)
        else:
            for column in row.cells:
                self._unused.pop(column, None)
            self._add(row_text([self._names.get(column, "") for column in row.cells], [*row.cells.values()]), row)
        self._last = row.number

    def _is_header(self, row: _Row) -> bool:
        """Whether a row holds the names of the columns: the first one of several texts, or one behind a gap.

        Behind a gap, it must not fit below the names that there are: rows of texts may have gaps between them, too.
        """
        cells = [*row.cells.values()]
        if len(cells) == 1 or row.texts < len(cells) or not names_columns(cells, [cells]):
            return False
        gap = row.number > self._last + 1
        return not self._names or (gap and not row.cells.keys() <= self._names.keys())

    def _add(self, text: str, row: _Row) -> None:
        self._found.add("row" if len(row.cells) > 1 or self._names else "paragraph", text, section=self._place(row))

    def _place(self, row: _Row) -> str:
        first, last = f"{_letters(min(row.cells))}{row.number}", f"{_letters(max(row.cells))}{row.number}"
        return f"{self.shown_name}!{first if first == last else f'{first}:{last}'}"

    def _tell_unused(self) -> None:
        """The names of columns that have nothing in them stand in no row, and so by themselves."""
        if self._unused:
            self._found.add("row", " | ".join(self._unused.values()), section=self._names_place)

    def close(self) -> None:
        """Tells what only the end can tell."""
        self._tell_unused()


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, place = divmod(column - 1, 26)
        letters = chr(65 + place) + letters
    return letters


class _Comments(Texts):
    """Follows the part of comments."""

    def __init__(self) -> None:
        super().__init__({"t"}, within="comment")
        self._places: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        super().start(name, attributes)
        if name == "comment":
            self._places.append(attribute(attributes, "ref"))

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The cells that are commented on, and what is said about them."""
        return list(zip(self._places, self.found, strict=True))
