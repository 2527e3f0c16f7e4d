"""The describer that memplug asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, InvalidImageError, PluginError, UnsafeInput
from memplug_ocr.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.values.draft import Media
    from memplug_ocr.settings import Settings

log = logging.getLogger("memplug.ocr")

_PICTURES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_PDF = "application/pdf"
#: A page that took all the time or memory that there is, or ended the process; after so many of these, no further page
#: of a document is tried, or one that was made for it could take a minute for each of 500 pages.
_COSTLY, _PATIENCE = (InputTooLarge, UnsafeInput), 3


class Ocr:
    """Says what stands in pictures and on scanned pages; a `PageDescriber`.

    Args:
        settings: The settings.
    """

    name = "ocr"

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings)
        self._reader.workers.hold(self)

    def accepts(self, media: Media) -> bool:
        """Whether it is a picture, or a PDF."""
        return media.content_type in _PICTURES or media.content_type == _PDF

    def describe(self, media: Media, *, context: str) -> str:  # noqa: ARG002 - what stands there is what stands there
        """The words in a picture, a line each; none where a blob only seems to be one.

        Raises:
            PluginError: It cannot be read.
        """
        if media.content_type not in _PICTURES:
            return ""
        try:
            return self._reader.picture(media.data).text
        except PluginError as error:
            if media.width or not isinstance(error.__cause__, InvalidImageError):
                raise
            # Nobody has looked at it before: a blob may be a picture that is broken, and is kept as it is.
            log.info("%d bytes of %s are no picture", len(media.data), media.content_type)
            return ""

    def pages(self, media: Media, numbers: Sequence[int], *, context: str) -> dict[int, str]:  # noqa: ARG002 - as above
        """The words on pages of a PDF by their numbers; a page that cannot be read is left out.

        Raises:
            PluginError: None of them can be read.
        """
        found: dict[int, str] = {}
        failures: list[PluginError] = []
        for number in numbers:
            try:
                found[number] = self._reader.page(media.data, number).text
            except PluginError as error:
                log.warning("page %d of %d bytes could not be read", number, len(media.data))
                failures.append(error)
                if sum(isinstance(one.__cause__, _COSTLY) for one in failures) == _PATIENCE:
                    break
        if failures and not found:
            raise failures[0]
        return found

    def close(self) -> None:
        """Gives up its part in the processes that read, as `Memory.close` has it."""
        self._reader.workers.release(self)
