"""Which candidates are turns of one conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from memplug.plugins.protocols import Candidate
    from memplug.values.item import Record

#: The ids that all turns of one conversation share.
ConversationKey = tuple[str | None, str | None, str, str | None]

#: Turn numbers beyond this are taken for it, so that a conversation and a turn fit into one integer.
LAST_TURN = (1 << 32) - 1


def conversation_of(record: Record) -> ConversationKey | None:
    """The conversation that a memory is a turn of; None where it is none (no ``run_id``, or no place in it)."""
    item = record.item
    if item.run_id is None or item.source.position is None:
        return None
    return item.user_id, item.agent_id, item.run_id, item.bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The candidates that are turns of conversations, as columns of int64 of equal length.

    Args:
        indices: Their places among the candidates.
        conversations: Numbers of their conversations, counted from 0.
        positions: Their turn numbers. One turn may have given several memories.
    """

    indices: NDArray[np.int64]
    conversations: NDArray[np.int64]
    positions: NDArray[np.int64]


def turns_among(candidates: Sequence[Candidate]) -> Turns:
    """The turns among the candidates."""
    numbers: dict[ConversationKey, int] = {}
    rows: list[tuple[int, int, int]] = []
    for index, candidate in enumerate(candidates):
        key = conversation_of(candidate.record)
        if key is not None:
            place = min(candidate.record.item.source.position or 0, LAST_TURN)
            rows.append((index, numbers.setdefault(key, len(numbers)), place))
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Turns(indices=columns[0], conversations=columns[1], positions=columns[2])
