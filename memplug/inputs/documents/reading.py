"""What a reader found in a document. It crosses a process border as JSON, so all of it is plain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

#: A heading opens a section; a row is one record of a table, with its column names; a code block is never broken
#: where a passage can hold it.
BlockKind = Literal["heading", "paragraph", "item", "row", "code"]
BLOCK_KINDS: frozenset[str] = frozenset(get_args(BlockKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of a document's text, in reading order.

    Args:
        kind: What it is.
        text: Its words; never empty.
        level: Of a heading, counted from 1 (the largest); 0 for everything else.
        page: Page or slide, counted from 1; None where the format has no pages.
        section: Where it stands inside the file beside headings: ``$.orders[3]``, ``Sheet1!A2:F2``, ``/feed/entry[2]``;
            empty where headings alone say it.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None
    section: str = ""

    def __post_init__(self) -> None:
        if self.kind not in BLOCK_KINDS:
            raise ValueError(f"no kind of block: {self.kind!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A document as its reader found it.

    Args:
        blocks: In reading order.
        title: As the file itself gives it, or an empty string.
        pages: Pages or slides; 0 where the format has none.
        scanned: Pages that show something and have no text: what OCR is for.
        warnings: What was left out or mended, in words for people.
    """

    blocks: tuple[Block, ...]
    title: str = ""
    pages: int = 0
    scanned: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `of_json` takes."""
        # By hand, since `asdict` takes four times as long, and there may be 400,000 blocks.
        blocks = [
            {"kind": one.kind, "text": one.text, "level": one.level, "page": one.page, "section": one.section}
            for one in self.blocks
        ]
        return {
            "blocks": blocks,
            "title": self.title,
            "pages": self.pages,
            "scanned": self.scanned,
            "warnings": self.warnings,
        }

    @classmethod
    def of_json(cls, held: dict[str, Any]) -> Self:
        """The reading that `as_json` gave.

        Raises:
            ValueError, TypeError, KeyError: It is of another shape.
        """
        return cls(
            blocks=tuple(Block(**block) for block in held["blocks"]),
            title=str(held["title"]),
            pages=int(held["pages"]),
            scanned=tuple(map(int, held["scanned"])),
            warnings=tuple(map(str, held["warnings"])),
        )
