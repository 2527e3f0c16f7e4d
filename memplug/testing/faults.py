"""Failing calls: a backend and an embedder whose n-th call raises, to see what a store is like afterwards.

    faults = Faults()
    plugin = Faulty(faults=faults, backend=open_mine, embedder=HashingEmbedder)
    memory = Memory(f"faulty://{location}", embedder="faulty:64", plugins=[plugin])
    faults.arm(3, StoreFull("no room"), when="after")
    memory.add(...)                     # its third call into backend or embedder raises

A call that fails *before* did nothing; one that fails *after* did its work and its answer was lost, as when a
connection breaks. Either way what had been acknowledged must still be there, what failed must be there wholly or
not at all, and the same call again must neither double nor lose anything.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar, cast

from memplug.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from memplug.plugins.hookspecs import Register
    from memplug.plugins.protocols import (
        Backend,
        BackendRequest,
        Embedder,
        ExaminedBackend,
        Finding,
        Match,
        Selection,
        StoreProfile,
    )
    from memplug.values.filters import Filter
    from memplug.values.item import Record

T = TypeVar("T")
When = Literal["before", "after"]

SCHEME = "faulty"
#: The calls that change rows, and those about media; what `Faults.arm` takes as ``calls``.
WRITES = frozenset({"commit", "erase", "maintain", "rebuild"})
MEDIA = frozenset({"put_media", "open_media", "remove_media", "release_media", "list_media"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    nth: int
    error: Exception
    when: When
    calls: Collection[str] | None

    def concerns(self, call: str) -> bool:
        return self.calls is None or call in self.calls


@dataclass(slots=True, eq=False)
class Faults:
    """Says which call fails, and keeps what was called. Safe to share between threads and stores.

    Attributes:
        calls: The names of all calls since `arm` or `clear`.
        fired: The error that was raised, once it was.
    """

    calls: list[str] = field(default_factory=list)
    fired: Exception | None = None
    _fault: _Fault | None = None
    _counted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, nth: int, error: Exception, *, when: When = "before", calls: Collection[str] | None = None) -> None:
        """Makes the ``nth`` call from now on fail, once.

        Args:
            nth: Counted from 1.
            error: What it raises.
            when: Before its work or after it.
            calls: Count only calls of these names; None counts all.
        """
        with self._lock:
            self._fault = _Fault(nth=nth, error=error, when=when, calls=calls)
            self._counted, self.fired, self.calls = 0, None, []

    def clear(self) -> None:
        """Lets every call through again."""
        with self._lock:
            self._fault, self._counted, self.fired, self.calls = None, 0, None, []

    def around(self, call: str, work: Callable[[], T]) -> T:
        """What ``work`` returns, unless this call is the one that fails."""
        fault = self._due(call)
        if fault is not None and fault.when == "before":
            raise fault.error
        result = work()
        if fault is not None:
            close = getattr(result, "close", None)
            if callable(close):
                close()  # nobody will get the file
            raise fault.error
        return result

    def _due(self, call: str) -> _Fault | None:
        with self._lock:
            self.calls.append(call)
            fault = self._fault
            if fault is None or not fault.concerns(call):
                return None
            self._counted += 1
            if self._counted != fault.nth:
                return None
            self._fault, self.fired = None, fault.error
            return fault


class FaultyBackend:
    """A real backend behind calls that may fail.

    Args:
        backend: Does the work.
        faults: Says which call fails.
    """

    def __init__(self, backend: Backend, faults: Faults) -> None:
        self._backend = backend
        self._faults = faults
        self.profile = backend.profile
        self.capabilities = backend.capabilities

    def commit(self, records: Sequence[Record]) -> None:
        """See `Backend.commit`."""
        self._faults.around("commit", lambda: self._backend.commit(records))

    def latest(self, ids: Sequence[str]) -> dict[str, Record]:
        """See `Backend.latest`."""
        return self._faults.around("latest", lambda: self._backend.latest(ids))

    def versions(self, id_: str) -> list[Record]:
        """See `Backend.versions`."""
        return self._faults.around("versions", lambda: self._backend.versions(id_))

    def select(self, selection: Selection) -> list[Record]:
        """See `Backend.select`."""
        return self._faults.around("select", lambda: self._backend.select(selection))

    def nearest(self, vector: NDArray[np.float32], selection: Selection) -> list[Match]:
        """See `Backend.nearest`."""
        return self._faults.around("nearest", lambda: self._backend.nearest(vector, selection))

    def match(self, terms: Sequence[str], selection: Selection) -> list[Match]:
        """See `Backend.match`."""
        return self._faults.around("match", lambda: self._backend.match(terms, selection))

    def count(self, where: Filter, *, as_of: datetime | None = None) -> int:
        """See `Backend.count`."""
        return self._faults.around("count", lambda: self._backend.count(where, as_of=as_of))

    def ids(self, where: Filter) -> set[str]:
        """See `Backend.ids`."""
        return self._faults.around("ids", lambda: self._backend.ids(where))

    def references(self, digests: Sequence[str]) -> set[str]:
        """See `Backend.references`."""
        return self._faults.around("references", lambda: self._backend.references(digests))

    def erase(self, ids: Sequence[str]) -> None:
        """See `Backend.erase`."""
        self._faults.around("erase", lambda: self._backend.erase(ids))

    def put_media(self, digest: str, data: bytes) -> None:
        """See `Backend.put_media`."""
        self._faults.around("put_media", lambda: self._backend.put_media(digest, data))

    def open_media(self, digest: str) -> BinaryIO:
        """See `Backend.open_media`."""
        return self._faults.around("open_media", lambda: self._backend.open_media(digest))

    def remove_media(self, digests: Sequence[str]) -> None:
        """See `Backend.remove_media`."""
        self._faults.around("remove_media", lambda: self._backend.remove_media(digests))

    def release_media(self, digests: Sequence[str]) -> set[str]:
        """See `Backend.release_media`."""
        return self._faults.around("release_media", lambda: self._backend.release_media(digests))

    def list_media(self) -> Iterable[str]:
        """See `Backend.list_media`."""
        return self._faults.around("list_media", self._backend.list_media)

    def maintain(self, progress: Callable[[int, int, str], None] | None = None, *, now: datetime | None = None) -> None:
        """See `Backend.maintain`."""
        self._faults.around("maintain", lambda: self._backend.maintain(progress, now=now))

    def rebuild(
        self,
        profile: StoreProfile,
        convert: Callable[[list[Record]], list[Record]],
        progress: Callable[[int, int, str], None] | None = None,
    ) -> int:
        """See `Backend.rebuild`."""
        try:
            return self._faults.around("rebuild", lambda: self._backend.rebuild(profile, convert, progress))
        finally:
            self.profile = self._backend.profile

    def examine(self, *, repair: bool) -> Sequence[Finding]:
        """See `ExaminedBackend.examine`; asked for only where the real backend says that it has it."""
        examined = cast("ExaminedBackend", self._backend)
        return self._faults.around("examine", lambda: examined.examine(repair=repair))

    def close(self) -> None:
        """See `Backend.close`. Never fails by itself, so that a test can clean up."""
        self._backend.close()


class FaultyEmbedder:
    """A real embedder behind calls that may fail. Its vectors are those of the real one, under a name of its own.

    Args:
        embedder: Makes the vectors.
        faults: Says which call fails.
    """

    def __init__(self, embedder: Embedder, faults: Faults) -> None:
        self._embedder = embedder
        self._faults = faults
        self.dimension = embedder.dimension
        self.name = f"{SCHEME}:{embedder.dimension}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        return self._faults.around("embed", lambda: self._embedder.embed(texts))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        return self._faults.around("embed_query", lambda: self._embedder.embed_query(text))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Faulty:
    """The plugin: ``faulty://<location>`` is a store behind failing calls, ``faulty:<dimension>`` such an embedder.

    Args:
        faults: Says which call fails.
        backend: Opens the store; its request has the location without ``faulty://``.
        embedder: Makes the embedder from what stands behind the colon, its dimension.
    """

    faults: Faults
    backend: Callable[[BackendRequest], Backend]
    embedder: Callable[[str], Embedder]

    @hookimpl
    def register_backends(self, register: Register[Callable[[BackendRequest], Backend]]) -> None:
        """Registers ``faulty://``."""
        register(SCHEME, self._opened)

    @hookimpl
    def register_embedders(self, register: Register[Callable[[str], Embedder]]) -> None:
        """Registers ``faulty:``."""
        register(SCHEME, lambda argument: FaultyEmbedder(self.embedder(argument), self.faults))

    def _opened(self, request: BackendRequest) -> Backend:
        location = request.location.removeprefix(f"{SCHEME}://")
        return FaultyBackend(self.backend(replace(request, location=location)), self.faults)
