"""A table of a page while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.inputs.documents.rows import names_columns, row_text

if TYPE_CHECKING:
    from memplug.inputs.documents.gathering import Gatherer

#: Cells longer than this make a table one that only serves to lay out a page.
_LAYOUT = 1_000
#: Columns that one cell may span.
_SPAN = 100


class Grid:
    """Its cells."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._heads: list[list[bool]] = []
        self.is_open = False

    def row(self) -> None:
        """Begins a row."""
        self._rows.append([])
        self._heads.append([])

    def cell(self, *, head: bool) -> None:
        """Begins a cell."""
        if not self._rows:
            self.row()
        self._rows[-1].append("")
        self._heads[-1].append(head)
        self.is_open = True

    def fill(self, text: str, span: str) -> None:
        """Ends the cell that is open, with its text, and the empty ones that it spans."""
        self._rows[-1][-1] = text.strip()
        more = min(int(span), _SPAN) - 1 if span.isdecimal() and len(span) <= len(str(_SPAN)) else 0
        self._rows[-1] += [""] * more
        self._heads[-1] += [self._heads[-1][-1]] * more
        self.is_open = False

    def gather(self, gatherer: Gatherer) -> None:
        """Takes each row as a record, or, where the table only lays out the page, each cell as a paragraph."""
        if any(len(cell) > _LAYOUT for row in self._rows for cell in row):
            self.gather_cells(gatherer)
            return
        names = self._names()
        for row, heads in list(zip(self._rows, self._heads, strict=True))[1 if names else 0 :]:
            gatherer.cells(len(row))
            if not names and len(row) > 1 and heads[0] and not any(heads[1:]):
                gatherer.add("row", f"{row[0]}: {row_text((), row[1:])}")
            else:
                gatherer.add("row", row_text(names, row))

    def gather_cells(self, gatherer: Gatherer) -> None:
        """Takes each cell as a paragraph."""
        for row in self._rows:
            gatherer.cells(len(row))
            for cell in row:
                gatherer.add("paragraph", cell)

    def _names(self) -> list[str]:
        """The columns' names: a first row of header cells, or one that looks like it."""
        if len(self._rows) > 1 and self._heads[0] and all(self._heads[0]):
            return self._rows[0]
        if any(any(heads) for heads in self._heads) or not self._rows:
            return []
        return self._rows[0] if names_columns(self._rows[0], self._rows[1:]) else []
