"""Planned facts as memories: new ones, new versions of old ones, and the end of those that hold no more."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import AccessDenied, MemplugError, NotFound
from memplug.pipelines.identity import item_identity
from memplug.pipelines.pieces import Fate
from memplug.pipelines.planning import Plan, Planner
from memplug.pipelines.versions import SUPERSEDED_BY, following, tombstone
from memplug.values.draft import Draft
from memplug.values.plan import LeftOut
from memplug.values.request import AddRequest
from memplug.values.scope import scope_of_item
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from memplug.pipelines.extracting import Extracting
    from memplug.plugins.manager import PluginManager
    from memplug.store import Store
    from memplug.values.extraction import Turn
    from memplug.values.item import MemoryItem, Record
    from memplug.values.limits import Limits
    from memplug.values.plan import ExtractionPlan, PlannedFact
    from memplug.values.scope import Scope

log = logging.getLogger("memplug.extraction")

#: Where a preference's metadata tells whether it was said or shown.
PREFERENCE = "preference"
#: Memories that one takes the place of, as it remembers them; the oldest are forgotten.
_SUPERSEDED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One planned change that the guards let pass.

    Args:
        change: It.
        draft: What it looks like as a memory, still without the turns' ids.
    """

    change: PlannedFact
    draft: Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Makes plans of what is to be stored, of the changes that extractors' proposals came to.

    Args:
        store: Where memories are.
        plugins: The guards.
        extracting: Says which memories may be changed.
        limits: The bounds on metadata.
    """

    store: Store
    plugins: PluginManager
    extracting: Extracting
    limits: Limits

    def drafted(
        self, plan: ExtractionPlan, origins: Mapping[str, Draft | MemoryItem], scope: Scope
    ) -> tuple[list[Fact], list[LeftOut]]:
        """The changes as drafts that the guards have seen, and those that a guard refused.

        Args:
            plan: The changes.
            origins: What each turn is, by its label; a fact takes on what the user said about it.
            scope: Where they belong.
        """
        facts, refused = [], []
        for change in plan.changes:
            draft = self._guarded(_draft(change, origins), scope)
            if draft is not None and draft.text.strip():
                facts.append(Fact(change=change, draft=draft))
            else:
                refused.append(LeftOut(flaw="guarded", size=len(change.text), id=change.id))
        return facts, refused

    def plans(self, facts: Iterable[Fact], scope: Scope, id_of: Callable[[Turn], str | None]) -> list[Plan]:
        """What is to be written for the facts, to be committed with the turns that they are from.

        Args:
            facts: They.
            scope: Where they belong.
            id_of: The memory that holds a turn.
        """
        placed: list[tuple[Fact, Record | None]] = []
        for fact in facts:
            ids = tuple(dict.fromkeys(id_ for turn in fact.change.sources if (id_ := id_of(turn))))
            source = replace(fact.draft.source, derived_from=ids)
            placed.append((replace(fact, draft=replace(fact.draft, source=source)), self._current(fact, scope)))
        here = [(fact, record) for fact, record in placed if record is not None and _lies_in(record, scope)]
        others = [(fact, record) for fact, record in placed if record is None or not _lies_in(record, scope)]
        now = self.store.clock()
        changed = [_changed(fact, record, now) for fact, record in here]
        return [*changed, *self._new(others, scope)]

    def _new(self, facts: Sequence[tuple[Fact, Record | None]], scope: Scope) -> list[Plan]:
        """New memories; one that supersedes another conversation's fact ends that in the same commit."""
        drafts = [_linked(fact.draft, old) for fact, old in facts]
        if not drafts:
            return []
        request = AddRequest(content=None, scope=scope)
        [plans] = Planner(store=self.store, limits=self.limits).plan([(drafts, request)])
        now = self.store.clock()
        return [
            replace(plan, pieces=Fate(gone=(_ended(old, plan.id, now),))) if old is not None and plan.id else plan
            for plan, (_, old) in zip(map(_without_itself, plans), facts, strict=True)
        ]

    def _current(self, fact: Fact, scope: Scope) -> Record | None:
        """The memory that is changed; None where that is none, or it is not what was shown any more."""
        change = fact.change
        if change.id is None:
            return None
        try:
            record = self.store.get(change.id, self.extracting.reach(scope), change=True)
        except (NotFound, AccessDenied):
            return None
        return record if record.version == change.version and self.extracting.changeable(record.item, scope) else None

    def _guarded(self, draft: Draft, scope: Scope) -> Draft | None:
        """The draft as the guards let it pass; each alone, so that what one is refused for costs no other."""
        try:
            kept = self.plugins.guard([draft], scope)
        except MemplugError as error:
            log.warning("a guard refused a fact of %d characters: %s", len(draft.text), error.code)
            return None
        return kept[0] if len(kept) == 1 else None


def _draft(change: PlannedFact, origins: Mapping[str, Draft | MemoryItem]) -> Draft:
    """A change as a memory, with the tags, metadata and expiry of what it is from."""
    said = [origins[turn.label] for turn in change.sources if turn.label in origins]
    speakers = {turn.speaker for turn in change.sources if turn.role == "user"}
    metadata = {name: value for one in said for name, value in one.metadata.items()}
    if change.implicit is not None:
        metadata = {PREFERENCE: "implicit" if change.implicit else "explicit"} | metadata
    ends = [one.expires_at for one in said if one.expires_at is not None]
    return Draft(
        part=change.part,
        kind=change.kind,
        text=change.text,
        tags=tuple(sorted({*change.tags, *(tag for one in said for tag in one.tags)})),
        metadata=metadata,
        occurred_at=change.occurred_at,
        # What was to be forgotten must not live on in what was made of it.
        expires_at=min(ends, default=None),
        source=Provenance(
            role="user",
            speaker=speakers.pop() if len(speakers) == 1 else None,
            supersedes=change.supersedes,
            reason=change.reason or None,
        ),
    )


def _lies_in(record: Record, scope: Scope) -> bool:
    return scope_of_item(record.item.ids) == scope


def _changed(fact: Fact, record: Record, now: datetime) -> Plan:
    """A new version of a fact: the old one is in its history, and the new one says why."""
    old, draft = record.item, fact.draft
    more = fact.change.action == "update"
    came = dict.fromkeys((*draft.source.derived_from, *(old.source.derived_from if more else ())))
    gone = [id_ for id_ in (*old.source.supersedes, *draft.source.supersedes) if id_ not in draft.source.derived_from]
    ends = [moment for moment in (old.expires_at if more else None, draft.expires_at) if moment is not None]
    item = replace(
        old,
        text=draft.text,
        tags=tuple(sorted({*old.tags, *draft.tags})),
        metadata={**old.metadata, **draft.metadata},
        occurred_at=draft.occurred_at or (old.occurred_at if more else None),
        expires_at=min(ends, default=None),
        source=replace(draft.source, derived_from=tuple(came), supersedes=tuple(dict.fromkeys(gone))[-_SUPERSEDED:]),
    )
    written = following(replace(record, item=item, identity=item_identity(item)), record, now)
    return Plan(draft=draft, id=record.id, event="updated", record=written, previous=record)


def _linked(draft: Draft, old: Record | None) -> Draft:
    """A new fact that says which one it takes the place of."""
    if old is None:
        return draft
    gone = dict.fromkeys((old.id, *draft.source.supersedes, *old.item.source.supersedes))
    return replace(draft, source=replace(draft.source, supersedes=tuple(gone)[:_SUPERSEDED]))


def _without_itself(plan: Plan) -> Plan:
    """A fact that holds again, after the one that took its place, took the place of that alone."""
    if plan.record is None or plan.id not in plan.record.item.source.supersedes:
        return plan
    item = plan.record.item
    older = tuple(id_ for id_ in item.source.supersedes if id_ != plan.id)
    return replace(plan, record=replace(plan.record, item=replace(item, source=replace(item.source, supersedes=older))))


def _ended(old: Record, new: str, now: datetime) -> Record:
    """The end of a fact that lies elsewhere, which says what took its place."""
    gone = tombstone(old)
    item = replace(gone.item, source=Provenance(reason=f"{SUPERSEDED_BY}{new}"))
    return following(replace(gone, item=item), old, now)
