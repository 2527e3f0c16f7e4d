"""The LanceDB store against signals that strike in the middle of a call."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

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
            _strike_after(0.001 + n * 0.0002)
            store.commit([changed(first, text="one " * 1_000)])
            _strike_after(0)
        except Struck:
            struck += 1
        try:
            store.commit([changed(first, text="two")])
        except VersionConflict as error:
            assert error.current == {f"id{n}": 2}  # noqa: PT017 - it may come or not
    rows = store._session.catalog().recent.scan(None, ["row_id"]).column("row_id").to_pylist()
    assert struck > 3
    assert len(rows) == len(set(rows)) == 60
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


def test_served_answers(tmp_path: Path) -> None:
    """The helper's side gives every error a form that can be sent."""
    served = _Served()
    request = BackendRequest(location=str(tmp_path / "store"), profile=PROFILE)
    assert served.answer("opened", (request,), {})[1] is None
    assert served.answer("count", (EVERYTHING,), {}) == (0, None)
    assert served.answer("nothing", (), {})[1][0] is BackendError
    assert served.answer("commit", ([record("a", version=3)],), {})[1][0] is VersionConflict
    served.close()
