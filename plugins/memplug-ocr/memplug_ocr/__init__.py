"""Reads the text in pictures and scanned pages, offline, in a process of its own.

Installed, it is a describer of memplug's: what stands in a picture goes into the memory's text behind the user's own
words, and what stands on a scanned page becomes passages that cite the page. `read` and `read_pdf` give the same with
boxes and confidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug import hookimpl
from memplug_ocr.lines import Fragment, Line, Lines
from memplug_ocr.settings import Settings

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from PIL import Image

    from memplug.plugins.hookspecs import Register
    from memplug.plugins.protocols import Describer

__version__ = "0.1.0"
__all__ = ["Fragment", "Line", "Lines", "Settings", "close", "read", "read_pdf"]


@hookimpl
def register_describers(register: Register[Callable[[], Describer]]) -> None:
    """Offers `memplug_ocr.describer.Ocr`."""
    register("ocr", _ocr)


def read(image: str | os.PathLike[str] | bytes | Image.Image, *, settings: Settings | None = None) -> Lines:
    """The text in a picture, line by line, with where it stands.

    Args:
        image: A path, the bytes of a file (PNG, JPEG, WebP, GIF), or a PIL image.
        settings: None means `Settings.from_environ`.

    Raises:
        PluginError: There is no such file, it is no picture or damaged, or reading it took too much time or memory.
        ConfigError: A setting is wrong.
    """
    from memplug_ocr.reader import Reader, bytes_of

    return Reader(settings or Settings.from_environ()).picture(bytes_of(image))


def read_pdf(
    pdf: str | os.PathLike[str] | bytes, pages: Iterable[int] | None = None, *, settings: Settings | None = None
) -> dict[int, Lines]:
    """The text on the pages of a PDF, by page number from 1, read off their pictures. Boxes are in points.

    Args:
        pdf: A path, or the bytes of a file.
        pages: Their numbers; None means all of them.
        settings: None means `Settings.from_environ`.

    Raises:
        PluginError: There is no such file, it is no PDF or has no such page, or reading a page took too much time or
            memory.
        ConfigError: A setting is wrong.
    """
    from memplug_ocr.reader import Reader, bytes_of

    data = bytes_of(pdf)
    reader = Reader(settings or Settings.from_environ())
    return {number: reader.page(data, number) for number in (pages or range(1, reader.pages(data) + 1))}


def close() -> None:
    """Ends the processes that read. The next picture starts another; without this, they end when they are idle."""
    from memplug_ocr.workers import close_all

    close_all()


def _ocr() -> Describer:
    from memplug_ocr.describer import Ocr

    return Ocr(Settings.from_environ())
