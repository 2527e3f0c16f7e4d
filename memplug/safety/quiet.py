"""Keeps a decoder's warnings from the program that uses memplug."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_turn = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings inside: neither on a user's terminal nor, where warnings are errors, as an exception.

    Pillow warns of a damaged EXIF block in an intact picture, and of many pixels, which memplug counts itself. Up to
    Python 3.13, `warnings.catch_warnings` is not safe between threads, hence one at a time; so only what is short
    belongs inside, such as reading a header.
    """
    with _turn, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
