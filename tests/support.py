"""What several test modules use."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from PIL import Image

START = datetime(2026, 1, 1, tzinfo=UTC)

#: What was measured to break filters made of strings, and relatives of it.
HOSTILE = (
    "x' OR user_id = 'bob",
    "' OR '1'='1",
    "'; DROP TABLE memories; --",
    "bob'--",
    '" OR ""="',
    "bob\\",
    "\\'",
    "b''ob",
    "\\'' OR 1=1 --",
    "%",
    "_ob",
    "bob%",
    "*",
    "bob\x00",
    "\x00",
    "bob\n",
    "bob ",
    " bob",
    "BOB",
    "bo\u0301b",
    "\u202ebob",
    "b\u200bob",
    "🦊",
    "用户",
    "bob" * 33_000,
)


class Clock:
    """A clock that moves a millisecond at each look, and further when told to."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        """Tells the time."""
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def advance(self, **distance: float) -> datetime:
        """Moves on by a `timedelta`, and tells the time there."""
        self.moment += timedelta(**distance)
        return self.moment


def png(color: str = "red", size: tuple[int, int] = (40, 30)) -> bytes:
    """A small PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()
