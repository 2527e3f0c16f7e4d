"""A store at LanceDB Cloud or Enterprise (``db://``): its tables there, all else under a prefix of an object store.

    database.json         which database, and what the names of this store's tables there begin with; written once
    store.json, media/…, write.lease, upkeep.lease …      as in `Prefix`

So locks, readers' looks for changes, and the switch from old tables to new ones are those of an object store. A
database may hold other tables, and several stores.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from memplug.backends.lancedb.cloud_database import Database
from memplug.backends.lancedb.cloud_tier import CloudTier
from memplug.backends.lancedb.folder import POINTER
from memplug.backends.lancedb.prefix import Prefix
from memplug.exceptions import BackendError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.backends.lancedb.catalog import Library
    from memplug.backends.lancedb.cloud_access import CloudAccess
    from memplug.backends.lancedb.objects import Stamp
    from memplug.backends.lancedb.recent_table import RecentTable

_OWNER = "database.json"
#: Seconds after which tables are looked at anew though nobody changed them: the service may have made indexes since.
_REFRESH = 60.0
#: Seconds for which a write may still be done that got no answer; so long every read looks anew.
_DOUBT = 300.0


class Cloud(Prefix):
    """See `place.Place`.

    Args:
        access: How to reach it.
    """

    def __init__(self, access: CloudAccess) -> None:
        super().__init__(access.companion)
        self._cloud = access
        self._database: Database | None = None
        self._due = 0.0
        self._doubtful = 0.0

    @property
    def name(self) -> str:
        """See `Place.name`."""
        return self._cloud.url

    def stamp(self) -> Stamp | None:
        """See `Place.stamp`."""
        now = time.monotonic()
        if now > self._due or now < self._doubtful:
            self._due = now + _REFRESH
            self.stale()
        return super().stamp()

    def _doubt(self) -> None:
        self._doubtful = time.monotonic() + _DOUBT

    def connect(self) -> Database:
        """See `Place.connect`."""
        if self._database is None:
            self._database = Database(self._cloud, self._owner())
        return self._database

    def _owner(self) -> str:
        """What the names of this store's tables begin with; of a new store, nobody else's.

        Raises:
            ConfigError: What lies beside is of another store.
            BackendError: It is damaged.
        """
        found = self._objects.get(_OWNER)
        if found is None and self._objects.head(POINTER) is not None:
            raise self._others(f"a store of its own: {self._cloud.companion.url}")
        if found is None:
            note = {"database": self._cloud.url, "tables": f"memplug-{uuid.uuid4().hex}"}
            if self._objects.create(_OWNER, json.dumps(note).encode()) is not None:
                return note["tables"]
            found = self._objects.get(_OWNER)  # another process was faster
        try:
            held = json.loads(found.data if found is not None else b"")
            database, owner = str(held["database"]), str(held["tables"])
        except (ValueError, LookupError, TypeError) as error:
            raise BackendError(f"{_OWNER} at {self._cloud.companion.url!r} is damaged: {error!r}") from error
        if database != self._cloud.url:
            raise self._others(f"the store at {database}")
        return owner

    def _others(self, store: str) -> ConfigError:
        return ConfigError(
            f"the companion {self._cloud.companion.url!r} of {self.name} holds what belongs to {store}",
            hint="give each store a prefix of its own",
        )

    def tier(self, table: Any, *, durable: bool) -> CloudTier:  # type: ignore[override]
        """See `Place.tier`."""
        del durable
        return CloudTier(table, self._doubt)

    def recent(self, name: str, library: Library, dimension: int, *, fresh: bool = False) -> RecentTable:
        """See `Place.recent`."""
        found = super().recent(name, library, dimension, fresh=fresh)
        found.scatters = False  # files are the service's to merge: commits alone give the keeper nothing to do
        return found

    def commits(self, name: str) -> int:
        """See `Prefix.commits`: nothing that memplug could make fewer of."""
        del name
        return 0

    def unnamed(self, keep: Iterable[str]) -> list[str]:
        """See `Place.unnamed`."""
        kept = set(keep)
        return [name for name in self.connect().names() if name not in kept]

    def remove_tables(self, keep: Iterable[str]) -> None:
        """See `Place.remove_tables`."""
        for name in self.unnamed(keep):
            self.remove_table(name)

    def remove_table(self, name: str) -> None:
        """See `Place.remove_table`."""
        self.connect().drop(name)
