"""Raw input into stored memories: parse, describe, guard, extract, embed, commit.

All that one `add` yields becomes visible in one commit, or none of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, InputRejected, MemplugError
from memplug.pipelines.identity import media_digest
from memplug.pipelines.indexing import index
from memplug.pipelines.pieces import gathered, spread
from memplug.pipelines.planning import Plan, Planner
from memplug.pipelines.tasks import Task, new_task
from memplug.pipelines.tooling import about_tools, defines_tool
from memplug.store import TASK
from memplug.values.draft import Draft
from memplug.values.outcome import AddResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.pipelines.describing import Describing
    from memplug.pipelines.parsing import Parsed, Parser
    from memplug.pipelines.turns import TurnCounter
    from memplug.pipelines.versions import Contention
    from memplug.pipelines.worker import Worker
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder, Extractor
    from memplug.store import Store
    from memplug.values.request import AddRequest

log = logging.getLogger("memplug.ingest")

#: Events of memories that were not there before.
_NEW = frozenset({"added", "pending"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """One input that is ready to be stored."""

    drafts: list[Draft]
    rejected: list[Outcome]
    parsed: Parsed
    request: AddRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """The way in."""

    store: Store
    plugins: PluginManager
    parser: Parser
    embedder: Embedder
    turns: TurnCounter
    contention: Contention
    describing: Describing
    worker: Worker

    def add(self, request: AddRequest) -> AddResult:
        """Stores what the request holds; see `Memory.add`.

        Raises:
            InputRejected: Nothing of the input could be stored; the error is the first part's, and its ``result``
                holds the outcomes of all.
            AccessDenied: The scope is a shared bucket that its user may not add to.
            MemplugError: The store or a guard failed; nothing was stored.
        """
        self.store.admit(request.scope)
        return self.take([(self.parser.parse(request), request)])[0]

    def take(self, inputs: Sequence[tuple[Parsed, AddRequest]]) -> list[AddResult]:
        """Stores what was parsed already, in one commit; see `add`.

        Args:
            inputs: What was parsed with its request. Their scopes all differ.
        """
        prepared = [self._prepared(parsed, request) for parsed, request in inputs]

        def attempt() -> list[list[Plan]]:
            return self._attempted(prepared)

        once = any(request.version is not None for _, request in inputs)
        plans = attempt() if once else self.contention.settled(attempt)
        done = [plan for found in plans for plan in found]
        told = [one.item.handed_out() for plan in done for one in plan.written() if one.item.kind != TASK]
        self.plugins.notify("after_add", items=told)
        if gone := [record.item.handed_out() for plan in done for record in plan.pieces.gone]:
            self.plugins.notify("on_delete", items=gone)
        return [self._result(one, found) for one, found in zip(prepared, plans, strict=True)]

    def _prepared(self, parsed: Parsed, request: AddRequest) -> _Prepared:
        """Describes, guards and extracts.

        Raises:
            InputRejected: Nothing is left of it.
        """
        describe = self.describing.described if request.wait else self.describing.postponed
        drafts = [describe(draft) for draft in parsed.drafts]
        kept = gathered(self.plugins.guard(spread(drafts), request.scope))
        rejected = parsed.rejected + _left_out(drafts, kept)
        if not kept and rejected:
            raise _refusal(rejected)
        drafts = [*kept, *self._extracted(kept, request)]
        return _Prepared(drafts=drafts, rejected=rejected, parsed=parsed, request=request)

    def _result(self, prepared: _Prepared, plans: Sequence[Plan]) -> AddResult:
        outcomes = [*prepared.rejected, *(outcome for plan in plans for outcome in plan.outcomes())]
        tasks = [Task.of(plan.record).id for plan in plans if plan.record is not None and plan.record.item.kind == TASK]
        if tasks:
            self.worker.start()
        return AddResult(
            outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.part)), task_id=tasks[0] if tasks else None
        )

    def _left_to_do(self, plans: Sequence[Plan]) -> list[Plan]:
        """A task for what is stored pending, to be committed with it, where there is such."""
        pending = [plan.id for plan in plans if plan.event == "pending"]
        if not pending:
            return []
        record = new_task(pending, self.store.clock())
        draft = Draft(part=0, kind=TASK)
        return [Plan(draft=draft, id=record.id, event="added", record=record, previous=None, silent=True)]

    def _extracted(self, drafts: Sequence[Draft], request: AddRequest) -> list[Draft]:
        """What extractors add, as the guards let it pass; where a guard refuses, only this is left out."""
        extractors = self.plugins.extractors() if request.infer else []
        if request.infer is True and not extractors:
            raise ConfigError("infer=True needs an extractor, and no plugin registers one", hint="infer='auto'")
        found = [draft for extractor in extractors for draft in _tried(extractor, drafts, request)]
        try:
            return gathered(self.plugins.guard(spread(found), request.scope)) if found else []
        except MemplugError:
            log.exception("a guard refused %d extracted drafts; what they were drawn from is stored", len(found))
            return []

    def _attempted(self, prepared: Sequence[_Prepared]) -> list[list[Plan]]:
        """Plans, embeds and commits, once.

        Raises:
            VersionConflict: Another writer came first.
            AccessDenied: A user may not add where they want to, perhaps not any more.
        """
        for one in prepared:
            self.store.admit(one.request.scope)
        wanted = [([draft for draft in one.drafts if not defines_tool(draft)], one.request) for one in prepared]
        planned = Planner(store=self.store).plan(wanted)
        numbered = [
            self._numbered(found, one.parsed, one.request) for found, one in zip(planned, prepared, strict=True)
        ]
        tools = about_tools(self.store, [(one.drafts, one.request) for one in prepared], numbered)
        numbered = [[*found, *more, *self._left_to_do(found)] for found, more in zip(numbered, tools, strict=True)]
        plans = iter(self._indexed([plan for found in numbered for plan in found]))
        done = [[next(plans) for _ in found] for found in numbered]
        flat = [plan for found in done for plan in found]
        media = {digest: read for plan in flat for digest, read in _originals(plan.draft)}
        self.store.commit([record for plan in flat for record in (*plan.written(), *plan.pieces.gone)], media)
        return done

    def _numbered(self, plans: Sequence[Plan], parsed: Parsed, request: AddRequest) -> list[Plan]:
        """Gives new turns of a conversation their place in it; parts of one message share one."""
        turns = [plan for plan in plans if plan.event in _NEW and plan.draft.origin is None]
        fresh = sorted({parsed.message_of(plan.draft) for plan in turns})
        if not fresh or (request.scope.run_id is None and len(parsed.messages) == 1):
            return list(plans)
        first = self.turns.take(request.scope, len(fresh)) if request.scope.run_id is not None else 0
        place = {message: first + number for number, message in enumerate(fresh)}
        return [_placed(plan, place.get(parsed.message_of(plan.draft))) for plan in plans]

    def _indexed(self, plans: Sequence[Plan]) -> list[Plan]:
        """Gives the records that will be written their terms and vectors, in one call of the embedder."""
        indexed = iter(index([record for plan in plans for record in plan.written()], self.embedder))
        return [plan.indexed(indexed) for plan in plans]


def _checked(found: list[Draft]) -> list[Draft]:
    if not all(isinstance(draft, Draft) for draft in found):
        raise TypeError("an extractor must return drafts")
    return found


def _tried(extractor: Extractor, drafts: Sequence[Draft], request: AddRequest) -> list[Draft]:
    try:
        found = _checked(list(extractor.extract(drafts, request.scope)))
    except Exception:
        # What the user said is stored all the same: an extractor only ever adds to it.
        log.exception("extractor %s failed on %d drafts; they are stored without it", extractor.name, len(drafts))
        return []
    return found


def _placed(plan: Plan, position: int | None) -> Plan:
    if plan.record is None or plan.event not in _NEW or position is None or plan.draft.origin is not None:
        # What is imported brings its place along, or has none.
        return plan
    item = plan.record.item
    return replace(
        plan, record=replace(plan.record, item=replace(item, source=replace(item.source, position=position)))
    )


def _originals(draft: Draft) -> list[tuple[str, Callable[[], bytes]]]:
    """What gives the bytes of a draft, by their digests; also of a duplicate's, which heals lost ones."""
    media = draft.media
    found = [data for data in (media.data, media.thumbnail) if data is not None] if media else []
    return [(media_digest(data), partial(bytes, data)) for data in found]


def _left_out(before: Sequence[Draft], after: Sequence[Draft]) -> list[Outcome]:
    """Outcomes for parts that a guard took out altogether."""
    kept = {draft.part for draft in after}
    gone = sorted({draft.part for draft in before} - kept)
    error: MemplugError = InputRejected("left out by a plugin's before_add")
    return [Outcome(event="rejected", part=part, error=error) for part in gone]


def _refusal(rejected: Sequence[Outcome]) -> MemplugError:
    first = min(rejected, key=lambda outcome: outcome.part)
    error = first.error or InputRejected("nothing could be stored")
    if isinstance(error, InputRejected):
        error.result = AddResult(outcomes=tuple(sorted(rejected, key=lambda outcome: outcome.part)))
    return error
