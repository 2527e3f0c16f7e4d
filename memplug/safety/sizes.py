"""How large an image file may be, in the words of the reference system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import FileSizeError
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from memplug.values.limits import Limits


def check_image_size(size: int, limits: Limits) -> None:
    """Refuses an image file of more than ``limits.image_bytes`` bytes.

    Raises:
        FileSizeError: It is larger.
    """
    if size > limits.image_bytes:
        raise image_too_large(limits)


def image_too_large(limits: Limits) -> FileSizeError:
    """The error of an image file over the limit."""
    return FileSizeError(f"Image too large. Maximum: {_megabytes(limits.image_bytes)}")


def _megabytes(size: int) -> str:
    return f"{size / MIB:g}MB" if size >= MIB else f"{size:,} bytes"
