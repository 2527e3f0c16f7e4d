"""What the bytes of a blob are, whatever they are said to be, and the first words in them."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, InputRejected
from memplug.safety.media_type import IMAGE_TYPES, declared, sniff
from memplug.safety.text import clean

if TYPE_CHECKING:
    from memplug.inputs.documents.formats import Found
    from memplug.values.limits import Limits

log = logging.getLogger("memplug.ingest")

UNKNOWN = "application/octet-stream"
#: Characters of its text that a blob is found by, and bytes from its start that they are taken from.
_WORDS, _HEAD = 2_000, 32_768
_MARKUP = frozenset({"html", "xml"})
_TAG = re.compile(r"<[^>]{1,2000}>")
#: Many a type is one of these inside, so that being one contradicts only what can be none.
_CONTAINERS = frozenset({"application/zip", "application/gzip", "application/ogg", "video/mp4"})
_NEVER_CONTAINERS = ("image/", "text/")
#: Types whose bytes always begin in a known way: what begins otherwise is something else.
_KNOWN_STARTS = IMAGE_TYPES.keys() | {"application/pdf", "application/zip", "application/gzip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What was found out about some bytes.

    Args:
        content_type: What they are; where that cannot be told, what they are said to be.
        declared_type: What they are said to be, where they are something else.
        words: The first words in them, where they are of a type that is read.
    """

    content_type: str
    declared_type: str | None = None
    words: str = ""


def look_into(data: bytes, *, media_type: str | None, name: str, limits: Limits) -> Contents:
    """What the bytes are, and the first words in them. Nothing that is wrong with them is an error: they are kept.

    Args:
        data: All of them.
        media_type: What they are declared to be.
        name: What they are called.
        limits: What reading them may cost.
    """
    said = declared(media_type, name)
    kind = sniff(data)
    if kind is not None and not kind.content_type.startswith(("text/", "application/")):
        return _compared(kind.content_type, said, "")
    document = _document(data, media_type, name)
    if document is not None:
        words = _words(data, document, limits)
        return Contents(content_type=document.format.content_type, declared_type=document.declared_type, words=words)
    return _compared(kind.content_type if kind else None, said, "")


def _compared(found: str | None, said: str | None, words: str) -> Contents:
    if found is None:
        wrong = said in _KNOWN_STARTS
        return Contents(content_type=UNKNOWN if wrong or said is None else said, declared_type=said if wrong else None)
    agrees = said is None or _plain(said) == _plain(found)
    if not agrees and found in _CONTAINERS and said is not None:
        agrees = not said.startswith(_NEVER_CONTAINERS) and said not in _KNOWN_STARTS
    return Contents(content_type=found, declared_type=None if agrees else said, words=words)


def _plain(type_: str) -> str:
    """A type without the marks of those that were not registered: ``audio/x-wav``, ``image/vnd.microsoft.icon``."""
    return re.sub(r"/(?:x-|vnd\.microsoft\.)", "/", type_)


def _document(data: bytes, media_type: str | None, name: str) -> Found | None:
    """The format of a document that memplug reads; None for everything else."""
    from memplug.inputs.documents.formats import find_format

    try:
        return find_format(data, media_type=media_type, name=name)
    except InputRejected:
        return None


def _words(data: bytes, document: Found, limits: Limits) -> str:
    """The first words; those of a text from its start, those of PDF and Office files as their reader finds them."""
    if document.format.text:
        from memplug.inputs.documents.decoding import decode

        text = decode(data[:_HEAD]).text
        return _shortened(_TAG.sub(" ", text) if document.format.name in _MARKUP else text)
    from memplug.safety.worker import run

    try:
        reading = run(document.format.reader, data, limits=limits, options=document.format.options)
    except (InputRejected, ConfigError) as error:
        # It was handed in to be kept, not to be read; a broken file has a name and a key to be found by, too.
        log.info("a blob of %d bytes is kept without its words: %s", len(data), error)
        return ""
    return _shortened("\n".join(block["text"] for block in reading["blocks"]))


def _shortened(text: str) -> str:
    return clean(" ".join(text.split())[:_WORDS])
