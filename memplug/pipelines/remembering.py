"""Draws facts from what is added: at once, so that one commit holds both, or later, as a step in the background.

Nothing that was said waits for a model: where one fails, the turns are stored, and say so by their status.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from memplug.exceptions import MemplugError, ModelError
from memplug.pipelines.dialogue import of_drafts, of_records, said_before, speaks
from memplug.pipelines.indexing import index
from memplug.pipelines.planning import Plan, Planner
from memplug.pipelines.steps import mark_failed
from memplug.pipelines.versions import following
from memplug.plugins.metering import metered
from memplug.values.plan import ExtractionPlan
from memplug.values.scope import scope_of_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.dialogue import Dialogue
    from memplug.pipelines.extracting import Extracting
    from memplug.pipelines.facts import Fact, Facts
    from memplug.pipelines.versions import Contention
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.extraction import Turn
    from memplug.values.item import MemoryItem, Record
    from memplug.values.plan import LeftOut
    from memplug.values.prompt import Usage
    from memplug.values.request import AddRequest
    from memplug.values.scope import Scope

log = logging.getLogger("memplug.extraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is to be stored of an input, once extractors were asked.

    Args:
        drafts: The input, with what is still to be done about it.
        facts: What was drawn from it.
        left_out: What was proposed and is not stored.
        pause: Seconds until what is still to be done is tried.
    """

    drafts: list[Draft]
    facts: tuple[Fact, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    pause: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembering:
    """The step from turns to facts.

    Args:
        store: Where turns are.
        plugins: Observers.
        embedder: Makes the vectors of facts.
        contention: Tries again what lost a race.
        extracting: Asks.
        facts: Makes memories of the answers.
    """

    store: Store
    plugins: PluginManager
    embedder: Embedder
    contention: Contention
    extracting: Extracting
    facts: Facts
    name: ClassVar[str] = "extract"
    together: ClassVar[bool] = True

    def remembered(self, drafts: list[Draft], request: AddRequest) -> Remembered:
        """What the input is to be stored with.

        Args:
            drafts: The input, past the guards.
            request: What it came with; with ``wait=False`` its turns are stored pending, and looked at later.
        """
        dialogue = self._dialogue(drafts, request) if request.infer and self.extracting.ready else None
        if dialogue is None or not dialogue.told:
            return Remembered(drafts=drafts)
        if not request.wait:
            return Remembered(drafts=_marked(drafts, dialogue, pending=True))
        try:
            plan = self.extracting.plan(dialogue, request.scope)
        except MemplugError as error:
            return self._postponed(drafts, dialogue, error)
        facts, refused = self.facts.drafted(plan, dialogue.origins, request.scope)
        return Remembered(drafts=drafts, facts=tuple(facts), left_out=(*plan.left_out, *refused))

    def planned(self, drafts: list[Draft], request: AddRequest) -> ExtractionPlan:
        """The plan that `remembered` would carry out, whatever is stored already of the input.

        Raises:
            ConfigError: There is nobody to ask.
            ModelError, PluginError: Who was asked could not answer.
        """
        self.extracting.insist()
        before = said_before(self.store, request.scope, None)
        parts = {draft.part for draft in drafts}
        dialogue = of_drafts(drafts, parts, before, self.store.clock())
        with metered() as meter:
            plan = self.extracting.plan(dialogue, request.scope)
        return replace(plan, usage=meter.usage)

    def plans(self, remembered: Remembered, turns: Sequence[Plan], scope: Scope) -> list[Plan]:
        """What is to be written for the facts, beside the turns that they are from.

        A fact whose turns are all there already, since somebody else stored them meanwhile, is left to them.
        """
        stored = {plan.draft.part: plan.id for plan in turns if speaks(plan.draft) and plan.id}
        fresh = {plan.draft.part for plan in turns if plan.record is not None}
        facts = [
            fact for fact in remembered.facts if any(turn.fresh and turn.part in fresh for turn in fact.change.sources)
        ]
        return self.facts.plans(facts, scope, lambda turn: turn.id if turn.part is None else stored.get(turn.part))

    def wants(self, item: MemoryItem) -> bool:
        """Whether a pending memory is a turn that nobody has looked at, and there is somebody to ask."""
        return speaks(item) and item.part_of is None and self.extracting.ready

    def finish(self, ids: Sequence[str], *, last: bool) -> Usage | None:
        """Draws facts from turns that are pending, and makes them ready in the same commit."""
        pending: defaultdict[Scope, list[Record]] = defaultdict(list)
        for record in self.store.backend.latest(list(ids)).values():
            if self._waits(record):
                pending[scope_of_item(record.item.ids)].append(record)
        with metered() as meter:
            for scope, records in pending.items():
                try:
                    self._finish(records, scope)
                except MemplugError as error:
                    if last or (isinstance(error, ModelError) and not error.retryable):
                        mark_failed(self.store, self.contention, [record.id for record in records], reason_of(error))
                    raise
        return meter.usage

    def give_up(self, ids: Sequence[str], reason: str) -> None:
        """Marks turns that are pending as failed, with the reason; they stay as they were said."""
        mark_failed(self.store, self.contention, ids, reason)

    def _finish(self, records: Sequence[Record], scope: Scope) -> None:
        first = min((one.item.source.position for one in records if one.item.source.position is not None), default=None)
        dialogue = of_records(records, said_before(self.store, scope, first))
        plan = self.extracting.plan(dialogue, scope) if dialogue.told else ExtractionPlan()
        facts, _ = self.facts.drafted(plan, dialogue.origins, scope)
        said = {record.id: record.item.text for record in records}
        cited = {turn.id for fact in facts for turn in fact.change.sources if turn.id is not None}

        def attempt() -> list[Plan]:
            # What was erased or reworded while the model was asked must not come back as a fact.
            current = self.store.backend.latest(sorted(said.keys() | cited))
            there = {
                id_: one
                for id_, one in current.items()
                if not self._ended(one) and one.item.text == said.get(id_, one.item.text)
            }
            waiting = [there[id_] for id_ in said if id_ in there and self._waits(there[id_])]
            if not waiting:
                return []  # another process was faster, or they are gone; a turn with other words is looked at again
            self.store.admit(scope)
            kept = [fact for fact in facts if all(turn.id in there for turn in fact.change.sources)]
            plans = self.facts.plans(kept, scope, _holder)
            return self._commit(plans, waiting)

        plans = self.contention.settled(attempt)
        self.plugins.notify("after_add", items=[one.item.handed_out() for plan in plans for one in plan.written()])
        if gone := [record.item.handed_out() for plan in plans for record in plan.pieces.gone]:
            self.plugins.notify("on_delete", items=gone)

    def _commit(self, plans: Sequence[Plan], turns: Sequence[Record]) -> list[Plan]:
        indexed = iter(index([record for plan in plans for record in plan.written()], self.embedder))
        done = [plan.indexed(indexed) for plan in plans]
        now = self.store.clock()
        ready = [
            following(replace(turn, item=replace(turn.item, status="ready", error=None)), turn, now) for turn in turns
        ]
        facts = [record for plan in done for record in (*plan.written(), *plan.pieces.gone)]
        self.store.commit([*ready, *facts], {})
        return done

    def _waits(self, record: Record) -> bool:
        return record.item.status == "pending" and not self._ended(record) and speaks(record.item)

    def _ended(self, record: Record) -> bool:
        item = record.item
        return item.deleted or (item.expires_at is not None and item.expires_at <= self.store.clock())

    def _dialogue(self, drafts: Sequence[Draft], request: AddRequest) -> Dialogue:
        """What is said in an input, of which only what is not stored yet is new."""
        said = [draft for draft in drafts if speaks(draft)]
        [plans] = Planner(store=self.store, limits=self.facts.limits).plan([(said, request)])
        fresh = {plan.draft.part for plan in plans if plan.record is not None}
        before = said_before(self.store, request.scope, None)
        known = {plan.id for plan in plans}
        return of_drafts(drafts, fresh, [turn for turn in before if turn.id not in known], self.store.clock())

    def _postponed(self, drafts: list[Draft], dialogue: Dialogue, error: MemplugError) -> Remembered:
        """What is stored where nobody could answer: pending where another try may help, else failed with the reason."""
        again = not isinstance(error, ModelError) or error.retryable
        log.warning("nothing was drawn from %d turns: %s", len(dialogue.origins), error.code)
        after = error.retry_after if isinstance(error, ModelError) else None
        pause = max(after or 0.0, self.facts.limits.task_pause) if again else 0.0
        return Remembered(drafts=_marked(drafts, dialogue, pending=again, error=reason_of(error)), pause=pause)


def reason_of(error: MemplugError) -> str:
    """Why a step failed, as a memory's status tells it: its name and the error's stable code come first."""
    return f"extract: {error.code}: {error.message}"


def _marked(drafts: list[Draft], dialogue: Dialogue, *, pending: bool, error: str | None = None) -> list[Draft]:
    """The drafts with what is still to be done about the turns among them that are new."""
    parts = {turn.part for turn in dialogue.turns if turn.fresh}
    return [
        replace(draft, pending=pending, error=error) if draft.part in parts and speaks(draft) else draft
        for draft in drafts
    ]


def _holder(turn: Turn) -> str | None:
    return turn.id
