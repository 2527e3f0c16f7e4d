"""The built-in backends keep the contract that third parties' backends are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from memplug.backends.inmemory import open_inmemory
from memplug.backends.lancedb import open_lancedb
from memplug.backends.lancedb.fold import Fold
from memplug.backends.lancedb.tier import Tier
from memplug.exceptions import ConfigError, EmbedderMismatch, StoreReadOnly
from memplug.plugins.protocols import BackendRequest, StoreProfile
from memplug.testing.backend import BackendContract
from memplug.testing.records import EVERYTHING, PROFILE, record

if TYPE_CHECKING:
    from pathlib import Path

    from memplug.backends.lancedb.backend import LanceBackend
    from memplug.plugins.protocols import Backend


class TestInMemory(BackendContract):
    """The store without files."""

    persistent = False

    def open_backend(self, folder: Path) -> Backend:
        """A new store each time; the folder is not used."""
        del folder
        return open_inmemory(BackendRequest(location="memory://", profile=PROFILE))


class TestLance(BackendContract):
    """The store on LanceDB, moved between its tiers under the tests' feet."""

    disturbed = 19

    def open_backend(self, folder: Path) -> Backend:
        """A store in the folder."""
        return open_lancedb(BackendRequest(location=str(folder), profile=PROFILE))

    def disturb(self, backend: Backend, step: int) -> None:
        """Moves rows on, and stops after so many steps; now and then the files become few, which costs the most."""
        session = cast("LanceBackend", backend)._session
        self.disturbed += 1
        with session.upkeep.held(), pytest.MonkeyPatch.context() as patch:
            if self.disturbed % 20:
                patch.setattr(Tier, "compact", lambda *_, **__: None)
            fold = Fold.of(session)
            for move in (fold.archive, fold.settle, fold.clear)[:step]:
                move()


def _named(name: str, *, profile: StoreProfile | None = PROFILE, read_only: bool = False) -> Backend:
    return open_inmemory(BackendRequest(location=f"memory://{name}", profile=profile, read_only=read_only))


def test_named_memory_is_shared() -> None:
    """A named store in memory is one store within the process, and a nameless one is new each time."""
    _named("shared").commit([record("a")])
    assert _named("shared", profile=None).count(EVERYTHING) == 1
    assert _named("").count(EVERYTHING) == 0


def test_named_memory_refusals() -> None:
    """A named store refuses another embedder, writes through a read-only handle, and to be opened where it is not."""
    _named("refusing")
    with pytest.raises(EmbedderMismatch):
        _named("refusing", profile=StoreProfile(embedder="other", dimension=8))
    with pytest.raises(StoreReadOnly):
        _named("refusing", read_only=True).commit([record("a")])
    with pytest.raises(ConfigError, match="no store"):
        _named("nowhere", profile=None)
