"""The tables of one store in a database of LanceDB Cloud or Enterprise.

A table is read at one version (`CloudTier`) and written at its newest, and LanceDB's client has all handles of a
table that one connection opened share the version. So there is a connection to write with, and each table that is
opened gets one of its own to read with; a connection costs nothing until it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import lancedb
from lancedb.remote import ClientConfig, RetryConfig, TimeoutConfig

from memplug.backends.lancedb.cloud_trouble import service_errors
from memplug.backends.lancedb.loop import run
from memplug.backends.lancedb.trouble import Vanished

if TYPE_CHECKING:
    import pyarrow as pa

    from memplug.backends.lancedb.cloud_access import CloudAccess

#: Seconds until a connection stands, or does not.
_CONNECT = 10.0
#: What is asked again is up to `CloudTier`: a write that the client repeated by itself might be done twice, and a read
#: whose connection broke it does not repeat.
_NO_RETRIES = RetryConfig(retries=0, connect_retries=0, read_retries=0)
#: Names of tables that are asked for at once.
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTable:
    """A table, twice.

    Args:
        name: As memplug calls it.
        access: How it was reached.
        reading: Where its version may be set.
        writing: Where it never is.
    """

    name: str
    access: CloudAccess
    reading: Any
    writing: Any


class Database:
    """What `catalog.Library` needs of a connection, for the tables of one store among all of a database.

    Args:
        access: How to reach it.
        owner: What the names of this store's tables begin with.
    """

    def __init__(self, access: CloudAccess, owner: str) -> None:
        self._access = access
        self._start = f"{owner}-"
        self._writing = run(self._connected())

    async def _connected(self) -> Any:
        access = self._access
        timeouts = TimeoutConfig(
            connect_timeout=min(_CONNECT, access.timeout_seconds), read_timeout=access.timeout_seconds
        )
        more = {"region": access.region} if access.region else {}
        with service_errors(access, "use the database"):
            return await lancedb.connect_async(
                access.url,
                api_key=access.api_key,
                host_override=access.host_override,
                # Every read asks for what was committed before it: another process may have been, a moment ago.
                read_consistency_interval=timedelta(0),
                client_config=ClientConfig(retry_config=_NO_RETRIES, timeout_config=timeouts),
                **more,
            )

    async def open_table(self, name: str) -> CloudTable:
        """Opens a table.

        Raises:
            Vanished: There is none.
        """
        reading = await self._connected()
        with service_errors(self._access, "open the store"):
            return CloudTable(
                name=name,
                access=self._access,
                reading=await reading.open_table(self._start + name),
                writing=await self._writing.open_table(self._start + name),
            )

    async def create_table(self, name: str, *, schema: pa.Schema) -> CloudTable:
        """Makes an empty table."""
        with service_errors(self._access, "make a table"):
            await self._writing.create_table(self._start + name, schema=schema)
        return await self.open_table(name)

    def names(self) -> list[str]:
        """The tables of this store."""
        found: list[str] = []
        page: str | None = None
        with service_errors(self._access, "look for old tables"):
            while True:
                listed = run(self._writing.list_tables(page_token=page, limit=_PAGE))
                found += listed.tables
                if (page := listed.page_token) is None:
                    return [name.removeprefix(self._start) for name in found if name.startswith(self._start)]

    def drop(self, name: str) -> None:
        """Removes a table, if it is there."""
        try:
            with service_errors(self._access, "remove an old table"):
                run(self._writing.drop_table(self._start + name))
        except Vanished:
            return
