"""Collects the blocks of a document while its reader goes through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge
from memplug.inputs.documents.reading import Block, Reading
from memplug.safety.text import clean

if TYPE_CHECKING:
    from memplug.inputs.documents.reading import BlockKind
    from memplug.values.limits import Limits

#: Levels of headings that are told apart, and characters that may stand in one.
_LEVELS = 9
#: Warnings of one document, and characters of one; a broken file could give one for each line.
_WARNINGS, _WARNING = 20, 200


class Gatherer:
    """The blocks that a reader has found so far.

    Args:
        limits: ``document_characters`` holds for all texts together, ``document_cells`` for all rows,
            ``document_pages`` for pages or slides.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._blocks: list[Block] = []
        self._warnings: dict[str, None] = {}
        self._characters = 0
        self._cells = 0
        self._pages = 0
        self.title = ""
        #: Pages that show something and have no text.
        self.scanned: list[int] = []

    def add(self, kind: BlockKind, text: str, *, level: int = 0, page: int | None = None, section: str = "") -> None:
        """Takes a block, without what is blank around it; one that is all blank is none.

        Raises:
            InputTooLarge: The document has more text than is taken from one.
            MalformedInput: The text is not valid Unicode.
        """
        text = clean(text).strip("\n").rstrip()
        if not text.strip():
            return
        self.count(text)
        self._blocks.append(Block(kind=kind, text=text, level=min(level, _LEVELS), page=page, section=section))

    def heading(self, text: str, level: int) -> None:
        """Takes a heading, on one line; the first of the first level is the title of a document without one."""
        words = " ".join(text.split())
        self.add("heading", words, level=level)
        if level == 1 and not self.title:
            self.title = words

    def count(self, text: str) -> None:
        """Counts text that was found.

        Raises:
            InputTooLarge: See `add`.
        """
        self._characters += len(text)
        if self._characters > self._limits.document_characters:
            raise InputTooLarge(
                f"the document has more than {self._limits.document_characters:,} characters of text",
                hint="split it into several",
            )

    def cells(self, number: int) -> None:
        """Counts the cells of a row.

        Raises:
            InputTooLarge: The document has more than are taken from one.
        """
        self._cells += number
        if self._cells > self._limits.document_cells:
            raise InputTooLarge(
                f"the table has more than {self._limits.document_cells:,} cells", hint="split it into several"
            )

    def pages(self, number: int, what: str = "pages") -> None:
        """Takes how many pages there are, before one of them is read.

        Raises:
            InputTooLarge: The document has more than are taken from one.
        """
        if number > self._limits.document_pages:
            raise InputTooLarge(
                f"the document has {number:,} {what}, more than the {self._limits.document_pages:,} that are taken",
                hint="split it into several",
            )
        self._pages = number

    def warn(self, words: str) -> None:
        """Takes note of what was left out or mended."""
        if words and len(self._warnings) < _WARNINGS:
            self._warnings[words[:_WARNING]] = None

    @property
    def last(self) -> BlockKind | None:
        """The kind of the block before."""
        return self._blocks[-1].kind if self._blocks else None

    def reading(self) -> Reading:
        """All that was found."""
        return Reading(
            blocks=tuple(self._blocks),
            title=clean(self.title).strip(),
            pages=self._pages,
            scanned=tuple(self.scanned),
            warnings=tuple(self._warnings),
        )
