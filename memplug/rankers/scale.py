"""Scores of different origin on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from memplug.plugins.protocols import Candidate


def words_of(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Lexical scores, 0 to 1: the best candidate has 1, one that shares no word 0."""
    words = np.fromiter((candidate.words for candidate in candidates), np.float64, len(candidates))
    best = words.max(initial=0.0)
    return words / best if best > 0 else words


def similarities_of(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Cosine similarities, 0 to 1: the best candidate has 1, those that are unlike the question or unknown 0.

    They are not stretched to the worst candidate: where a scope holds two memories and both fit, both count.
    """
    found = (candidate.similarity for candidate in candidates)
    cosines = np.array([0.0 if cosine is None else max(cosine, 0.0) for cosine in found], np.float64)
    best = cosines.max(initial=0.0)
    return cosines / best if best > 0 else cosines


def listed(shares: NDArray[np.float64]) -> list[float]:
    """The shares as plain numbers."""
    numbers: list[float] = shares.tolist()
    return numbers
