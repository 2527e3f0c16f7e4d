"""What was corrected never comes before its correction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Candidate, Question

#: What a correction has more than the best of what it took the place of; more than scores are rounded to.
_MORE = 1e-9


@dataclass(frozen=True, slots=True)
class Corrections:
    """A memory that took the place of others gains as much as it needs to stand above the best of these.

    What somebody said in a conversation stays as it was said, and may match a question better than the fact that holds
    now: "I live in Paris" does, where the fact tells of Berlin.
    """

    name: ClassVar[str] = "corrections"

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        newer = [
            (place, one.record.item.source.supersedes)
            for place, one in enumerate(candidates)
            if one.record.item.source.supersedes
        ]
        if not newer:
            return [0.0] * len(candidates)
        places = {one.record.id: place for place, one in enumerate(candidates)}
        scores = list(question.scores)
        for _ in newer:  # as often as there are links in the longest chain of corrections
            before = list(scores)
            for place, older in newer:
                best = max((scores[places[id_]] for id_ in older if id_ in places), default=0.0)
                if scores[place] <= best and best > 0:
                    scores[place] = best + _MORE
            if scores == before:
                break
        return [new - old for new, old in zip(scores, question.scores, strict=True)]
