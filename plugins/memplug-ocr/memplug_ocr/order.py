"""The order in which people read: columns, lines and paragraphs, found from where fragments stand."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from memplug_ocr.lines import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memplug_ocr.lines import Fragment

#: Two fragments stand in one line where they share more than this part of the lower one's height.
_OVERLAP = 0.5
#: Heights of a line that are blank between two columns, and between two paragraphs.
_GUTTER, _PARAGRAPH = 0.8, 0.8
#: Columns hold prose: so many fragments at least, each so many times as wide as high. The prices at the right of a
#: receipt are no column, since they belong to the things at the left.
_COLUMN_FRAGMENTS, _COLUMN_WIDTH = 4, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Lines in reading order, and which of them begin a paragraph; see `Lines`."""

    lines: tuple[Line, ...]
    breaks: frozenset[int]


def ordered(fragments: Sequence[Fragment]) -> Ordered:
    """Puts fragments in order, read from left to right and from top to bottom."""
    lines: list[Line] = []
    breaks: set[int] = set()
    if fragments:
        height = median(_height(fragment) for fragment in fragments)
        for block in _blocks(list(fragments), height):
            if lines:
                breaks.add(len(lines))
            lines += block
    return Ordered(lines=tuple(lines), breaks=frozenset(breaks))


def _blocks(fragments: list[Fragment], height: float) -> Iterator[list[Line]]:
    """The paragraphs: what blank bands set apart, and inside of these one column after the other."""
    for band in _split(fragments, _tops, _PARAGRAPH * height):
        columns = _columns(band, height)
        if len(columns) == 1:
            yield _rows(band)
        else:
            for column in columns:
                yield from _blocks(column, height)


def _columns(band: list[Fragment], height: float) -> list[list[Fragment]]:
    columns = _split(band, _lefts, _GUTTER * height)
    return columns if all(map(_is_column, columns)) else [band]


def _is_column(fragments: Sequence[Fragment]) -> bool:
    widths = [(one.box[2] - one.box[0]) / _height(one) for one in fragments]
    return len(fragments) >= _COLUMN_FRAGMENTS and median(widths) >= _COLUMN_WIDTH


def _split(
    fragments: list[Fragment], extent: Callable[[Fragment], tuple[int, int]], blank: float
) -> list[list[Fragment]]:
    """Cuts where nothing stands for a while, in one direction."""
    parts: list[list[Fragment]] = []
    end = 0.0
    for fragment in sorted(fragments, key=extent):
        first, last = extent(fragment)
        if not parts or first - end > blank:
            parts.append([])
        parts[-1].append(fragment)
        end = max(end, last) if len(parts[-1]) > 1 else last
    return parts


def _rows(fragments: Sequence[Fragment]) -> list[Line]:
    """The lines of one column. A fragment joins the line whose end beside it stands at the same height.

    The end and not the whole line, because a scan may be askew: over the page's width, a line can rise by its height.
    """
    rows: list[list[Fragment]] = []
    for fragment in sorted(fragments, key=_lefts):
        fitting = [row for row in rows if _beside(row[-1], fragment)]
        if fitting:
            max(fitting, key=lambda row: _shared(row[-1], fragment)).append(fragment)
        else:
            rows.append([fragment])
    rows.sort(key=lambda row: sum(map(sum, map(_tops, row))) / len(row))
    return [Line(fragments=tuple(row)) for row in rows]


def _beside(one: Fragment, other: Fragment) -> bool:
    return _shared(one, other) > _OVERLAP * min(_height(one), _height(other)) and other.box[0] > one.box[0]


def _shared(one: Fragment, other: Fragment) -> int:
    return min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])


def _height(fragment: Fragment) -> int:
    return max(fragment.box[3] - fragment.box[1], 1)


def _tops(fragment: Fragment) -> tuple[int, int]:
    return fragment.box[1], fragment.box[3]


def _lefts(fragment: Fragment) -> tuple[int, int]:
    return fragment.box[0], fragment.box[2]
