"""When it happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memplug.rankers.periods import asks_when, names_time, periods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Candidate, Question
    from memplug.rankers.periods import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """Memories of the time that a question names gain a part of their score.

    So do, when it asks for a time, those whose words tell one.

    Args:
        weight: That part, for a memory of the time named (``in July 2024``, ``yesterday``).
        telling: That part, for a memory that tells a time when the question asks when.
    """

    name: ClassVar[str] = "dates"
    weight: float = 1.0
    telling: float = 0.3

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        named = periods(question.text, question.now)
        asked = asks_when(question.text)
        if not named and not asked:
            return [0.0] * len(candidates)
        return [
            score * (self._within(candidate, named) + self._telling(candidate, asked=asked))
            for candidate, score in zip(candidates, question.scores, strict=True)
        ]

    def _within(self, candidate: Candidate, named: Sequence[Period]) -> float:
        item = candidate.record.item
        moment = item.occurred_at or item.created_at
        return self.weight * max((period.nearness(moment) for period in named), default=0.0)

    def _telling(self, candidate: Candidate, *, asked: bool) -> float:
        return self.telling if asked and names_time(candidate.record.terms) else 0.0
