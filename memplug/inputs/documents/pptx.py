"""Presentations: each slide a page with its title, bullets, tables, charts, alternative texts and speaker's notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.inputs.documents.cells import Table
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.graphics import add_graphics
from memplug.inputs.documents.ooxml import Attributes, Package, Switch, Texts, attribute, is_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.inputs.documents.reading import BlockKind, Reading
    from memplug.values.limits import Limits

_TITLES = frozenset({"title", "ctrTitle"})
#: Placeholders for lists, and one that holds nothing but the slide's number.
_LISTS, _NUMBER = frozenset({"", "body", "obj"}), "sldNum"
_SKIPPED = frozenset({"Fallback"})


def read(data: bytes, limits: Limits) -> Reading:
    """Reads a PPTX file.

    Raises:
        InputTooLarge: It has more slides or characters than are taken, or more parts.
        UnsafeInput, EncryptedInput, UnsupportedInput, MalformedInput: See `Package`.
    """
    package = Package(data)
    main = package.main("ppt/presentation.xml")
    slides = _slides(package, main)
    found = Gatherer(limits)
    found.title = package.title()
    found.pages(len(slides), "slides")
    for page, part in enumerate(slides, start=1):
        _add_slide(found, package, part, page)
    return found.reading()


def _slides(package: Package, main: str) -> list[str]:
    """The parts of the slides, in the order in which they are shown."""
    order = _Order()
    package.follow_main(main, "presentation", order)
    relations = package.relations(main)
    targets = [relations[one].target for one in order.ids if one in relations]
    return [target for target in targets if package.has(target)]


def _add_slide(found: Gatherer, package: Package, part: str, page: int) -> None:
    slide = Slide()
    package.follow(part, slide)
    # A title stands first, wherever it is among the slide's shapes.
    for kind, text in sorted(slide.blocks, key=lambda block: block[0] != "heading"):
        found.add(kind, text, level=int(kind == "heading"), page=page)
        if kind == "heading" and not found.title:
            found.title = text
    add_graphics(found, package, part, page=page)
    if slide.pictures and not slide.blocks:
        found.scanned.append(page)
    for words in slide.descriptions:
        found.add("paragraph", f"[{words}]", page=page)
    for target in package.related(part, "notesSlide"):
        notes = Slide(only="body")
        package.follow(target, notes)
        for _, text in notes.blocks:
            found.add("paragraph", text, page=page, section="notes")
    for target in package.related(part, "comments"):
        comments = Texts({"text", "t"})
        package.follow(target, comments)
        for text in comments.found:
            found.add("paragraph", text, page=page, section="comments")


class _Order:
    """Follows the presentation for its slides."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        """See `Handler`."""
        if name == "sldId":
            # Its own "id" comes first, and is a number that nothing refers to; the relation's has a namespace.
            names = [one for one in attributes[::2] if one.endswith("}id")]
            self.ids += [attributes[attributes.index(one) + 1] for one in names]

    def end(self, name: str) -> None:
        """See `Handler`."""

    def data(self, text: str) -> None:
        """See `Handler`."""


class Slide(Switch):
    """Follows the part of a slide, or of the notes to one.

    Args:
        only: The kind of placeholder whose text counts; None for all text.
    """

    def __init__(self, *, only: str | None = None) -> None:
        starts: dict[str, Callable[[Attributes], None]] = {
            "sp": lambda _: self._begin_shape(),
            "ph": self._place,
            "pic": lambda _: self._picture(),
            "cNvPr": self._describe,
            "tbl": lambda _: self._begin_table(),
            "tblPr": self._headed,
            "tr": lambda _: self._begin_row(),
            "tc": lambda _: self._begin_cell(),
            "p": lambda _: self._begin_paragraph(),
            "buNone": lambda _: self._bullet(on=False),
            "buChar": lambda _: self._bullet(on=True),
            "buAutoNum": lambda _: self._bullet(on=True),
            "t": lambda _: self._open(),
            "br": lambda _: self._pieces.append("\n"),
        }
        ends = {"sp": self._begin_shape, "p": self._close_paragraph, "t": self._close, "tbl": self._close_table}
        super().__init__(starts, ends, _SKIPPED)
        self._only = only
        self.blocks: list[tuple[BlockKind, str]] = []
        self.descriptions: list[str] = []
        self.pictures = 0
        self._placeholder: str | None = None
        self._table: Table | None = None
        self._bulleted: bool | None = None
        self._pieces: list[str] = []
        self._text: list[str] | None = None

    def data(self, text: str) -> None:
        """See `Handler`."""
        if self._text is not None and not self.skipping:
            self._text.append(text)

    def _begin_shape(self) -> None:
        self._placeholder = None

    def _place(self, attributes: Attributes) -> None:
        self._placeholder = attribute(attributes, "type")

    def _picture(self) -> None:
        self.pictures += 1

    def _describe(self, attributes: Attributes) -> None:
        if words := " ".join(attribute(attributes, "descr").split()):
            self.descriptions.append(words)

    def _begin_table(self) -> None:
        self._table = Table()

    def _headed(self, attributes: Attributes) -> None:
        if self._table is not None:
            self._table.mark(on=is_on(attribute(attributes, "firstRow", "0")))

    def _begin_row(self) -> None:
        if self._table is not None:
            self._table.row()

    def _begin_cell(self) -> None:
        if self._table is not None:  # cells that are merged away are there, and empty
            self._table.cell()

    def _begin_paragraph(self) -> None:
        self._pieces, self._bulleted = [], None

    def _bullet(self, *, on: bool) -> None:
        self._bulleted = on

    def _open(self) -> None:
        self._text = []

    def _close(self) -> None:
        self._pieces.append("".join(self._text or ()))
        self._text = None

    def _close_paragraph(self) -> None:
        text = "".join(self._pieces).strip()
        if self._table is not None:
            self._table.fill(text)
        elif text and self._placeholder != _NUMBER and self._only in {None, self._placeholder}:
            self.blocks.append((self._kind(), text))

    def _kind(self) -> BlockKind:
        if self._placeholder in _TITLES:
            return "heading"
        listed = self._placeholder in _LISTS if self._bulleted is None else self._bulleted
        return "item" if listed else "paragraph"

    def _close_table(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            self.blocks.extend(("row", text) for text in table.lines())
