"""Lines on pages, put together to paragraphs, items and headings by where they stand and how large they are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.inputs.documents.reading import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memplug.inputs.documents.reading import BlockKind

#: What pdfium puts where a hyphen ended a line and the word goes on in the next one.
_BROKEN = re.compile("(\\w*)\ufffe(\\w*)")
_COMPOUND = re.compile(r"\w+-\w+")
_BULLET = re.compile(r"[•‣◦▪▫●○■□➢➤✓✔·–—*-]\s+(?=\S)")  # noqa: RUF001 - dashes of all lengths
_NUMBER = re.compile(r"(?:\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+(?=\S)")
_FIGURE = re.compile(r"\d[\d.,]*[%)]?$")
#: Scripts that set no blanks between words.
_NO_BLANKS = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60\u3040-\u30ff\u0e00-\u0e7f]")
_LETTER = re.compile(r"[^\W\d_]")
#: Lines differ in size where one is so much larger; headings are that much larger than the text.
_LARGER = 1.12
#: How much further apart than usual lines of two paragraphs are, and how far lines of one are at most, in heights.
_APART, _USUAL, _WIDEST = 0.22, 1.0, 3.0
#: What stands so little lower or higher stands on the same line, in heights.
_SAME_LINE = 0.2
#: A line that ends so far before the right edge, in shares of the width, ends early; so many lines make the edge.
_SHORT, _COMPARED = 0.2, 50
#: A heading is no longer than this; and where more of the text is large, size does not tell headings.
_HEADING_LENGTH, _HEADING_SHARE = 200, 0.3
_LEVELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text, or several where hyphens join them. Distances are in points from the lower left corner.

    Args:
        text: Its words.
        left, right: Where its first character begins, and its last one ends.
        top_base, last_base: The foot of its first and of its last character.
        height: Of its first character, with the room that the font keeps for it.
    """

    text: str
    left: float
    right: float
    top_base: float
    last_base: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLayout:
    """A page as it is set.

    Args:
        number: Counted from 1.
        lines: In the order in which the page draws them.
        notes: Words that stand on no line: notes and form fields.
    """

    number: int
    lines: Sequence[Line]
    notes: Sequence[str] = ()


class Layout:
    """How a document is set: the size of its text and headings, and the usual distance between lines.

    Args:
        pages: All its pages.
    """

    def __init__(self, pages: Sequence[PageLayout]) -> None:
        sizes: Counter[float] = Counter()
        gaps: Counter[float] = Counter()
        for page in pages:
            for line in page.lines:
                sizes[round(line.height, 1)] += len(line.text)
            for one, other in zip(page.lines, page.lines[1:], strict=False):
                gap = (one.last_base - other.top_base) / one.height
                if 0 < gap < _WIDEST and _same_size(one, other):
                    gaps[round(gap, 1)] += 1
        self._usual = gaps.most_common(1)[0][0] if gaps else _USUAL
        self._levels = _heading_levels(sizes)

    def blocks(self, page: PageLayout, known: frozenset[str]) -> Iterator[Block]:
        """The blocks of a page.

        Args:
            page: The page.
            known: The compounds that the document writes with a hyphen.
        """
        together: list[Line] = []
        for line in page.lines:
            if together and self._apart(together, line):
                yield self._block(together, page.number, known)
                together = []
            together.append(line)
        if together:
            yield self._block(together, page.number, known)

    def _apart(self, together: Sequence[Line], line: Line) -> bool:
        """Whether a new block begins with this line."""
        before = together[-1]
        gap = (before.last_base - line.top_base) / before.height
        if not _same_size(before, line):
            return True
        if abs(gap) < _SAME_LINE:  # such as the next cell of a table
            return False
        if not 0 < gap < self._usual + _APART or _BULLET.match(line.text) or _NUMBER.match(line.text):
            return True
        if _FIGURE.search(before.text) and _FIGURE.search(line.text):  # rows of a table, one below the other
            return True
        # A line that stops early was the last of its paragraph, or a label, an address, a row of a table.
        edge = max(line.right, *(one.right for one in together[-_COMPARED:]))
        return before.right < edge - _SHORT * (edge - line.left)

    def _block(self, lines: Sequence[Line], page: int, known: frozenset[str]) -> Block:
        text = _mended(_joined(lines), known)
        level = self._levels.get(round(lines[0].height, 1), 0) if _is_short(text) else 0
        bullet = _BULLET.match(text)
        listed = bullet or _NUMBER.match(text)
        kind: BlockKind = "heading" if level else "item" if listed else "paragraph"
        return Block(kind=kind, text=text[bullet.end() :] if bullet else text, level=level, page=page)


def _is_short(text: str) -> bool:
    return len(text) <= _HEADING_LENGTH and _LETTER.search(text) is not None


def _same_size(one: Line, other: Line) -> bool:
    return max(one.height, other.height) < _LARGER * min(one.height, other.height)


def _heading_levels(sizes: Counter[float]) -> dict[float, int]:
    """The level of headings in each size; nothing where sizes do not tell."""
    if not sizes:
        return {}
    body = sizes.most_common(1)[0][0]
    large = sorted((size for size in sizes if size >= _LARGER * body), reverse=True)
    if sum(sizes[size] for size in large) > _HEADING_SHARE * sizes.total():
        return {}
    levels: dict[float, int] = {}
    level, last = 0, float("inf")
    for size in large:
        if size * 1.05 < last:
            level += 1
            last = size
        levels[size] = min(level, _LEVELS)
    return levels


def _joined(lines: Sequence[Line]) -> str:
    """One text of the lines, with blanks where the script has them."""
    text = lines[0].text
    for line in lines[1:]:
        glue = "" if _NO_BLANKS.match(text[-1]) and _NO_BLANKS.match(line.text[0]) else " "
        text += glue + line.text
    return text


def compounds(pages: Iterable[PageLayout]) -> frozenset[str]:
    """The compounds with a hyphen that a document writes within its lines."""
    return frozenset(
        word.lower()
        for page in pages
        for line in page.lines
        if "-" in line.text
        for word in _COMPOUND.findall(line.text)
    )


def _mended(text: str, known: frozenset[str]) -> str:
    """The text with words made whole that were broken at the end of a line.

    The hyphen stays where the document writes the same word with one elsewhere, and before capitals and digits.
    """

    def mend(found: re.Match[str]) -> str:
        one, other = found[1], found[2]
        kept = not other[:1].islower() or not one[-1:].isalpha() or f"{one}-{other}".lower() in known
        return f"{one}-{other}" if kept else one + other

    return _BROKEN.sub(mend, text) if "\ufffe" in text else text
