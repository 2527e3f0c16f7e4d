"""`Memory` against processes that die or race: short runs of two programs that print the long ones as tables.

python tests/benchmarks/kill.py --rounds 50
python tests/benchmarks/processes.py --processes 4 --calls 250
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import kill, processes

if TYPE_CHECKING:
    from pathlib import Path


def test_kill_and_try_again(tmp_path: Path) -> None:
    """Whoever is killed at any moment and tries again loses, doubles and halves nothing, and leaves nothing behind."""
    count = kill.attack(tmp_path / "store", seed=3, rounds=3)
    assert not count.wrong, kill.report(count, 0)
    assert count.acknowledged > 3


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("sync", ["normal", "full"])
@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_kills(tmp_path: Path, seed: int, sync: kill.Sync) -> None:
    """The same, fifty times in a row."""
    count = kill.attack(tmp_path / "store", seed=seed, rounds=50, sync=sync)
    assert not count.wrong, kill.report(count, 0)


def test_processes_race(tmp_path: Path) -> None:
    """Processes that add the same texts and keys at once lose and double nothing, and none of them sees an error."""
    found = processes.race(tmp_path / "store", processes=2, count=25, seed=1)
    assert (found.errors, found.lost, found.double) == ([], 0, 0)
    assert found.calls == 50
