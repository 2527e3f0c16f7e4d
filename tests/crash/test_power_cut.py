"""``sync="full"`` against power cuts: whatever was acknowledged is there, on the worst disk that is allowed.

The system calls of a working process are recorded (Debian's package strace) and played to a model of a disk; what
that has kept for certain is opened as a store. `pytest -m slow tests/crash/test_power_cut.py` goes through every
moment of longer runs, with several seeds.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from benchmarks import kill
from crash.disk import Disk, Kept, acknowledged, traced
from memplug import Memory

if TYPE_CHECKING:
    from crash.disk import Call

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="strace is there on Linux only"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="the program strace is not installed"),
]


def _calls(tmp_path: Path, seed: int, count: int) -> list[Call]:
    """What a process does that makes so many operations."""
    (top := tmp_path / "top").mkdir()
    (logs := tmp_path / "logs").mkdir()
    program = [sys.executable, kill.__file__, "--child", "--seed", str(seed), "--most", str(count)]
    return traced([*program, "--sync", "full", "--folder", str(top / "store")], logs, "0\n")


def _check(folder: Path, seed: int, done: int, *, exactly: bool) -> None:
    """The store holds what was acknowledged, and of the operation under way all or nothing."""
    possible = [kill.model_after(seed, done), *([] if exactly else [kill.model_after(seed, done + 1)])]
    keys = set().union(*(model.keyed for model in possible))
    with Memory(folder) as memory:
        found = kill.visible(kill.held(memory, keys))
        assert found in [kill.visible(model) for model in possible]
        memory.maintain()
        assert memory.doctor(repair=True).ok
        assert kill.visible(kill.held(memory, keys)) == found


@pytest.mark.parametrize("seed", [5])
def test_acknowledged_survives(tmp_path: Path, seed: int) -> None:
    """At the moment at which an operation has returned it is on the disk."""
    count = 24
    disk = Disk(tmp_path / "top")
    kept: tuple[Kept, ...] = get_args(Kept)
    for done, returned in acknowledged(_calls(tmp_path, seed, count), disk):
        if returned and (done in {1, count} or done % 8 == 0):
            folder = tmp_path / f"after{done}"
            disk.left(folder, kept[done % len(kept)], seed)
            _check(folder / "store", seed, done, exactly=True)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_any_moment(tmp_path: Path, seed: int) -> None:
    """Whenever the power is cut, what was acknowledged is there, and what was under way is there wholly or not."""
    disk = Disk(tmp_path / "top")
    ways: tuple[Kept, ...] = get_args(Kept)
    for moment, (done, returned) in enumerate(acknowledged(_calls(tmp_path, seed, 60), disk)):
        if done == 0 or moment % 4 != seed % 4:
            continue  # before the first there is no store yet that could hold anything
        disk.left(folder := tmp_path / "left", ways[moment // 4 % len(ways)], moment)
        _check(folder / "store", seed, done, exactly=returned)
        shutil.rmtree(folder)
