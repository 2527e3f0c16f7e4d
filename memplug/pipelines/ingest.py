"""Raw input into stored memories: parse, describe, guard, extract, embed, commit.

All that one `add` yields becomes visible in one commit, or none of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, InputRejected, MemplugError, ModelError
from memplug.pipelines.identity import media_digest
from memplug.pipelines.indexing import index
from memplug.pipelines.pieces import gathered, spread
from memplug.pipelines.planning import Plan, Planner
from memplug.pipelines.remembering import Remembered
from memplug.pipelines.screening import Screened
from memplug.pipelines.tasks import Task, new_task
from memplug.pipelines.tooling import about_tools, defines_tool
from memplug.plugins.metering import metered
from memplug.store import TASK
from memplug.values.draft import Draft
from memplug.values.outcome import AddResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.pipelines.describing import Describing
    from memplug.pipelines.lessons import Lessons
    from memplug.pipelines.parsing import Parsed, Parser
    from memplug.pipelines.remembering import Remembering
    from memplug.pipelines.screening import Screening
    from memplug.pipelines.turns import TurnCounter
    from memplug.pipelines.versions import Contention
    from memplug.pipelines.worker import Worker
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder, Extractor
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.plan import ExtractionPlan
    from memplug.values.request import AddRequest

log = logging.getLogger("memplug.ingest")

#: Events of memories that were not there before.
_NEW = frozenset({"added", "pending"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """One input that is ready to be stored."""

    drafts: list[Draft]
    #: And what was screened out.
    rejected: list[Outcome]
    parsed: Parsed
    request: AddRequest
    remembered: Remembered
    #: Whether lessons may be learnt of it.
    teaching: bool = False


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
    remembering: Remembering
    lessons: Lessons
    screening: Screening
    worker: Worker

    def add(self, request: AddRequest, *, asking: bool = True) -> AddResult:
        """Stores what the request holds; see `Memory.add`.

        Args:
            request: It.
            asking: Whether models may be asked what is to be remembered of it; of an import they are not, since that
                may be years of conversations.

        Raises:
            InputRejected: Nothing of the input could be stored; the error is the first part's, and its ``result``
                holds the outcomes of all.
            AccessDenied: The scope is a shared bucket that its user may not add to.
            MemplugError: The store or a guard failed; nothing was stored.
        """
        self.store.admit(request.scope)
        with metered() as meter:
            [result] = self.take([(self.parser.parse(request), request)], asking=asking)
        if result.rejected and len(result.rejected) == len(result.outcomes):
            raise _refusal(result.rejected)
        return replace(result, usage=meter.usage)

    def take(self, inputs: Sequence[tuple[Parsed, AddRequest]], *, asking: bool = False) -> list[AddResult]:
        """Stores what was parsed already, in one commit; see `add`.

        Args:
            inputs: What was parsed with its request. Their scopes all differ.
            asking: See `add`.
        """
        prepared = [self._prepared(parsed, request, asking=asking) for parsed, request in inputs]

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

    def planned(self, request: AddRequest) -> ExtractionPlan:
        """What extractors would have of the request remembered; see `Memory.extract`. Writes nothing.

        Raises:
            ConfigError: There is no extractor to ask.
            InputRejected: A part cannot be read.
            ModelError: A model could not answer.
        """
        self.remembering.extracting.insist()
        parsed = self.parser.parse(request)
        if parsed.rejected:
            raise _refusal(parsed.rejected)
        new = self.screening.screened(parsed.drafts, request.scope).drafts
        drafts = gathered(self.plugins.guard(spread(new), request.scope))
        return self.remembering.planned(drafts, request)

    def _prepared(self, parsed: Parsed, request: AddRequest, *, asking: bool) -> _Prepared:
        """Describes, guards and extracts.

        Raises:
            InputRejected: Nothing is left of it.
        """
        describe = self.describing.described if request.wait else self.describing.postponed
        screened = self.screening.screened(parsed.drafts, request.scope) if asking else Screened(drafts=parsed.drafts)
        drafts = [describe(draft) for draft in screened.drafts]
        kept = gathered(self.plugins.guard(spread(drafts), request.scope))
        rejected = parsed.rejected + _left_out(drafts, kept)
        if not kept and rejected and not screened.outcomes:
            raise _refusal(rejected)
        rejected += screened.outcomes
        extracted = self._extracted(kept, request)
        remembered = self.remembering.remembered(kept, request) if asking else Remembered(drafts=kept)
        drafts = [*remembered.drafts, *extracted]
        return _Prepared(
            drafts=drafts,
            rejected=rejected,
            parsed=parsed,
            request=request,
            remembered=remembered,
            teaching=asking and bool(request.infer),
        )

    def _result(self, prepared: _Prepared, plans: Sequence[Plan]) -> AddResult:
        outcomes = [*prepared.rejected, *(outcome for plan in plans for outcome in plan.outcomes())]
        made = [Task.of(plan.record) for plan in plans if plan.record is not None and plan.record.item.kind == TASK]
        tasks = [task.id for task in made if not task.owner or not self.worker.carry_out(task.id)]
        if tasks:
            self.worker.start()
        return AddResult(
            outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.part)),
            task_id=tasks[0] if tasks else None,
            left_out=prepared.remembered.left_out,
        )

    def _left_to_do(self, plans: Sequence[Plan], lessons: Sequence[Record], prepared: _Prepared) -> list[Plan]:
        """Tasks for what is stored pending, to be committed with it, where there is such.

        Lessons are a task of their own where the caller waits: these are carried out in the caller's thread.
        """
        # By what is written and not by the outcome: a new version of a memory can be pending, too.
        pending = [plan.id for plan in plans if plan.record is not None and plan.record.item.status == "pending"]
        due = [record.id for record in lessons]
        now, later = prepared.request.wait, [*pending, *([] if prepared.request.wait else due)]
        tasks = [new_task(later, self.store.clock(), pause=prepared.remembered.pause)] if later else []
        tasks += [self.worker.claimed(due)] if now and due else []
        draft = Draft(part=0, kind=TASK)
        return [
            Plan(draft=draft, id=record.id, event="added", record=record, previous=None, silent=True)
            for record in tasks
        ]

    def _extracted(self, drafts: Sequence[Draft], request: AddRequest) -> list[Draft]:
        """What extractors add, as the guards let it pass; where a guard refuses, only this is left out."""
        extractors = self.plugins.extractors() if request.infer else []
        if request.infer is True and not extractors and not self.remembering.extracting.ready:
            raise ConfigError("infer=True needs an extractor, and no model or plugin brings one", hint="infer='auto'")
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
        planned = Planner(store=self.store, limits=self.parser.context.limits).plan(wanted)
        numbered = [
            self._numbered(found, one.parsed, one.request) for found, one in zip(planned, prepared, strict=True)
        ]
        tools = about_tools(self.store, [(one.drafts, one.request) for one in prepared], numbered)
        facts = [
            self.remembering.plans(one.remembered, found, one.request.scope)
            for found, one in zip(numbered, prepared, strict=True)
        ]
        due = [
            self.lessons.due([plan.record for plan in found if plan.record is not None]) if one.teaching else []
            for found, one in zip(tools, prepared, strict=True)
        ]
        numbered = [
            [*found, *more, *drawn, *self._left_to_do(found, lessons, one)]
            for found, more, drawn, lessons, one in zip(numbered, tools, facts, due, prepared, strict=True)
        ]
        plans = iter(self._indexed([plan for found in numbered for plan in found]))
        done = [[next(plans) for _ in found] for found in numbered]
        flat = [plan for found in done for plan in found]
        media = {digest: read for plan in flat if plan.error is None for digest, read in _originals(plan.draft)}
        records = [record for plan in flat for record in (*plan.written(), *plan.pieces.gone)]
        # As they are, since what has no words of its own yet is not to be found.
        self.store.commit([*records, *(record for lessons in due for record in lessons)], media)
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
    except Exception as error:
        # What the user said is stored all the same: an extractor only ever adds to it. Where a model failed, the trace
        # shows its server's words, which may repeat what was said, or a key.
        told = None if isinstance(error, ModelError) else error
        log.error(  # noqa: TRY400 - with the trace, but for models
            "extractor %s failed on %d drafts; they are stored without it", extractor.name, len(drafts), exc_info=told
        )
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
