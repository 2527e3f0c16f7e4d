"""What became of a correction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from memplug.values.prompt import Usage

FeedbackEvent = Literal["corrected", "forgotten", "noted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One memory that a correction is about.

    Args:
        id: The memory's.
        kind: The memory's.
        before: Its words that were wrong.
        after: Its words from now on; empty where it is deleted.
        version: The version that was wrong: what `Memory.undo` brings back.
        fit: How much of what the correction is about the memory says, 0 to 1.
    """

    id: str
    kind: str
    before: str
    after: str
    version: int
    fit: float

    @property
    def deleted(self) -> bool:
        """Whether nothing is left of the memory."""
        return not self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackResult:
    """What a correction changed, or would.

    Args:
        event: ``corrected`` memories, ``forgotten`` ones, or ``noted``: what it is about was not found, or not for
            sure, and the words were kept as a memory of kind ``feedback``.
        corrections: The memories that it is about.
        candidates: Where it is noted: memories that it may be about. Otherwise those that it is about too, in a shared
            bucket where the user may only read them.
        id: Where it is noted: the new memory's id; None with ``dry_run``.
        applied: Whether it was carried out.
        reason: Why it was only noted, or not applied to the candidates, in words.
        usage: What models took for it.
    """

    event: FeedbackEvent
    corrections: tuple[Correction, ...] = ()
    candidates: tuple[Correction, ...] = ()
    id: str | None = None
    applied: bool = False
    reason: str = ""
    usage: Usage = field(default_factory=Usage)

    @property
    def ids(self) -> tuple[str, ...]:
        """The memories that were changed, or the one that was made."""
        return tuple(one.id for one in self.corrections) or ((self.id,) if self.id else ())
