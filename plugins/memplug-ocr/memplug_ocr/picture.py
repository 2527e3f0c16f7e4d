"""Pictures as the reader wants them: upright, in colours, no larger than needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.safety.image import open_image
from memplug_ocr.tiles import scale

if TYPE_CHECKING:
    from PIL import Image

_PLAIN = frozenset({"L", "RGB", "RGBA"})


def opened(data: bytes) -> Image.Image:
    """The (first) picture of a file, upright, in grey or colours.

    Raises:
        InputRejected: It is no PNG, JPEG, WebP or GIF, or damaged.
    """
    picture = open_image(data)
    if picture.mode == "I;16":
        from PIL import Image

        # Pillow's way from 16 bits to grey clips them, so that everything comes out white.
        return Image.frombytes("L", picture.size, picture.tobytes()[1::2])
    if picture.mode in _PLAIN:
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def shrunk(picture: Image.Image, side: int) -> Image.Image:
    """The picture as small as it is read; see `memplug_ocr.tiles`."""
    factor = scale(picture.size, side)
    if factor >= 1:
        return picture
    width, height = (max(round(length * factor), 1) for length in picture.size)
    return picture.resize((width, height), reducing_gap=3.0)
