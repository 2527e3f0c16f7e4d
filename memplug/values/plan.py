"""What is to become of what was said: the proposals of extractors that hold, and those that do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from memplug.values.prompt import Usage

if TYPE_CHECKING:
    from datetime import datetime

    from memplug.values.extraction import Action, Turn

#: Why a proposal is left out: its memory was not shown, may not be changed, or has been dealt with already; it cites
#: no turn that there is, or none of the user's; a number, a name or most words are in none of these turns; it says the
#: opposite of them; it puts other words in the place of a memory that is about something else; it is about what is to
#: be excluded; it says what is known already; it is empty or too long; a plugin's guard refused it.
Flaw = Literal[
    "memory_unknown",
    "memory_fixed",
    "memory_taken",
    "turn_unknown",
    "turn_missing",
    "not_the_users",
    "number_unsupported",
    "name_unsupported",
    "words_unsupported",
    "negation_unsupported",
    "memory_unrelated",
    "excluded",
    "known",
    "empty",
    "too_long",
    "too_many",
    "guarded",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A proposal that was not followed. It says why, and nothing of the content.

    Args:
        flaw: Why.
        size: Characters of the text that was proposed.
        id: The known memory that it is about, where it named one.
        turns: Ids of the memories that hold the turns that it cites, as far as they are stored.
    """

    flaw: Flaw
    size: int
    id: str | None = None
    turns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFact:
    """One change that holds.

    Args:
        action: ``add``, ``update``, ``supersede`` or ``forget``.
        kind: ``fact``, ``preference`` or ``event``.
        text: The words from now on; empty where it is forgotten.
        sources: The turns that say so.
        id: The memory that is changed; None where a new one is made.
        version: The version of it that the plan was made for; 0 for a new one.
        before: The words of it until now.
        supersedes: Ids of the memories that do not hold any more by it: recall puts it above them.
        reason: Why, in words.
        occurred_at: When it happened or holds from.
        tags: Its category.
        implicit: Of a preference: whether it was shown and not said; None for other kinds.
    """

    action: Action
    kind: str
    text: str = field(repr=False)
    sources: tuple[Turn, ...] = ()
    id: str | None = None
    version: int = 0
    before: str = field(default="", repr=False)
    supersedes: tuple[str, ...] = ()
    reason: str = field(default="", repr=False)
    occurred_at: datetime | None = None
    tags: tuple[str, ...] = ()
    implicit: bool | None = None

    @property
    def part(self) -> int:
        """Index of the part of the input that it is from."""
        return next((turn.part for turn in self.sources if turn.fresh and turn.part is not None), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionPlan:
    """What `Memory.extract` finds, and what `Memory.add` does.

    Args:
        changes: What holds.
        left_out: What was proposed and does not.
        usage: What models took for it.
    """

    changes: tuple[PlannedFact, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    usage: Usage = field(default_factory=Usage)
