"""The LanceDB store against signals that strike in the middle of a call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from memplug.backends.lancedb import forks
from memplug.backends.lancedb.backend import LanceBackend
from memplug.backends.lancedb.forks import Helper, _Served
from memplug.backends.lancedb.steady import steadily
from memplug.exceptions import BackendError, NoStore, VersionConflict
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import EVERYTHING, PROFILE, changed, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")


class Struck(Exception):
    """What the alarm raises."""


@pytest.fixture
def alarm() -> Iterator[None]:
    """An alarm that raises `Struck` where `signal.setitimer` says when."""

    def strike(*_: object) -> None:
        raise Struck

    before = signal.signal(signal.SIGALRM, strike)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _strike_after(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


@pytest.mark.usefixtures("alarm")
def test_interrupted_commit(tmp_path: Path) -> None:
    """A commit that a signal cuts off is over when the signal's error arrives, so a retry never doubles a version."""
    store = LanceBackend(BackendRequest(location=str(tmp_path / "store"), profile=PROFILE))
    struck = 0
    for n in range(30):
        first = record(f"id{n}")
        store.commit([first])
        try:
            _strike_after(0.00002 + n * 0.00001)
            store.commit([changed(first, text="one " * 1_000)])
            _strike_after(0)
        except Struck:
            struck += 1
        try:
            store.commit([changed(first, text="two")])
        except VersionConflict as error:
            assert error.current == {f"id{n}": 2}  # noqa: PT017 - it may come or not
    recent = store._session.catalog().recent
    assert struck > 3
    assert len(recent.overlay) == 60
    assert recent.doubles() == []
    store.close()


@pytest.mark.usefixtures("alarm")
def test_interrupted_wait_withdraws(tmp_path: Path) -> None:
    """A batch whose caller is interrupted while it waits for another commit is not written afterwards."""
    store = LanceBackend(BackendRequest(location=str(tmp_path / "store"), profile=PROFILE))
    with store._committer._leading:
        _strike_after(0.05)
        with pytest.raises(Struck):
            store.commit([record("a")])
    store.commit([record("b")])
    assert sorted(store.ids(EVERYTHING)) == ["b"]
    store.close()


@pytest.mark.usefixtures("alarm")
def test_steps_end_before_interruptions() -> None:
    """What interrupts a step is raised once the step has ended, and its own error and result come through."""
    ended: list[int] = []

    def slow() -> None:
        time.sleep(0.2)
        ended.append(threading.get_ident())

    _strike_after(0.02)
    with pytest.raises(Struck):
        steadily(slow)
    assert len(ended) == 1
    assert ended[0] != threading.get_ident()
    assert steadily(lambda: 7) == 7
    with pytest.raises(RuntimeError, match="its own"):
        steadily(lambda: exec("raise RuntimeError('its own')"))  # noqa: S102 - an error inside a lambda


@pytest.mark.usefixtures("alarm")
def test_impatience_changes_nothing() -> None:
    """Who interrupts again and again while a step ends still waits for it, and gets the first interruption."""
    ended: list[int] = []

    def slow() -> None:
        time.sleep(0.5)
        ended.append(1)

    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        with pytest.raises(Struck):
            steadily(slow)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Struck:
        signal.setitimer(signal.ITIMER_REAL, 0)  # one more came between the two lines above
    assert ended == [1]


@pytest.mark.parametrize("verb", ["erase", "maintain"])
def test_lock_is_held_to_the_end(tmp_path: Path, verb: str) -> None:
    """However often Ctrl-C is pressed while an erasure or maintenance runs: once it is over nothing goes on."""
    program = """
import signal, sys
from memplug.backends.lancedb import open_lancedb
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import *

def strike(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, strike)
store = open_lancedb(BackendRequest(location=sys.argv[1], profile=PROFILE))
store.commit([record(f"id{n}", text="word") for n in range(50)])
interrupted = 0
for n in range(8):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.002 + n * 0.001, 0.003)
            store.erase([f"id{n}"]) if sys.argv[2] == "erase" else store.maintain()
        except KeyboardInterrupt:
            interrupted += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:  # one more came while the first was handled
        signal.setitimer(signal.ITIMER_REAL, 0)
    before = sorted(os.walk(sys.argv[1]), key=str)
    time.sleep(0.15)
    assert sorted(os.walk(sys.argv[1]), key=str) == before, "something went on after the call was over"
    store.commit([record(f"new{n}", text="word")])
    assert store.count(EVERYTHING) in range(42, 60)
assert interrupted > 2, interrupted
store.close()
"""
    command = [sys.executable, "-c", "import os, time\n" + program, str(tmp_path / "store"), verb]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]


@pytest.mark.usefixtures("alarm")
def test_interrupted_helper(tmp_path: Path) -> None:
    """After an interrupted call the process that serves a forked child gives no call the answer of another."""
    request = BackendRequest(location=str(tmp_path / "store"), profile=PROFILE)
    helper = Helper(request)
    helper.commit([record("a")])
    stopped = helper._process.pid
    os.kill(stopped, signal.SIGSTOP)
    _strike_after(0.05)
    with pytest.raises(Struck):
        helper.latest(["a"])
    os.kill(stopped, signal.SIGCONT)
    with pytest.raises(BackendError, match="open the store again"):
        helper.count(EVERYTHING)
    helper.close()
    assert helper._process.returncode == 0
    with pytest.raises(BackendError, match="closed"):
        helper.count(EVERYTHING)


def test_helper_survives(tmp_path: Path) -> None:
    """The process that serves a forked child survives Ctrl-C, and calls that nobody foresaw as typed errors."""
    helper = Helper(BackendRequest(location=str(tmp_path / "store"), profile=PROFILE))
    os.kill(helper._process.pid, signal.SIGINT)
    with pytest.raises(BackendError, match="cannot latest: TypeError"):
        helper.latest(3)
    helper.put_media("0" * 64, b"data")
    assert helper.release_media(["0" * 64, "1" * 64]) == {"0" * 64}
    helper.maintain()
    assert helper.count(EVERYTHING) == 0
    (tmp_path / "store" / "store.json").unlink()
    with pytest.raises(NoStore):
        helper.put_media("0" * 64, b"data")
    helper.close()
    assert helper._process.returncode == 0


def _ask(helper: Helper, errors: list[BaseException]) -> None:
    try:
        helper.count(EVERYTHING)
    except BackendError as error:
        errors.append(error)


def test_helper_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing does not wait for ever for a helper that does not end, with a call under way or without."""
    monkeypatch.setattr(forks, "_LONGEST_CLOSE", 0.2)
    for busy in (False, True):
        helper = Helper(BackendRequest(location=str(tmp_path / "store"), profile=PROFILE))
        os.kill(helper._process.pid, signal.SIGSTOP)
        errors: list[BaseException] = []

        asking = threading.Thread(target=_ask, args=(helper, errors))
        if busy:
            asking.start()
            while not helper._lock.locked():
                time.sleep(0.01)
        helper.close()
        assert helper._process.returncode == -signal.SIGKILL
        if busy:
            asking.join(30)
            assert [type(error) for error in errors] == [BackendError]
        helper.close()


def test_served_answers(tmp_path: Path) -> None:
    """The helper's side gives every error a form that can be sent."""
    served = _Served()
    request = BackendRequest(location=str(tmp_path / "store"), profile=PROFILE)
    assert served.answer("opened", (request,), {})[1] is None
    assert served.answer("count", (EVERYTHING,), {}) == (0, None)
    assert served.answer("nothing", (), {})[1][0] is BackendError
    assert served.answer("commit", ([record("a", version=3)],), {})[1][0] is VersionConflict
    served.close()
