"""Numbers the turns of a conversation, so that what was said before and after stays findable together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.store import View
from memplug.values.filters import Compare

if TYPE_CHECKING:
    from memplug.store import Store
    from memplug.values.scope import Scope

#: Conversations whose next number is remembered, so that threads that write one at a time do not share a number.
_REMEMBERED = 10_000
#: How many of the newest turns are looked at for the highest number; imported ones may be newer than their number.
_LAST = 20


@dataclass(slots=True)
class TurnCounter:
    """Hands out consecutive turn numbers per conversation, from 0.

    Two processes that write one conversation at the very same moment can hand out a number twice. That costs
    nothing but a neighbour counted as nearer than it is: numbers order turns, they identify nothing.
    """

    store: Store
    _next: OrderedDict[Scope, int] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, scope: Scope, count: int) -> int:
        """The first of ``count`` numbers that belong to the caller from now on."""
        with self._lock:
            first = max(self._next.get(scope, 0), self._stored(scope))
            self._next[scope] = first + count
            self._next.move_to_end(scope)
            if len(self._next) > _REMEMBERED:
                self._next.popitem(last=False)
            return first

    def forget(self) -> None:
        """Forgets what it remembers, after turns were removed."""
        with self._lock:
            self._next.clear()

    def _stored(self, scope: Scope) -> int:
        view = View(scope=scope, filter=Compare("position", "set", value=True), trusted=True)
        newest = self.store.select(view, limit=_LAST)
        return 1 + max((record.item.source.position or 0 for record in newest), default=-1)
