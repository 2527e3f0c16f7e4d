"""Plain text: paragraphs between blank lines, and the lines of lists and logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.inputs.documents.decoding import decode
from memplug.inputs.documents.gathering import Gatherer
from memplug.safety.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.inputs.documents.reading import BlockKind, Reading
    from memplug.values.limits import Limits

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*+\n)+")
#: How a line begins that says something of its own: a bullet, a number, a time, a level, a name with its value.
_RECORD = re.compile(
    r"""\s*(?:[-*+\u2022\u2023\u25aa\u00b7\u2013\u2014]\s | \[[ xX]\]\s | \(?\d{1,3}[.)]\s
      | [\[(]?\d{4}[-/.]\d{1,2}[-/.]\d{1,2} | [\[(]?\d{1,2}:\d{2} | [A-Z][a-z]{2}\ +\d{1,2}\ \d{2}:
      | \[?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\b
      | [^\W\d][\w.-]{0,39}(?:\ [\w.-]{1,20}){0,2}(?:\s?[:=](?:\s|$)|\uff1a) | [^\s=]{1,60}=)""",
    re.VERBOSE,
)
#: Share of the lines that must begin like that for each to be one record.
_SHARE = 0.6


def read(data: bytes, limits: Limits) -> Reading:
    """The paragraphs and lines of a text.

    Raises:
        InputTooLarge: It has more characters than are taken.
    """
    gatherer = Gatherer(limits)
    decoded = decode(data)
    gatherer.warn(decoded.warning)
    gather(decoded.text, gatherer)
    return gatherer.reading()


def gather(text: str, gatherer: Gatherer) -> None:
    """Takes the paragraphs of a text: as they are written, with their line breaks."""
    for paragraph in _BLANK_LINES.split(clean(text)):
        records = list(_records(paragraph.split("\n")))
        kind: BlockKind = "item" if len(records) > 1 else "paragraph"
        for record in records:
            gatherer.add(kind, record)


def _records(lines: list[str]) -> Iterator[str]:
    """The lines as records of their own, each with the lines that belong to it; or all of them as one text."""
    starts = [bool(_RECORD.match(line)) for line in lines]
    if sum(starts) < max(2, _SHARE * len(lines)) and not _is_trace(lines, starts):
        yield "\n".join(lines)
        return
    record: list[str] = []
    for line, begins in zip(lines, starts, strict=True):
        if begins and record:
            yield "\n".join(record)
            record = []
        record.append(line)
    yield "\n".join(record)


def _is_trace(lines: list[str], starts: list[bool]) -> bool:
    """Whether records have indented lines of their own, as a log with stack traces has."""
    indented = sum(line[:1].isspace() for line in lines)
    return sum(starts) > 1 and sum(starts) + indented >= _SHARE * len(lines) and starts[0]
