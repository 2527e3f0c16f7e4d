"""The one way from memplug to a backend: every read is bound to a scope here, and every row is checked again.

Backends know filters, not scopes. Anything above this module that wants memories has to name whose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound, ScopeError
from memplug.plugins.protocols import Backend, Match, Selection
from memplug.values.filters import All, Compare, Filter, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memplug.values.item import Record
    from memplug.values.scope import Scope


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Which part of a scope a read looks at.

    Args:
        scope: Whose memories.
        filter: What else must hold.
        as_of: The moment to look at; None means now.
    """

    scope: Scope
    filter: Filter | None = None
    as_of: datetime | None = None


@dataclass(slots=True)
class Store:
    """A backend behind scopes.

    Args:
        backend: Where the records are.
        clock: The present moment; tests of expiry and of time travel give their own.
    """

    backend: Backend
    clock: Callable[[], datetime] = field(default=utc_now)

    def select(
        self, view: View, *, limit: int, after: tuple[datetime, str] | None = None, vectors: bool = False
    ) -> list[Record]:
        """Current records, newest first (see `Backend.select`)."""
        selection = self._selection(view, limit=limit, after=after, vectors=vectors)
        return [_inside(record, view.scope) for record in self.backend.select(selection)]

    def nearest(self, vector: NDArray[np.float32], view: View, *, limit: int) -> list[Match]:
        """The records nearest in meaning, best first."""
        return self._checked(self.backend.nearest(vector, self._selection(view, limit=limit)), view.scope)

    def match(self, terms: Sequence[str], view: View, *, limit: int) -> list[Match]:
        """The records that share a word, best first by the backend's own score."""
        return self._checked(self.backend.match(terms, self._selection(view, limit=limit)), view.scope)

    def count(self, view: View) -> int:
        """How many records the view holds."""
        return self.backend.count(self._where(view), as_of=view.as_of)

    def get(self, id_: str, scope: Scope | None) -> Record:
        """The current version of one memory.

        Raises:
            NotFound: There is none, it is deleted or expired, or it lies outside ``scope``. The four look alike,
                so that nobody learns of another user's memories.
        """
        record = self.backend.latest([_known(id_)]).get(id_)
        if record is None or record.item.deleted or not self._visible(record, scope):
            raise _missing(id_)
        return record

    def history(self, id_: str, scope: Scope | None) -> list[Record]:
        """All versions of one memory, oldest first, deletions included.

        Raises:
            NotFound: There is none inside ``scope``, or it has expired.
        """
        records = self.backend.versions(_known(id_))
        if not records or not self._visible(records[-1], scope):
            raise _missing(id_)
        return records

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

    def ids(self, scope: Scope) -> list[str]:
        """The ids of all memories of a scope, also deleted and expired ones."""
        latest = self.backend.latest(sorted(self.backend.ids(_in_scope(scope))))
        return [id_ for id_, record in latest.items() if scope.admits(record.item.ids)]

    def pages(self, scope: Scope, *, batch: int = 1_000) -> Iterator[list[Record]]:
        """All current records of a scope, in batches."""
        for records in self._paged(self._where(View(scope=scope)), batch=batch):
            yield [_inside(record, scope) for record in records]

    def everything(self, *, batch: int = 1_000, vectors: bool = False) -> Iterator[list[Record]]:
        """All current records of all scopes, in batches: for upkeep of the whole store, never for a user's call."""
        return self._paged(self._unexpired(), batch=batch, vectors=vectors)

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
        return not expired and (scope is None or scope.admits(item.ids))

    def _where(self, view: View) -> Filter:
        """The scope first, then expiry, then what the caller asked for."""
        asked = () if view.filter is None else (view.filter,)
        return All((*_in_scope(view.scope).filters, self._unexpired(view.as_of), *asked))

    def _unexpired(self, as_of: datetime | None = None) -> Filter:
        """What has expired is gone from every read, also from one of the past."""
        now = self.clock()
        return Not(Compare("expires_at", "lte", max(now, as_of) if as_of else now))

    def _selection(
        self, view: View, *, limit: int, after: tuple[datetime, str] | None = None, vectors: bool = False
    ) -> Selection:
        return Selection(where=self._where(view), limit=limit, after=after, as_of=view.as_of, vectors=vectors)

    def _checked(self, matches: list[Match], scope: Scope) -> list[Match]:
        for match in matches:
            _inside(match.record, scope)
        return matches


def _known(id_: object) -> str:
    """An id that a store can be asked for; anything else is nobody's."""
    if not isinstance(id_, str) or not id_ or not id_.isascii():
        raise _missing(id_)
    return id_


def _missing(id_: object) -> NotFound:
    return NotFound(f"there is no memory {id_!r:.100} here")


def _in_scope(scope: Scope) -> All:
    return All(tuple(Compare(name, "eq", value) for name, value in scope.ids.items()))


def _inside(record: Record, scope: Scope) -> Record:
    """Defence in depth: a row of another scope means a broken backend, and must never reach a caller."""
    if not scope.admits(record.item.ids):
        raise ScopeError(
            f"the backend returned memory {record.id!r}, which lies outside the scope asked for",
            hint="this is a bug in the backend; nothing was returned",
        )
    return record
