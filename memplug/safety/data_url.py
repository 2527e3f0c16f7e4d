"""Base64 and ``data:`` URLs, decoded strictly and never beyond a size."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from memplug.exceptions import InputTooLarge, MalformedInput

#: Longest part before the comma of a data URL; real ones have under a hundred characters.
_MAX_HEADER = 1_000
_IMAGE_URL = re.compile(r"\s*data:image/[\w.+-]+(?:;[\w.+=\"-]+)*;base64,[A-Za-z0-9+/]{4}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a data URL held.

    Args:
        data: The bytes.
        media_type: What it says they are; an empty string where it says nothing.
    """

    data: bytes
    media_type: str


def is_image_url(text: str) -> bool:
    """Whether a text is a ``data:image/…;base64,`` URL, rather than words about one."""
    return _IMAGE_URL.match(text) is not None


def media_type_of(url: str) -> str:
    """What a data URL says its bytes are, without decoding them."""
    return url[:_MAX_HEADER].partition(",")[0].strip()[len("data:") :].partition(";")[0].strip().lower()


def decode_data_url(url: str, *, limit: int) -> Decoded:
    """The bytes of a data URL.

    Args:
        url: ``data:[type][;parameters][;base64],…``.
        limit: Most bytes to decode.

    Raises:
        MalformedInput: It is no data URL, or its base64 or percent encoding is damaged.
        InputTooLarge: It holds more than ``limit`` bytes; found out before anything is decoded.
    """
    url = url.strip()
    header, comma, payload = url.partition(",")
    if not comma or not header[:5].lower() == "data:" or len(header) > _MAX_HEADER:
        raise MalformedInput("not a data URL", hint="data:image/png;base64,…")
    if header.lower().rstrip().endswith(";base64"):
        data = decode_base64(_unquoted(payload), limit=limit)
    else:
        data = _percent_decoded(payload, limit=limit)
    return Decoded(data=data, media_type=media_type_of(url))


def decode_base64(encoded: str, *, limit: int) -> bytes:
    """The bytes of standard base64 with padding, of the base64 alphabet alone.

    Raises:
        MalformedInput: A character outside the alphabet, or wrong padding.
        InputTooLarge: It holds more than ``limit`` bytes; found out before anything is decoded.
    """
    size = len(encoded) // 4 * 3 - encoded[-2:].count("=")
    if size > limit:
        raise InputTooLarge(f"the base64 holds {size:,} bytes; at most {limit:,} are taken")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedInput(
            f"the base64 is damaged: {error}",
            hint="standard alphabet with padding, no blanks or line breaks (base64.b64encode)",
        ) from error


def _unquoted(payload: str) -> str:
    """Some writers percent-encode the base64's own ``+``, ``/`` and ``=``."""
    return unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload


def _percent_decoded(payload: str, *, limit: int) -> bytes:
    # A byte takes at most three characters (%41), so this bounds the work before it is done.
    if len(payload) > 3 * limit:
        raise InputTooLarge(f"the data URL holds more than {limit:,} bytes")
    data = unquote_to_bytes(payload)
    if len(data) > limit:
        raise InputTooLarge(f"the data URL holds {len(data):,} bytes; at most {limit:,} are taken")
    return data
