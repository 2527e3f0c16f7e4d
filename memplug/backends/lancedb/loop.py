"""Connections to LanceDB, and the thread in which its coroutines run.

Its synchronous interface has such a thread too, but goes there up to six times for one query (schema, blob columns,
plan, each batch); going there once took a quarter off a query.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import lancedb

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

#: Bytes that LanceDB may keep of indexes and of what tables say about themselves. By default it may keep 7 GiB: each
#: commit left 0.13 MB in memory, so that 2,400 single adds took 310 MB, and take 70 with these. All indexes of a
#: million memories are 73 MB.
INDEX_BYTES, TABLE_BYTES = 256 * 2**20, 32 * 2**20

_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def connect(location: str, **options: Any) -> Any:
    """An asynchronous connection that keeps its memory within bounds.

    Args:
        location: Folder or URL.
        options: See `lancedb.connect_async`.
    """
    session = lancedb.Session(index_cache_size_bytes=INDEX_BYTES, metadata_cache_size_bytes=TABLE_BYTES)
    return run(lancedb.connect_async(location, session=session, **options))


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Waits for a coroutine's result. What interrupts the caller ends the waiting only (see `steady`)."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running()).result()


def _running() -> asyncio.AbstractEventLoop:
    """The loop, started with the first call: a thread that runs before a fork would be missing after it."""
    global _loop  # noqa: PLW0603 - one thread for the process, as LanceDB's own
    if _loop is None:
        with _starting:
            if _loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="memplug-lancedb", daemon=True).start()
                _loop = loop
    return _loop
