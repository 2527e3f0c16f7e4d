"""The processes that read, shared by all of a program: started when they are needed, ended when nobody holds them.

Each is one of memplug's own (`memplug.safety.worker`): a fresh interpreter that may write nothing, has a limit on
memory, is killed when its time is up, ends with the program, is nobody's after a fork, and ends by itself when it has
had nothing to read for a minute and a half.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memplug.safety.worker import Pool
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug_ocr.settings import Settings

_TASK = "memplug_ocr.reading"
#: Seconds after which a process is replaced, between two pictures: loading the models takes it a second.
_AGE = 900.0


class Workers:
    """So many processes, each of which reads one picture at a time.

    Args:
        number: How many.
    """

    def __init__(self, number: int) -> None:
        self._pools = [Pool(frozenset({_TASK}), max_seconds=_AGE) for _ in range(number)]
        self._holders: weakref.WeakSet[object] = weakref.WeakSet()
        self.renew()

    def renew(self) -> None:
        """Forgets who is at work; in a forked child, nobody is."""
        self._lock = threading.Lock()
        self._waiting: Counter[int] = Counter()

    @property
    def pids(self) -> list[int]:
        """The processes that are there now."""
        return [pool.pid for pool in self._pools if pool.pid is not None]

    def run(self, data: bytes, settings: Settings, options: Mapping[str, Any]) -> Any:
        """What `memplug_ocr.reading.read` answers.

        Raises:
            InputRejected: It refused, took too much time or memory, or died of it.
            ConfigError: The process cannot be started.
        """
        limits = replace(Limits(), parser_bytes=settings.memory, parser_seconds=settings.seconds)
        with self._lock:
            # The first where all are free, so that one busy process is enough for one busy thread.
            place = min(range(len(self._pools)), key=lambda number: (self._waiting[number], number))
            self._waiting[place] += 1
        try:
            return self._pools[place].run(_TASK, data, limits=limits, options=options)
        finally:
            with self._lock:
                self._waiting[place] -= 1

    def hold(self, holder: object) -> None:
        """Keeps the processes for somebody, who need not live long enough to give them up."""
        with self._lock:
            self._holders.add(holder)

    def release(self, holder: object) -> None:
        """Gives them up; when nobody holds them any more, they end after what they are at."""
        with self._lock:
            self._holders.discard(holder)
            last = not self._holders
        if last:
            self.close()

    def close(self) -> None:
        """Ends the processes after what they are at."""
        for pool in self._pools:
            pool.close()


_shared: dict[int, Workers] = {}
_turn = threading.Lock()


def shared(number: int) -> Workers:
    """The program's processes of that number."""
    with _turn:
        if number not in _shared:
            _shared[number] = Workers(number)
        return _shared[number]


def close_all() -> None:
    """Ends all of them."""
    for workers in list(_shared.values()):
        workers.close()


def _renew_all() -> None:
    """In a forked child: a lock may be held by a thread that is not here."""
    global _turn  # noqa: PLW0603 - the lock of this process
    _turn = threading.Lock()
    for workers in _shared.values():
        workers.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
