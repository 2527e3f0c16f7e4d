"""Tables of text documents and slides: each row by itself, with the names of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.inputs.documents.rows import names_columns, row_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PAIR = 2


class Table:
    """A table while it is read, cell by cell."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._place = 0
        self._marked = False

    @property
    def begun(self) -> int:
        """How many rows there are by now."""
        return len(self._rows)

    def mark(self, *, on: bool) -> None:
        """Takes note of whether the first row holds the names of the columns."""
        self._marked = on

    def row(self) -> None:
        """Begins a row."""
        self._rows.append([])

    def cell(self) -> None:
        """Begins a cell."""
        if not self._rows:
            self.row()
        self._place = len(self._rows[-1])
        self._rows[-1].append("")

    def span(self, columns: int) -> None:
        """Lets the cell that was begun last reach over so many columns; it stands in the first of them."""
        if self._rows:
            self._rows[-1].extend([""] * (columns - 1))

    def fill(self, *texts: str) -> None:
        """Adds to the cell that was begun last."""
        if self._rows and self._rows[-1]:
            row = self._rows[-1]
            row[self._place] = "\n".join(filter(None, (row[self._place], *texts)))

    def lines(self) -> Iterator[str]:
        """Each row as words; see `table_lines`."""
        return table_lines(self._rows, marked=self._marked)


def table_lines(rows: Sequence[Sequence[str]], *, marked: bool) -> Iterator[str]:
    """A whole table, row by row.

    Args:
        rows: The cells; rows may differ in length.
        marked: Whether the document says that the first row holds the names of the columns.
    """
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    if not rows:
        return
    if len(rows) > 1 and (marked or (len(rows[0]) > _PAIR and names_columns(rows[0], rows[1:]))):
        yield from _named(rows[0], rows[1:])
        return
    # Two columns without names are mostly a label and its value, and read well as such in any case.
    between = ": " if max(map(len, rows)) == _PAIR else " | "
    for row in rows:
        yield between.join(cell for cell in row if cell)


def _named(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    used: set[int] = set()
    for row in rows:
        yield row_text(names, row)
        used.update(place for place, cell in enumerate(row) if cell)
    if unused := [name for place, name in enumerate(names) if name and place not in used]:
        yield " | ".join(unused)
