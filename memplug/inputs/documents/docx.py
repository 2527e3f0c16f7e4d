"""Word documents: headings, paragraphs, lists, tables, notes, text boxes, headers and footers."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.inputs.documents.cells import Table
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.graphics import add_graphics
from memplug.inputs.documents.ooxml import Attributes, Package, Switch, attribute, is_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.inputs.documents.reading import BlockKind, Reading
    from memplug.values.limits import Limits

    Emit = Callable[[BlockKind, str, int], None]

_HEADING = re.compile(r"heading ?([1-9])", re.IGNORECASE)
#: Outline levels go from 0 to 8; 9 is body text.
_BODY_LEVEL = 9
#: Old versions of what is there in a newer one (for other programs, before a move, before a change of style), and the
#: small print above Chinese and Japanese characters that says how to pronounce them.
_SKIPPED = frozenset({"Fallback", "moveFrom", "pPrChange", "rPrChange", "tblPrChange", "rt"})
#: Styles may be based on each other in a circle.
_STYLE_DEPTH = 20
#: Columns that one cell may span; a table has at most 63.
_SPAN = 63


def read(data: bytes, limits: Limits) -> Reading:
    """Reads a DOCX file.

    Raises:
        InputTooLarge: It has more characters than are taken, or more parts.
        UnsafeInput, EncryptedInput, UnsupportedInput, MalformedInput: See `Package`.
    """
    package = Package(data)
    main = package.main("word/document.xml")
    styles = Styles()
    for part in package.related(main, "styles"):
        package.follow(part, styles)
    found = Gatherer(limits)
    body = Body(_Notes.of(package, main, styles), styles, lambda kind, text, level: found.add(kind, text, level=level))
    package.follow_main(main, "document", body)
    add_graphics(found, package, main)
    for kind in ("header", "footer"):
        _add_margins(found, package, main, kind, styles)
    if body.hidden:
        found.warn(f"hidden text was left out ({body.hidden} places)")
    if body.foreign:
        found.warn(f"embedded files were left out ({body.foreign})")
    found.title = package.title() or body.title
    return found.reading()


def _add_margins(found: Gatherer, package: Package, main: str, kind: str, styles: Styles) -> None:
    """What is printed on top or at the foot of each page, once."""
    texts: dict[str, None] = {}
    for part in package.related(main, kind):
        package.follow(part, Body({}, styles, lambda _kind, text, _level: texts.setdefault(text)))
    for text in texts:
        found.add("paragraph", text, section=kind)


class Styles:
    """Follows the part of styles for those of paragraphs."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._levels: dict[str, int] = {}
        self._numbered: dict[str, bool] = {}
        self._style = ""

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name == "style":
            self._style = attribute(attributes, "styleId")
        elif not self._style:
            return
        elif name == "name":
            self._names[self._style] = attribute(attributes, "val").lower()
        elif name == "basedOn":
            self._parents[self._style] = attribute(attributes, "val")
        elif name == "outlineLvl":
            self._levels[self._style] = _number(attributes, _BODY_LEVEL)
        elif name == "numId":
            self._numbered[self._style] = attribute(attributes, "val") != "0"

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name == "style":
            self._style = ""

    def data(self, text: str) -> None:
        """See `Handler`."""

    def heading(self, style: str) -> int:
        """The level of a heading in this style, from 1; 0 where it is none."""
        for one in self._line(style):
            if one in self._levels:
                return self._levels[one] + 1 if self._levels[one] < _BODY_LEVEL else 0
            name = self._names.get(one, one.lower())
            if name == "title":
                return 1
            if found := _HEADING.fullmatch(name):
                return int(found[1])
        return 0

    def is_title(self, style: str) -> bool:
        """Whether it is the style of the document's title."""
        return self._names.get(style, style.lower()) == "title"

    def item(self, style: str) -> bool:
        """Whether paragraphs of this style are items of a list."""
        for one in self._line(style):
            if one in self._numbered:
                return self._numbered[one]
            if self._names.get(one, "").startswith(("list bullet", "list number")):
                return True
        return False

    def _line(self, style: str) -> list[str]:
        """The style, and those that it is based on."""
        line = [style] if style else []
        while line and len(line) < _STYLE_DEPTH and line[-1] in self._parents:
            line.append(self._parents[line[-1]])
        return line


def _number(attributes: Attributes, default: int) -> int:
    value = attribute(attributes, "val")
    return int(value) if value.isascii() and value.isdigit() and len(value) < _BODY_LEVEL else default


@dataclass(slots=True)
class _Paragraph:
    pieces: list[str] = field(default_factory=list)
    style: str = ""
    item: bool | None = None
    level: int | None = None
    notes: list[str] = field(default_factory=list)


class Body(Switch):
    """Follows the body of a document, or any part with paragraphs.

    Args:
        notes: The texts of footnotes, endnotes and comments, by their kind and id.
        styles: What the styles of paragraphs mean.
        emit: Takes each block: its kind, text and level.
    """

    def __init__(self, notes: dict[str, str], styles: Styles, emit: Emit) -> None:
        starts: dict[str, Callable[[Attributes], None]] = {
            "p": lambda _: self._paragraphs.append(_Paragraph()),
            "pStyle": self._styled,
            "numId": self._numbered,
            "outlineLvl": self._outlined,
            "r": lambda _: self._runs.append(False),
            "vanish": self._vanished,
            "t": lambda _: self._open(),
            "tab": lambda _: self._say("\t", in_run=True),
            "br": lambda _: self._say("\n", in_run=True),
            "cr": lambda _: self._say("\n", in_run=True),
            "noBreakHyphen": lambda _: self._say("-", in_run=True),
            "docPr": self._pictured,
            "tbl": lambda _: self._tables.append(Table()),
            "tr": lambda _: self._table.row(),
            "tc": lambda _: self._table.cell(),
            "gridSpan": self._spanned,
            "tblHeader": self._headed,
            "footnoteReference": lambda found: self._noted("footnote", found),
            "endnoteReference": lambda found: self._noted("endnote", found),
            "commentReference": lambda found: self._noted("comment", found),
            "altChunk": lambda _: self._embedded(),
        }
        ends = {"p": self._close_paragraph, "r": self._close_run, "t": self._close, "tbl": self._close_table}
        super().__init__(starts, ends, _SKIPPED)
        self._notes, self._styles, self._emit = notes, styles, emit
        self._paragraphs: list[_Paragraph] = []
        #: Of each run that is open, whether its text is hidden; a text box stands inside a run.
        self._runs: list[bool] = []
        self._tables: list[Table] = []
        self._text: list[str] | None = None
        self._number = 0
        self.title = ""
        self.hidden = 0
        self.foreign = 0

    def data(self, text: str) -> None:
        """See `Handler`."""
        if self._text is not None and not self.skipping:
            self._text.append(text)

    @property
    def _table(self) -> Table:
        return self._tables[-1] if self._tables else Table()

    def _open(self) -> None:
        self._text = []

    def _close(self) -> None:
        text, self._text = "".join(self._text or ()), None
        if self._runs and self._runs[-1]:
            self.hidden += bool(text.strip())
        else:
            self._say(text)

    def _say(self, text: str, *, in_run: bool = False) -> None:
        """Adds to the paragraph; where it must stand in a run, outside of one it is a setting and no text."""
        if self._paragraphs and (self._runs or not in_run):
            self._paragraphs[-1].pieces.append(text)

    def _close_run(self) -> None:
        if self._runs:
            self._runs.pop()

    def _styled(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].style = attribute(attributes, "val")

    def _numbered(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].item = attribute(attributes, "val") != "0"

    def _outlined(self, attributes: Attributes) -> None:
        if self._paragraphs:
            level = _number(attributes, _BODY_LEVEL)
            self._paragraphs[-1].level = level + 1 if level < _BODY_LEVEL else 0

    def _vanished(self, attributes: Attributes) -> None:
        if self._runs:  # else it is the mark at a paragraph's end that is hidden
            self._runs[-1] = is_on(attribute(attributes, "val", "1"))

    def _pictured(self, attributes: Attributes) -> None:
        if words := " ".join(attribute(attributes, "descr").split()):
            self._say(f" [{words}] ")

    def _spanned(self, attributes: Attributes) -> None:
        self._table.span(min(_number(attributes, 1), _SPAN))

    def _headed(self, attributes: Attributes) -> None:
        if self._table.begun == 1:
            self._table.mark(on=is_on(attribute(attributes, "val", "1")))

    def _noted(self, kind: str, attributes: Attributes) -> None:
        text = self._notes.get(f"{kind} {attribute(attributes, 'id')}")
        if text and self._paragraphs:
            self._number += 1
            self._paragraphs[-1].pieces.append(f"[{self._number}]")
            self._paragraphs[-1].notes.append(f"[{self._number}] {text}")

    def _embedded(self) -> None:
        self.foreign += 1

    def _close_paragraph(self) -> None:
        one = self._paragraphs.pop()
        text = "".join(one.pieces).strip()
        if self._tables:
            self._table.fill(text, *one.notes)
            return
        level = self._styles.heading(one.style) if one.level is None else one.level
        if text and not self.title and self._styles.is_title(one.style):
            self.title = text
        item = self._styles.item(one.style) if one.item is None else one.item
        kind: BlockKind = "heading" if level else "item" if item else "paragraph"
        self._emit(kind, text, level)
        for note in one.notes:
            self._emit("paragraph", note, 0)

    def _close_table(self) -> None:
        lines = self._tables.pop().lines()
        if self._tables:
            self._table.fill(*lines)
            return
        for line in lines:
            self._emit("row", line, 0)


class _Notes(Body):
    """Follows a part of notes."""

    @classmethod
    def of(cls, package: Package, main: str, styles: Styles) -> dict[str, str]:
        """The texts of all notes, by their kind and id."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for kind in ("footnote", "endnote", "comment"):
            for part in package.related(main, f"{kind}s"):
                package.follow(part, cls(kind, styles, found))
        return {name: " ".join(texts).strip() for name, texts in found.items()}

    def __init__(self, kind: str, styles: Styles, found: defaultdict[str, list[str]]) -> None:
        super().__init__({}, styles, lambda _kind, text, _level: found[f"{kind} {self._id}"].append(text))
        self._id = ""
        self._starts[kind] = self._begin

    def _begin(self, attributes: Attributes) -> None:
        self._id = attribute(attributes, "id")
