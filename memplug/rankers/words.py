"""How well a memory fits the words of the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memplug.rankers.scale import listed, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Candidate, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The lexical score between 0 (no word shared) and 1 (the best candidate).

    Args:
        weight: Factor on its part of the score, which is what `Question.dense_weight` leaves.
    """

    name: ClassVar[str] = "words"
    weight: float = 1.0

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        return listed(self.weight * (1 - question.dense_weight) * words_of(candidates))
