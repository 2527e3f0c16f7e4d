"""What runs in the process that reads: one picture or page after another, with models that are loaded once."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from memplug_ocr.lines import Lines
from memplug_ocr.order import ordered

if TYPE_CHECKING:
    from memplug.values.limits import Limits
    from memplug_ocr.engine import Engine

#: Before numpy and OpenCV are loaded: buffers for each core's thread would count against the limit on memory.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(_name, "1")


def read(
    data: bytes,
    limits: Limits,  # noqa: ARG001 - the process is held to them; the picture was judged before
    *,
    side: int,
    threads: int,
    min_confidence: float,
    page: int | None = None,
    count: bool = False,
) -> Any:
    """Reads a picture, or a page of a PDF.

    Args:
        data: The file.
        limits: memplug's.
        side: See `Settings`.
        threads: See `Settings`.
        min_confidence: See `Settings`.
        page: Which page of a PDF, counted from 1; None where it is a picture.
        count: Only count the pages of a PDF.

    Returns:
        `Lines`, or how many pages there are.

    Raises:
        InputRejected: It cannot be read.
    """
    from memplug_ocr.page import page_count, page_picture
    from memplug_ocr.picture import opened, shrunk

    if count:
        return page_count(data)
    if page is None:
        picture = opened(data)
        size, picture = picture.size, shrunk(picture, side)
    else:
        picture, size = page_picture(data, page, side)
    sight = _engine(side, threads, min_confidence).look(picture)
    found = ordered(sight.fragments)
    back = sight.placed(size)
    return Lines(
        lines=tuple(back(line) for line in found.lines),
        width=size[0],
        height=size[1],
        turned=sight.turned,
        breaks=found.breaks,
    )


@cache
def _engine(side: int, threads: int, min_confidence: float) -> Engine:
    from memplug_ocr.engine import Engine

    return Engine(side=side, threads=threads, min_confidence=min_confidence)
