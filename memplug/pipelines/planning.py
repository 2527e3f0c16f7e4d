"""Decides what each draft becomes: a new memory, a new version, or nothing because it is there already."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memplug.exceptions import InputRejected, ScopeError
from memplug.pipelines.calls import CallPlaces
from memplug.pipelines.composing import record_of
from memplug.pipelines.editions import Editions, is_unread, is_whole
from memplug.pipelines.identity import content_id, draft_identity, imported_id, keyed_id
from memplug.pipelines.pieces import Edition, Fate, fate
from memplug.pipelines.rereading import read_again
from memplug.pipelines.versions import TICK, check_version, following, same_original
from memplug.safety.labels import check_joined
from memplug.values.outcome import Event, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record
    from memplug.values.limits import Limits
    from memplug.values.request import AddRequest
    from memplug.values.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one draft.

    Args:
        draft: The draft, with the id and event decided for it; a rejected one has no id.
        event: The outcome's word.
        record: What to commit, still without vector and terms; None where nothing is to be written.
        previous: The version that is there, where there is one.
        pieces: What becomes of its pieces.
        silent: Whether nobody handed it in, so that no outcome tells of it.
        error: Why it is rejected.
    """

    draft: Draft
    id: str
    event: Event
    record: Record | None
    previous: Record | None
    pieces: Fate = field(default_factory=Fate)
    silent: bool = False
    error: InputRejected | None = None

    def written(self) -> list[Record]:
        """Everything that is to be committed with words to be found by: the memory itself, then its pieces."""
        return [*([self.record] if self.record else []), *self.pieces.written]

    def indexed(self, records: Iterator[Record]) -> Plan:
        """The plan with these records in the places of those that `written` gave."""
        record = next(records) if self.record else None
        return replace(
            self, record=record, pieces=replace(self.pieces, written=tuple(next(records) for _ in self.pieces.written))
        )

    def outcomes(self) -> list[Outcome]:
        """The outcomes that tell the caller: one for each part that went into it."""
        return [] if self.silent else [self._outcome(part) for part in (self.draft.part, *self.draft.also)]

    def _outcome(self, part: int) -> Outcome:
        shown = self.record or self.previous
        return Outcome(
            event=self.event,
            part=part,
            id=self.id or None,
            kind=self.draft.kind,
            text=shown.item.text if shown else self.draft.text,
            key=self.draft.key,
            version=shown.version if shown else 0,
            pieces=len(self.draft.pieces),
            error=self.error,
            reason=(self.record.item.error or "") if self.record else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Compares drafts with what the store holds."""

    store: Store
    limits: Limits

    def plan(
        self, inputs: Sequence[tuple[Sequence[Draft], AddRequest]], *, at: Mapping[int, str] | None = None
    ) -> list[list[Plan]]:
        """For each input one plan per draft, in their order.

        Args:
            inputs: Drafts with their requests, whose scopes all differ.
            at: The ids of the memories that drafts are new versions of, by the draft's number among all, where that is
                known already.

        Raises:
            VersionConflict: A request names a version that is not the current one.
            ScopeError: The place of its key is taken by another scope's memory.
        """
        calls = CallPlaces(store=self.store)
        drafts = [(calls.placed(draft, request.scope), request) for found, request in inputs for draft in found]
        editions = self._editions(drafts) | dict(at or {})
        ids, latest = self._placed(drafts, editions)
        # Strictly rising times keep the order of one add when it is listed by time.
        moment = self.store.clock()
        plans: list[Plan] = []
        named: dict[str, Plan] = {}
        for index, (draft, request) in enumerate(drafts):
            first = _first(plans, ids[index]) if index in editions else _twin(named.get(ids[index]), draft)
            if first is not None:
                previous = first.record or first.previous
                plans.append(Plan(draft=draft, id=first.id, event="duplicate", record=None, previous=previous))
                continue
            edition = index in editions
            plan = _decide(draft, ids[index], latest.get(ids[index]), request, moment, edition=edition)
            plan = self._checked(replace(plan, pieces=self._fate(plan, request, moment + TICK)))
            plans.append(plan)
            if draft.named and plan.error is None:
                named[plan.id] = plan
            moment += (1 + len(draft.pieces)) * TICK
        found = iter(plans)
        return [[next(found) for _ in drafts] for drafts, _ in inputs]

    def _checked(self, plan: Plan) -> Plan:
        """The plan, or a rejection: what may be said in one call may be too much beside what was said before.

        Else a memory could be stored that no import of its export would take.
        """
        try:
            for record in plan.written():
                media = plan.draft.media
                check_joined(record.item.metadata, media.name if media else plan.draft.key or "", self.limits)
        except InputRejected as error:
            return Plan(draft=plan.draft, id="", event="rejected", record=None, previous=None, error=error)
        return plan

    def _editions(self, drafts: Sequence[tuple[Draft, AddRequest]]) -> dict[int, str]:
        """The ids of the wholes without a name, by the draft's index: what was there before, or their content's."""
        editions = Editions(store=self.store)
        found: dict[int, str] = {}
        taken: dict[str, str] = {}
        for index, (draft, request) in enumerate(drafts):
            if draft.named or not is_whole(draft):
                continue
            identity = draft_identity(draft)
            id_ = editions.earlier(draft, request.scope)
            if id_ is None or taken.setdefault(id_, identity) != identity:
                # Two editions in one input: which one is the later nobody can say, so the second stands for itself.
                id_ = content_id(request.scope, identity, 0)
            found[index] = id_
        return found

    def _fate(self, plan: Plan, request: AddRequest, moment: datetime) -> Fate:
        previous = plan.previous
        # Only what has an original has pieces; under a name, other content may come after that, without any.
        before = plan.draft.named and previous is not None and previous.item.media is not None
        if plan.record is None or is_unread(plan.draft) or not (plan.draft.pieces or before):
            return Fate()  # the passages of the edition before stay until those of one that is still to be read come
        edition = Edition(
            draft=plan.draft,
            item=plan.record.item,
            previous=previous,
            merged=not plan.draft.named and same_original(previous, plan.record),
            ended=previous is not None and (previous.item.deleted or _expired(previous, moment)),
        )
        return fate(self.store, edition, request, moment)

    def _placed(
        self, drafts: Sequence[tuple[Draft, AddRequest]], editions: Mapping[int, str]
    ) -> tuple[list[str], dict[str, Record]]:
        """An id for each draft, and the latest versions of all of them."""
        occurrences: Counter[tuple[Scope, str]] = Counter()
        identities = [(request.scope, draft_identity(draft)) for draft, request in drafts]
        numbers = []
        for identity in identities:
            numbers.append(occurrences[identity])
            occurrences[identity] += 1
        latest: dict[str, Record] = {}
        ids = [editions.get(index, "") for index in range(len(drafts))]
        latest |= self.store.backend.latest(list(editions.values())) if editions else {}
        open_ = [index for index in range(len(drafts)) if index not in editions]
        while open_:
            for index in open_:
                draft, request = drafts[index]
                ids[index] = _id(draft, identities[index][1], numbers[index], request)
            latest |= self.store.backend.latest([ids[index] for index in open_])
            open_ = [
                index
                for index in open_
                if not drafts[index][0].named
                and _taken(latest.get(ids[index]), identities[index][1], identities[index][0])
            ]
            for index in open_:
                numbers[index] += occurrences[identities[index]]
        return ids, latest


def _id(draft: Draft, identity: str, occurrence: int, request: AddRequest) -> str:
    if draft.key is not None:
        return keyed_id(request.scope, draft.key)
    if draft.origin is not None:
        return imported_id(request.scope, draft.origin)
    return content_id(request.scope, identity, occurrence)


def _taken(record: Record | None, identity: str, scope: Scope) -> bool:
    """Whether the place holds another memory: one that was changed into something else, or somebody else's."""
    if record is None:
        return False
    return _foreign(record, scope) or (not record.item.deleted and record.identity != identity)


def _foreign(record: Record, scope: Scope) -> bool:
    """Whether a record carries other ids than the scope; only a forged import can put one where ours belongs."""
    return {name: value for name, value in record.item.ids.items() if value is not None} != scope.ids


def _first(plans: Sequence[Plan], id_: str) -> Plan | None:
    """What was decided for the same content earlier in the same input."""
    return next((plan for plan in plans if plan.id == id_), None)


def _twin(plan: Plan | None, draft: Draft) -> Plan | None:
    """What was decided for a draft of the same name earlier in the same input, where that has the same content."""
    return plan if plan is not None and draft_identity(plan.draft) == draft_identity(draft) else None


def _decide(
    draft: Draft, id_: str, previous: Record | None, request: AddRequest, moment: datetime, *, edition: bool
) -> Plan:
    if previous is not None and _foreign(previous, request.scope):
        raise ScopeError(f"the place of key {draft.key or draft.origin!r} is taken by a memory of another scope")
    ended = previous is None or previous.item.deleted or _expired(previous, moment)
    if draft.key is not None:
        current = 0 if previous is None or ended else previous.version
        check_version(f"key {draft.key!r}", previous, current, request.version)
    fresh = record_of(draft, id_, request, moment)
    new: Event = "pending" if draft.pending else "added"
    if previous is None:
        return Plan(draft=draft, id=id_, event=new, record=fresh, previous=None)
    if ended:
        fresh = following(fresh, previous, moment, reborn=True)
        return Plan(draft=draft, id=id_, event=new, record=fresh, previous=previous)
    again = same_original(previous, fresh)
    placed = draft.named or (edition and not again)
    fresh = _placed_as(previous, fresh) if placed else _merged(fresh, previous)
    if again and (edition or is_unread(draft)):
        fresh = read_again(draft, fresh, previous)
    if _same(fresh, previous):
        event: Event = "unchanged" if draft.named else "duplicate"
        return Plan(draft=draft, id=id_, event=event, record=None, previous=previous)
    if again and is_unread(draft):
        # Its passages are to have the same tags and times, so it is read once more.
        fresh = replace(fresh, item=replace(fresh.item, status="pending"))
    fresh = following(fresh, previous, moment)
    return Plan(draft=draft, id=id_, event="updated", record=fresh, previous=previous)


def _expired(record: Record, moment: datetime) -> bool:
    return record.item.expires_at is not None and record.item.expires_at <= moment


def _placed_as(previous: Record, record: Record) -> Record:
    """The new content under a key, at the place in the conversation that the old one had."""
    old, source = previous.item.source, record.item.source
    kept = replace(source, position=source.position if source.position is not None else old.position)
    return replace(record, item=replace(record.item, source=replace(kept, message=source.message or old.message)))


def _merged(record: Record, previous: Record) -> Record:
    """The same content said again: what is said about it adds to what was said before; the later expiry counts.

    A memory with a step that failed takes what the step gave this time.
    """
    old, new = previous.item, record.item
    item = replace(
        old if old.status == "ready" else _finished(old, new),
        tags=tuple(sorted({*old.tags, *new.tags})),
        metadata={**old.metadata, **new.metadata},
        expires_at=new.expires_at,
        updated_at=new.updated_at,
        valid_to=None,
    )
    contexts = dict.fromkeys(context for context in (previous.context, record.context) if context)
    return replace(record, item=item, context="\n".join(contexts))


def _finished(old: MemoryItem, new: MemoryItem) -> MemoryItem:
    """A memory with a step that was still to come or failed, with what the step gave this time."""
    source = replace(old.source, described=new.source.described)
    return replace(old, text=new.text, status=new.status, error=new.error, source=source)


def _same(record: Record, previous: Record) -> bool:
    """Whether a new version would tell nothing new."""
    old = previous.item
    new = replace(
        record.item,
        version=old.version,
        created_at=old.created_at,
        updated_at=old.updated_at,
        valid_to=old.valid_to,
        source=old.source,
        metadata=old.metadata,
    )
    told = (record.identity, record.context, _json(record.item.metadata))
    return new == old and told == (previous.identity, previous.context, _json(old.metadata))


def _json(metadata: Mapping[str, object]) -> str:
    """Metadata so that 1 and True differ, which Python calls equal."""
    return json.dumps(dict(metadata), sort_keys=True)
