"""Tasks: what `add` leaves to do, kept in the store beside what it is about.

A task is a record of its own in a place that no scope reaches, committed together with the memories that are pending.
So any process that opens the store can tell how far it has come, and go on with it.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from memplug.exceptions import NotFound
from memplug.pipelines.identity import keyed_id
from memplug.pipelines.versions import following
from memplug.store import TASK, View
from memplug.values.filters import Compare
from memplug.values.item import MemoryItem, Record
from memplug.values.outcome import Outcome
from memplug.values.prompt import Usage
from memplug.values.scope import ReservedScope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from memplug.store import Store

State = Literal["running", "completed", "failed"]

#: Where tasks lie. Ids that begin so are nobody's scope.
TASKS = ReservedScope(run_id="memplug:tasks")
#: How long a task that has ended can be asked for.
_KEPT = timedelta(days=7)
#: Seconds that a claim holds without being renewed; what dies on the same machine is noticed at once.
LEASE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """How far a task has come.

    Args:
        id: What `Memory.add` gave as ``task_id``.
        state: ``running``, ``completed``, or ``failed`` where a step could not be carried out.
        done, total: Memories that are no longer pending, and memories altogether.
        outcomes: What became of each memory that is no longer pending: ``updated``, or ``deleted`` meanwhile.
        added: The ids of the memories that the task is about, which `add` stored.
        error: Why the first step that failed did, in words.
        usage: What models took for it until now.
        note: What a task that is running waits for, where this process cannot go on with it; empty otherwise.
    """

    id: str
    state: State
    done: int
    total: int
    outcomes: tuple[Outcome, ...] = ()
    added: tuple[str, ...] = ()
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    note: str = ""

    @property
    def updated(self) -> tuple[str, ...]:
        """The ids of the memories that have what was still to come."""
        return tuple(str(one.id) for one in self.outcomes if one.event == "updated")

    @property
    def deleted(self) -> tuple[str, ...]:
        """The ids of the memories that were removed before their turn came."""
        return tuple(str(one.id) for one in self.outcomes if one.event == "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task as it is stored.

    Args:
        id: What callers know it by.
        ids: The memories that were pending when it began.
        tries: How often each was tried in vain at the step that it is at.
        due: When it is to be gone on with, as seconds since 1970.
        owner: Who is at it: machine, process and a word of its own; empty where nobody is.
        leased: Until when, as seconds since 1970, where it is not renewed.
        usage: What models took for it until now.
    """

    id: str
    ids: tuple[str, ...]
    tries: Mapping[str, int] = field(default_factory=dict)
    due: float = 0.0
    owner: str = ""
    leased: float = 0.0
    usage: Usage = field(default_factory=Usage)

    def free(self, now: float) -> bool:
        """Whether anybody may take it: nobody has, or who had is gone."""
        return not self.owner or self.leased <= now or _dead(self.owner)

    @classmethod
    def of(cls, record: Record) -> Task:
        """The task that a record holds."""
        held: dict[str, Any] = dict(record.item.metadata)
        return cls(**held | {"ids": tuple(held["ids"]), "usage": Usage(**held.get("usage", {}))})


def new_task(ids: Sequence[str], now: datetime, *, pause: float = 0.0, owner: str = "") -> Record:
    """The record of a task about these memories, to be committed with them.

    Args:
        ids: The memories.
        now: The present moment.
        pause: Seconds until it is due, where a first try has failed already.
        owner: Who is at it from the beginning; empty where anybody may take it.
    """
    task = Task(
        id=uuid4().hex,
        ids=tuple(ids),
        due=time.time() + pause if pause else 0.0,
        owner=owner,
        leased=time.time() + LEASE if owner else 0.0,
    )
    item = MemoryItem(
        id=keyed_id(TASKS, task.id),
        kind=TASK,
        text="",
        created_at=now,
        updated_at=now,
        status="pending",
        metadata=_held(task),
        run_id=TASKS.run_id,
    )
    return Record(item=item)


def _held(task: Task) -> dict[str, Any]:
    return asdict(task) | {"ids": list(task.ids), "tries": dict(task.tries)}


def open_items(store: Store, task: Task) -> list[MemoryItem]:
    """The memories of a task that are pending, in its order; what was deleted or has expired is not."""
    latest, now = store.backend.latest(list(task.ids)), store.clock()
    return [latest[id_].item for id_ in task.ids if id_ in latest and not _ended(latest[id_].item, now)]


def _ended(item: MemoryItem, now: datetime) -> bool:
    return item.deleted or item.status != "pending" or (item.expires_at is not None and item.expires_at <= now)


def waiting(store: Store) -> list[Record]:
    """The tasks that are not done, oldest first."""
    return [*store.each(View(scope=TASKS, filter=Compare("status", "eq", "pending")))][::-1]


def changed(record: Record, task: Task, now: datetime, *, ended: bool = False) -> Record:
    """The next version of a task's record."""
    item = replace(
        record.item,
        metadata=_held(task),
        status="ready" if ended else "pending",
        expires_at=now + _KEPT if ended else None,
    )
    return following(replace(record, item=item), record, now)


def task_record(store: Store, id_: str) -> Record:
    """The record of a task as it is now.

    Raises:
        NotFound: There is no such task.
    """
    record = store.backend.latest([keyed_id(TASKS, id_)]).get(keyed_id(TASKS, id_)) if isinstance(id_, str) else None
    if record is None or record.item.deleted:
        raise NotFound(f"there is no task {id_!r:.100} here", hint="an ended task can be asked for during seven days")
    return record


def status_of(store: Store, record: Record) -> TaskStatus:
    """How far a task has come, whoever is at it."""
    task = Task.of(record)
    latest = _followed(store, store.backend.latest(list(task.ids)))
    ended = [one for id_ in task.ids if (one := _outcome(id_, latest.get(id_), store.clock())) is not None]
    failed = [one.item.error for one in latest.values() if one.item.status == "failed" and not one.item.deleted]
    # Whoever is at it still has to note what it took.
    running = record.item.status == "pending" and (len(ended) < len(task.ids) or not task.free(time.time()))
    return TaskStatus(
        id=task.id,
        state="running" if running else "failed" if failed else "completed",
        done=len(ended),
        total=len(task.ids),
        outcomes=tuple(ended),
        added=task.ids,
        error=failed[0] if failed else None,
        usage=task.usage,
    )


def _followed(store: Store, latest: Mapping[str, Record]) -> dict[str, Record]:
    """The records, and for a memory that turned out to be a new version of another one the other's."""
    moved = {id_: one.item.source.derived_from[0] for id_, one in latest.items() if _moved(one.item)}
    others = store.backend.latest(sorted(set(moved.values()))) if moved else {}
    return dict(latest) | {id_: others[to] for id_, to in moved.items() if to in others}


def _moved(item: MemoryItem) -> bool:
    return item.deleted and bool(item.source.derived_from)


def _outcome(id_: str, record: Record | None, now: datetime) -> Outcome | None:
    """What became of one memory; None while it is pending."""
    if record is None or record.item.deleted:
        return Outcome(event="deleted", id=id_)
    if not _ended(record.item, now):
        return None
    item = record.item
    if item.status == "pending":  # it expired before its turn came
        return Outcome(event="deleted", id=id_)
    return Outcome(event="updated", id=item.id, kind=item.kind, text=item.text, version=item.version)


def identity_of_process() -> str:
    """Names this process among all that may have the store open."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def _dead(owner: str) -> bool:
    """Whether a process of this very machine has ended."""
    host, _, rest = owner.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
