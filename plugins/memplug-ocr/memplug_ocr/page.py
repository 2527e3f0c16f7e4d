"""Pages of PDF files as pictures. pdfium is not safe between threads, and some files make it eat memory or abort."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memplug.exceptions import EncryptedInput, MalformedInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pypdfium2
    from PIL import Image


def page_picture(data: bytes, number: int, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """A page as it is seen, and its width and height in points.

    Args:
        data: The file.
        number: The page's, counted from 1.
        side: Pixels of the picture's longer side, whatever size the page claims.

    Raises:
        InputRejected: The file or the page cannot be read.
    """
    with _opened(data) as document:
        if not 1 <= number <= len(document):
            raise MalformedInput(f"there is no page {number} among {len(document):,}")
        page = document[number - 1]
        width, height = page.get_size()
        if not (math.isfinite(width) and math.isfinite(height) and min(width, height) > 0):
            raise MalformedInput(f"page {number} has no size")
        scale = side / max(width, height)
        picture: Image.Image = page.render(scale=scale, no_smoothtext=False).to_pil()
        return picture.convert("RGB"), (max(round(width), 1), max(round(height), 1))


def page_count(data: bytes) -> int:
    """How many pages a file has.

    Raises:
        InputRejected: It cannot be read.
    """
    with _opened(data) as document:
        return len(document)


@contextmanager
def _opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        document = pypdfium2.PdfDocument(data)
        try:
            yield document
        finally:
            document.close()
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise EncryptedInput("the PDF file only opens with a password") from error
        raise MalformedInput(f"the PDF file is damaged: {error}") from error
