"""The passages of a document: what is embedded, found and cited, each inside one section and page.

Where a passage ends is decided by what stands there and not by counting from the start, so that after a sentence that
was put in, the passages soon fall as they did before, and a new edition of a document replaces only what changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from memplug.inputs.documents.units import Unit, units_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.inputs.documents.reading import Block, Reading

#: Characters of a passage: none ends before the first number if more of its section follows, none is longer than the
#: second. Passages of running text come to about 1,000.
SHORTEST, LONGEST = 500, 1_600
#: A rest of a section that is shorter than this is no passage of its own, where the one before can end earlier.
_REST = 200
#: Characters of a heading in a path. A longer one is a paragraph as well.
_HEADING = 120
#: Between the steps of a path, and between the first and the last place of a passage.
STEP, _TO = " \u203a ", " \u2013 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document's text, word for word.

    Args:
        text: At most `LONGEST` characters.
        page: Where it begins, counted from 1; None where the format has no pages.
        headings: Those that it stands under, the largest first.
        section: Its place inside the file beside headings (``$.orders[3]``, ``row 2`` to ``row 9``); may be empty.
        position: Its place among all passages, counted from 0.
    """

    text: str
    page: int | None
    headings: tuple[str, ...]
    section: str
    position: int

    @property
    def path(self) -> str:
        """Where it stands, for people: "Handbook", "Returns", "Deadlines" with arrows between them."""
        return STEP.join([*self.headings, *([self.section] if self.section else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Blocks that may share passages: of one page, under the same headings."""

    headings: tuple[str, ...]
    page: int | None
    blocks: Sequence[Block]


def passages(reading: Reading) -> list[Passage]:
    """The passages of a document, in order. All of its text is in them; headings that have text below are in paths."""
    found: list[Passage] = []
    for stretch in _stretches(reading.blocks):
        for units in _cut([unit for number, block in enumerate(stretch.blocks) for unit in units_of(block, number)]):
            passage = Passage(
                text=_joined(units),
                page=stretch.page,
                headings=stretch.headings,
                section=_range(units[0].section, units[-1].section),
                position=len(found),
            )
            found.append(passage)
    return found


def _stretches(blocks: Sequence[Block]) -> Iterator[_Stretch]:
    """Splits at each heading and each page. A heading that nothing stands under is text itself."""
    path: list[Block] = []
    held: list[Block] = []
    bare: Block | None = None
    for block in blocks:
        if held and (block.kind == "heading" or block.page != held[0].page):
            yield _Stretch(headings=_words(path), page=held[0].page, blocks=held)
            held = []
        if block.kind != "heading":
            held.append(block)
            bare = None
            continue
        if bare is not None and bare.level >= block.level:
            yield _Stretch(headings=_words(path[:-1]), page=bare.page, blocks=[bare])
        path = [*(above for above in path if above.level < block.level), block]
        bare = block
        if len(block.text) > _HEADING:
            bare, held = None, [block]
    if held:
        yield _Stretch(headings=_words(path), page=held[0].page, blocks=held)
    elif bare is not None:
        yield _Stretch(headings=_words(path[:-1]), page=bare.page, blocks=[bare])


def _words(path: Sequence[Block]) -> tuple[str, ...]:
    return tuple(one.text if len(one.text) <= _HEADING else f"{one.text[:_HEADING]}…" for one in path)


def _cut(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    """Groups units into passages."""
    start = 0
    while start < len(units):
        end = _end(units, start)
        yield units[start:end]
        start = end


def _end(units: Sequence[Unit], start: int) -> int:
    """Where the passage ends that begins here: behind the best of the units where it may.

    Best is where it hurts least, and among equals where the words say so, by their checksum: the same place is chosen
    again wherever the passage begins.
    """
    size, last, ends = 0, start, list[int]()
    for place in range(start, len(units)):
        size += len(units[place].gap) * (place > start) + len(units[place].text)
        if size > LONGEST and place > start:
            break
        last = place
        if size >= SHORTEST:
            ends.append(place)
    if last == len(units) - 1 or not ends:
        return last + 1
    # No unit is empty, so that as many as the rest may have characters tell whether it has more.
    if len(ends) > 1 and sum(len(unit.text) for unit in units[last + 1 : last + 1 + _REST]) < _REST:
        ends.remove(last)
    return min(ends, key=lambda end: (units[end].break_behind, crc32(units[end].text.encode()))) + 1


def _joined(units: Sequence[Unit]) -> str:
    return units[0].text + "".join(unit.gap + unit.text for unit in units[1:])


def _range(first: str, last: str) -> str:
    """Where a passage stands that begins in one place and ends in another."""
    return first if first == last or not last else f"{first}{_TO}{last}" if first else last
