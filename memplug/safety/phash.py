"""A perceptual hash: pictures that look alike differ in few of its 64 bits."""

from __future__ import annotations

from functools import cache
from math import cos, pi
from operator import mul
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDE = 32
_KEPT = 8


def perceptual_hash(picture: Image) -> str:
    """The hash of a picture as 16 hexadecimal digits.

    The 8 by 8 lowest frequencies of a 32 by 32 grey copy, each above their median or not: scale, compression and
    small changes of colour leave them. Those that do not change across or down are left out, as they only say how
    light a row or column is, which made 75 instead of 35 of 780 pairs of different receipts look alike. Written in
    plain Python since it takes a millisecond, and numpy takes 80 to import.
    """
    grey = _flat(picture).convert("L").resize((_SIDE, _SIDE)).tobytes()
    rows = [grey[start : start + _SIDE] for start in range(0, len(grey), _SIDE)]
    across = [[sum(map(mul, wave, row)) for wave in _waves()] for row in rows]
    columns = list(zip(*across, strict=True))
    # Rounded, so that a flat picture's noise in the last digits is zero everywhere.
    power = [round(sum(map(mul, wave, column)), 3) for wave in _waves() for column in columns]
    threshold = median(power)
    return f"{sum((value > threshold) << place for place, value in enumerate(power)):016x}"


def distance(one: str, other: str) -> int:
    """In how many of their 64 bits two hashes differ.

    Copies of one picture (resized, recompressed) differ in at most 10, most different pictures in over 20. Scans of
    printed forms can be nearer than 10 and yet differ in what matters, so this must never decide that two are one.
    """
    return (int(one, 16) ^ int(other, 16)).bit_count()


@cache
def _waves() -> tuple[tuple[float, ...], ...]:
    """Rows 1 to 8 of the DCT-II matrix."""
    return tuple(
        tuple(cos(pi * (2 * place + 1) * frequency / (2 * _SIDE)) for place in range(_SIDE))
        for frequency in range(1, _KEPT + 1)
    )


def _flat(picture: Image) -> Image:
    """The picture on white, where it lets the ground through."""
    if "A" not in picture.getbands():
        return picture
    from PIL import Image as PilImage

    ground = PilImage.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture.convert("RGBA"))
    return ground
