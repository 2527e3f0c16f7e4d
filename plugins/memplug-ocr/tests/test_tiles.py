"""Long pictures in tiles: all of them is looked at, and nothing twice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from memplug_ocr.lines import Box, Fragment
from memplug_ocr.tiles import LONG, MOST, joined, scale, tiles


def after(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height of a picture as it is read."""
    factor = scale(size, side)
    return max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)


@pytest.mark.parametrize(
    "size",
    [(1, 1), (640, 480), (1_280, 1_280), (4_000, 3_000), (1_080, 3_240), (1_080, 3_241), (1_080, 20_000), (9, 90_000)],
)
@pytest.mark.parametrize("side", [320, 1_280, 4_096])
def test_tiles_cover_a_picture(size: tuple[int, int], side: int) -> None:
    """Wholly, each overlapping the one before, none larger than what is read at once, and not too many."""
    for shape in (size, size[::-1]):
        width, height = after(shape, side)
        found = tiles((width, height), side)
        along = 0 if width > height else 1
        assert len(found) == 1 if max(shape) <= LONG * min(shape) else len(found) <= MOST
        assert (found[0][:2], found[-1][2:]) == ((0, 0), (width, height))
        assert all(max(right - left, bottom - top) <= side for left, top, right, bottom in found)
        assert all(one[along + 2] > other[along] for one, other in pairwise(found))


def test_a_long_picture_stays_as_wide_as_half_of_what_is_read() -> None:
    """A screen of 1080 pixels is read at 640, however long the chat is."""
    assert after((1_080, 2_160), 1_280) == (640, 1_280)
    assert after((1_080, 12_000), 1_280)[0] == 640


def at(top: int, text: str, *, height: int = 20) -> Fragment:
    """A line at the left, so many pixels from the top."""
    return Fragment(text=text, box=(0, top, 100, top + height), confidence=1.0)


def test_what_two_tiles_show_counts_once() -> None:
    """A line that one of them cuts is taken from the other, and one in the very middle, from either."""
    upper, lower = (0, 0, 100, 1_000), (0, 900, 100, 1_900)
    parts: list[tuple[Box, list[Fragment]]] = [
        (upper, [at(100, "one"), at(910, "two"), at(939, "middle"), at(985, "thr", height=15)]),
        (lower, [at(900, "wo", height=15), at(941, "middle"), at(980, "three"), at(1_500, "four")]),
    ]
    assert [fragment.text for fragment in joined(parts)] == ["one", "two", "middle", "three", "four"]


def test_the_same_words_further_on_are_others() -> None:
    """A chat repeats itself."""
    upper, lower = (0, 0, 100, 1_000), (0, 900, 100, 1_900)
    found = joined([(upper, [at(100, "yes"), at(920, "yes")]), (lower, [at(920, "yes"), at(960, "yes")])])
    assert [fragment.box[1] for fragment in found] == [100, 920, 960]
