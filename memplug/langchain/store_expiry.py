"""Items that end by themselves: when, and how reading one puts its end off."""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput, MemplugError
from memplug.langchain.store_items import ttl_of
from memplug.pipelines.pieces import pieces_of
from memplug.pipelines.versions import following

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from memplug.pipelines.versions import Contention
    from memplug.store import Store
    from memplug.values.item import MemoryItem

log = logging.getLogger("memplug.langchain")

#: How much later than it has to a reading puts an end, as a part of the time to live: so an item that is read a
#: thousand times within that part gets one new version, not a thousand.
_AHEAD = 1 / 16
#: Minutes in a thousand years.
_LONGEST = 1000 * 365.25 * 24 * 60


def end_of(ttl: float | None, now: datetime) -> datetime | None:
    """When an item ends that lives for so many minutes from now on.

    Raises:
        MalformedInput: It is no number of minutes from 0 to a thousand years.
    """
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 <= ttl <= _LONGEST or math.isnan(ttl):
        raise MalformedInput(f"ttl must be a number of minutes, not {ttl!r:.80}")
    return now + timedelta(minutes=ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Puts off the end of what is read.

    Args:
        store: Where the items are.
        contention: For writers that came second.
    """

    store: Store
    contention: Contention

    def touch(self, items: Sequence[MemoryItem]) -> None:
        """Lets those that have a time to live, live for that time from now on, in one commit."""
        now = self.store.clock()
        due = [item.id for item in items if _is_due(item, now)]
        if due:
            self.contention.settled(lambda: self._put_off(due, now))

    def _put_off(self, ids: Sequence[str], now: datetime) -> None:
        records = []
        for record in self.store.backend.latest(ids).values():
            item, minutes = record.item, ttl_of(record.item)
            if item.deleted or minutes is None or not _is_due(item, now):
                continue
            end = now + timedelta(minutes=minutes * (1 + _AHEAD))
            pieces = [one.id for one in pieces_of(self.store, item)] if item.media else []
            # Read once more: the pieces of a listing come without their vectors.
            family = [record, *self.store.backend.latest(pieces).values()]
            records += [
                following(replace(one, item=replace(one.item, expires_at=end)), one, now)
                for one in family
                if not one.item.deleted
            ]
        if records:
            self.store.commit(records, {})


def _is_due(item: MemoryItem, now: datetime) -> bool:
    minutes, end = ttl_of(item), item.expires_at
    return minutes is not None and end is not None and now < end < now + timedelta(minutes=minutes)


class Sweeper:
    """A thread that sweeps now and then, until it is stopped.

    Args:
        sweep: What to call.
    """

    def __init__(self, sweep: Callable[[], int]) -> None:
        self._sweep = sweep
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self, minutes: float) -> None:
        """Begins; one that is running goes on as it was."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(minutes * 60, self._stopped), name="memplug-sweeper", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Ends after the sweep that it is at; whether it has."""
        self._stopped.set()
        thread, current = self._thread, threading.current_thread()
        if thread is None or thread is current:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self, seconds: float, stopped: threading.Event) -> None:
        while not stopped.wait(seconds):
            try:
                self._sweep()
            except MemplugError:
                log.exception("what has expired could not be removed; no read shows it, and the next sweep tries again")
