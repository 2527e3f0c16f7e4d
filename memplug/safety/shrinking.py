"""Pictures made small enough to be sent."""

from __future__ import annotations

import io

from memplug.safety.image import image_type, small_image
from memplug.values.prompt import Picture

#: JPEG quality at which small print still reads; photographs are a tenth of their PNG.
_QUALITY = 85


def picture_to_send(data: bytes, side: int) -> Picture:
    """A picture, upright, with no side over ``side`` pixels and free of metadata: where it was taken stays here.

    What is smaller keeps its pixels. Photographs stay JPEG; all others become PNG, with what can be seen through.

    Raises:
        InvalidImageError: Not a PNG, JPEG, WebP or GIF, or damaged.
        InputTooLarge, UnsafeInput: See `small_image`.
    """
    photograph = image_type(data) == "image/jpeg"
    small = small_image(data, side)
    out = io.BytesIO()
    # The writers take along EXIF and colour profile only where they are passed to them, or stand in `info`.
    small.info.clear()
    if photograph:
        small.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    else:
        small.convert("RGBA" if small.has_transparency_data else "RGB").save(out, "PNG")
    return Picture(data=out.getvalue(), content_type="image/jpeg" if photograph else "image/png")
