"""All versions of one memory, in order: what must hold between them, and whose they become."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput, VersionConflict
from memplug.pipelines.codec import ID_PATTERN, same
from memplug.pipelines.identity import imported_id, keyed_id
from memplug.pipelines.versions import SUPERSEDED_BY, tombstone
from memplug.values.scope import scope_of_item
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from memplug.values.item import MemoryItem, Record
    from memplug.values.scope import Scope

#: How far ahead of ours the clock may be that dated a version. Later ones would stand first in every list for ever.
_AHEAD = timedelta(days=1)
#: At most the id of one other memory.
_IDS = re.compile(rf" ?{ID_PATTERN} ?")


def check_chain(records: Sequence[Record], now: datetime) -> None:
    """Checks what no single version shows.

    Raises:
        MalformedInput: Versions are missing, are dated in another order or in the future, belong to different
            scopes, have different keys, or a deletion comes first or still holds content.
    """
    items = [record.item for record in records]
    if [item.version for item in items] != list(range(1, len(items) + 1)):
        raise MalformedInput(f"the versions of memory {items[0].id!r} are not numbered from 1")
    if any(item.ids != items[0].ids for item in items):
        raise MalformedInput(f"the versions of memory {items[0].id!r} belong to different scopes")
    if len({item.key for item in items if not item.deleted}) > 1:
        raise MalformedInput(f"the versions of memory {items[0].id!r} have different keys")
    if items[0].deleted or not all(_is_bare(record) for record in records if record.item.deleted):
        raise MalformedInput(f"a deletion of memory {items[0].id!r} comes first, or holds content")
    _check_times(items, now + _AHEAD)


def _is_bare(record: Record) -> bool:
    """Whether a deletion says whose and since when, and nothing else: no guard ever looks at one.

    It may name the memory that took the place of this one, in the words that memplug has for that.
    """
    source = record.item.source
    named = _IDS.fullmatch(" ".join((*source.derived_from, (source.reason or "").removeprefix(SUPERSEDED_BY))))
    item = replace(record.item, source=Provenance())
    only = source == Provenance(derived_from=source.derived_from, reason=source.reason)
    bare = item == tombstone(record).item and not record.context and not record.identity
    return bare and only and (named is not None or source == Provenance())


def _check_times(items: Sequence[MemoryItem], latest: datetime) -> None:
    before: datetime | None = None
    for item in items:
        if item.created_at > item.updated_at or (before is not None and item.updated_at <= before):
            raise MalformedInput(f"version {item.version} of memory {item.id!r} is dated before what it follows")
        before = item.updated_at
    if before is not None and before > latest:
        raise MalformedInput(f"memory {items[0].id!r} was changed in the future", hint="look at the clocks")


def owned(records: Sequence[Record], scope: Scope | None, keys: Mapping[str, str]) -> list[Record]:
    """The versions as the scope's own, under an id that cannot meet the original's.

    None leaves them whose they are. So does a scope that they lie in already: under another id they would stand beside
    themselves, where the scope's own export is brought back.

    Args:
        records: The versions.
        scope: Whose they are to be.
        keys: The keys of the archive's memories, by their ids there.

    Raises:
        MalformedInput: The memory has a key and another id than its key gives, so it would take another's place.
    """
    key = next((record.item.key for record in records if record.item.key is not None), None)
    if scope is None or scope.admits(records[0].item.ids):
        item = records[0].item
        if key is not None and item.id != keyed_id(scope_of_item(item.ids), key):
            raise MalformedInput(f"memory {item.id!r} is not the one that its key {key!r:.100} names in its scope")
        return list(records)
    id_ = imported_id(scope, records[0].id) if key is None else keyed_id(scope, key)
    ids: dict[str, Any] = dict.fromkeys(records[0].item.ids) | scope.ids
    return [
        replace(
            record,
            item=replace(
                record.item,
                id=id_,
                part_of=_whole(record.item.part_of, scope, keys),
                source=_sources(record.item.source, scope, keys),
                **ids,
            ),
        )
        for record in records
    ]


def _sources(source: Provenance, scope: Scope, keys: Mapping[str, str]) -> Provenance:
    """Where a memory came from, with what it names called as it is called in a scope that takes it over."""
    if not source.derived_from and not source.supersedes:
        return source

    def named(ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(str(_whole(old, scope, keys)) for old in ids)

    return replace(source, derived_from=named(source.derived_from), supersedes=named(source.supersedes))


def _whole(old: str | None, scope: Scope, keys: Mapping[str, str]) -> str | None:
    """What the whole of a piece is called in a scope that takes it over."""
    if old is None:
        return None
    return keyed_id(scope, keys[old]) if old in keys else imported_id(scope, old)


def missing_versions(
    records: Sequence[Record], stored: Sequence[Record], guard: Callable[[Record], Record]
) -> list[Record]:
    """The versions that the store does not have yet, as the guards let them pass.

    Args:
        records: All that the archive has.
        stored: All that the store has.
        guard: What plugins make of a version. What the store has went through it before, perhaps by other plugins.

    Raises:
        VersionConflict: The store's memory went another way, or is somebody else's.
        InputRejected, PluginError: A guard refused a version, or failed.
    """
    for record, there in zip(records, stored, strict=False):
        if record.item.ids != there.item.ids:
            raise _conflict(stored, "belongs to another scope in this store", "import it into a scope of its own")
        if not same(record, there) and not same(guard(record), there):
            raise _conflict(stored, "exists and differs from the archive's", "import it into another scope")
    if len(stored) > len(records) and stored[-1].item.deleted:
        raise _conflict(stored, "was deleted here after it was exported", "restore it")
    return [guard(record) for record in records[len(stored) :]]


def _conflict(stored: Sequence[Record], words: str, hint: str) -> VersionConflict:
    last = stored[-1]
    return VersionConflict(f"memory {last.id!r} {words}", current={last.id: last.version}, hint=hint)
