"""Asks the processes that read, and says in the plugin's own error what went wrong."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputRejected, InputTooLarge, PluginError
from memplug.values.limits import Limits
from memplug_ocr.lines import Lines
from memplug_ocr.workers import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from memplug_ocr.settings import Settings


class Reader:
    """Reads pictures and pages with the same settings.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.workers = shared(settings.workers)

    def picture(self, data: bytes) -> Lines:
        """The text in a picture.

        Raises:
            PluginError: It cannot be read.
        """
        with _own_error("the picture"):
            return Lines.of_json(self._run(data))

    def page(self, pdf: bytes, number: int) -> Lines:
        """The text on a page of a PDF, counted from 1.

        Raises:
            PluginError: It cannot be read.
        """
        with _own_error(f"page {number}"):
            return Lines.of_json(self._run(pdf, page=number))

    def pages(self, pdf: bytes) -> int:
        """How many pages a PDF has.

        Raises:
            PluginError: It cannot be read.
        """
        with _own_error("the document"):
            return int(self._run(pdf, count=True))

    def _run(self, data: bytes, **options: Any) -> Any:
        chosen = {name: getattr(self._settings, name) for name in ("min_confidence", "side", "threads")}
        return self.workers.run(data, self._settings, chosen | options)


def bytes_of(source: str | os.PathLike[str] | bytes | Image.Image) -> bytes:
    """The bytes of a file, by its path or as they are, or of a picture as a file.

    Raises:
        PluginError: There is no such file, or the picture has no form as one.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).read_bytes()
        except (OSError, ValueError) as error:  # a name with a NUL in it is no name
            raise PluginError(f"the file could not be read: {error}", plugin="ocr", hook="describe") from error
    from memplug.safety.image import encode_png

    with _own_error("the picture"):
        return encode_png(source, Limits())


@contextmanager
def _own_error(what: str) -> Iterator[None]:
    """Whatever the picture is made to do is an error of this plugin."""
    try:
        yield
    except InputRejected as error:
        hint = "MEMPLUG_OCR_SECONDS and MEMPLUG_OCR_MEMORY_MB hold these numbers"
        raise PluginError(
            f"{what} could not be read: {error.message}",
            plugin="ocr",
            hook="describe",
            hint=hint if type(error) is InputTooLarge else None,
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise PluginError(f"{what} could not be read: the answer is garbled", plugin="ocr", hook="describe") from error
