"""Rows of tables as words, and whether a table's first row names its columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters of a column's name; what is longer is no name.
_NAME = 100
#: Rows that are compared with the first one.
_COMPARED = 50
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d.,'\s]*\s?(?:%|[$€£¥]|\))?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?|\d{1,2}:\d{2}.*")


def row_text(names: Sequence[str], cells: Sequence[str]) -> str:
    """A record as words: ``Name: value, Name: value``, without the cells that are empty."""
    said = []
    for number, cell in enumerate(cells):
        value = cell.strip()
        name = names[number] if number < len(names) else ""
        if value:
            said.append(f"{name}: {value}" if name else value)
    return ", ".join(said)


def names_columns(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether a table's first row names its columns.

    It does where each of its cells is a distinct short text, and there is a row below that it could name. A table of
    texts only looks alike; most of those have names too.
    """
    names = [cell.strip() for cell in first]
    if not others or not all(names) or len({name.casefold() for name in names}) != len(names):
        return False
    if any(len(name) > _NAME or _is_value(name) for name in names):
        return False
    return len(names) > 1 or any(_is_value(row[0].strip()) for row in others[:_COMPARED] if row)


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell)) and not _is_year(cell)


def _is_year(cell: str) -> bool:
    """Years name columns as often as they are values."""
    return len(cell) == 4 and cell.isdecimal() and cell[:2] in {"19", "20"}  # noqa: PLR2004 - as many digits
