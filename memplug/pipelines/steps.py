"""What a memory that is pending waits for: one step after the other, each carried out by the worker."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from memplug.exceptions import NotFound
from memplug.pipelines.versions import following

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.versions import Contention
    from memplug.store import Store
    from memplug.values.item import MemoryItem
    from memplug.values.prompt import Usage


class Step(Protocol):
    """One kind of work that is left for later.

    A pending memory belongs to the first step, in the order in which the worker has them, that wants it. When a step is
    through with it and it is pending still, the next one takes it, until it is ``ready`` or ``failed``.
    """

    @property
    def name(self) -> str:
        """What it is called in logs and reasons."""
        ...

    @property
    def together(self) -> bool:
        """Whether it takes all memories of a task that it wants in one call, in the task's order, or each alone."""
        ...

    def wants(self, item: MemoryItem) -> bool:
        """Whether this process can do what a memory waits for.

        What the store holds of the memory must be enough to say so, since an archive brings memories without their
        task, and the process that stored it may be gone. Only asked of memories that are pending.
        """
        ...

    def finish(self, ids: Sequence[str], *, last: bool) -> Usage | None:
        """Does what the memories wait for, in one commit, and leaves alone what is not pending any more.

        It may be called twice for the same memories, also by two processes at once: only one of them may have an
        effect. When it returns, no memory may be pending that it still wants.

        Args:
            ids: The memories; one, unless it takes them `together`.
            last: Whether there will be no further try, so that what can be kept must be kept now.

        Returns:
            What models took for it; None where none was asked.

        Raises:
            MemplugError: It failed and may be tried again; after the last try, `give_up` follows.
        """
        ...

    def give_up(self, ids: Sequence[str], reason: str) -> None:
        """Ends the wait of those that are pending still: they become ``failed`` and keep what they have."""
        ...


def mark_failed(store: Store, contention: Contention, ids: Sequence[str], reason: str) -> None:
    """Marks those of the memories that are pending as failed, with the reason; they keep the words that they have."""

    def attempt(id_: str) -> None:
        current = store.get(id_, None)
        if current.item.status == "pending":
            done = replace(current.item, status="failed", error=reason)
            store.commit([following(replace(current, item=done), current, store.clock())], {})

    for id_ in ids:
        with suppress(NotFound):
            contention.settled(lambda id_=id_: attempt(id_))  # type: ignore[misc]  # a default binds the loop's value


def step_for(steps: Sequence[Step], item: MemoryItem) -> Step | None:
    """The step that a pending memory is at; None where none of these takes it."""
    return next((step for step in steps if step.wants(item)), None)
