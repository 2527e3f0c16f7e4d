"""What became of each part of an input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from memplug.values.mem0 import Mem0View
from memplug.values.prompt import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.exceptions import MemplugError
    from memplug.values.plan import LeftOut

Event = Literal["added", "updated", "unchanged", "duplicate", "pending", "deleted", "skipped", "rejected"]

#: mem0's words for what happened, for code that moved from there.
_MEM0_EVENTS: Mapping[str, str] = {
    "added": "ADD",
    "updated": "UPDATE",
    "unchanged": "NONE",
    "duplicate": "NONE",
    "pending": "ADD",
    "deleted": "DELETE",
    "skipped": "NONE",
    "rejected": "ERROR",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Mem0View):
    """What became of one part. Also a mapping with mem0's ``id``, ``memory`` and ``event``.

    Args:
        event: ``added`` a new memory; ``updated`` a new version under the same key; ``unchanged`` the key
            already held exactly this; ``duplicate`` the scope already holds this content, under ``id``;
            ``pending`` stored, with a step still to come; ``deleted`` gone because a correction said so;
            ``skipped`` left out by a rule that the user switched on; ``rejected`` not stored, with the reason in
            ``error``.
        part: Index of the part, counted from 0 in the order handed in.
        id: The memory's id; None where skipped or rejected.
        kind: The memory's kind; None where rejected before it was known.
        text: The memory's words.
        key: The caller's key.
        version: The version that is current now; 0 where rejected.
        error: Why it was rejected.
        pieces: How many pieces the memory has (the passages of a document); 0 where it is one.
        reason: Why it was skipped, or is known although nobody added it: ``chatter: greeting``, ``recalled: …``. Of
            what is stored: why a step failed (`MemoryItem.error`), such as a model that could not answer.
    """

    event: Event
    part: int = 0
    id: str | None = None
    kind: str | None = None
    text: str = ""
    key: str | None = None
    version: int = 0
    error: MemplugError | None = None
    pieces: int = 0
    reason: str = ""

    def as_mem0(self) -> dict[str, Any]:
        """``id``, ``memory``, ``event``, and ``error`` where there is one."""
        shown = {"id": self.id, "memory": self.text, "event": _MEM0_EVENTS[self.event]}
        return shown | ({"error": str(self.error)} if self.error else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult(Mem0View):
    """One outcome for every part of the input. Also answers mem0's ``result["results"]``.

    Args:
        outcomes: In the order of the parts; a part that gave several memories has several.
        task_id: What `Memory.status` takes while work is going on in the background, else None.
        left_out: What extractors proposed and is not stored, since it does not hold; it says why.
        usage: What models took for it so far.
    """

    outcomes: tuple[Outcome, ...] = ()
    task_id: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    usage: Usage = field(default_factory=Usage)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the memories that now hold the input, in order."""
        return tuple(outcome.id for outcome in self.outcomes if outcome.id is not None)

    @property
    def rejected(self) -> tuple[Outcome, ...]:
        """The parts that were not stored."""
        return tuple(outcome for outcome in self.outcomes if outcome.event == "rejected")

    def as_mem0(self) -> dict[str, Any]:
        """``results``: the outcomes."""
        return {"results": [outcome.as_mem0() for outcome in self.outcomes]}
