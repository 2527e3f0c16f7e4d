"""A small memory on each backend, with a clock that a test can move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memplug import Memory
from support import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> Clock:
    """The clock of the `memory` fixture."""
    return Clock()


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    """An empty memory on a real LanceDB, and again on the in-memory backend."""
    location = str(tmp_path / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, embedder="hashing:256", clock=clock) as opened:
        yield opened
