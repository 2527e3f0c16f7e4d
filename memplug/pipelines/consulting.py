"""Asks a model which memories a correction means, where no rule can tell."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.exceptions import AccessDenied, MemplugError, NotFound
from memplug.extraction.checking import LONGEST_FACT
from memplug.pipelines.extracting import asked, known
from memplug.plugins.metering import metered
from memplug.values.extraction import ExtractionRequest, Turn
from memplug.values.feedback import Correction
from memplug.values.prompt import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.extracting import Extracting
    from memplug.store import Store
    from memplug.values.filters import Filter
    from memplug.values.hit import Hit
    from memplug.values.item import Record
    from memplug.values.plan import PlannedFact
    from memplug.values.scope import Scope

log = logging.getLogger("memplug.extraction")

#: Memories that a model chooses among, for each place where the wrong one may be.
_CHOICE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a model says.

    Args:
        changes: The memories that are meant, with what they are to become.
        reasons: Why, by the memory's id.
        reason: Why there are none, in words.
        usage: What it took.
    """

    changes: tuple[tuple[Record, Correction], ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consulting:
    """Shows a model what may be meant, and takes of its answer what holds.

    Args:
        store: Where memories are.
        extracting: Whom to ask, and with what to look.
    """

    store: Store
    extracting: Extracting

    @property
    def ready(self) -> bool:
        """Whether there is anybody to ask."""
        return self.extracting.ready

    def advice(self, feedback: str, scopes: Sequence[Scope], where: Filter) -> Advice:
        """Which memories a correction means, and what they become.

        Args:
            feedback: What the user says.
            scopes: Where the wrong memory may be.
            where: What may be changed at all.
        """
        shown = self._shown(feedback, scopes, where)
        if not shown:
            return Advice(reason="no memory says what it corrects")
        turn = Turn(label="t1", text=feedback, role="user", said_at=self.store.clock())
        request = ExtractionRequest(
            turns=(turn,),
            known=tuple(known(hit.item for hit, _ in shown.values())),
            rules=self.extracting.rules,
            now=self.store.clock(),
            purpose="correct",
        )
        with metered() as meter:
            try:
                plans = [asked(planner, request) for planner in self.extracting.plugins.planners()]
            except MemplugError as error:
                log.warning(
                    "no model could say what a correction of %d characters means: %s", len(feedback), error.code
                )
                return Advice(reason=f"the model could not be asked: {error.code}: {error.message}", usage=meter.usage)
        for one in (one for plan in plans for one in plan.left_out):
            log.info("left out a correction: %s, %d characters, memory %s", one.flaw, one.size, one.id)
        changes = {change.id: change for plan in reversed(plans) for change in plan.changes if change.id in shown}
        found = [(shown[str(id_)][1], _correction(change, shown[str(id_)][0])) for id_, change in changes.items()]
        flaws = ", ".join(sorted({one.flaw for plan in plans for one in plan.left_out}))
        reason = f"what the model proposed does not hold: {flaws}" if flaws else "the model is not sure what is meant"
        return Advice(
            changes=tuple(found),
            reasons={str(id_): change.reason for id_, change in changes.items()},
            reason="" if found else reason,
            usage=meter.usage,
        )

    def _shown(self, feedback: str, scopes: Sequence[Scope], where: Filter) -> dict[str, tuple[Hit, Record]]:
        """The memories that may be meant and that the user may change, by their ids."""
        found: dict[str, tuple[Hit, Record]] = {}
        for scope in scopes:
            for hit in self.extracting.recall.search(feedback, scope=scope, top_k=_CHOICE, filter=where):
                # What is longer cannot be shown as a whole, and would lose what was not shown.
                if hit.id in found or hit.item.kind == "document" or len(hit.text) > LONGEST_FACT:
                    continue
                try:
                    found[hit.id] = (hit, self.store.get(hit.id, scope, change=True))
                except (NotFound, AccessDenied):
                    continue
        return found


def _correction(change: PlannedFact, hit: Hit) -> Correction:
    return Correction(
        id=hit.id,
        kind=hit.item.kind,
        before=change.before,
        after=change.text,
        version=change.version,
        fit=round(hit.score, 4),
    )
