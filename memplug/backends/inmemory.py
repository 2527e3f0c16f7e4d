"""A store that lives as long as its process: for tests, examples and scratch work."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from memplug.backends.batch import check_versions, checked_batch, checked_conversion, checked_vector
from memplug.backends.profile import check_profile, no_store
from memplug.backends.shelf import Shelf, best, chained, matching, nearest, newest_first
from memplug.exceptions import BackendError, NotFound, StoreReadOnly
from memplug.plugins.protocols import Backend, Capabilities, Match, Selection
from memplug.values.filters import All

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memplug.plugins.protocols import BackendRequest, StoreProfile
    from memplug.values.filters import Filter
    from memplug.values.item import Record

SCHEME = "memory://"


@dataclass(slots=True)
class _Contents:
    """What all handles on one named store share."""

    profile: StoreProfile
    shelf: Shelf = field(default_factory=Shelf)
    media: dict[str, bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


_named: dict[str, _Contents] = {}
_naming = threading.Lock()


def open_inmemory(request: BackendRequest) -> Backend:
    """Opens ``memory://``, which is new each time, or ``memory://name``, which is one store within the process.

    Raises:
        ConfigError: No profile was given and there is no store of this name.
        EmbedderMismatch: The named store was made with another embedder.
    """
    name = request.location.removeprefix(SCHEME)
    with _naming:
        contents = _named.get(name) if name else None
        if contents is None:
            contents = _Contents(_profile(request))
        check_profile(request, contents.profile)
        if name:
            _named[name] = contents
    return InMemoryBackend(contents, read_only=request.read_only)


def _profile(request: BackendRequest) -> StoreProfile:
    if request.profile is None or request.read_only:
        raise no_store(request.location)
    return request.profile


class InMemoryBackend:
    """See `memplug.plugins.protocols.Backend`."""

    def __init__(self, contents: _Contents, *, read_only: bool = False) -> None:
        self.profile = contents.profile
        self.capabilities = Capabilities(maintenance=True)
        self._contents = contents
        self._read_only = read_only
        self._closed = False

    @contextmanager
    def _open(self, *, writes: bool = False) -> Iterator[_Contents]:
        if self._closed:
            raise BackendError("the store is closed")
        if writes and self._read_only:
            raise StoreReadOnly("the store was opened read-only")
        with self._contents.lock:
            yield self._contents

    def commit(self, records: Sequence[Record]) -> None:
        """See `Backend.commit`."""
        with self._open(writes=True) as contents:
            batch = checked_batch(records, self.profile)
            check_versions(batch, contents.shelf.tops)
            contents.shelf.put(replace(record, item=replace(record.item, valid_to=None)) for record in batch)

    def latest(self, ids: Sequence[str]) -> dict[str, Record]:
        """See `Backend.latest`."""
        with self._open() as contents:
            return {id_: record for id_ in ids if (record := contents.shelf.latest(id_)) is not None}

    def versions(self, id_: str) -> list[Record]:
        """See `Backend.versions`."""
        with self._open() as contents:
            return chained(contents.shelf.versions(id_))

    def _current(self, selection: Selection) -> list[Record]:
        with self._open() as contents:
            return contents.shelf.current(selection.where, selection.as_of)

    def select(self, selection: Selection) -> list[Record]:
        """See `Backend.select`."""
        return newest_first(self._current(selection), selection.after, selection.limit)

    def nearest(self, vector: NDArray[np.float32], selection: Selection) -> list[Match]:
        """See `Backend.nearest`."""
        query = checked_vector(vector, self.profile)
        return best(nearest(query, self._current(selection)), selection.limit)

    def match(self, terms: Sequence[str], selection: Selection) -> list[Match]:
        """See `Backend.match`."""
        return best(matching(terms, self._current(selection)), selection.limit)

    def count(self, where: Filter, *, as_of: datetime | None = None) -> int:
        """See `Backend.count`."""
        return len(self._current(Selection(where=where, limit=0, as_of=as_of)))

    def ids(self, where: Filter) -> set[str]:
        """See `Backend.ids`."""
        with self._open() as contents:
            return contents.shelf.ids(where)

    def references(self, digests: Sequence[str]) -> set[str]:
        """See `Backend.references`."""
        with self._open() as contents:
            return contents.shelf.references(digests)

    def erase(self, ids: Sequence[str]) -> None:
        """See `Backend.erase`."""
        with self._open(writes=True) as contents:
            for id_ in ids:
                contents.shelf.drop(id_)

    def put_media(self, digest: str, data: bytes) -> None:
        """See `Backend.put_media`."""
        with self._open(writes=True) as contents:
            contents.media.setdefault(digest, data)

    def open_media(self, digest: str) -> BinaryIO:
        """See `Backend.open_media`."""
        with self._open() as contents:
            data = contents.media.get(digest)
        if data is None:
            raise NotFound(f"there is no media {digest!r} here")
        return io.BytesIO(data)

    def remove_media(self, digests: Sequence[str]) -> None:
        """See `Backend.remove_media`."""
        with self._open(writes=True) as contents:
            for digest in digests:
                contents.media.pop(digest, None)

    def release_media(self, digests: Sequence[str]) -> set[str]:
        """See `Backend.release_media`."""
        with self._open(writes=True) as contents:
            gone = (set(digests) - self.references(digests)) & contents.media.keys()
            for digest in gone:
                del contents.media[digest]
            return gone

    def list_media(self) -> Iterable[str]:
        """See `Backend.list_media`."""
        with self._open() as contents:
            return list(contents.media)

    def maintain(self, progress: Callable[[int, int, str], None] | None = None, *, now: datetime | None = None) -> None:
        """Removes expired records; there is nothing else to do."""
        moment = now or datetime.now(UTC)
        with self._open(writes=True) as contents:
            gone = [record.id for record in contents.shelf.current(All(()), None) if _expired(record, moment)]
        self.erase(gone)
        if progress is not None:
            progress(1, 1, "expired records")

    def rebuild(
        self,
        profile: StoreProfile,
        convert: Callable[[list[Record]], list[Record]],
        progress: Callable[[int, int, str], None] | None = None,
    ) -> int:
        """See `Backend.rebuild`."""
        with self._open(writes=True) as contents:
            shelf = Shelf()
            before = contents.shelf.everything()
            shelf.put(checked_conversion(before, convert(before), profile))
            contents.shelf, contents.profile, self.profile = shelf, profile, profile
            current = len(shelf.current(All(()), None))
        if progress is not None:
            progress(current, current, "embedding anew")
        return current

    def close(self) -> None:
        """See `Backend.close`."""
        self._closed = True


def _expired(record: Record, now: datetime) -> bool:
    return record.item.expires_at is not None and record.item.expires_at <= now
