"""The form of a model's answer. It is looked at by pydantic before anything else is done with it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from memplug.values.extraction import Proposal, Proposals


class FactAnswer(BaseModel):
    """One thing worth remembering, and what it does to the memories that are there."""

    action: Literal["add", "update", "supersede", "nothing"] = Field(
        description="add: new. update: the memory holds, and this says more. supersede: the memory does not hold any "
        "more by what was said. nothing: it is known already."
    )
    memory: str | None = Field(default=None, description="label of the memory, such as m2; null for add")
    kind: Literal["fact", "preference", "event"] = "fact"
    text: str = Field(description="the whole memory in one sentence, in the user's own words and language")
    turns: list[str] = Field(description="labels of the turns that say so, such as t1")
    date: str | None = Field(
        default=None, description="when it happened or holds from: 2026-11-20, 2026-11 or 2026; null if unknown"
    )
    category: str | None = Field(default=None, description="one of the categories, if there are any and one fits")
    implicit: bool = Field(default=False, description="of a preference: it was shown by what the user did, not said")
    reason: str | None = Field(
        default=None,
        description="of an implicit preference: what shows it; of update and supersede: why, in one sentence",
    )


class FactsAnswer(BaseModel):
    """Everything worth remembering in the turns; an empty list where there is nothing."""

    memories: list[FactAnswer]

    def proposals(self) -> Proposals:
        """The same, to be checked."""
        return Proposals(found=tuple(_proposal(one) for one in self.memories))


class CorrectionAnswer(BaseModel):
    """One memory that the user says is wrong."""

    memory: str = Field(description="label of the memory, such as m2")
    action: Literal["update", "forget"] = Field(description="update: other words. forget: nothing of it holds.")
    text: str = Field(description="the whole memory as it must read from now on; empty for forget")
    reason: str = Field(description="why, in one sentence")


class CorrectionsAnswer(BaseModel):
    """The memories that are to be changed; an empty list where it is not clear which are meant."""

    corrections: list[CorrectionAnswer]

    def proposals(self, turns: tuple[str, ...]) -> Proposals:
        """The same, to be checked; all of it is said by the one turn that there is."""
        found = tuple(
            Proposal(action=one.action, memory=_label(one.memory), text=one.text, reason=one.reason, turns=turns)
            for one in self.corrections
        )
        return Proposals(found=found)


def _label(text: str) -> str:
    """A label as it was given; some models write it in its brackets."""
    return text.strip(" []")


def _proposal(one: FactAnswer) -> Proposal:
    return Proposal(
        action=one.action,
        text=one.text,
        kind=one.kind,
        turns=tuple(map(_label, one.turns)),
        memory=_label(one.memory) if one.memory else None,
        reason=one.reason or "",
        date=one.date or "",
        category=one.category,
        implicit=one.implicit,
    )
