"""What every test against the model begins with."""

from __future__ import annotations

import pytest

from memplug import Memory
from memplug.backends.lancedb import upkeep


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What LanceDB opens once for the whole process is open, and does not count as left open."""
    with Memory(tmp_path_factory.mktemp("warm") / "store", embedder="hashing:64") as memory:
        memory.add("first", user_id="first")
        memory.maintain()


@pytest.fixture(autouse=True)
def small_tiers(warm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows move between the tiers within a run."""
    del warm
    monkeypatch.setattr(upkeep, "FOLD_ROWS", 9)
    monkeypatch.setattr(upkeep, "COMPACT_COMMITS", 4)
