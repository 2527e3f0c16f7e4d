"""What a picture's EXIF block says of how it is held, when it was taken and, only if asked, where."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from memplug.safety.quiet import quiet

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

_ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL = 0x9003, 0x9011
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4

#: What Pillow raised on damaged EXIF blocks of intact pictures. Such a block is as good as none: the picture
#: itself was decoded, and to refuse it for a bad date would cost the user more than the date.
_DAMAGED = (
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OSError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    AttributeError,
    struct.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What the EXIF block says.

    Args:
        orientation: 1 to 8, how the stored rows and columns have to be turned; 1 is upright.
        taken_at: ISO 8601, with an offset only where the camera wrote one; None where it is unknown.
        location: ``latitude`` and ``longitude`` in degrees; None unless asked for and known.
    """

    orientation: int = 1
    taken_at: str | None = None
    location: dict[str, float] | None = None


def read_shot(image: Image, *, keep_location: bool) -> Shot:
    """Reads the EXIF block of a decoded picture; a damaged block counts as none."""
    try:
        with quiet():
            return _shot(image, keep_location=keep_location)
    except _DAMAGED:
        return Shot()


def _shot(image: Image, *, keep_location: bool) -> Shot:
    exif = image.getexif()
    orientation = exif.get(_ORIENTATION, 1)
    return Shot(
        orientation=orientation if orientation in range(1, 9) else 1,
        taken_at=_taken_at(exif),
        location=_location(exif) if keep_location else None,
    )


def _taken_at(exif: Exif) -> str | None:
    tags = exif.get_ifd(_EXIF_IFD)
    written = str(tags.get(_DATE_TIME_ORIGINAL, "")).strip("\0 ")
    offset = str(tags.get(_OFFSET_TIME_ORIGINAL, "")).strip("\0 ")
    try:
        taken = datetime.strptime(written, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - cameras rarely know their zone
        return taken.isoformat() if not offset else datetime.fromisoformat(taken.isoformat() + offset).isoformat()
    except ValueError:  # cameras without a clock write blanks or zeros
        return None


def _location(exif: Exif) -> dict[str, float] | None:
    tags = exif.get_ifd(_GPS_IFD)
    latitude = _degrees(tags.get(_LATITUDE), negative=tags.get(_LATITUDE_REF) == "S")
    longitude = _degrees(tags.get(_LONGITUDE), negative=tags.get(_LONGITUDE_REF) == "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
        return None
    return {"latitude": latitude, "longitude": longitude}


def _degrees(value: Any, *, negative: bool) -> float | None:
    if not isinstance(value, tuple) or len(value) != 3:  # noqa: PLR2004 - degrees, minutes, seconds
        return None
    degrees, minutes, seconds = (float(part) for part in value)
    found = degrees + minutes / 60 + seconds / 3600
    return round(-found if negative else found, 6) if math.isfinite(found) else None
