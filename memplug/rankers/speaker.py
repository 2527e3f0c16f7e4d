"""Who said it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Candidate, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """What a speaker whom the question names said himself gains a part of the score that it has already.

    Args:
        weight: That part.
    """

    name: ClassVar[str] = "speaker"
    weight: float = 0.5

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        return [
            self.weight * score if candidate.record.item.source.speaker in question.speakers else 0.0
            for candidate, score in zip(candidates, question.scores, strict=True)
        ]
