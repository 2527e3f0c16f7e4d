"""Keeps the user's words and those of describers apart in one text.

The user's come first, the describers' stand below. `Provenance.described` says how many characters at the end are
theirs, with a digest of these: so it holds through every other change of a memory, and once somebody changes the text
itself it fits no more, and all of the text counts as the user's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memplug.values.item import MemoryItem

#: The form of a mark.
MARK = "[0-9]{1,9}:[0-9a-f]{16}"


def joined(own: str, described: str) -> str:
    """The text of a memory: the user's words, and below them the describers'."""
    return "\n".join(words for words in (own, described) if words)


def mark_of(own: str, text: str) -> str | None:
    """The mark of a text that begins with the user's words; None where nothing or something else follows them."""
    described = text[len(own) :].removeprefix("\n" if own else "")
    return _mark(described) if described and joined(own, described) == text else None


def own_words(item: MemoryItem) -> str:
    """The text of a memory without what describers said."""
    mark = item.source.described
    length = int(mark.partition(":")[0]) if mark else 0
    if not length or length > len(item.text) or _mark(item.text[-length:]) != mark:
        return item.text
    return item.text[:-length].removesuffix("\n")


def _mark(described: str) -> str:
    digest = hashlib.blake2b(described.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{len(described)}:{digest}"
