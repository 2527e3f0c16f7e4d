"""The one way from memplug to a backend: every read is bound to a scope here, and every row is checked again.

Backends know filters, not scopes. Anything above this module that wants memories has to name whose. Where a scope names
a user, what they may see and change in shared buckets is decided here too (`memplug.rights`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound, ScopeError
from memplug.plugins.protocols import Backend, Match, Selection
from memplug.rights import Reach, Rights, apart
from memplug.values.filters import All, Compare, Filter, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memplug.values.item import Record, Status
    from memplug.values.scope import Scope


#: The kind of the records that tasks are kept as (`memplug.pipelines.tasks`).
TASK = "task"


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


#: From so many scopes on, what was found has to be put in order again.
_SEVERAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Which part of a scope a read looks at.

    Args:
        scope: Whose memories.
        filter: What else must hold.
        as_of: The moment to look at; None means now.
        beside: Further scopes, looked at together with the first.
        change: Whether it is for changing what is found.
        trusted: A look that memplug takes for itself, to carry out a call that was let in: the scope is what memories
            carry, nobody's rights count, and nothing of it is handed out.
        reaches: What the scopes reach, once `Store.bound` has asked.
    """

    scope: Scope
    filter: Filter | None = None
    as_of: datetime | None = None
    beside: tuple[Scope, ...] = ()
    change: bool = False
    trusted: bool = False
    reaches: tuple[Reach, ...] | None = None


@dataclass(slots=True)
class Store:
    """A backend behind scopes.

    Args:
        backend: Where the records are.
        clock: The present moment; tests of expiry and of time travel give their own.
    """

    backend: Backend
    clock: Callable[[], datetime] = field(default=utc_now)
    rights: Rights = field(init=False)

    def __post_init__(self) -> None:
        self.rights = Rights(self.backend)

    def bound(self, view: View) -> View:
        """The view with what its scopes reach now, so that several reads of one call ask for rights once.

        Raises:
            AccessDenied: It is for changes, and the user may only read.
        """
        if view.reaches is not None:
            return view
        if view.trusted:
            return replace(view, reaches=(Reach(scope=view.scope),))
        found = [self.rights.reach(scope, change=view.change) for scope in dict.fromkeys((view.scope, *view.beside))]
        return replace(view, reaches=apart([reach for reach in found if reach is not None]))

    def select(
        self, view: View, *, limit: int, after: tuple[datetime, str] | None = None, vectors: bool = False
    ) -> list[Record]:
        """Current records, newest first (see `Backend.select`)."""
        found = [
            _inside(record, reach)
            for reach, where in self._wheres(view)
            for record in self.backend.select(
                Selection(where=where, limit=limit, after=after, as_of=view.as_of, vectors=vectors)
            )
        ]
        return sorted(_once(found), key=_place, reverse=True)[:limit]

    def each(self, view: View, *, batch: int = 1_000) -> Iterator[Record]:
        """All current records of a view, newest first, brought a batch at a time."""
        after: tuple[datetime, str] | None = None
        while page := self.select(view, limit=batch, after=after):
            yield from page
            after = _place(page[-1])

    def nearest(self, vector: NDArray[np.float32], view: View, *, limit: int) -> list[Match]:
        """The records nearest in meaning, best first."""
        return self._matches(lambda selection: self.backend.nearest(vector, selection), view, limit)

    def match(self, terms: Sequence[str], view: View, *, limit: int) -> list[Match]:
        """The records that share a word, best first by the backend's own score; of several scopes the best of each."""
        return self._matches(lambda selection: self.backend.match(terms, selection), view, limit)

    def _matches(self, ask: Callable[[Selection], list[Match]], view: View, limit: int) -> list[Match]:
        asked = self._wheres(view)
        found: dict[str, Match] = {}
        for reach, where in asked:
            for match in ask(Selection(where=where, limit=limit, as_of=view.as_of)):
                _inside(match.record, reach)
                found.setdefault(match.record.id, match)
        return list(found.values()) if len(asked) < _SEVERAL else sorted(found.values(), key=lambda one: -one.score)

    def count(self, view: View) -> int:
        """How many records the view holds."""
        return sum(self.backend.count(where, as_of=view.as_of) for _, where in self._wheres(view))

    def get(self, id_: str, scope: Scope | None, *, change: bool = False) -> Record:
        """The current version of one memory.

        Args:
            id_: Its id.
            scope: Where it must lie.
            change: Whether it is for changing it.

        Raises:
            NotFound: There is none, it is deleted or expired, or it lies outside ``scope``, or in a shared bucket
                without a role for the user. They all look alike, so that nobody learns of another user's memories.
            AccessDenied: It is for a change, and the user may only read it.
        """
        record = self.backend.latest([_known(id_)]).get(id_)
        if record is None or record.item.deleted or not self._visible(record, scope):
            raise _missing(id_)
        if change:
            self.rights.check_change(record.item, scope)
        return record

    def some(self, ids: Sequence[str], scope: Scope) -> dict[str, Record]:
        """The current versions of those of the ids that `get` would find, in one read."""
        latest = self.backend.latest(ids)
        return {id_: one for id_, one in latest.items() if not one.item.deleted and self._visible(one, scope)}

    def history(self, id_: str, scope: Scope | None, *, change: bool = False) -> list[Record]:
        """All versions of one memory, oldest first, deletions included.

        Raises:
            NotFound: There is none inside ``scope``, or it has expired.
            AccessDenied: It is for a change, and the user may only read it.
        """
        records = self.backend.versions(_known(id_))
        if not records or not self._visible(records[-1], scope):
            raise _missing(id_)
        if change:
            self.rights.check_change(records[-1].item, scope)
        return records

    def admit(self, scope: Scope) -> None:
        """Refuses a scope that its user may not add to.

        Raises:
            AccessDenied: It lies in a shared bucket, where they have no role that allows it.
        """
        self.rights.check_add(scope)

    def commit(self, records: Sequence[Record], media: Mapping[str, Callable[[], bytes]]) -> None:
        """Commits records with their originals.

        The originals come first: bytes that no row names are harmless, a row whose bytes are missing is a loss. And
        they are looked for once more afterwards, since an erasure of the last other memory with the same picture may
        have removed them in between.

        Args:
            records: What to commit; may be none, where only lost bytes are to be healed.
            media: What gives the bytes, by digest.

        Raises:
            VersionConflict: Somebody else came first; nothing was committed.
        """
        for digest, read in media.items():
            self.backend.put_media(digest, read())
        if records:
            self.backend.commit(records)
        for digest, read in media.items():
            if not self.holds_media(digest):
                self.backend.put_media(digest, read())

    def holds_media(self, digest: str) -> bool:
        """Whether the bytes of a digest are there."""
        try:
            self.backend.open_media(digest).close()
        except NotFound:
            return False
        return True

    def ids(self, view: View) -> list[str]:
        """The ids of all memories that have a version in the view, also deleted and expired ones.

        Raises:
            AccessDenied: It is for a change, and the user may only read.
        """
        asked = () if view.filter is None else (view.filter,)
        found: dict[str, None] = {}
        for reach in self.bound(view).reaches or ():
            latest = self.backend.latest(sorted(self.backend.ids(All((*reach.filter.filters, *asked)))))
            found |= dict.fromkeys(id_ for id_, record in latest.items() if reach.admits(record.item))
        return list(found)

    def pieces(self, wholes: Sequence[str]) -> set[str]:
        """The ids of all pieces that these memories have or had; who asks has found the wholes where they may."""
        return self.backend.ids(Compare("part_of", "in", tuple(wholes)))

    def authors(self, bucket: Scope) -> set[str | None]:
        """The users whose memories lie in a bucket, or ever did and may come back; None for those of nobody."""
        return {record.item.user_id for record in self.backend.latest(self.ids(View(scope=bucket))).values()}

    def pages(self, scope: Scope, *, batch: int = 1_000) -> Iterator[list[Record]]:
        """All current records of a scope, in batches."""
        for reach, where in self._wheres(View(scope=scope)):
            for records in self._paged(where, batch=batch):
                yield [_inside(record, reach) for record in records]

    def everything(self, *, batch: int = 1_000, vectors: bool = False) -> Iterator[list[Record]]:
        """All current records of all scopes, in batches: for upkeep of the whole store, never for a user's call."""
        return self._paged(self._unexpired(), batch=batch, vectors=vectors)

    def pending(self) -> list[str]:
        """The ids of all memories that a step is still to come for: for the worker, never for a user's call."""
        return [record.id for page in self._of_status("pending") for record in page]

    def failed(self) -> Iterator[list[Record]]:
        """All memories that a step failed for, in batches: for the worker, never for a user's call."""
        return self._of_status("failed")

    def _of_status(self, status: Status) -> Iterator[list[Record]]:
        where = All((self._unexpired(), Compare("status", "eq", status), Not(Compare("kind", "eq", TASK))))
        return self._paged(where, batch=1_000)

    def _paged(self, where: Filter, *, batch: int, vectors: bool = False) -> Iterator[list[Record]]:
        after: tuple[datetime, str] | None = None
        while records := self.backend.select(Selection(where=where, limit=batch, after=after, vectors=vectors)):
            yield records
            after = (records[-1].item.created_at, records[-1].id)

    def size(self) -> int:
        """How many current records there are in all scopes together."""
        return self.backend.count(self._unexpired())

    def _visible(self, record: Record, scope: Scope | None) -> bool:
        item = record.item
        expired = item.expires_at is not None and item.expires_at <= self.clock()
        return not expired and self.rights.sees(item, scope)

    def _wheres(self, view: View) -> list[tuple[Reach, Filter]]:
        """For each scope what it reaches, as a filter: the ids first, then expiry, then what the caller asked for."""
        asked = () if view.filter is None else (view.filter,)
        unexpired = self._unexpired(view.as_of)
        return [(reach, All((*reach.filter.filters, unexpired, *asked))) for reach in self.bound(view).reaches or ()]

    def _unexpired(self, as_of: datetime | None = None) -> Filter:
        """What has expired is gone from every read, also from one of the past."""
        now = self.clock()
        return Not(Compare("expires_at", "lte", max(now, as_of) if as_of else now))


def _known(id_: object) -> str:
    """An id that a store can be asked for; anything else is nobody's."""
    if not isinstance(id_, str) or not id_ or not id_.isascii():
        raise _missing(id_)
    return id_


def _missing(id_: object) -> NotFound:
    return NotFound(f"there is no memory {id_!r:.100} here")


def _once(records: Iterable[Record]) -> Collection[Record]:
    """The records without those that came twice, from two scopes."""
    return {record.id: record for record in records}.values()


def _place(record: Record) -> tuple[datetime, str]:
    return record.item.created_at, record.id


def _inside(record: Record, reach: Reach) -> Record:
    """Defence in depth: a row of another scope means a broken backend, and must never reach a caller."""
    if not reach.admits(record.item):
        raise ScopeError(
            f"the backend returned memory {record.id!r}, which lies outside the scope asked for",
            hint="this is a bug in the backend; nothing was returned",
        )
    return record
