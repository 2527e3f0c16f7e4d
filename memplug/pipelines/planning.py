"""Decides what each draft becomes: a new memory, a new version, or nothing because it is there already."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from memplug.exceptions import VersionConflict
from memplug.pipelines.identity import content_id, content_identity, keyed_id, media_digest
from memplug.values.item import MediaRef, MemoryItem, Record, Status
from memplug.values.outcome import Event, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.request import AddRequest

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one draft.

    Args:
        draft: The draft, with the id and event decided for it.
        event: The outcome's word.
        record: What to commit, still without vector and terms; None where nothing is to be written.
        previous: The version that is there, where there is one.
    """

    draft: Draft
    id: str
    event: Event
    record: Record | None
    previous: Record | None

    def outcome(self) -> Outcome:
        """The outcome that tells the caller."""
        shown = self.record or self.previous
        return Outcome(
            event=self.event,
            part=self.draft.part,
            id=self.id,
            kind=self.draft.kind,
            text=shown.item.text if shown else self.draft.text,
            key=self.draft.key,
            version=shown.version if shown else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Compares drafts with what the store holds."""

    store: Store

    def plan(self, drafts: Sequence[Draft], request: AddRequest) -> list[Plan]:
        """One plan per draft, in their order.

        Raises:
            VersionConflict: The request names a version that is not the current one.
        """
        ids, latest = self._placed(drafts, request)
        now = self.store.clock()
        plans = []
        for number, (draft, id_) in enumerate(zip(drafts, ids, strict=True)):
            # Strictly rising times keep the order of one add when it is listed by time.
            moment = now + number * _MICROSECOND
            plans.append(_decide(draft, id_, latest.get(id_), request, moment))
        return plans

    def _placed(self, drafts: Sequence[Draft], request: AddRequest) -> tuple[list[str], dict[str, Record]]:
        """An id for each draft, and the latest versions of all of them."""
        occurrences: Counter[str] = Counter()
        identities = [content_identity(draft) for draft in drafts]
        numbers = []
        for identity in identities:
            numbers.append(occurrences[identity])
            occurrences[identity] += 1
        latest: dict[str, Record] = {}
        ids = [""] * len(drafts)
        open_ = list(range(len(drafts)))
        while open_:
            for index in open_:
                ids[index] = _id(drafts[index], identities[index], numbers[index], request)
            latest |= self.store.backend.latest([ids[index] for index in open_])
            open_ = [
                index
                for index in open_
                if drafts[index].key is None and _holds_other(latest.get(ids[index]), identities[index])
            ]
            for index in open_:
                numbers[index] += occurrences[identities[index]]
        return ids, latest


def _id(draft: Draft, identity: str, occurrence: int, request: AddRequest) -> str:
    if draft.key is not None:
        return keyed_id(request.scope, draft.key)
    return content_id(request.scope, identity, occurrence)


def _holds_other(record: Record | None, identity: str) -> bool:
    """Whether the place is taken by a memory that was changed into something else since."""
    return record is not None and not record.item.deleted and record.identity != identity


def _decide(draft: Draft, id_: str, previous: Record | None, request: AddRequest, moment: datetime) -> Plan:
    if request.version is not None and draft.key is not None:
        _check_version(draft.key, previous, request.version)
    fresh = _record(draft, id_, request, moment)
    if previous is None or previous.item.deleted or _expired(previous, moment):
        return Plan(draft=draft, id=id_, event="added", record=_following(fresh, previous, new=True), previous=previous)
    if draft.key is None:
        fresh = _merged(fresh, previous)
    if _same(fresh, previous):
        event: Event = "unchanged" if draft.key is not None else "duplicate"
        return Plan(draft=draft, id=id_, event=event, record=None, previous=previous)
    return Plan(draft=draft, id=id_, event="updated", record=_following(fresh, previous, new=False), previous=previous)


def _check_version(key: str, previous: Record | None, expected: int) -> None:
    current = previous.version if previous else 0
    if current != expected:
        raise VersionConflict(
            f"key {key!r} is at version {current}, not {expected}",
            current={previous.id: current} if previous else {},
            hint="read it again and decide anew",
        )


def _expired(record: Record, moment: datetime) -> bool:
    return record.item.expires_at is not None and record.item.expires_at <= moment


def _record(draft: Draft, id_: str, request: AddRequest, moment: datetime) -> Record:
    status: Status = "failed" if draft.error else "ready"
    item = MemoryItem(
        id=id_,
        kind=draft.kind,
        text=draft.text,
        created_at=moment,
        updated_at=moment,
        key=draft.key,
        content_type=draft.content_type,
        media=_media_ref(draft),
        tags=draft.tags,
        metadata=draft.metadata,
        status=status,
        error=draft.error,
        source=draft.source,
        occurred_at=draft.occurred_at,
        expires_at=draft.expires_at,
        user_id=request.scope.user_id,
        agent_id=request.scope.agent_id,
        run_id=request.scope.run_id,
        bucket=request.scope.bucket,
    )
    return Record(item=item, identity=content_identity(draft), context=draft.context)


def _media_ref(draft: Draft) -> MediaRef | None:
    media = draft.media
    if media is None:
        return None
    return MediaRef(
        digest=media_digest(media.data),
        size=len(media.data),
        content_type=media.content_type,
        name=media.name,
        width=media.width,
        height=media.height,
        thumbnail=media_digest(media.thumbnail) if media.thumbnail else None,
        phash=media.phash,
    )


def _following(record: Record, previous: Record | None, *, new: bool) -> Record:
    """The record as the version after ``previous``; a memory that comes back after its end counts as new."""
    if previous is None:
        return record
    updated = max(record.item.updated_at, previous.item.updated_at + _MICROSECOND)
    created = updated if new else previous.item.created_at
    return replace(
        record, item=replace(record.item, version=previous.version + 1, updated_at=updated, created_at=created)
    )


def _merged(record: Record, previous: Record) -> Record:
    """The same content said again: what is said about it adds to what was said before."""
    old, new = previous.item, record.item
    metadata: Mapping[str, object] = {**old.metadata, **new.metadata}
    item = replace(
        old,
        tags=tuple(sorted({*old.tags, *new.tags})),
        metadata=metadata,
        expires_at=new.expires_at if new.expires_at is not None else old.expires_at,
        updated_at=new.updated_at,
        valid_to=None,
    )
    return replace(record, item=item)


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
    return record.identity == previous.identity and new == old and dict(record.item.metadata) == dict(old.metadata)
