"""What people see: lines and tables that no memory's text can break out of, and that it cannot style."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn, TextIO

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console
from rich.text import Text

from memplug.cli.printable import printable, written_out

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A text, or a text with its rich style.
Part = str | tuple[str, str]

_GAP = "  "
#: Below this many cells a table's text gets a line of its own.
_NARROW = 36
_LABEL_WIDTH = 10


class _Pipe(Console):
    """A console that reports a closed pipe like any other file instead of ending the process with status 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Args:
        name: Its heading.
        style: Its rich style.
        right: Whether it is aligned to the right.
        most: Its widest, in cells.
        text: Whether it is the column that gets the room which is left, and a line of its own where that is little.
    """

    name: str
    style: str = ""
    right: bool = False
    most: int = 32
    text: bool = False


class Screen:
    """Writes to one stream: coloured and fitted to the width on a terminal, plain and whole anywhere else.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = _Pipe(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.width = _width(stream)
        self.ellipsis = "…" if _can_show(stream, "…") else "..."

    def line(self, *parts: Part, lines: bool = False) -> None:
        """Writes one line; with ``lines``, line breaks inside the parts are kept."""
        styled = [(part, "") if isinstance(part, str) else part for part in parts]
        text = Text.assemble(*((_safe(words, lines=lines), style) for words, style in styled))
        text.rstrip()
        self._console.print(text)

    def fields(self, *fields: tuple[str, str]) -> None:
        """Writes ``name  value`` for each field that has a value."""
        for name, value in fields:
            if value:
                self.line((name.ljust(_LABEL_WIDTH), "dim"), value)

    def table(
        self, columns: Sequence[Column], rows: Sequence[Sequence[str]], notes: Sequence[str] | None = None
    ) -> None:
        """Writes a table.

        Args:
            columns: At most one of them is the text.
            rows: One text per column each.
            notes: A line to go below each row, or an empty text for none.
        """
        cells = [[printable(cell) for cell in row] for row in rows]
        place = next((number for number, column in enumerate(columns) if column.text), None)
        others = [number for number in range(len(columns)) if number != place]
        widths = {number: self._natural(columns, cells, number) for number in others}
        room = self._room(sum(widths.values()) + len(_GAP) * len(others))
        if place is not None and room is not None and room < _NARROW:
            self._stacked(columns, cells, notes, _Layout(order=others, widths=widths, text=place))
            return
        if place is not None:
            widest = max((cell_len(row[place]) for row in cells), default=0)
            widths[place] = max(cell_len(columns[place].name), widest if room is None else min(widest, room))
        self._flat(columns, cells, notes, _Layout(order=list(range(len(columns))), widths=widths, text=None))

    def clip(self, text: str, cells: int) -> str:
        """The text in at most this many cells of one line, with an ellipsis where something is left out."""
        shown = printable(text)
        if cell_len(shown) <= cells:
            return shown
        return chop_cells(shown, max(1, cells - len(self.ellipsis)))[0].rstrip() + self.ellipsis

    def wrapped(self, text: str, *, indent: str = "", most: int = 100) -> None:
        """Writes a text as a paragraph of at most ``most`` cells a line."""
        for line in self.folded(text, min(self.width or most, most) - len(indent)):
            self.line(indent, line)

    def folded(self, text: str, cells: int) -> list[str]:
        """The text broken into lines of at most this many cells, between words where it has any."""
        room = max(20, cells)
        folded = Text(printable(text)).wrap(self._console, room)
        return [line.plain.rstrip() for line in folded]

    def _natural(self, columns: Sequence[Column], cells: Sequence[Sequence[str]], number: int) -> int:
        column = columns[number]
        widest = max((cell_len(row[number]) for row in cells), default=0)
        return max(cell_len(column.name), widest if self.width is None else min(widest, column.most))

    def _room(self, taken: int) -> int | None:
        return None if self.width is None else self.width - taken

    def _flat(
        self, columns: Sequence[Column], cells: Sequence[Sequence[str]], notes: Sequence[str] | None, layout: _Layout
    ) -> None:
        self._heading(columns, layout)
        for number, row in enumerate(cells):
            self.line(*self._row(columns, row, layout))
            self._note(notes, number, layout.indent)

    def _stacked(
        self, columns: Sequence[Column], cells: Sequence[Sequence[str]], notes: Sequence[str] | None, layout: _Layout
    ) -> None:
        """Each row on several lines: the short cells, on as many as they need, and below them the text."""
        layouts = self._broken(layout)
        for part in layouts:
            self._heading(columns, part)
        room = (self.width or 0) - len(layout.indent)
        for number, row in enumerate(cells):
            for part in layouts:
                self.line(*self._row(columns, row, part))
            if layout.text is not None and row[layout.text]:
                self.line(layout.indent, (self.clip(row[layout.text], room), columns[layout.text].style))
            self._note(notes, number, layout.indent)

    def _broken(self, layout: _Layout) -> list[_Layout]:
        """The layout as several, none of them wider than the screen; what follows the first is indented."""
        layouts = [replace(layout, order=[])]
        left = self.width or 0
        for number in layout.order:
            if layouts[-1].order and layout.widths[number] > left:
                layouts.append(replace(layout, order=[], lead=layout.indent))
                left = (self.width or 0) - len(layout.indent)
            layouts[-1].order.append(number)
            left -= layout.widths[number] + len(_GAP)
        return layouts

    def _heading(self, columns: Sequence[Column], layout: _Layout) -> None:
        headings = [Column(name=column.name, style="dim", right=column.right) for column in columns]
        self.line(*self._row(headings, [column.name for column in columns], layout))

    def _row(self, columns: Sequence[Column], row: Sequence[str], layout: _Layout) -> list[Part]:
        parts: list[Part] = [layout.lead]
        for number in layout.order:
            width = layout.widths[number]
            cell = self.clip(row[number], width)
            padded = " " * (width - cell_len(cell)) + cell if columns[number].right else set_cell_size(cell, width)
            parts += [(padded, columns[number].style), _GAP]
        return parts[:-1]

    def _note(self, notes: Sequence[str] | None, number: int, indent: str) -> None:
        if notes and notes[number]:
            for line in [notes[number]] if self.width is None else self.folded(notes[number], self.width - len(indent)):
                self.line(indent, (line, "cyan"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Which columns stand in a row's first line, how wide, and which one stands below them."""

    order: list[int]
    widths: dict[int, int]
    text: int | None
    lead: str = ""

    @property
    def indent(self) -> str:
        return " " * (next(iter(self.widths.values())) + len(_GAP))


def _safe(words: str, *, lines: bool) -> str:
    """Like `printable`, but blanks stay: a cell is padded already."""
    return printable(words, lines=True) if lines else written_out(words)


def _width(stream: TextIO) -> int | None:
    """The cells of a line; None where nobody looks, so that nothing needs to be cut."""
    if stream.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return max(20, shutil.get_terminal_size().columns)
    return None


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
