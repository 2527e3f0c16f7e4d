"""A store under a prefix of an object store: the same files as in a folder, without a file system.

    store.json            as in a folder; replaced only by who saw it last, and anew whenever a lock is taken over
    tables/…              LanceDB's own
    media/ab/<sha256>
    write.lease, upkeep.lease

Reads ask once whether the write lease changed. Whatever changes the answer to a read is done under that lease; so
while it is the same, tables stay as they were opened, and neither they nor ``store.json`` are looked at.
"""

from __future__ import annotations

import threading
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from memplug.backends.lancedb.folder import POINTER, REBUILD, Pointer, promised
from memplug.backends.lancedb.lease import Lease
from memplug.backends.lancedb.loop import connect
from memplug.backends.lancedb.media_objects import MediaObjects
from memplug.backends.lancedb.objects import Objects
from memplug.backends.lancedb.recent_table import RecentTable
from memplug.backends.lancedb.remote_tier import RemoteTier
from memplug.backends.lancedb.trouble import lance_errors
from memplug.exceptions import BackendError, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.backends.lancedb.access import Access
    from memplug.backends.lancedb.catalog import Catalog, Library
    from memplug.backends.lancedb.objects import Stamp

_SUFFIX = ".lance"


class Prefix:
    """See `place.Place`.

    Args:
        access: How to reach it.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._objects = Objects(access)
        self._locks = {name: self._lease(name) for name in ("write", "upkeep")}
        self._looking = threading.Lock()
        self._generation = 0
        self._mark: str | None = None
        self._stamp: Stamp | None = None

    def _lease(self, name: str) -> Lease:
        def taken(seized: bool) -> None:
            if seized:
                self._fence()
            if name == "upkeep":
                self.stale()  # the large tables change under it, and readers need not notice

        return Lease(self._objects, f"{name}.lease", seconds=self._access.lease_seconds, taken=taken)

    def _fence(self) -> None:
        """Changes ``store.json`` without changing what it says.

        Who lost a lease without knowing yet can then no longer point to tables that are going to be removed.
        """
        while (found := self._objects.get(POINTER)) is not None:
            pointer = Pointer.parsed(found.data.decode("utf-8", "replace"), self.name)
            if self._objects.swap(POINTER, _text(pointer), found.stamp) is not None:
                break
        self.stale()

    @property
    def name(self) -> str:
        """See `Place.name`."""
        return self._access.url

    @property
    def generation(self) -> int:
        """See `Place.generation`."""
        return self._generation

    @property
    def exclusive(self) -> bool:
        """See `Place.exclusive`: a writer that was paused may wake up at any time."""
        return False

    def stamp(self) -> Stamp | None:
        """See `Place.stamp`; one request where nothing changed."""
        look = self._locks["write"].look()
        if look.mark is not None and look.mark == self._mark:
            return self._stamp
        with self._looking:
            if look.mark is None or self._mark is None or self._mark not in {look.mark, look.before}:
                self._stamp = self._objects.head(POINTER)
                self._generation += 1
            self._mark = look.mark
            return self._stamp

    def stale(self) -> None:
        """See `Place.stale`."""
        with self._looking:
            self._mark = None

    def catch_up(self, catalog: Catalog) -> None:
        """See `Place.catch_up`; in the order in which rows move, so that none is missed on its way."""
        for tier in (catalog.recent, catalog.memories, catalog.history):
            cast("RemoteTier | RecentTable", tier).catch_up()

    def gone(self) -> bool:
        """See `Place.gone`: there is no folder that would be made again, and the next read looks anyway."""
        return False

    def prepare(self) -> None:
        """See `Place.prepare`."""

    def read(self) -> Pointer:
        """See `Place.read`."""
        found = self._objects.get(POINTER)
        if found is None:
            raise BackendError(f"the store file {POINTER} at {self.name!r} went away")
        return Pointer.parsed(found.data.decode("utf-8", "replace"), self.name)

    def point(self, pointer: Pointer) -> None:
        """See `Place.point`.

        Raises:
            StoreBusy: Somebody else did meanwhile, so the locks were lost.
        """
        data, seen = _text(pointer), self._stamp
        made = self._objects.create(POINTER, data) if seen is None else self._objects.swap(POINTER, data, seen)
        found = self._objects.get(POINTER) if made is None else None
        if made is None and (found is None or found.data != data):  # else the answer was lost, and it was asked again
            self.stale()
            raise StoreBusy(f"another process took over the store at {self.name!r}", hint="try again")
        self._stamp = made if found is None else found.stamp

    def text(self, name: str) -> str | None:
        """See `Place.text`."""
        found = self._objects.get(name)
        return None if found is None else found.data.decode("utf-8", "replace")

    def write(self, name: str, text: str) -> None:
        """See `Place.write`."""
        self._objects.put(name, text.encode())

    def drop(self, name: str) -> None:
        """See `Place.drop`."""
        self._objects.delete([name])

    def lock(self, name: str) -> Lease:
        """See `Place.lock`."""
        return self._locks[name]

    def media(self, *, durable: bool) -> MediaObjects:
        """See `Place.media`; what an object store has acknowledged is durable."""
        del durable
        return MediaObjects(Objects(self._access, large=True))

    def connect(self) -> Any:
        """See `Place.connect`."""
        # Without an interval tables stay at the version that they were opened at: see `stamp`.
        options = dict(self._access.storage_options)
        return connect(f"{self.name}/tables", storage_options=options)

    def tier(self, table: Any, *, durable: bool) -> RemoteTier:
        """See `Place.tier`."""
        del durable
        return RemoteTier(table)

    def recent(self, name: str, library: Library, dimension: int, *, fresh: bool = False) -> RecentTable:
        """See `Place.recent`."""
        tier = library.make(name, dimension) if fresh else library.open(name)
        return RecentTable(tier, dimension, commits=partial(self.commits, name))

    def commits(self, name: str) -> int:
        """How many versions of a table are kept."""
        return len(self._objects.names(f"tables/{name}{_SUFFIX}/_versions"))

    def promised(self) -> list[str]:
        """See `Place.promised`."""
        return promised(self.text(REBUILD))

    def unnamed(self, keep: Iterable[str]) -> list[str]:
        """See `Place.unnamed`."""
        kept = {f"{name}{_SUFFIX}" for name in keep}
        return [name for name in self._objects.folders("tables") if name not in kept]

    def remove_tables(self, keep: Iterable[str]) -> None:
        """See `Place.remove_tables`."""
        for name in self.unnamed(keep):
            self._remove(f"tables/{name}")

    def remove_table(self, name: str) -> None:
        """See `Place.remove_table`."""
        self._remove(f"tables/{name}{_SUFFIX}")

    def _remove(self, path: str) -> None:
        """Its versions first: never is there half a table that could be opened."""
        with lance_errors("remove an old table"):
            self._objects.delete(self._objects.names(f"{path}/_versions"))
            self._objects.delete(self._objects.names(path))

    def sync_tables(self, *filled: str) -> None:
        """See `Place.sync_tables`: nothing is kept back here."""


def _text(pointer: Pointer) -> bytes:
    """What is written; never the same twice, since an ETag is made of the bytes."""
    return pointer.text(epoch=uuid.uuid4().hex).encode()
