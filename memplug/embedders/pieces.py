"""Long texts in pieces, so that no text can make an embedder eat all memory or be refused by a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of one of several texts.

    Args:
        row: Index of the text among the texts.
        text: The part.
    """

    row: int
    text: str


def pieces(text: str, size: int) -> Iterator[str]:
    """Cuts a text at blanks into pieces of at most ``size`` characters; where there is no blank, anywhere.

    Pieces of nothing but white space are left out, and lone surrogates become question marks, since neither
    tokenizers nor servers take them.
    """
    start = 0
    while start < len(text):
        end = _end(text, start, size)
        piece = text[start:end]
        if piece.strip():
            yield piece if piece.isascii() else piece.encode(errors="replace").decode()
        # The blank at the cut goes: tokenizers put one before each piece themselves.
        start = end + 1 if text[end : end + 1] == " " else end


def _end(text: str, start: int, size: int) -> int:
    end = start + size
    if end >= len(text):
        return len(text)
    found = (text.rfind(blank, start + 1, end + 1) for blank in (" ", "\n"))
    return next((place for place in found if place > start), end)


def all_pieces(texts: Sequence[str], size: int) -> Iterator[Piece]:
    """The pieces of several texts, in order. A blank text has none."""
    for row, text in enumerate(texts):
        for piece in pieces(text, size):
            yield Piece(row=row, text=piece)


def batches(found: Iterable[Piece], *, count: int, characters: int) -> Iterator[list[Piece]]:
    """Groups pieces so that no group is over ``count`` pieces or, with more than one piece, ``characters``."""
    batch: list[Piece] = []
    held = 0
    for piece in found:
        if batch and (len(batch) == count or held + len(piece.text) > characters):
            yield batch
            batch, held = [], 0
        batch.append(piece)
        held += len(piece.text)
    if batch:
        yield batch
