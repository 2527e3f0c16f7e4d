"""How well memories fit the words of a question, by the statistics of one scope alone.

A backend's own full-text score counts all users' texts together: other people's words would move the order of
one's own memories, and tell of themselves by doing so. So the score is computed anew from the terms of the
memories that were found, which are those of one scope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

#: How fast repetition of a word saturates, and how much a memory's length counts (0 to 1).
K1, B = 1.2, 0.5
#: With fewer memories than this, none of their words counts as common: too few to know.
_FEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How the memories of one search fit its words.

    Args:
        scores: BM25 of each memory, float64 of shape ``(memories,)``.
        shares: How much of the question's words each memory holds, weighted by rarity, 0 to 1; the same shape.
            Words that occur nowhere in the scope count as missing.
        ideal: The score of a memory that consisted of the scope's known words of the question alone.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    ideal: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often the words of a question occur in memories.

    Args:
        terms: The words.
        table: Occurrences, float64 of shape ``(words, memories)``.
        lengths: Terms of each memory, float64 of shape ``(memories,)``.
    """

    terms: tuple[str, ...]
    table: NDArray[np.float64]
    lengths: NDArray[np.float64]

    def without(self, terms: Collection[str]) -> Counts:
        """The counts of the other words only."""
        kept = [index for index, term in enumerate(self.terms) if term not in terms]
        terms = tuple(self.terms[index] for index in kept)
        return Counts(terms=terms, table=self.table[kept], lengths=self.lengths)

    def beside(self, other: Counts) -> Counts:
        """These memories and further ones, counted for the same words."""
        table = np.concatenate([self.table, other.table], axis=1)
        return Counts(terms=self.terms, table=table, lengths=np.concatenate([self.lengths, other.lengths]))

    def spread(self) -> dict[str, int]:
        """In how many memories each word occurs."""
        return dict(zip(self.terms, map(int, (self.table > 0).sum(axis=1)), strict=True))


def count(terms: Sequence[str], texts: Sequence[str]) -> Counts:
    """Counts the words of a question in the stored terms of memories (blank-separated, see `Record.terms`)."""
    places = {term: index for index, term in enumerate(terms)}
    wanted = frozenset(places)
    table = np.zeros((len(places), len(texts)))
    lengths = np.zeros(len(texts))
    for column, text in enumerate(texts):
        words = text.split()
        lengths[column] = len(words)
        for word in wanted.intersection(words):
            table[places[word], column] = words.count(word)
    return Counts(terms=tuple(places), table=table, lengths=lengths)


def fit(counts: Counts, *, memories: int) -> Fit:
    """BM25 of each memory.

    Args:
        counts: Of the memories found. For exact figures these are all memories of the scope that hold one of the
            words; where a limit cut them off, rarity is estimated from those that came.
        memories: How many memories the scope holds altogether.
    """
    spread = (counts.table > 0).sum(axis=1)
    rarities = np.array([rarity(int(found), memories) for found in spread])
    average = counts.lengths.mean() if counts.lengths.size else 1.0
    damped = K1 * (1 - B + B * counts.lengths / max(average, 1.0))
    saturated = counts.table * (K1 + 1) / np.maximum(counts.table + damped, 1e-9)
    total = rarities.sum()
    return Fit(
        scores=rarities @ saturated,
        shares=(rarities @ (counts.table > 0)) / total if total else np.zeros_like(counts.lengths),
        ideal=float(rarities[spread > 0].sum() * (K1 + 1)),
    )


def rarity(found: int, memories: int) -> float:
    """The weight of a word that ``found`` of the scope's memories hold."""
    size = max(memories, found, _FEWEST)
    return math.log(1 + (size - found + 0.5) / (found + 0.5))


def common(spread: Mapping[str, int], *, memories: int, share: float) -> set[str]:
    """The words that more than a share of the scope's memories hold."""
    return {term for term, found in spread.items() if found > share * max(memories, _FEWEST)}
