"""HTML: the text as somebody reads it on the page, with headings, lists, tables and code.

The markup is taken apart here and not by `html.parser`, which in Python 3.11 needs 20 seconds for 60 kB of unclosed
tags (each ``<a`` looks through all that follow). Here each character is looked at a fixed number of times.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.inputs.documents.decoding import decode, peek
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.page import Page
from memplug.inputs.documents.tags import tokens

if TYPE_CHECKING:
    from memplug.inputs.documents.reading import Reading
    from memplug.values.limits import Limits

#: Where a page says its encoding, and how it does; browsers look no further either.
_HEAD = 1_024
_CHARSET = re.compile(r"""<meta\b[^<>]{0,500}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(r"""<\?xml\b[^<>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})""")


def read(data: bytes, limits: Limits) -> Reading:
    """What a page says.

    Navigation, scripts, forms' controls and what is hidden are left out; navigation only where less text is lost with
    it than stays, since pages leave ``<nav>`` open or put their contents into it.

    Raises:
        InputTooLarge: It has more characters or cells than are taken.
    """
    decoded = decode(data, named=_encoding(data[:_HEAD]))
    found, left_out = _gathered(decoded.text, limits, navigation=False)
    if left_out > sum(len(block.text) for block in found.reading().blocks):
        found, left_out = _gathered(decoded.text, limits, navigation=True)
    found.warn(decoded.warning)
    if left_out:
        found.warn(f"navigation and hidden text were left out ({left_out:,} characters)")
    return found.reading()


def gather(markup: str, gatherer: Gatherer) -> None:
    """Takes the blocks of a piece of HTML inside another text."""
    page = Page(gatherer, navigation=True)
    for token in tokens(markup):
        page.take(token)
    page.close()


def _gathered(markup: str, limits: Limits, *, navigation: bool) -> tuple[Gatherer, int]:
    gatherer = Gatherer(limits)
    page = Page(gatherer, navigation=navigation)
    for token in tokens(markup):
        page.take(token)
    page.close()
    if page.title:
        gatherer.title = page.title
    return gatherer, page.left_out


def _encoding(head: bytes) -> str | None:
    text = peek(head)
    found = _CHARSET.search(text) or _XML_ENCODING.search(text)
    return found[1] if found else None
