"""Where a store lies: what the rest of the backend asks of a folder, be it on a disk or in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from memplug.backends.lancedb.folder import Folder, local_path

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from memplug.backends.lancedb.catalog import Catalog, Library
    from memplug.backends.lancedb.folder import Pointer
    from memplug.backends.lancedb.recent import Recent
    from memplug.backends.lancedb.tier import Tier
    from memplug.plugins.protocols import BackendRequest

#: Schemes of object stores.
OBJECT_STORES = ("s3", "gs", "az")


class Lock(Protocol):
    """One lock for the threads of this process and for other processes; a thread may hold it several times."""

    patience: float

    def held(self, patience: float | None = None) -> AbstractContextManager[None]:
        """Holds the lock.

        Raises:
            StoreBusy: Somebody else held it for longer than ``patience`` seconds (None: the lock's own).
        """
        ...

    def check(self) -> None:
        """Makes sure that this process, which took it, still has it.

        Raises:
            StoreBusy: It was paused for so long that somebody else may have it.
        """
        ...

    def regained(self) -> bool:
        """Takes it anew where it may have been lost while it was held, and says whether that was so.

        Raises:
            BackendError: Others held it for too long.
        """
        ...


class MediaStore(Protocol):
    """Originals by digest."""

    def put(self, digest: str, data: bytes) -> None:
        """Keeps bytes; they appear whole or not at all."""
        ...

    def open(self, digest: str) -> BinaryIO:
        """The bytes as a file open for reading.

        Raises:
            NotFound: There are none.
        """
        ...

    def remove(self, digests: Sequence[str]) -> None:
        """Removes bytes; what is not there is passed over."""
        ...

    def holds(self, digest: str) -> bool:
        """Whether there are bytes under a digest."""
        ...

    def sweep(self) -> None:
        """Removes what was begun long ago by a process that was killed."""
        ...

    def digests(self) -> Iterator[str]:
        """The digests of all that is kept."""
        ...


class Place(Protocol):
    """A store's folder."""

    @property
    def name(self) -> str:
        """How errors call it."""
        ...

    @property
    def generation(self) -> int:
        """Rises with every change that tables have to be told of (`catch_up`)."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether who holds a lock can rely on nobody else being at it, not even one that was paused for long."""
        ...

    def stamp(self) -> Hashable | None:
        """Changes whenever the pointer does; None where there is no store."""
        ...

    def stale(self) -> None:
        """Has the next `stamp` look at everything anew."""
        ...

    def catch_up(self, catalog: Catalog) -> None:
        """Brings opened tables to their newest version."""
        ...

    def gone(self) -> bool:
        """Whether somebody removed the store, as far as has to be known before a write."""
        ...

    def prepare(self) -> None:
        """Makes the folder, where there are such things."""
        ...

    def read(self) -> Pointer:
        """The pointer.

        Raises:
            BackendError: The file is damaged or cannot be read.
            ConfigError: A newer memplug made it.
        """
        ...

    def point(self, pointer: Pointer) -> None:
        """Makes other tables the current ones, in one step."""
        ...

    def text(self, name: str) -> str | None:
        """What a small file holds; None where there is none."""
        ...

    def write(self, name: str, text: str) -> None:
        """Replaces a small file in one step."""
        ...

    def drop(self, name: str) -> None:
        """Removes a small file, if it is there."""
        ...

    def lock(self, name: str) -> Lock:
        """A lock of the store: ``write`` or ``upkeep``."""
        ...

    def media(self, *, durable: bool) -> MediaStore:
        """The originals."""
        ...

    def connect(self) -> Any:
        """LanceDB's connection to the tables."""
        ...

    def tier(self, table: Any, *, durable: bool) -> Tier:
        """A table that was opened with that connection."""
        ...

    def recent(self, name: str, library: Library, dimension: int, *, fresh: bool = False) -> Recent:
        """What keeps single commits, opened, or made anew in the place of what a killed process left.

        Args:
            name: Its name, as that of a table.
            library: What opens and makes tables here.
            dimension: Length of a vector.
            fresh: Whether it is made.
        """
        ...

    def promised(self) -> list[str]:
        """The tables that an unfinished rebuild goes on with; none where its note cannot be understood."""
        ...

    def unnamed(self, keep: Iterable[str]) -> Sequence[object]:
        """What lies beside the tables that are named."""
        ...

    def remove_tables(self, keep: Iterable[str]) -> None:
        """Removes every table that is not named: what a rewrite left behind, finished or not."""
        ...

    def remove_table(self, name: str) -> None:
        """Removes one table, if it is there."""
        ...

    def sync_tables(self, *filled: str) -> None:
        """Makes the names of the tables survive a power cut, and all that these tables hold."""
        ...


def place_of(request: BackendRequest) -> Place:
    """The folder that a request means.

    Raises:
        ConfigError: The location or its options cannot be used.
        MissingExtra: It is in an object store, or needs one, and what reaches these is not installed.
    """
    if not is_remote(request.location):
        return Folder(local_path(request.location))
    from memplug.backends.lancedb.access import Access, check_installed

    check_installed()  # before what imports it
    if is_cloud(request.location):
        from memplug.backends.lancedb.cloud import Cloud
        from memplug.backends.lancedb.cloud_access import CloudAccess

        return Cloud(CloudAccess.of(request))
    from memplug.backends.lancedb.prefix import Prefix

    return Prefix(Access.of(request))


def is_remote(location: str) -> bool:
    """Whether a location is in no folder: in an object store, or at a service."""
    return "://" in location and (_scheme(location) in OBJECT_STORES or is_cloud(location))


def is_cloud(location: str) -> bool:
    """Whether a location is at LanceDB Cloud or Enterprise, which maintains its tables by itself."""
    return "://" in location and _scheme(location) == "db"


def _scheme(location: str) -> str:
    return location.partition("://")[0].lower()
