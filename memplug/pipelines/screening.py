"""What of an input is nothing new: what memplug itself handed out, and chatter where the user does not want it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from memplug.lexical.chatter import chatter
from memplug.pipelines.calls import referring
from memplug.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.recalled import Recalled
    from memplug.values.draft import Draft
    from memplug.values.item import Record
    from memplug.values.scope import Scope

log = logging.getLogger("memplug.ingest")

Chatter = Literal["keep", "skip"]

#: Whose words are not their own where they are a memory's to the letter. A user may say a thing twice.
_REPEATING = frozenset({"assistant", "tool"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What is left of an input.

    Args:
        drafts: What is to be stored.
        outcomes: What became of the rest.
    """

    drafts: list[Draft] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Looks at what is about to be stored.

    Args:
        recalled: What was handed out.
        chatter: Whether greetings and their likes are stored (`memplug.lexical.chatter`).
    """

    recalled: Recalled
    chatter: Chatter = "keep"

    def screened(self, drafts: Sequence[Draft], scope: Scope) -> Screened:
        """What is new of the drafts, in their order; what has a name of the caller's is always stored."""
        found = Screened()
        for draft in drafts:
            left = draft if draft.named else self._screened(draft, scope)
            if isinstance(left, Outcome):
                log.info("part %d is not stored: %s", left.part, left.reason)
                found.outcomes.extend(replace(left, part=part) for part in (draft.part, *draft.also))
            else:
                found.drafts.append(left)
        return found

    def _screened(self, draft: Draft, scope: Scope) -> Draft | Outcome:
        if draft.kind == "tool_call":
            return referring(draft, lambda result: self.recalled.referring(result, scope))
        if draft.kind != "text" or draft.media is not None or draft.pieces:
            return draft
        text, held = self.recalled.without(draft.text, scope)
        if held and not text:
            return _known(draft, held[0])
        if draft.source.role in _REPEATING and (record := self.recalled.memory_of(text, scope)) is not None:
            return _known(draft, record)
        if self.chatter == "skip" and (rule := chatter(text)) is not None:
            return Outcome(
                event="skipped", part=draft.part, kind=draft.kind, text=draft.text, reason=f"chatter: {rule}"
            )
        return replace(draft, text=text) if held else draft


def _known(draft: Draft, record: Record) -> Outcome:
    return Outcome(
        event="duplicate",
        part=draft.part,
        id=record.id,
        kind=record.item.kind,
        text=record.item.text,
        key=record.item.key,
        version=record.version,
        reason="recalled: it was handed out before",
    )
