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
    """Cosine similarities, 0 to 1: the best candidate has 1, the worst and those without any 0."""
    found = (candidate.similarity for candidate in candidates)
    cosines = np.array([np.nan if cosine is None else cosine for cosine in found], np.float64)
    known = cosines[~np.isnan(cosines)]
    if not known.size:
        return np.zeros(len(candidates))
    low, high = known.min(), known.max()
    scaled = (cosines - low) / (high - low) if high > low else np.ones_like(cosines)
    return np.nan_to_num(np.where(np.isnan(cosines), 0.0, scaled))


def listed(shares: NDArray[np.float64]) -> list[float]:
    """The shares as plain numbers."""
    numbers: list[float] = shares.tolist()
    return numbers
