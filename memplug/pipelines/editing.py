"""Changes to memories that are there: update, delete, erase, restore. Each appends a version; only erasure removes."""

from __future__ import annotations

import enum
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from memplug.exceptions import ConfigError, MalformedInput, NotFound, VersionConflict
from memplug.pipelines.calls import USE
from memplug.pipelines.drawn import drawn_from
from memplug.pipelines.guarding import guarded
from memplug.pipelines.identity import item_identity
from memplug.pipelines.indexing import index
from memplug.pipelines.lessons import lessons_of
from memplug.pipelines.pieces import pieces_of, returning
from memplug.pipelines.tasks import new_task
from memplug.pipelines.toolbook import recounted, tools_of
from memplug.pipelines.versions import check_version, following, same_original, tombstone
from memplug.safety.labels import check_metadata, check_moment, check_tags
from memplug.safety.text import clean
from memplug.store import View
from memplug.values.filters import Compare
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from memplug.pipelines.lessons import Lessons
    from memplug.pipelines.turns import TurnCounter
    from memplug.pipelines.versions import Contention
    from memplug.pipelines.worker import Worker
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.item import MemoryItem, Record
    from memplug.values.limits import Limits


class Keep(enum.Enum):
    """Leave it as it is, where None means: take it away."""

    KEEP = enum.auto()


KEEP: Final = Keep.KEEP

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an update changes; what is `KEEP` stays."""

    text: str | Keep = KEEP
    tags: Iterable[str] | Keep | None = KEEP
    metadata: Mapping[str, Any] | Keep | None = KEEP
    occurred_at: datetime | str | Keep | None = KEEP
    expires_at: datetime | str | Keep | None = KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """The way to change or remove what is stored."""

    store: Store
    plugins: PluginManager
    embedder: Embedder
    turns: TurnCounter
    limits: Limits
    contention: Contention
    lessons: Lessons
    worker: Worker
    #: Media of erasures that are not finished. A try after a failed one finds no rows that would tell.
    _left: set[str] = field(default_factory=set, init=False, repr=False)

    def update(self, id_: str, change: Change, *, scope: Scope | None, version: int | None) -> MemoryItem:
        """Appends a version with the changes; see `Memory.update`."""
        fields = self._fields(change)
        if not fields:
            raise ConfigError("update was called with nothing to change")
        shared = {name: value for name, value in fields.items() if name != "text"}
        follow = partial(_changed, fields=shared) if shared else None
        written = self._append(id_, scope, version, partial(_changed, fields=fields), follow)
        self.plugins.notify("after_add", items=[record.item.handed_out() for record in written])
        return written[0].item.handed_out()

    def restore(self, id_: str, version: int, *, scope: Scope | None, expected: int | None = None) -> MemoryItem:
        """Appends a version with the content of an earlier one; brings a deleted memory back.

        Args:
            id_: Whose.
            version: The earlier one.
            scope: Where it must lie.
            expected: The version that must be current; None takes any.
        """
        if not isinstance(version, int):
            raise MalformedInput(f"a version is a whole number, not {version!r:.100}")
        versions = {record.version: record for record in self.store.history(id_, scope, change=True)}
        wanted = versions.get(version)
        if wanted is None or wanted.item.deleted:
            kept = ", ".join(str(number) for number, record in versions.items() if not record.item.deleted)
            raise NotFound(f"memory {id_!r} has no version {version} to restore", hint=f"there are: {kept or 'none'}")
        latest = max(versions.values(), key=lambda record: record.version)
        check_version(f"memory {id_!r}", latest, latest.version, expected)
        now = self.store.clock()
        ended = wanted.item.expires_at is not None and wanted.item.expires_at <= now
        again = replace(wanted, item=replace(wanted.item, expires_at=None)) if ended else wanted
        whole = wanted.item.media or latest.item.media
        back, gone = returning(self.store, _read(versions, wanted), latest, now) if whole else ([], [])
        changed = [following(again, latest, now), *back]
        written = index([guarded(record, self.plugins) for record in changed], self.embedder)
        # What was pending then is so again, and its task has ended since.
        waiting = [record.id for record in written if record.item.status == "pending"]
        self.store.commit([*written, *gone, *([new_task(waiting, now)] if waiting else [])], {})
        self.plugins.notify("after_add", items=[record.item.handed_out() for record in written])
        if gone:
            self.plugins.notify("on_delete", items=[record.item.handed_out() for record in gone])
        if waiting:
            self.worker.start()
        return written[0].item.handed_out()

    def delete(self, id_: str, *, scope: Scope | None, version: int | None, erase: bool) -> None:
        """Hides a memory at once; with ``erase`` also removes all its versions and its media from disk."""
        if erase:
            self._release()
            records = self.store.history(id_, scope, change=True)
            check_version(f"memory {id_!r}", records[-1], records[-1].version, version)
            self._erase([id_, *self._pieces_ever(records[-1].item)])
            return
        before = self.store.get(id_, scope, change=True).item
        gone = self._append(id_, scope, version, tombstone, tombstone)
        self.plugins.notify("on_delete", items=[record.item.handed_out() for record in gone])
        self._recount([before])

    def delete_all(self, scope: Scope, *, erase: bool) -> int:
        """Deletes everything in a scope, and returns how many memories that were.

        Erasing also takes what was deleted or has expired before.
        """
        if erase:
            self._release()
            ids = self.store.ids(View(scope=scope, change=True))
            for start in range(0, len(ids), _PAGE):
                self._erase(ids[start : start + _PAGE])
            return len(ids)
        deleted = 0
        gone: list[MemoryItem] = []
        while records := self.store.select(View(scope=scope, change=True), limit=_PAGE):
            hidden = self._hide(records)
            deleted += hidden
            gone += [record.item for record in records if hidden and record.item.kind == USE]
        self.turns.forget()
        self._recount(gone)
        return deleted

    def erase(self, ids: Sequence[str]) -> None:
        """Removes memories with their pieces, also deleted and expired ones, writing anew once for many of them."""
        self._release()
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            pieces = self.store.pieces(page)
            if gone := dict.fromkeys([*self.store.backend.latest(page), *pieces]):
                self._erase(list(gone))

    def _hide(self, records: Sequence[Record]) -> int:
        """One commit for a page; memories that somebody changed meanwhile come with the next page."""
        gone = [following(tombstone(record), record, self.store.clock()) for record in records]
        try:
            self.store.commit(gone, {})
        except VersionConflict:
            return 0
        self.plugins.notify("on_delete", items=[record.item.handed_out() for record in gone])
        return len(gone)

    def _erase(self, ids: Sequence[str]) -> None:
        """Rows first: a row whose media is gone would be a loss, media that no row names only takes room."""
        backend = self.store.backend
        versions = [record for id_ in ids for record in backend.versions(id_)]
        self._left.update(digest for record in versions for digest in record.item.digests)
        items = [record.item for record in versions]
        facts = {id_: left for id_, left in drawn_from(self.store, items).items() if id_ not in ids}
        versions += [record for id_ in facts for record in backend.versions(id_)]
        # What was counted of a use, learnt from it, or drawn from a turn holds its words, too, in every version.
        backend.erase([*dict.fromkeys([*ids, *facts, *tools_of(items), *lessons_of(self.store, items)])])
        self._release()
        self.turns.forget()
        self._recount(items)
        last = {record.id: record for record in versions}
        self.plugins.notify("on_delete", items=[tombstone(record).item.handed_out() for record in last.values()])
        self._keep([left for left in facts.values() if left is not None])

    def _keep(self, facts: Sequence[Record]) -> None:
        """Writes anew what is left of facts one of whose turns was erased.

        Afterwards, since what was erased must not come back: a process that is killed here loses these facts, and none
        of the turns that they rest on.
        """
        for record in index(facts, self.embedder):
            with suppress(VersionConflict):  # somebody drew it anew meanwhile
                self.store.commit([record], {})
                self.plugins.notify("after_add", items=[record.item.handed_out()])

    def _recount(self, gone: Sequence[MemoryItem]) -> None:
        """Counts the tools anew whose uses were removed, and has their lessons written anew from what is left."""

        def attempt() -> bool:
            now = self.store.clock()
            written, dropped = recounted(self.store, gone, now)
            again, ended = self.lessons.without(gone, now)
            task = [new_task([record.id for record in again], now)] if again else []
            self.store.commit([*index(written, self.embedder), *dropped, *again, *ended, *task], {})
            return bool(again)

        if any(tools_of(gone)) and self.contention.settled(attempt):
            self.worker.start()

    def _release(self) -> None:
        """Removes originals that no version names any more, also those that an erasure which failed left behind."""
        if left := sorted(self._left):
            self.store.backend.release_media(left)
            self._left.difference_update(left)

    def _pieces_ever(self, item: MemoryItem) -> list[str]:
        """The ids of the memories that are or were pieces of one."""
        view = View(scope=Scope(**item.ids), filter=Compare("part_of", "eq", item.id), trusted=True)
        return sorted(self.store.ids(view))

    def _append(
        self,
        id_: str,
        scope: Scope | None,
        version: int | None,
        change: Callable[[Record], Record],
        follow: Callable[[Record], Record] | None,
    ) -> list[Record]:
        """Appends a version to a memory and, in the same commit, one to each of its pieces; the memory's comes first.

        Args:
            id_: Whose.
            scope: Where it must lie.
            version: The one that must be current.
            change: Makes it of the current one.
            follow: Makes the next version of a piece; None leaves the pieces alone.
        """

        def attempt() -> list[Record]:
            current = self.store.get(id_, scope, change=True)
            check_version(f"memory {id_!r}", current, current.version, version)
            now = self.store.clock()
            # Only what has an original has pieces.
            pieces = pieces_of(self.store, current.item) if follow and current.item.media else []
            changed = [following(follow(piece), piece, now) for piece in pieces] if follow else []
            records = [following(change(current), current, now), *changed]
            if not records[0].item.deleted:
                records = index([guarded(record, self.plugins) for record in records], self.embedder)
            self.store.commit(records, {})
            return records

        return attempt() if version is not None else self.contention.settled(attempt)

    def _fields(self, change: Change) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if change.text is not KEEP:
            fields["text"] = _words(change.text)
        if change.tags is not KEEP:
            fields["tags"] = check_tags(change.tags, self.limits)
        if change.metadata is not KEEP:
            fields["metadata"] = check_metadata(change.metadata, self.limits)
        for name in ("occurred_at", "expires_at"):
            if (value := getattr(change, name)) is not KEEP:
                fields[name] = check_moment(value, name=name)
        return fields


def _read(versions: Mapping[int, Record], wanted: Record) -> Record:
    """The version whose pieces are those of the one wanted: of a document that was unread then, the last reading."""
    if wanted.item.status == "ready":
        return wanted
    found = wanted
    while same_original(later := versions.get(found.version + 1), wanted) and later is not None:
        found = later
    return found


def _changed(current: Record, fields: Mapping[str, Any]) -> Record:
    """The record with other fields; other words are other content, and known as such when they are said again."""
    # Why the version before was written is not why this one is.
    item = replace(current.item, source=replace(current.item.source, reason=None), **fields)
    said = {"text", "occurred_at"} & fields.keys()
    return replace(current, item=item, identity=item_identity(item) if said else current.identity)


def _words(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise MalformedInput("the new text must be a text that is not empty", hint="delete the memory instead")
    return clean(text)
