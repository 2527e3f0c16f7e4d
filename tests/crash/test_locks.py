"""The lock between processes: one holder at a time, free once that is gone, whatever it left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock, Timeout

from memplug.backends.lancedb.locks import StoreLock
from memplug.exceptions import BackendError, StoreBusy

if TYPE_CHECKING:
    from pathlib import Path


def test_held_by_one(tmp_path: Path) -> None:
    """Threads and objects keep each other out, one thread may take it twice, and other programs' locks count."""
    one, other = StoreLock(tmp_path / "lock"), StoreLock(tmp_path / "lock", patience=0.02)
    busy: list[str] = []

    def take() -> None:
        try:
            with one.held(0.02):
                pass
        except StoreBusy as error:
            busy.append(error.code)

    with one.held(), one.held():
        with pytest.raises(StoreBusy), other.held():
            pass
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        with pytest.raises(Timeout):
            FileLock(tmp_path / "lock").acquire(timeout=0)
    assert busy == ["backend.busy"]
    with FileLock(tmp_path / "lock"), pytest.raises(StoreBusy), one.held(0.02):
        pass
    with other.held(), pytest.raises(StoreBusy), one.held(0.02):
        pass


def test_removed_file(tmp_path: Path) -> None:
    """A lock file that was removed, with the store or by hand, does not let two in at the new one."""
    one, other, third = (StoreLock(tmp_path / "lock", patience=0.02) for _ in range(3))
    with one.held():
        (tmp_path / "lock").unlink()
        with other.held(), pytest.raises(StoreBusy), third.held():
            pass
    with third.held():
        pass


def test_no_folder(tmp_path: Path) -> None:
    """A lock in a folder that is not there is an error, and nothing is left held."""
    lock = StoreLock(tmp_path / "gone" / "lock", patience=0.02)
    with pytest.raises(BackendError), lock.held():
        pass
    (tmp_path / "gone").mkdir()
    with lock.held():
        pass


_HOLDER = """
import os, sys, time
from pathlib import Path
from memplug.backends.lancedb.locks import StoreLock
lock = StoreLock(Path(sys.argv[1]))
with lock.held():
    if os.fork() == 0:
        os.close(1)
        sys.stdin.read()
        os._exit(0)
    print("held", flush=True)
    if sys.argv[2] == "killed":
        time.sleep(60)
print("free", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("end", ["killed", "released"])
def test_child_of_a_holder(tmp_path: Path, end: str) -> None:
    """A child that was forked while its parent held the lock holds nothing, however the parent lets go."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "lock"), end]
    lock = StoreLock(tmp_path / "lock", patience=20)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        if end == "killed":
            with pytest.raises(StoreBusy), lock.held(0.05):
                pass
            holder.kill()
        else:
            assert holder.stdout.readline() == "free\n"
        with lock.held():
            pass
        holder.kill()
