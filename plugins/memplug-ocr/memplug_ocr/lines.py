"""What was read: fragments of text with their boxes, in lines, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, overload

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Left, top, right and bottom.
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of text that stands together.

    Args:
        text: Its words, at least a sign. Not shown by ``repr``: it is what stands in somebody's picture.
        box: Where it stands, in pixels of the upright picture (of a PDF page: in points), from the upper left corner.
        confidence: How sure the reader is of it, 0 to 1.
    """

    text: str
    box: Box
    confidence: float

    def __repr__(self) -> str:
        return f"Fragment(box={self.box}, confidence={self.confidence:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of text: what stands side by side, such as a thing and its price.

    Args:
        fragments: In reading order, at least one.
    """

    fragments: tuple[Fragment, ...]

    @property
    def text(self) -> str:
        """Its words."""
        return " ".join(fragment.text for fragment in self.fragments)

    @property
    def box(self) -> Box:
        """The box around all of it."""
        lefts, tops, rights, bottoms = zip(*(fragment.box for fragment in self.fragments), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    @property
    def confidence(self) -> float:
        """The mean over its characters, 0 to 1."""
        sizes = [len(fragment.text) for fragment in self.fragments]
        pairs = zip(sizes, self.fragments, strict=True)
        return sum(size * fragment.confidence for size, fragment in pairs) / sum(sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Sequence[Line]):
    """All that was read in one picture or on one page.

    Args:
        lines: In reading order.
        width, height: Of the upright picture in pixels, or of the page in points.
        turned: By how many degrees (0, 90, 180, 270) the text stands turned clockwise.
        breaks: Numbers of the lines, counted from 0, that something blank sets apart from the line before.
    """

    lines: tuple[Line, ...] = ()
    width: int = 0
    height: int = 0
    turned: int = 0
    breaks: frozenset[int] = frozenset()

    @property
    def text(self) -> str:
        """All words: a line each, and an empty line between paragraphs."""
        return "\n".join(f"\n{line.text}" if place in self.breaks else line.text for place, line in enumerate(self))

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        """The line of that number."""
        return self.lines[index]

    def __len__(self) -> int:
        return len(self.lines)

    def as_json(self) -> dict[str, Any]:
        """What `of_json` takes."""
        return {
            "lines": [[[part.text, part.box, part.confidence] for part in line.fragments] for line in self.lines],
            "width": self.width,
            "height": self.height,
            "turned": self.turned,
            "breaks": sorted(self.breaks),
        }

    @classmethod
    def of_json(cls, held: Mapping[str, Any]) -> Self:
        """The lines that `as_json` gave.

        Raises:
            ValueError, TypeError, KeyError: It is of another shape.
        """
        return cls(
            lines=tuple(Line(fragments=tuple(map(_fragment, line))) for line in held["lines"]),
            width=int(held["width"]),
            height=int(held["height"]),
            turned=int(held["turned"]),
            breaks=frozenset(map(int, held["breaks"])),
        )


def _fragment(held: Sequence[Any]) -> Fragment:
    text, box, confidence = held
    left, top, right, bottom = map(int, box)
    return Fragment(text=str(text), box=(left, top, right, bottom), confidence=float(confidence))
