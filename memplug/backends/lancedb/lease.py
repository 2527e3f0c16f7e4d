"""A lock in an object store: an object that says who holds it, and that only who saw it last can replace.

    {"holder": "5f1c…", "held": true, "seconds": 15.0, "beat": 7}

Whoever takes the lock, renews it or lets it go replaces the object under the condition that it is still the one that
was seen (compare and swap). The holder renews it long before its ``seconds`` are over. A holder that was killed stops
renewing: who sees the object unchanged for all of its seconds, by a clock of its own, takes it over. So no two clocks
are ever compared; what is assumed is that all of them run at about the same speed.

A holder that was paused for too long knows by its own clock that it may have lost the lease (`Lease.check`), and what
it nevertheless has under way cannot be stopped any more: see `doubt` and `Prefix`.

The object also tells readers whether there is anything new, in one request: nothing changes without its being taken.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.backends.lancedb.access import LEASE
from memplug.backends.lancedb.locks import PATIENCE
from memplug.backends.lancedb.steady import steadily
from memplug.exceptions import BackendError, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.backends.lancedb.objects import Objects, Stamp

_log = logging.getLogger("memplug.backends.lancedb")

#: Shares of a lease: when it is renewed, and how long its holder trusts it. What is left is for clocks that run apart.
_RENEWAL, _TRUST = 0.25, 0.75
#: Seconds between two looks at a lease that somebody else holds: at first, and at most.
_POLL, _LONGEST_POLL = 0.01, 0.25
#: A clock that goes on while the machine sleeps; `time.monotonic` does not on Linux.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def _now() -> float:
    """Seconds of a clock that nobody sets."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a lease says about changes.

    Args:
        mark: Stands for the state of the store; None while somebody else may be changing it.
        before: The mark that this one followed, where nobody else can have changed anything in between.
    """

    mark: str | None
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the object holds."""

    holder: str
    held: bool
    seconds: float
    beat: int = 0

    def encoded(self) -> bytes:
        return json.dumps({name: getattr(self, name) for name in _State.__slots__}).encode()

    @classmethod
    def decoded(cls, data: bytes) -> _State:
        try:
            held = json.loads(data)
            return cls(**{name: held[name] for name in ("holder", "held", "seconds", "beat")})
        except (ValueError, TypeError, LookupError):
            return cls(holder="", held=True, seconds=LEASE)  # not written by us; it is taken over as one of the dead


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The object as it was last seen, and since when it has looked like that; without state where there is none."""

    stamp: Stamp | None
    state: _State | None
    since: float

    @property
    def free(self) -> bool:
        return self.state is None or not self.state.held

    @property
    def expired(self) -> bool:
        return self.state is not None and _now() - self.since > self.state.seconds

    @property
    def mark(self) -> str:
        return "nothing" if self.stamp is None else repr(self.stamp)


@dataclass(slots=True, kw_only=True)
class _Hold:
    """The lease while this process has it."""

    state: _State
    stamp: Stamp
    until: float
    before: str | None
    ended: threading.Event = field(default_factory=threading.Event)
    changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def valid(self) -> bool:
        return _now() < self.until


class Lease:
    """See `place.Lock`.

    Args:
        objects: Where it lies.
        name: The object.
        seconds: How long others leave a holder alone that they do not hear of.
        taken: Called whenever it was taken, with whether that was from a holder who had not let it go.
        patience: Seconds to wait for it.
    """

    def __init__(
        self,
        objects: Objects,
        name: str,
        *,
        seconds: float,
        taken: Callable[[bool], None],
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self.patience = patience
        self._objects = objects
        self._seconds = seconds
        self._taken = taken
        self._threads = threading.RLock()
        self._depth = 0
        self._seen: _Seen | None = None
        self._hold: _Hold | None = None
        self._left: Look | None = None

    @contextlib.contextmanager
    def held(self, patience: float | None = None) -> Iterator[None]:
        """See `Lock.held`."""
        wait = self.patience if patience is None else patience
        deadline = _now() + wait
        if not self._threads.acquire(timeout=wait):
            raise self._busy(wait)
        try:
            if not self._depth:
                self._take(deadline, wait)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth:
                    steadily(self._give)
        finally:
            self._threads.release()

    def check(self) -> None:
        """See `Lock.check`."""
        if self._depth and not self._assured():
            raise StoreBusy(
                f"this process was paused, or cut off from the store, for longer than its lock {self.name!r} is kept",
                hint="nothing was written; try again",
            )

    def regained(self) -> bool:
        """See `Lock.regained`."""
        if not self._depth or self._assured():
            return False
        self._end()
        try:
            self._take(_now() + self.patience, self.patience)
        except StoreBusy as error:
            raise BackendError(
                f"whether the last write is in the store could not be found out: {error.message}",
                hint="write the same again: nothing is stored twice",
            ) from error
        return True

    def _assured(self) -> bool:
        """Whether nobody else can have had it since it was taken; asks, where its time was over."""
        hold = self._hold
        if hold is None or hold.valid:
            return hold is not None
        with hold.changing:
            return hold.valid or (self._renewed(hold) and hold.valid)

    def look(self) -> Look:
        """What it says about changes; asks the store only where this process does not hold it."""
        hold = self._hold
        if hold is not None and hold.valid:
            return Look(mark=hold.state.holder, before=hold.before)
        seen = self._observed()
        if not seen.free:
            return Look(mark=None)
        left = self._left
        return Look(mark=seen.mark, before=left.before if left is not None and left.mark == seen.mark else None)

    def _observed(self) -> _Seen:
        found = self._objects.get(self.name)
        now = _now()
        if found is None:
            self._seen = _Seen(stamp=None, state=None, since=now)
        elif self._seen is None or self._seen.stamp != found.stamp:
            self._seen = _Seen(stamp=found.stamp, state=_State.decoded(found.data), since=now)
        return self._seen

    def _take(self, deadline: float, wait: float) -> None:
        try:
            taken = self._taken_until(deadline)
        except BaseException:
            steadily(self._give)
            raise
        if not taken:
            raise self._busy(wait)

    def _taken_until(self, deadline: float) -> bool:
        pause = _POLL
        while not steadily(self._attempt):
            left = deadline - _now()
            if left <= 0:
                return False
            # Uneven, so that those who wait do not ask all at once for ever.
            time.sleep(min(left, pause * random.uniform(0.5, 1)))  # noqa: S311 - no secret
            pause = min(pause * 1.5, _LONGEST_POLL)
        return True

    def _attempt(self) -> bool:
        """Tries once; first with what was seen last, which spares a look where nobody else writes."""
        seen = self._seen
        if seen is not None and seen.free and self._replaced(seen):
            return True
        seen = self._observed()
        return (seen.free or seen.expired) and self._replaced(seen)

    def _replaced(self, seen: _Seen) -> bool:
        state = _State(holder=uuid.uuid4().hex, held=True, seconds=self._seconds)
        begun = _now()
        stamp = self._put(state, seen.stamp)
        if stamp is None:
            return False
        hold = _Hold(
            state=state,
            stamp=stamp,
            until=begun + self._seconds * _TRUST,
            before=seen.mark if seen.free else None,
        )
        self._hold = hold
        with contextlib.suppress(RuntimeError):  # no further thread: then it is held for as long as nobody renews it
            threading.Thread(target=self._renew, args=(hold,), name="memplug-lease", daemon=True).start()
        self._taken(not seen.free)
        return True

    def _put(self, state: _State, seen: Stamp | None) -> Stamp | None:
        """Replaces what was seen; None where somebody else was faster."""
        data = state.encoded()
        stamp = self._objects.create(self.name, data) if seen is None else self._objects.swap(self.name, data, seen)
        if stamp is not None:
            return stamp
        # A request whose answer was lost is sent again, and then meets what it wrote itself.
        found = self._objects.get(self.name)
        return found.stamp if found is not None and found.data == data else None

    def _renew(self, hold: _Hold) -> None:
        while not hold.ended.wait(self._seconds * _RENEWAL):
            with hold.changing:
                if hold.ended.is_set() or not self._renewed(hold):
                    return

    def _renewed(self, hold: _Hold) -> bool:
        """Renews it once, and says whether it is still this process's as far as is known."""
        state = _State(holder=hold.state.holder, held=True, seconds=self._seconds, beat=hold.state.beat + 1)
        begun = _now()
        try:
            stamp = self._put(state, hold.stamp)
        except BackendError as error:
            _log.warning("the store's lock %s could not be renewed and will be tried again: %s", self.name, error)
            return True
        if stamp is None:
            hold.until = 0.0
            return False
        hold.state, hold.stamp, hold.until = state, stamp, begun + self._seconds * _TRUST
        return True

    def _end(self) -> _Hold | None:
        """Stops renewing."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.ended.set()
        return hold

    def _give(self) -> None:
        """Lets it go. What was done under it is done, so nothing fails for it: it ends by itself then."""
        hold = self._end()
        if hold is None:
            return
        with hold.changing:
            state = _State(holder=hold.state.holder, held=False, seconds=self._seconds, beat=hold.state.beat + 1)
            try:
                stamp = self._put(state, hold.stamp)
            except BackendError as error:
                _log.warning("the store's lock %s could not be let go and ends by itself: %s", self.name, error)
                return
        if stamp is not None:
            self._seen = _Seen(stamp=stamp, state=state, since=_now())
            self._left = Look(mark=self._seen.mark, before=hold.state.holder)

    def _busy(self, wait: float) -> StoreBusy:
        return StoreBusy(f"another writer has held the lock {self.name!r} for {wait:g} seconds", hint="try again later")
