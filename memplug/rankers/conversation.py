"""How much a whole conversation is about the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from memplug.rankers.scale import listed, words_of
from memplug.rankers.turns import turns_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.plugins.protocols import Candidate, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The lexical scores of all turns of a conversation, added up; the conversation with most has 1.

    Args:
        weight: Factor on the share.
    """

    name: ClassVar[str] = "conversation"
    weight: float = 0.1

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        shares = np.zeros(len(candidates))
        turns = turns_among(candidates)
        if turns.indices.size:
            sums = np.bincount(turns.conversations, weights=words_of(candidates)[turns.indices])
            shares[turns.indices] = (sums / (sums.max() or 1.0))[turns.conversations]
        return listed(self.weight * (1 - question.dense_weight) * shares)
