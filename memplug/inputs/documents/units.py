"""What a passage is put together from: whole blocks, and the sentences and lines of those that are too long."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.inputs.documents.reading import Block

#: Characters of the longest block that stays whole.
WHOLE = 1_600
#: Where a text may be taken apart, the best way first: between paragraphs, sentences, lines, words. The group is what
#: stands there and belongs to neither side. Behind a sentence a blank follows, in Chinese and Japanese nothing.
_PARAGRAPHS = re.compile(r"(\n[^\S\n]*\n\s*)")
#: What may stand behind a sentence's end and belongs to it: quotation marks and brackets.
_CLOSING = r"""["'\u201d\u2019\u00bb)\]\u300d\u300f\uff09\u3011]{0,3}"""
_SENTENCES = re.compile(
    rf"(?:(?<=[.!?\u2026\u061f\u06d4\u0964]){_CLOSING}(?=\s)(\s+)(?=[^\s\d.,;)])"
    rf"|(?<=[\u3002\uff01\uff1f\uff1b\uff61]){_CLOSING}(\s*)(?=\S))"
)
_LINES = re.compile(r"(\n\s*)")
_WORDS = re.compile(r"(\s+)")
#: How many characters before a forced cut are looked at for one that may follow a cut.
_BACK = 32
_JOINERS = frozenset({"\u200d", "\ufe0e", "\ufe0f"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A piece of text that stays whole.

    Args:
        text: It.
        gap: What stands between it and the unit before, in one passage.
        break_behind: How much it hurts to end a passage behind it: 0 at the end of a block, more inside one.
        section: The block's.
    """

    text: str
    gap: str
    break_behind: int
    section: str


def units_of(block: Block, number: int) -> Iterator[Unit]:
    """The units of a block.

    Args:
        block: It.
        number: Its place among the blocks that may share a passage.
    """
    gap = "\n" if block.kind in {"item", "row"} and number > 0 else "\n\n"
    if len(block.text) <= WHOLE:
        yield Unit(text=block.text, gap=gap, break_behind=0, section=block.section)
        return
    pieces = list(_pieces(block.text, _LADDERS.get(block.kind, _PROSE), 1))
    ranks = [*(rank for _, _, rank in pieces[1:]), 0]
    for place, (text, before, _) in enumerate(pieces):
        yield Unit(text=text, gap=before if place else gap, break_behind=ranks[place], section=block.section)


def _pieces(text: str, ladder: tuple[re.Pattern[str], ...], rank: int) -> Iterator[tuple[str, str, int]]:
    """Pieces of at most `WHOLE` characters: text, what stands before it, and how much the cut before it hurts."""
    if not ladder:
        yield from ((piece, "", rank) for piece in _forced(text))
        return
    at, before = 0, ""
    for start, end in [*_gaps(text, ladder[0]), (len(text), len(text))]:
        piece = text[at:start]
        if len(piece) <= WHOLE:
            yield piece, before, rank
        else:
            for number, (part, gap, worse) in enumerate(_pieces(piece, ladder[1:], rank + 1)):
                yield (part, gap, worse) if number else (part, before, rank)
        at, before = end, text[start:end]


def _gaps(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where a text may be taken apart in one of the ways, with the least distance between two such places."""
    least = _LEAST.get(pattern, 1)
    at = 0
    while found := pattern.search(text, at + least):
        start, at = found.span(found.lastindex or 0)
        yield start, at


def _forced(text: str) -> Iterator[str]:
    """Cuts a text without any place for it, but never inside what is one character to a reader."""
    while len(text) > WHOLE:
        end = WHOLE
        while end > WHOLE - _BACK and _belongs(text[end - 1], text[end]):
            end -= 1
        yield text[:end]
        text = text[end:]
    if text:
        yield text


def _belongs(before: str, after: str) -> bool:
    return bool(unicodedata.combining(after)) or after in _JOINERS or before == "\u200d"


_PROSE = (_PARAGRAPHS, _SENTENCES, _LINES, _WORDS)
#: Lines and words shorter than this stay with the next, or a text of two million words had as many units.
_LEAST = {_LINES: 30, _WORDS: 30}
_LADDERS = {"code": (_PARAGRAPHS, _LINES, _WORDS), "item": (_LINES, _SENTENCES, _WORDS)}
