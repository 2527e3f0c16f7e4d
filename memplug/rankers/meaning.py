"""How near a memory is in meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memplug.rankers.scale import listed, similarities_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Candidate, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The cosine similarity as a part of the nearest candidate's, 0 to 1.

    Args:
        weight: Factor on its part of the score, which is `Question.dense_weight`.
    """

    name: ClassVar[str] = "meaning"
    weight: float = 1.0

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        return listed(self.weight * question.dense_weight * similarities_of(candidates))
