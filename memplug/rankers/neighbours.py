"""What was said just before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from memplug.rankers.scale import listed, words_of
from memplug.rankers.turns import LAST_TURN, turns_among

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from memplug.plugins.protocols import Candidate, Question
    from memplug.rankers.turns import Turns

#: How many turns before and after a turn are its neighbours.
REACH = 4
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The lexical scores of the turns around a turn of a conversation, as a mean weighted by distance.

    An answer seldom repeats the words of what it answers, so the turns before count more than those after. It is a
    mean over the turns that can be there: with a sum, the first and last turns of a conversation would always lose.

    Args:
        weight: Factor on the share.
        before: Weight of the turn just before; each further one has that much less again.
        after: The same for the turns after.
        most: What a single neighbour may give at most of its own score, however few others there are.
    """

    name: ClassVar[str] = "neighbours"
    weight: float = 1.0
    before: float = 0.6
    after: float = 0.3
    most: float = 0.75

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        shares = np.zeros(len(candidates))
        turns = turns_among(candidates)
        if turns.indices.size:
            shares[turns.indices] = self._spread(turns, words_of(candidates)[turns.indices])
        return listed(self.weight * (1 - question.dense_weight) * shares)

    def _spread(self, turns: Turns, words: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each turn's mean over its neighbours, scaled so that a turn with all neighbours gets their sum."""
        best = _best_by_place(turns, words)
        weights = np.array([weight * _inside(turns, step) for step, weight in self._steps()])
        whole = sum(weight for _, weight in self._steps())
        # Bounded, or else the other turn of a conversation of two would rank above the one that matches.
        mean = whole / np.maximum(weights.sum(axis=0), _TINY)
        bound = self.most / np.maximum(weights.max(axis=0), _TINY)
        found = np.array([best(turns.positions + step) for step, _ in self._steps()])
        spread: NDArray[np.float64] = (weights * found).sum(axis=0) * np.minimum(mean, bound)
        return spread

    def _steps(self) -> list[tuple[int, float]]:
        """The neighbours by their distance, with their weights."""
        steps = range(1, REACH + 1)
        return [(-step, self.before**step) for step in steps] + [(step, self.after**step) for step in steps]


def _inside(turns: Turns, step: int) -> NDArray[np.bool_]:
    """Whether the turn that many steps away can be there: not before the first, nor after the last that was found."""
    last = np.zeros(int(turns.conversations.max()) + 1, np.int64)
    np.maximum.at(last, turns.conversations, turns.positions)
    positions = turns.positions + step
    inside: NDArray[np.bool_] = (positions >= 0) & (positions <= last[turns.conversations])
    return inside


def _best_by_place(turns: Turns, words: NDArray[np.float64]) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Looks up the best lexical score at a position of each turn's own conversation; 0 where nothing was found."""
    places, inverse = np.unique(_place(turns.conversations, turns.positions), return_inverse=True)
    best = np.zeros(len(places))
    np.maximum.at(best, inverse, words)

    def at(positions: NDArray[np.int64]) -> NDArray[np.float64]:
        wanted = _place(turns.conversations, positions)
        slots = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
        return np.where(places[slots] == wanted, best[slots], 0.0)

    return at


def _place(conversations: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return conversations * (LAST_TURN + 1) + positions
