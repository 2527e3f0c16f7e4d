"""What comes after what: the next version of a memory, and another try for a writer that came second."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from memplug.exceptions import VersionConflict
from memplug.values.item import MemoryItem, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

T = TypeVar("T")

#: With which words a deletion names the memory that took the place of the deleted one.
SUPERSEDED_BY = "superseded by "
#: The smallest step of a stored time.
TICK = timedelta(microseconds=1)
#: How often a writer that came second tries again. Only other processes can still come first then, each of them
#: making progress itself; 24 writers of one key needed at most 24.
_ATTEMPTS = 64
#: Longest pause between two tries, in seconds; chosen by chance, so that two processes get out of step.
_PAUSE = 0.005


def following(record: Record, previous: Record, now: datetime, *, reborn: bool = False) -> Record:
    """A record as the version after another.

    Args:
        record: The content.
        previous: The version that is there.
        now: The present moment; the version is dated later than the one before it, also where a clock ran backwards.
        reborn: Whether the memory had ended, so that it counts as made anew.
    """
    old, moment = previous.item, max(now, previous.item.updated_at + TICK)
    item = replace(
        record.item,
        version=old.version + 1,
        created_at=moment if reborn else old.created_at,
        updated_at=moment,
        valid_to=None,
    )
    return replace(record, item=item)


def tombstone(current: Record) -> Record:
    """The version that is a deletion. It says whose and since when, and holds nothing of the content."""
    old = current.item
    item = MemoryItem(
        id=old.id,
        kind=old.kind,
        text="",
        created_at=old.created_at,
        updated_at=old.updated_at,
        version=old.version,
        deleted=True,
        part_of=old.part_of,
        user_id=old.user_id,
        agent_id=old.agent_id,
        run_id=old.run_id,
        bucket=old.bucket,
    )
    return Record(item=item)


def same_original(one: Record | None, other: Record) -> bool:
    """Whether two versions of a memory hold the same bytes."""
    if one is None or one.item.media is None or other.item.media is None:
        return False
    return one.item.media.digest == other.item.media.digest


@dataclass(frozen=True, slots=True)
class Contention:
    """Tries again what lost a race for a version.

    In each round one writer of an id wins, so many writers of one id would starve each other. Those that lost wait
    for each other inside the process.
    """

    _second: threading.Lock = field(default_factory=threading.Lock)

    def settled(self, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns, which looks anew at the store each time.

        Raises:
            VersionConflict: It lost every time.
        """
        try:
            return attempt()
        except VersionConflict as conflict:
            lost = conflict
        for _ in range(_ATTEMPTS):
            try:
                with self._second:
                    return attempt()
            except VersionConflict as conflict:
                lost = conflict
            time.sleep(random.uniform(0, _PAUSE))  # noqa: S311 - chance for fairness, not for secrecy
        raise lost


def check_version(name: str, previous: Record | None, current: int, expected: int | None) -> None:
    """Refuses a change to another version than the caller expects.

    Raises:
        VersionConflict: ``expected`` is given and is not ``current``.
    """
    if expected is not None and current != expected:
        raise VersionConflict(
            f"{name} is at version {current}, not {expected}",
            current={previous.id: current} if previous else {},
            hint="read it again and decide anew",
        )
