"""A store as one process has it open: folder, locks, tables, and whether they are still the current ones."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from memplug.backends.lancedb.catalog import LARGE, Catalog, Library
from memplug.backends.lancedb.doubt import settle
from memplug.backends.lancedb.folder import Folder, first_pointer
from memplug.backends.lancedb.place import place_of
from memplug.backends.lancedb.torn import mend
from memplug.backends.lancedb.trouble import Vanished
from memplug.backends.profile import check_profile, no_store
from memplug.exceptions import StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import pyarrow as pa

    from memplug.backends.lancedb.tier import Tier
    from memplug.plugins.protocols import BackendRequest, StoreProfile

T = TypeVar("T")

#: How often a read whose files went away is asked again.
_ATTEMPTS = 8


class Session:
    """An open store.

    Args:
        request: How it was asked for.

    Attributes:
        writing: Held for the moment of a commit.
        upkeep: Held while rows are moved between tables or tables are replaced.
    """

    def __init__(self, request: BackendRequest) -> None:
        self.request = request
        self.folder = place_of(request)
        self.durable = request.sync == "full"
        self.media = self.folder.media(durable=self.durable)
        self._opening = threading.Lock()
        self._prepare()
        self.writing = self.folder.lock("write")
        self.upkeep = self.folder.lock("upkeep")
        self._stamp = self.folder.stamp()
        if self._stamp is None:
            self._stamp = self._found()
        if isinstance(self.folder, Folder) and not request.read_only:
            tables = self.folder.read().tables
            mend([self.folder.table(tables[role]) for role in LARGE], self.writing)
        self.library = Library(self.folder, durable=self.durable)
        self._generation = self.folder.generation
        self._catalog = self._opened()
        if not request.read_only:
            self._catalog.recent.mend(self.writing)

    @property
    def profile(self) -> StoreProfile:
        """What the store was made with."""
        return self._catalog.pointer.profile

    def _prepare(self) -> None:
        """A folder to lock in; nothing is made where nothing may be."""
        if self.request.read_only or self.request.profile is None:
            if self.folder.stamp() is None:
                raise no_store(self.request.location)
            return
        self.folder.prepare()

    def _found(self) -> Hashable | None:
        """Makes the store, unless another process was faster."""
        profile = self.request.profile
        if profile is None:
            raise no_store(self.request.location)
        with self.writing.held():
            if self.folder.stamp() is None:
                pointer = first_pointer(profile)
                Library(self.folder, durable=self.durable).found(pointer)
                self.folder.point(pointer)
        return self.folder.stamp()

    def _opened(self) -> Catalog:
        for attempt in range(_ATTEMPTS):
            pointer = self.folder.read()
            check_profile(self.request, pointer.profile)
            try:
                return self.library.catalog(pointer)
            except Vanished:  # replaced between the two steps
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def catalog(self) -> Catalog:
        """The current tables, opened again where another process or thread replaced them.

        Raises:
            EmbedderMismatch: The store was rebuilt with another embedder meanwhile.
        """
        stamp = self.folder.stamp()
        generation = self.folder.generation
        if stamp == self._stamp and generation == self._generation:
            return self._catalog
        with self._opening:
            if stamp != self._stamp:
                if stamp is None:
                    raise no_store(self.request.location)
                self._catalog = self._opened()
                self._stamp, self._generation = stamp, generation
            elif generation > self._generation:
                self.folder.catch_up(self._catalog)
                self._generation = generation
            return self._catalog

    def replace(self, tables: dict[str, str], profile: StoreProfile | None = None) -> None:
        """Makes other tables the current ones and removes those that they replace. Both locks must be held."""
        pointer = self.catalog().pointer.moved(tables, profile)
        self.upkeep.check()
        self.writing.check()
        if not self.durable:
            # The pointer always survives a power cut, and the tables before are removed: so these must survive it, too.
            self.folder.sync_tables(*tables.values())
        before = self.request
        if profile is not None and before.profile is not None:
            # Before the switch, since another thread may look right after it.
            self.request = replace(before, profile=profile)
        try:
            self.folder.point(pointer)
        except BaseException:
            self.request = before
            raise
        self.folder.remove_tables(keep=pointer.tables.values())

    def remove_leftovers(self) -> None:
        """Removes tables that neither the store nor an unfinished rebuild names. The upkeep lock must be held."""
        self.folder.remove_tables(keep=self._named())

    def has_leftovers(self) -> bool:
        """Whether `remove_leftovers` would find something, as far as can be said without the lock."""
        return bool(self.folder.unnamed(self._named()))

    def _named(self) -> list[str]:
        return [*self.folder.read().tables.values(), *self.folder.promised()]

    def read(self, ask: Callable[[Catalog], T]) -> T:
        """Answers a read from one consistent state of the tables.

        It is asked again where its files were cleaned up under it, or where rows were moved while it looked:
        then a commit of several records might have shown only in part.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                catalog = self.catalog()
                before = self.folder.generation, catalog.memories.version()
                found = ask(catalog)
                if (self.folder.generation, catalog.memories.version()) == before:
                    return found
            except Vanished:
                self.folder.stale()
        return ask(self.catalog())

    def looked_up(self, ask: Callable[..., T | None]) -> T:
        """Answers a question from memory, where that can, else as `read` does.

        Args:
            ask: Takes the catalog, and by ``whole`` whether the tables may be asked; gives None where they have to be.
        """
        try:
            if (found := ask(self.catalog(), whole=False)) is not None:
                return found
        except Vanished:
            self.folder.stale()
        return cast("T", self.read(lambda catalog: ask(catalog, whole=True)))

    def again(self, step: Callable[[], T]) -> T:
        """Takes a step of upkeep, which may be repeated, anew where files that it was reading were cleaned up.

        Locks keep other processes off. They do not keep off a service that compacts its tables by itself, and forgets
        the version that this process is at.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                return step()
            except Vanished:
                self.folder.stale()
                self.catalog()
        return step()

    def append(self, tier: Tier, rows: pa.Table) -> int:
        """Appends to a current table, and returns the version that this made. The write lock must be held.

        Raises:
            StoreBusy: The lock was lost meanwhile, and nothing was written.
        """
        self.writing.check()
        version = tier.add(rows)
        if self.writing.regained():
            settle(self, rows)
        return version

    def check_writable(self) -> None:
        """Refuses a write where the store was opened read-only, or is not there any more.

        Raises:
            StoreReadOnly: It was opened so.
            NoStore: Somebody removed it.
        """
        if self.request.read_only:
            raise StoreReadOnly(f"the store at {self.request.location!r} was opened read-only")
        if self.folder.gone():
            raise no_store(self.request.location)
