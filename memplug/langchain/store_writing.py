"""Puts and deletions, as few commits as can be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from memplug.exceptions import NotFound
from memplug.langchain.store_expiry import end_of
from memplug.langchain.store_items import KINDS, Shape, is_key
from memplug.langchain.store_namespaces import bucket_of
from memplug.pipelines.identity import keyed_id
from memplug.pipelines.parsing import Parsed
from memplug.store import View
from memplug.values.filters import Compare
from memplug.values.request import AddRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langgraph.store.base import PutOp

    from memplug.engine import Engine
    from memplug.values.draft import Draft
    from memplug.values.scope import Scope

#: What becomes of an item that is deleted.
Deletion = Literal["erase", "hide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a batch writes.

    Args:
        puts: The drafts of each scope.
        deletions: The ids of what is deleted.
    """

    puts: dict[Scope, list[Draft]] = field(default_factory=dict)
    deletions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The writes of a store.

    Args:
        engine: The opened memory.
        scope: Where all items of the store lie.
        shape: How items become drafts.
        deletion: What becomes of an item that is deleted.
    """

    engine: Engine
    scope: Scope
    shape: Shape
    deletion: Deletion

    def prepared(self, ops: Iterable[PutOp]) -> Changes:
        """What these ops come to: of several under one key the last one counts.

        Raises:
            ValueRefused, InputTooLarge, MalformedInput: One of them cannot be; nothing was written.
        """
        changes = Changes()
        for place, op in {(bucket_of(op.namespace), op.key): op for op in ops}.items():
            scope = self.scope.narrowed(bucket=place[0])
            if op.value is not None:
                now = self.engine.store.clock()
                drafts = changes.puts.setdefault(scope, [])
                drafts.append(self.shape.draft(op, len(drafts), now=now, expires_at=end_of(op.ttl, now)))
            elif is_key(op.key, self.shape.limits):
                changes.deletions.append(keyed_id(scope, op.key))
        return changes

    def write(self, changes: Changes) -> None:
        """Stores the puts in one commit, then deletes.

        Raises:
            InputRejected: A guard left something out, which is not stored; all else is.
            MemplugError: The store or a guard failed.
        """
        inputs = [
            (Parsed(drafts=drafts, rejected=[], messages={0: 0}), AddRequest(content=None, scope=scope, infer=False))
            for scope, drafts in changes.puts.items()
        ]
        results = self.engine.ingest.take(inputs) if inputs else []
        if changes.deletions:
            self._delete(changes.deletions)
        for error in (outcome.error for result in results for outcome in result.outcomes):
            if error is not None:
                raise error

    def _delete(self, ids: Sequence[str]) -> None:
        if self.deletion == "erase":
            self.engine.editor.erase(ids)
            return
        for id_ in ids:
            with suppress(NotFound):
                self.engine.editor.delete(id_, scope=self.scope, version=None, erase=False)

    def sweep(self) -> int:
        """Erases what has expired."""
        ended = Compare("expires_at", "lte", self.engine.store.clock())
        return self._erase(self.engine.store.ids(View(scope=self.scope, filter=ended)))

    def purge(self) -> int:
        """Erases what was deleted or has expired."""
        return self._erase(self.engine.store.ids(View(scope=self.scope)))

    def _erase(self, ids: Sequence[str]) -> int:
        """Erases those that no read shows any more, and returns how many items are among them."""
        store = self.engine.store
        latest, current = store.backend.latest(ids), store.some(ids, self.scope)
        gone = [record for id_, record in latest.items() if id_ not in current]
        if gone:
            self.engine.editor.erase([record.id for record in gone])
        return sum(record.item.kind in KINDS for record in gone)
