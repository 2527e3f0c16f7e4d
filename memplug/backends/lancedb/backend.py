"""The backend on LanceDB."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from memplug.backends.batch import checked_vector
from memplug.backends.lancedb import health, reads, removal, upkeep
from memplug.backends.lancedb.maintenance import maintain, tidy
from memplug.backends.lancedb.place import is_cloud
from memplug.backends.lancedb.rebuild import rebuild
from memplug.backends.lancedb.session import Session
from memplug.backends.lancedb.writes import Committer
from memplug.exceptions import BackendError
from memplug.plugins.protocols import Capabilities, Match, Selection
from memplug.values.filters import All

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memplug.backends.lancedb.catalog import Catalog
    from memplug.plugins.protocols import BackendRequest, Finding, StoreProfile
    from memplug.values.filters import Filter
    from memplug.values.item import Record


class LanceBackend:
    """See `memplug.plugins.protocols.Backend`.

    Args:
        request: How the store was asked for.

    Raises:
        ConfigError: There is no store and none may be made, or the location is none that is supported.
        EmbedderMismatch: The store was made with another embedder.
        BackendError: The folder cannot be used.
    """

    def __init__(self, request: BackendRequest) -> None:
        self._session = Session(request)
        self.profile = self._session.profile
        # A service compacts its tables, and takes the bytes of those that were removed off its disks, by itself.
        own = not is_cloud(request.location)
        self.capabilities = Capabilities(erasure=own, maintenance=own, several_processes=True, examination=True)
        if not request.read_only:
            tidy(self._session)
        self._keeper = upkeep.Keeper(self._session)
        self._committer = Committer(session=self._session, committed=self._keeper.committed)
        self._stopping = upkeep.stop_at_exit(self, self._keeper)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._stopping.alive

    def _open(self, *, writes: bool = False) -> Session:
        if self.closed:
            raise BackendError("the store is closed")
        if writes:
            self._session.check_writable()
        return self._session

    def commit(self, records: Sequence[Record]) -> None:
        """See `Backend.commit`."""
        self._open(writes=True)
        self._committer.commit(records)

    def latest(self, ids: Sequence[str]) -> dict[str, Record]:
        """See `Backend.latest`."""
        return self._open().looked_up(lambda catalog, *, whole: reads.latest(catalog, ids, whole=whole))

    def versions(self, id_: str) -> list[Record]:
        """See `Backend.versions`."""
        return self._open().read(lambda catalog: reads.versions(catalog, id_))

    def select(self, selection: Selection) -> list[Record]:
        """See `Backend.select`."""
        session = self._open()
        return session.read(lambda catalog: reads.select(catalog, selection)) if selection.limit > 0 else []

    def nearest(self, vector: NDArray[np.float32], selection: Selection) -> list[Match]:
        """See `Backend.nearest`."""

        def ask(catalog: Catalog) -> list[Match]:
            query = checked_vector(vector, catalog.pointer.profile)
            return reads.near(catalog, query, selection) if selection.limit > 0 else []

        return self._open().read(ask)

    def match(self, terms: Sequence[str], selection: Selection) -> list[Match]:
        """See `Backend.match`."""
        session = self._open()
        return session.read(lambda catalog: reads.match(catalog, terms, selection)) if selection.limit > 0 else []

    def count(self, where: Filter, *, as_of: datetime | None = None) -> int:
        """See `Backend.count`."""
        return self._open().read(lambda catalog: reads.count(catalog, where, as_of))

    def ids(self, where: Filter) -> set[str]:
        """See `Backend.ids`."""
        return self._open().read(lambda catalog: reads.ids(catalog, where))

    def references(self, digests: Sequence[str]) -> set[str]:
        """See `Backend.references`."""
        return self._open().read(lambda catalog: reads.references(catalog, list(digests)))

    def rebuild(
        self,
        profile: StoreProfile,
        convert: Callable[[list[Record]], list[Record]],
        progress: Callable[[int, int, str], None] | None = None,
    ) -> int:
        """See `Backend.rebuild`."""
        rebuild(self._open(writes=True), profile, convert, progress)
        self.profile = profile
        return self.count(All(()))

    def erase(self, ids: Sequence[str]) -> None:
        """See `Backend.erase`."""
        removal.erase(self._open(writes=True), ids)

    def put_media(self, digest: str, data: bytes) -> None:
        """See `Backend.put_media`."""
        self._open(writes=True).media.put(digest, data)

    def open_media(self, digest: str) -> BinaryIO:
        """See `Backend.open_media`."""
        return self._open().media.open(digest)

    def remove_media(self, digests: Sequence[str]) -> None:
        """See `Backend.remove_media`."""
        self._open(writes=True).media.remove(digests)

    def release_media(self, digests: Sequence[str]) -> set[str]:
        """See `Backend.release_media`."""
        return removal.release(self._open(writes=True), digests)

    def list_media(self) -> Iterable[str]:
        """See `Backend.list_media`."""
        return self._open().media.digests()

    def maintain(self, progress: Callable[[int, int, str], None] | None = None, *, now: datetime | None = None) -> None:
        """See `Backend.maintain`."""
        maintain(self._open(writes=True), progress, now or datetime.now(UTC))

    def examine(self, *, repair: bool) -> list[Finding]:
        """See `ExaminedBackend.examine`."""
        return health.examine(self._open(writes=repair), repair=repair)

    def close(self) -> None:
        """See `Backend.close`."""
        self._stopping()
