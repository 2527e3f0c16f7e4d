"""Reads pictures in a process of their own; `memplug.safety.image` decides which."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from memplug.safety.image import examine

if TYPE_CHECKING:
    from memplug.values.limits import Limits


def read(data: bytes, limits: Limits, *, keep_location: bool) -> dict[str, Any]:
    """What was found out about a picture, as plain values; see `examine`."""
    info = examine(data, limits, keep_location=keep_location)
    return asdict(info) | {"thumbnail": base64.b64encode(info.thumbnail).decode()}
