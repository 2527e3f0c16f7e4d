"""CSV and TSV: each record as "Column: value" words, with its row."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING

from memplug.inputs.documents.decoding import decode
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.rows import names_columns, row_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.inputs.documents.reading import Reading
    from memplug.values.limits import Limits

_DELIMITERS = (",", ";", "\t", "|")
#: What the dialect is found out by.
_SAMPLE, _SAMPLE_ROWS = 65_536, 200
#: Rows above the header that a bank or an office writes over its table.
_PREAMBLE = 20
#: A quoted cell, and its closing quote where there is one.
_QUOTED = re.compile(r'(?:\A|[,;\t|\n])"(?:[^"]|"")*+("?)')


def read(data: bytes, limits: Limits, *, delimiter: str | None = None) -> Reading:
    """The records of a table.

    Args:
        data: The file.
        limits: ``document_cells`` and ``document_characters``.
        delimiter: What stands between cells; None to find out.

    Raises:
        InputTooLarge: It has more cells or characters than are taken.
    """
    decoded = decode(data)
    text, delimiter = _announced(decoded.text, delimiter)
    quoted = _is_closed(text)
    found = delimiter or _delimiter(text, quoted=quoted)
    gatherer = Gatherer(limits)
    gatherer.warn(decoded.warning)
    if not quoted:
        gatherer.warn("a quote is never closed, so quotes were read as text")
    with _any_length(len(text)):
        _gather(_rows(text, found, quoted=quoted), gatherer)
    return gatherer.reading()


def _announced(text: str, delimiter: str | None) -> tuple[str, str | None]:
    """Excel's first line ``sep=;`` says the delimiter and is no row."""
    if text[:4].lower() == "sep=" and len(line := text.partition("\n")[0]) == 5:  # noqa: PLR2004 - and one character
        return text[len(line) + 1 :], line[4]
    return text, delimiter


@contextmanager
def _any_length(length: int) -> Iterator[None]:
    """Inside, a field may have this many characters; csv's own limit is 128 kB, and one for the whole process."""
    before = csv.field_size_limit(max(length, csv.field_size_limit()))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _rows(text: str, delimiter: str, *, quoted: bool) -> Iterator[list[str]]:
    lines = io.StringIO(text.replace("\0", ""), newline="")
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)


def _is_closed(text: str) -> bool:
    """Whether each quote that begins a cell has its end; all behind one that has none would be one cell."""
    end = '"'
    for found in _QUOTED.finditer(text):
        end = found[1]
    return bool(end)


def _delimiter(text: str, *, quoted: bool) -> str:
    """The one by which most rows have the same number of cells, and more than one."""
    sample = text[:_SAMPLE]
    cut = sample if len(sample) == len(text) else sample[: sample.rfind("\n") + 1] or sample

    def score(delimiter: str) -> tuple[float, int]:
        rows = list(islice((row for row in _rows(cut, delimiter, quoted=quoted) if row), _SAMPLE_ROWS))
        if not rows:
            return 0.0, 0
        width, count = Counter(map(len, rows)).most_common(1)[0]
        return (count / len(rows), width) if width > 1 else (0.0, 0)

    with _any_length(len(cut)):
        return max(_DELIMITERS, key=score)


def _gather(rows: Iterator[list[str]], gatherer: Gatherer) -> None:
    """Takes the header, what stands above it as words, and each record."""
    numbered = _numbered(rows, gatherer)
    first = list(islice(numbered, _SAMPLE_ROWS))
    above = _above(first)
    for number, row in first[:above]:
        gatherer.add("paragraph", row_text((), row), section=f"row {number}")
    names: list[str] = []
    table = first[above:]
    if table and names_columns(_named(table[0][1]), [row for _, row in table[1:]]):
        names = _named(table[0][1])
        table = table[1:]
    for number, row in chain(table, numbered):
        gatherer.add("row", row_text(names, row), section=f"row {number}")


def _numbered(rows: Iterator[list[str]], gatherer: Gatherer) -> Iterator[tuple[int, list[str]]]:
    """The rows that say something, with their numbers as a spreadsheet shows them."""
    for number, row in enumerate(rows, start=1):
        gatherer.cells(len(row))
        if any(cell.strip() for cell in row):
            yield number, row


def _above(rows: list[tuple[int, list[str]]]) -> int:
    """How many rows stand above the table: those with few cells, where nearly all others have many."""
    if not rows:
        return 0
    width = Counter(len(row) for _, row in rows).most_common(1)[0][0]
    full = (place for place, (_, row) in enumerate(rows[:_PREAMBLE]) if 2 * sum(map(bool, row)) > width)
    return next(full, 0) if width > 2 else 0  # noqa: PLR2004 - a title with a comma has two cells


def _named(row: list[str]) -> list[str]:
    """Names of columns, with a number for each that has none."""
    named = [" ".join(cell.split()) for cell in row]
    while named and not named[-1]:
        named.pop()
    return [name or f"column {number}" for number, name in enumerate(named, start=1)]
