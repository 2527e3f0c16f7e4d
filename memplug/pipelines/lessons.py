"""Lessons: what the uses of a tool teach, written by a model, in one memory per tool and scope.

A lesson is marked as pending in the commit that stores the uses there is something new to learn from, and written by
a step: in the thread that added them where it waits, else in the background. It must not keep what was removed: with a
use of its tool it goes at once, and is written anew from what is left.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from memplug.exceptions import InputRejected
from memplug.extraction.lessons import LessonQuestion, taught
from memplug.extraction.runs import labelled
from memplug.pipelines.guarding import guarded
from memplug.pipelines.identity import imported_id
from memplug.pipelines.indexing import index
from memplug.pipelines.practice import instructive, learnt_from, runs_of
from memplug.pipelines.steps import mark_failed
from memplug.pipelines.toolbook import counted, tools_of
from memplug.pipelines.versions import following, tombstone
from memplug.plugins.metering import metered
from memplug.store import View
from memplug.values.filters import Compare
from memplug.values.item import MemoryItem, Record
from memplug.values.lesson import LESSON, LESSON_FIELD, Learnt, is_due, sorts_of
from memplug.values.scope import Scope
from memplug.values.source import Provenance
from memplug.values.tool_call import words_of
from memplug.values.tool_stats import TOOL_FIELD, ToolStats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from memplug.pipelines.versions import Contention
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.models import Toolbox
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.item import Status
    from memplug.values.lesson import Rule
    from memplug.values.prompt import Usage
    from memplug.values.run import Run

log = logging.getLogger("memplug.extraction")

#: How often a model is asked in one go where uses come or go while it thinks.
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """The step from uses of a tool to its lesson.

    Args:
        store: Where both are.
        plugins: Guards and observers.
        embedder: Makes the vectors of lessons.
        contention: Tries again what lost a race.
        models: Whom to ask.
        exclude: Topics that must not be kept.
    """

    store: Store
    plugins: PluginManager
    embedder: Embedder
    contention: Contention
    models: Toolbox
    exclude: Sequence[str] = ()
    name: ClassVar[str] = "learn"
    together: ClassVar[bool] = False

    @property
    def ready(self) -> bool:
        """Whether there is anybody to ask."""
        return self.models.model is not None

    def due(self, tools: Iterable[Record]) -> list[Record]:
        """The lessons that there is something new to learn for, as pending, to be committed with what it is.

        Args:
            tools: The memories of tools as they are being written.
        """
        told = {lesson_id(scope, stats.name): (scope, stats) for scope, stats in _stats(tools)} if self.ready else {}
        latest = self.store.backend.latest(list(told)) if told else {}
        now = self.store.clock()
        found = []
        for id_, (scope, stats) in told.items():
            known = latest.get(id_)
            ended = known is None or _ended(known.item, now)
            learnt = self._learnt(known, stats, now) if known is not None else None
            waits = known is not None and not ended and known.item.status == "pending" and learnt is not None
            # What is new is seen by whoever writes one that is pending.
            if not waits and is_due(learnt, stats):
                found.append(_awaited(id_, scope, stats, known, now, keep=not ended))
        return found

    def _learnt(self, known: Record, stats: ToolStats, now: datetime) -> Learnt | None:
        """What a lesson knows; of one that somebody deleted, what it knew, so that it does not come back for the same.

        None where it has expired, or its tool is counted anew since all of its uses were removed.
        """
        if not _ended(known.item, now):
            return Learnt.of_json(known.item.metadata.get(LESSON_FIELD))
        if not known.item.deleted:
            return None
        kept = [one.item.metadata.get(LESSON_FIELD) for one in self.store.backend.versions(known.id)]
        last = next((learnt for held in reversed(kept) if (learnt := Learnt.of_json(held))), None)
        answered = stats.ok + stats.errors
        return last if last is not None and answered > 1 and answered >= last.uses else None

    def without(self, gone: Sequence[MemoryItem], now: datetime) -> tuple[list[Record], list[Record]]:
        """What becomes of the lessons of tools some of whose uses were removed.

        Args:
            gone: The uses as they were; they have left the store.
            now: When.

        Returns:
            Those that are to be written anew, as pending and without their words; and deletions of the others.
        """
        told = {lesson_id(scope, name): (scope, name) for scope, name in tools_of(gone).values()}
        latest = self.store.backend.latest(list(told)) if told else {}
        others = self.store.backend.latest([id_ for id_ in lessons_of(self.store, gone) if id_ not in told])
        again, dropped = [], [following(tombstone(one), one, now) for one in others.values() if not one.item.deleted]
        for id_, (scope, name) in told.items():
            known = latest.get(id_)
            stats = counted(self.store, scope, name) if self.ready else ToolStats(name=name)
            if is_due(None, stats):
                again.append(_awaited(id_, scope, stats, known, now, keep=False))
            elif known is not None and not known.item.deleted:
                dropped.append(following(tombstone(known), known, now))
        return again, dropped

    def wants(self, item: MemoryItem) -> bool:
        """Whether a pending memory is a lesson, and there is somebody to ask."""
        return item.kind == LESSON and self.ready and Learnt.of_json(item.metadata.get(LESSON_FIELD)) is not None

    def finish(self, ids: Sequence[str], *, last: bool) -> Usage | None:  # noqa: ARG002 - a lesson has no half
        """Writes lessons that are pending."""
        with metered() as meter:
            for id_ in ids:
                self._finish(id_)
        return meter.usage

    def give_up(self, ids: Sequence[str], reason: str) -> None:
        """Marks lessons that are pending as failed, with the reason; an earlier one keeps its words."""
        mark_failed(self.store, self.contention, ids, reason)

    def _finish(self, id_: str) -> None:
        for number in range(1, _ROUNDS + 1):
            record = self.store.backend.latest([id_]).get(id_)
            learnt = Learnt.of_json(record.item.metadata.get(LESSON_FIELD)) if record is not None else None
            if record is None or learnt is None or not self._waits(record):
                return  # another process was faster, or it is gone
            scope = Scope(**record.item.ids)
            runs = runs_of(self.store, scope, learnt.tool)
            written = self._written(record, counted(self.store, scope, learnt.tool), runs)
            if self._stored(written, record, runs, last=number == _ROUNDS):
                return

    def _written(self, record: Record, stats: ToolStats, runs: Sequence[Run]) -> Record:
        """The lesson as it is to be; a deletion where there is nothing to learn from."""
        model, used = self.models.model, labelled(instructive(runs))
        if model is None or not used:
            return tombstone(record)
        had = record.item.text if record.item.source.derived_from else ""
        question = LessonQuestion(stats=stats, runs=used, before=had, exclude=self.exclude)
        rules = taught(model, question)
        learnt = learnt_from(stats.name, runs)
        # What recent failures are told apart by must be known, too, where more of them is kept here than there.
        learnt = replace(learnt, sorts=tuple(dict.fromkeys((*learnt.sorts, *sorted(sorts_of(stats))))))
        if not rules:
            # An empty answer takes no lesson away: what that rests on is still there.
            return _as_before(record, learnt, "ready") if had else _nothing(record, learnt)
        ends = [*(run.ends for run in used), record.item.expires_at if had else None]
        item = replace(
            record.item,
            text="\n".join(rule.text for rule in rules),
            status="ready",
            error=None,
            metadata={**record.item.metadata, LESSON_FIELD: learnt.as_json(rules)},
            source=Provenance(role="tool", derived_from=_named(rules)),
            # What was to be forgotten must not live on in what was learnt from it, also by way of an earlier lesson.
            expires_at=min((end for end in ends if end is not None), default=None),
        )
        lesson = replace(record, item=item, context=words_of(stats.name), identity="")
        try:
            [indexed] = index([guarded(lesson, self.plugins)], self.embedder)
        except InputRejected as error:
            log.warning("a guard refused a lesson of %d characters: %s", len(item.text), error.code)
            return _nothing(record, learnt)
        return indexed

    def _stored(self, written: Record, record: Record, runs: Sequence[Run], *, last: bool) -> bool:
        """Commits a lesson; False where another look is needed, since what it is from has changed meanwhile."""

        def attempt() -> bool:
            current = self.store.backend.latest([record.id]).get(record.id)
            if current is None or not self._waits(current):
                return True
            if current.version != record.version or not self._there(runs):
                return False
            learnt, scope = Learnt.of_json(written.item.metadata.get(LESSON_FIELD)), Scope(**record.item.ids)
            if not last and learnt is not None and is_due(learnt, counted(self.store, scope, learnt.tool)):
                return False
            self.store.commit([following(written, current, self.store.clock())], {})
            return True

        done = self.contention.settled(attempt)
        if done and not self._there(runs):
            self._forget(record)
        elif done and not written.item.deleted:
            self.plugins.notify("after_add", items=[written.item.handed_out()])
        return done

    def _forget(self, record: Record) -> None:
        """Erases a lesson from uses that were erased between the look at them and its commit.

        Where somebody has written it anew since, they have seen to that; else the next use is learnt from afresh.
        """
        latest = self.store.backend.latest([record.id]).get(record.id)
        if latest is not None and latest.version == record.version + 1:
            self.store.backend.erase([record.id])

    def _there(self, runs: Sequence[Run]) -> bool:
        """Whether all uses that were looked at are still there."""
        latest = self.store.backend.latest([run.id for run in runs])
        return len(latest) == len({run.id for run in runs}) and not any(one.item.deleted for one in latest.values())

    def _waits(self, record: Record) -> bool:
        return record.item.status == "pending" and not _ended(record.item, self.store.clock())


def lesson_id(scope: Scope, tool: str) -> str:
    """The id of a tool's lesson in the scope that is the tool's home."""
    return imported_id(scope, f"lesson:{tool}")


def lessons_of(store: Store, items: Iterable[MemoryItem]) -> list[str]:
    """The ids of all lessons, also former ones, of the tools that these memories are uses of.

    One that came from another scope, by an import, has another id than that scope would give it.
    """
    tools = set(tools_of(items).values())
    found = {lesson_id(scope, name): None for scope, name in tools}
    for home in {scope for scope, _ in tools}:
        lessons = store.ids(View(scope=home, filter=Compare("kind", "eq", LESSON), trusted=True))
        found |= {id_: None for id_ in lessons if any((home, name) in tools for name in _taught(store, id_, home))}
    return list(found)


def _taught(store: Store, id_: str, home: Scope) -> Iterator[str]:
    """The tools that the versions of a lesson in a scope are about."""
    for record in store.backend.versions(id_):
        learnt = Learnt.of_json(record.item.metadata.get(LESSON_FIELD))
        if learnt is not None and Scope(**record.item.ids) == home:
            yield learnt.tool


def _stats(tools: Iterable[Record]) -> Iterable[tuple[Scope, ToolStats]]:
    for record in tools:
        stats = ToolStats.of_json(record.item.metadata.get(TOOL_FIELD))
        if stats is not None and not record.item.deleted:
            yield Scope(**record.item.ids), stats


def _awaited(id_: str, scope: Scope, stats: ToolStats, known: Record | None, now: datetime, *, keep: bool) -> Record:
    """A lesson that is to be written, with what is counted now, so that one that fails is not asked for at each use.

    Args:
        id_: Its id.
        scope: Its tool's home.
        stats: What is counted of the tool.
        known: The version that is there.
        now: When.
        keep: Whether the words of that version stay until there are others.
    """
    learnt = Learnt(
        tool=stats.name,
        uses=stats.ok + stats.errors,
        ok=stats.ok,
        sorts=tuple(sorted(sorts_of(stats))),
        unsolved=stats.errors > 0 and not stats.ok,
    )
    if known is not None and keep:
        before = Learnt.of_json(known.item.metadata.get(LESSON_FIELD))
        sorts = dict.fromkeys([*(before.sorts if before else ()), *learnt.sorts])
        awaited = _as_before(known, replace(learnt, sorts=tuple(sorts)), "pending")
        return following(awaited, known, now)
    item = MemoryItem(
        id=id_,
        kind=LESSON,
        text=_unlearnt(stats.name),
        created_at=now,
        updated_at=now,
        status="pending",
        metadata={LESSON_FIELD: learnt.as_json()},
        source=Provenance(role="tool"),
        user_id=scope.user_id,
        agent_id=scope.agent_id,
        run_id=scope.run_id,
        bucket=scope.bucket,
    )
    return Record(item=item) if known is None else following(Record(item=item), known, now, reborn=True)


def _as_before(record: Record, learnt: Learnt, status: Status) -> Record:
    """A lesson with the rules that it has, and what was learnt from by now."""
    held = record.item.metadata.get(LESSON_FIELD)
    rules = held.get("rules", []) if isinstance(held, dict) else []
    metadata = {**record.item.metadata, LESSON_FIELD: learnt.as_json() | {"rules": rules}}
    return replace(record, item=replace(record.item, status=status, error=None, metadata=metadata))


def _nothing(record: Record, learnt: Learnt) -> Record:
    """A lesson without a rule, which nobody finds; it remembers what there was nothing to learn from."""
    item = replace(
        record.item,
        text=_unlearnt(learnt.tool),
        status="ready",
        error=None,
        metadata={**record.item.metadata, LESSON_FIELD: learnt.as_json()},
        source=Provenance(role="tool"),
        expires_at=None,
    )
    return Record(item=item)


def _unlearnt(tool: str) -> str:
    """What stands in the place of a lesson that is not there yet; a memory without words could not be exported."""
    return f"Tool {tool}: no lesson yet"


def _named(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id_ for rule in rules for id_ in rule.runs))


def _ended(item: MemoryItem, now: datetime) -> bool:
    return item.deleted or (item.expires_at is not None and item.expires_at <= now)
