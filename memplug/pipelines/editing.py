"""Changes to memories that are there: update, delete, erase, restore. Each appends a version; only erasure removes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from memplug.exceptions import ConfigError, MalformedInput, NotFound, VersionConflict
from memplug.pipelines.calls import USE
from memplug.pipelines.guarding import guarded
from memplug.pipelines.identity import item_identity
from memplug.pipelines.indexing import index
from memplug.pipelines.pieces import pieces_of, returning
from memplug.pipelines.toolbook import recounted, tools_of
from memplug.pipelines.versions import check_version, following, tombstone
from memplug.safety.labels import check_metadata, check_moment, check_tags
from memplug.safety.text import clean
from memplug.store import View
from memplug.values.filters import Compare
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from memplug.pipelines.turns import TurnCounter
    from memplug.pipelines.versions import Contention
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

    def restore(self, id_: str, version: int, *, scope: Scope | None) -> MemoryItem:
        """Appends a version with the content of an earlier one; brings a deleted memory back."""
        if not isinstance(version, int):
            raise MalformedInput(f"a version is a whole number, not {version!r:.100}")
        versions = {record.version: record for record in self.store.history(id_, scope, change=True)}
        wanted = versions.get(version)
        if wanted is None or wanted.item.deleted:
            kept = ", ".join(str(number) for number, record in versions.items() if not record.item.deleted)
            raise NotFound(f"memory {id_!r} has no version {version} to restore", hint=f"there are: {kept or 'none'}")
        latest = max(versions.values(), key=lambda record: record.version)
        now = self.store.clock()
        ended = wanted.item.expires_at is not None and wanted.item.expires_at <= now
        again = replace(wanted, item=replace(wanted.item, expires_at=None)) if ended else wanted
        back, gone = returning(self.store, wanted, latest, now) if wanted.item.media else ([], [])
        changed = [following(again, latest, now), *back]
        written = index([guarded(record, self.plugins) for record in changed], self.embedder)
        self.store.commit([*written, *gone], {})
        self.plugins.notify("after_add", items=[record.item.handed_out() for record in written])
        if gone:
            self.plugins.notify("on_delete", items=[record.item.handed_out() for record in gone])
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
        told = tools_of(record.item for record in versions)
        # What was counted of a use holds its words, too, in every version.
        backend.erase([*ids, *told])
        self._release()
        self.turns.forget()
        self._recount([record.item for record in versions])
        last = {record.id: record for record in versions}
        self.plugins.notify("on_delete", items=[tombstone(record).item.handed_out() for record in last.values()])

    def _recount(self, gone: Sequence[MemoryItem]) -> None:
        """Counts the tools anew whose uses were removed."""

        def attempt() -> None:
            written, dropped = recounted(self.store, gone, self.store.clock())
            self.store.commit([*index(written, self.embedder), *dropped], {})

        if tools_of(gone):
            self.contention.settled(attempt)

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


def _changed(current: Record, fields: Mapping[str, Any]) -> Record:
    """The record with other fields; other words are other content, and known as such when they are said again."""
    item = replace(current.item, **fields)
    said = {"text", "occurred_at"} & fields.keys()
    return replace(current, item=item, identity=item_identity(item) if said else current.identity)


def _words(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise MalformedInput("the new text must be a text that is not empty", hint="delete the memory instead")
    return clean(text)
