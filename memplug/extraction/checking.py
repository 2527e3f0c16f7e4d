"""Checks what an extractor proposes: what it names was shown, may be changed, and what it says was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.extraction.dating import believable, in_words, read_date
from memplug.extraction.polarity import reverses
from memplug.extraction.support import evidence, heard, related
from memplug.lexical.analyzer import analyze
from memplug.lexical.sameness import same_words
from memplug.safety.text import clean
from memplug.values.extraction import ACTIONS, FACT_KINDS
from memplug.values.plan import ExtractionPlan, LeftOut, PlannedFact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from memplug.extraction.dating import Dated
    from memplug.values.extraction import ExtractionRequest, Known, Proposal, Proposals, Turn
    from memplug.values.plan import Flaw

#: Characters of a fact and of a reason; what is longer is no fact but a copy of what was said.
LONGEST_FACT, LONGEST_REASON = 1_000, 500
#: Changes of one answer: a question shows 4,000 tokens (`Limits.extraction_tokens`), and no forty of them are a fact
#: each. A model that ran wild with 3,000 kept an `add` busy for a minute.
MOST_CHANGES = 100


class _Flawed(Exception):
    """Says why a proposal is left out."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw: Flaw = flaw


def checked(proposals: Proposals, request: ExtractionRequest) -> ExtractionPlan:
    """The proposals that hold, as changes, and those that do not, with the reason.

    Args:
        proposals: They.
        request: What the extractor was shown.
    """
    check = _Check(request=request)
    for proposal in proposals.found:
        check.take(proposal)
    return ExtractionPlan(changes=tuple(check.changes), left_out=tuple(check.left_out))


@dataclass(slots=True, kw_only=True)
class _Check:
    """One answer while it is gone through."""

    request: ExtractionRequest
    changes: list[PlannedFact] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def take(self, proposal: Proposal) -> None:
        """Keeps a proposal or leaves it out."""
        if proposal.action == "nothing":
            return
        known = self._known(proposal)
        try:
            if len(self.changes) == MOST_CHANGES:
                raise _Flawed("too_many")  # noqa: TRY301 - left out like every other flaw
            self.changes.append(self._change(proposal, known))
        except _Flawed as flawed:
            cited = [turn.id for turn in self._cited(proposal) if turn.id is not None]
            size, id_ = len(proposal.text), known.id if known else None
            self.left_out.append(LeftOut(flaw=flawed.flaw, size=size, id=id_, turns=tuple(cited)))

    def _change(self, proposal: Proposal, known: Known | None) -> PlannedFact:
        self._check_form(proposal, known)
        cited = self._sources(proposal)
        if proposal.action == "forget":
            return _forgotten(proposal, known, cited)
        text, date = " ".join(clean(proposal.text).split()), self._date(proposal, known, cited)
        self._check_words(text, known, cited, date)
        self._check_polarity(text, proposal, known, cited)
        if known is not None and proposal.action == "update" and not related(text, known.text):
            raise _Flawed("memory_unrelated")
        if self.request.purpose == "remember":
            text = in_words(text, date, max(turn.said_at for turn in cited))
        self._check_new(text, proposal, known)
        # What was said stays as it was said, unless the user corrects it. A fact that contradicts it is a new memory,
        # which recall puts above it.
        correcting = self.request.purpose == "correct"
        changed = known if known is not None and (correcting or not known.spoken) else None
        return PlannedFact(
            action=proposal.action if changed else "add",
            kind=proposal.kind if proposal.kind in FACT_KINDS else "fact",
            text=text,
            sources=cited,
            id=changed.id if changed else None,
            version=changed.version if changed else 0,
            before=changed.text if changed else "",
            supersedes=known.turns if known is not None and proposal.action == "supersede" else (),
            reason=_reason(proposal),
            occurred_at=date.moment if date else _when(proposal, cited),
            tags=self._tags(proposal),
            implicit=proposal.implicit if proposal.kind == "preference" else None,
        )

    def _check_form(self, proposal: Proposal, known: Known | None) -> None:
        """What can be seen without reading the words."""
        correcting = self.request.purpose == "correct"
        if proposal.action not in ACTIONS or (proposal.action == "forget" and not correcting):
            raise _Flawed("memory_fixed")
        if proposal.action == "add" and correcting:
            raise _Flawed("memory_unknown")
        if proposal.action != "add" and known is None:
            raise _Flawed("memory_unknown")
        if known is not None and any(known.id in {change.id, *change.supersedes} for change in self.changes):
            raise _Flawed("memory_taken")
        if proposal.action != "forget" and not proposal.text.strip():
            raise _Flawed("empty")
        if len(proposal.text) > LONGEST_FACT:
            raise _Flawed("too_long")

    def _sources(self, proposal: Proposal) -> tuple[Turn, ...]:
        """The turns that it cites; one of them must be the user's and new."""
        cited = self._cited(proposal)
        if not proposal.turns:
            raise _Flawed("turn_missing")
        if len(cited) != len(set(proposal.turns)):
            raise _Flawed("turn_unknown")
        if not any(turn.role == "user" and turn.fresh for turn in cited):
            raise _Flawed("not_the_users")
        return tuple(cited)

    def _check_words(self, text: str, known: Known | None, cited: Sequence[Turn], date: Dated | None) -> None:
        earlier = [known.text] if known else []
        said = date.taken_from(text) if date else text
        lack = evidence(cited, self.request.turns, earlier=earlier).lack(said)
        if lack is not None:
            raise _Flawed(lack)
        terms = set(analyze(text))
        if any(terms.issuperset(analyze(topic)) for topic in self.request.rules.exclude):
            raise _Flawed("excluded")

    def _check_polarity(self, text: str, proposal: Proposal, known: Known | None, cited: Sequence[Turn]) -> None:
        """Leaves out what says the opposite of what was said; an update also repeats what was known."""
        said = heard(cited, self.request.turns)
        if known is not None and proposal.action == "update":
            said.append(known.text)
        if reverses(text, said):
            raise _Flawed("negation_unsupported")

    def _date(self, proposal: Proposal, known: Known | None, cited: Sequence[Turn]) -> Dated | None:
        """The date that is proposed, unless nothing that was said leads to its year: then it is left out alone."""
        date = read_date(proposal.date)
        said = [*heard(cited, self.request.turns), *([known.text] if known else [])]
        return date if date and believable(date, said, [turn.said_at for turn in cited]) else None

    def _check_new(self, text: str, proposal: Proposal, known: Known | None) -> None:
        """Leaves out what would be there twice, and a change that changes nothing."""
        there = [known.text] if known is not None else []
        if proposal.action == "add":
            there = [one.text for one in self.request.known if not one.spoken]
            there += [change.text for change in self.changes]
        if same_words(text) in map(same_words, there):
            raise _Flawed("known")

    def _known(self, proposal: Proposal) -> Known | None:
        return next((one for one in self.request.known if one.label == proposal.memory), None)

    def _cited(self, proposal: Proposal) -> list[Turn]:
        return [turn for turn in self.request.turns if turn.label in proposal.turns]

    def _tags(self, proposal: Proposal) -> tuple[str, ...]:
        """Its category, where there is such a one; another word is no reason to lose the fact."""
        known = {name.casefold(): name for name, _ in self.request.rules.described}
        found = known.get((proposal.category or "").strip().casefold())
        return (found,) if found else ()


def _forgotten(proposal: Proposal, known: Known | None, cited: tuple[Turn, ...]) -> PlannedFact:
    if known is None:
        raise _Flawed("memory_unknown")
    if not any(related(turn.text, known.text) for turn in cited):
        raise _Flawed("memory_unrelated")
    return PlannedFact(
        action="forget",
        kind=known.kind,
        text="",
        sources=cited,
        id=known.id,
        version=known.version,
        before=known.text,
        reason=_reason(proposal),
    )


def _reason(proposal: Proposal) -> str:
    return " ".join(clean(proposal.reason).split())[:LONGEST_REASON]


def _when(proposal: Proposal, cited: Sequence[Turn]) -> datetime | None:
    """An event without a date happened when it was told, as far as anybody knows; a fact holds at any time."""
    return max(turn.said_at for turn in cited) if proposal.kind == "event" else None
