"""Long pictures, such as a chat on many screens, in tiles: as a whole they would be shrunk beyond reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug_ocr.lines import Box, Fragment

#: A picture so many times as long as wide is read in tiles, and in so many at most; a longer one is shrunk to these.
LONG, MOST = 3.0, 12
#: The part of a tile that the next one shows again, so that a line which one of them cuts is whole in the other.
_AGAIN = 0.1
#: The part of a line's height by which its middle may differ in two tiles.
_UNSURE = 0.25
#: Two fragments that share more than this part of the smaller one are the same.
_SAME = 0.5


def scale(size: tuple[int, int], side: int) -> float:
    """By how much a picture has to be shrunk to be read, at most 1.

    Args:
        size: Its width and height.
        side: The longer side of what is read at once.
    """
    longer, shorter = max(size), max(min(size), 1)
    if longer <= LONG * shorter:
        return min(side / longer, 1.0)
    return min(side / 2 / shorter, (side + (MOST - 1) * _step(side)) / longer, 1.0)


def tiles(size: tuple[int, int], side: int) -> list[Box]:
    """What is read at once of a picture that `scale` has shrunk, from one end to the other."""
    width, height = size
    longer = max(size)
    starts = [0]
    while starts[-1] + side < longer:
        starts.append(starts[-1] + _step(side))
    if height >= width:
        return [(0, start, width, min(start + side, height)) for start in starts]
    return [(start, 0, min(start + side, width), height) for start in starts]


def _step(side: int) -> int:
    return round(side * (1 - _AGAIN))


def joined(parts: Sequence[tuple[Box, Sequence[Fragment]]]) -> list[Fragment]:
    """The fragments of all tiles, without those that a tile cuts and without doubles.

    Args:
        parts: The tiles in their order with what was read in them, in the whole picture's pixels.
    """
    found: list[Fragment] = []
    before: Sequence[Fragment] = ()
    for number, (tile, fragments) in enumerate(parts):
        kept = list(fragments)
        if number + 1 < len(parts):
            kept = [one for one in kept if _middle_less(one, tile, parts[number + 1][0], sign=1)]
        if number:
            kept = [one for one in kept if _middle_less(one, parts[number - 1][0], tile, sign=-1)]
            kept = [one for one in kept if not any(_same(one, other) for other in before)]
        found += kept
        before = kept
    return found


def _middle_less(fragment: Fragment, tile: Box, following: Box, *, sign: int) -> bool:
    """Whether a fragment stands on this side of the middle of what two tiles share: before it (1), or behind (-1)."""
    along = 0 if following[0] > tile[0] else 1
    border = (tile[along + 2] + following[along]) / 2
    first, last = fragment.box[along], fragment.box[along + 2]
    unsure = _UNSURE * min(last - first, fragment.box[3] - fragment.box[1])
    return sign * ((first + last) / 2 - border) <= unsure


def _same(one: Fragment, other: Fragment) -> bool:
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    smaller = min(_area(one.box), _area(other.box))
    return width > 0 and height > 0 and width * height > _SAME * smaller


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
