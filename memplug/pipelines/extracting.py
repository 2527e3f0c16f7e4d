"""Asks extractors what is worth remembering of what was said, and keeps of it what holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import AccessDenied, ConfigError, MemplugError, NotFound, PluginError
from memplug.extraction.checking import checked
from memplug.pipelines.dialogue import SPOKEN, cut, windows
from memplug.pipelines.hygiene import near_duplicates
from memplug.values.extraction import FACT_KINDS, ExtractionRequest, Known, Proposals
from memplug.values.filters import All, Compare
from memplug.values.plan import ExtractionPlan, LeftOut, PlannedFact
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from memplug.pipelines.dialogue import Dialogue
    from memplug.pipelines.recall import Recall
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import PlanningExtractor
    from memplug.store import Store
    from memplug.values.extraction import Extraction, Turn
    from memplug.values.filters import Filter
    from memplug.values.hit import Hit
    from memplug.values.item import MemoryItem

log = logging.getLogger("memplug.extraction")

#: Facts and earlier turns that are shown beside the new ones, how many are looked for by each turn, and by how many
#: turns (the longest).
_SHOWN, _SHOWN_TURNS, _FOR_EACH, _ASKING = 20, 5, 5, 20
#: Characters of a turn that are searched for, and of a memory that are shown.
_QUESTION, _LONGEST = 2_000, 2_000
#: What may be superseded: facts, and what the user said before there were any.
_FACTS = Compare("kind", "in", FACT_KINDS)
_SAID = All((Compare("kind", "eq", SPOKEN), Compare("role", "eq", "user")))
#: How a memory that is only planned yet is called among those that are there.
_PLANNED = "planned:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracting:
    """The way from turns to a plan. Writes nothing.

    Args:
        store: Where memories are.
        plugins: The extractors.
        recall: Finds what is known already.
        rules: What the user wants to be kept.
    """

    store: Store
    plugins: PluginManager
    recall: Recall
    rules: Extraction

    @property
    def ready(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self.plugins.planners())

    def plan(self, dialogue: Dialogue, scope: Scope) -> ExtractionPlan:
        """What is to be done about what was said.

        Args:
            dialogue: It.
            scope: Where it was said.

        Raises:
            ModelError: A model could not answer.
            PluginError: An extractor failed.
        """
        tokens = self.recall.limits.extraction_tokens
        plan = ExtractionPlan()
        for turns in windows(cut(dialogue, tokens), tokens):
            request = ExtractionRequest(
                turns=turns,
                known=(*self._known(turns, scope), *_planned(plan)),
                rules=self.rules,
                now=self.store.clock(),
            )
            for planner in self.plugins.planners():
                plan = _joined(plan, asked(planner, request))
        plan = self._without_twins(plan, scope)
        for one in plan.left_out:
            log.info(
                "left out a proposal: %s, %d characters, memory %s, turns %s", one.flaw, one.size, one.id, one.turns
            )
        return plan

    def insist(self) -> None:
        """Refuses where there is nobody to ask.

        Raises:
            ConfigError: No extractor is there.
        """
        if not self.ready:
            raise ConfigError(
                "there is no extractor that could be asked: no model is configured, and no plugin brings one",
                hint="Memory(model=...)",
            )

    def reach(self, scope: Scope) -> Scope:
        """Where a new statement may supersede an older one: all conversations of one user, as `Extraction` has it.

        Only of a user: who is known by the conversation alone must not meet another conversation's facts.
        """
        if self.rules.reach == "user" and scope.user_id is not None and scope.run_id is not None:
            return Scope(**{name: value for name, value in scope.ids.items() if name != "run_id"}, acting=scope.acting)
        return scope

    def changeable(self, item: MemoryItem, scope: Scope) -> bool:
        """Whether what is said in a scope may change a memory: it is the same user's, and theirs to change."""
        if item.user_id != scope.user_id:
            return False
        try:
            self.store.get(item.id, self.reach(scope), change=True)
        except (NotFound, AccessDenied):
            return False
        return True

    def _without_twins(self, plan: ExtractionPlan, scope: Scope) -> ExtractionPlan:
        """The plan without new facts that somewhere in the scope are known in the same words already."""
        new = [change for change in plan.changes if change.id is None and not change.supersedes]
        if not new:
            return plan
        texts = [change.text for change in new]
        found = near_duplicates(self.store, self.recall.embedder, self.reach(scope), texts, kinds=FACT_KINDS, limit=1)
        twins = {
            id(change): twins[0].record.id
            for change, twins in zip(new, found, strict=True)
            if twins and twins[0].same and self.changeable(twins[0].record.item, scope)
        }
        left_out = [
            LeftOut(flaw="known", size=len(change.text), id=twins[id(change)]) for change in new if id(change) in twins
        ]
        kept = tuple(change for change in plan.changes if id(change) not in twins)
        return replace(plan, changes=kept, left_out=(*plan.left_out, *left_out))

    def _known(self, turns: Sequence[Turn], scope: Scope) -> list[Known]:
        """What may be known of it already, the likeliest first."""
        said = sorted((turn.text for turn in turns if turn.fresh and turn.role == "user"), key=len, reverse=True)
        questions = [text[:_QUESTION] for text in said[:_ASKING] if text[:_QUESTION].strip()]
        # A fact that cannot be shown as a whole must not be changed, or what was not shown would be lost.
        facts = [item for item in self._best(questions, scope, _FACTS) if len(item.text) <= _LONGEST]
        # What a fact was drawn from is not shown beside it, or the turn would be superseded and the fact would stay.
        hidden = {turn.id for turn in turns} | {id_ for item in facts for id_ in item.source.derived_from}
        earlier = [item for item in self._best(questions, scope, _SAID) if item.id not in hidden]
        return known([*facts[:_SHOWN], *earlier[:_SHOWN_TURNS]])

    def _best(self, questions: Sequence[str], scope: Scope, where: Filter) -> list[MemoryItem]:
        """The memories that are nearest to any of the questions, and that may be changed."""
        found: dict[str, Hit] = {}
        for question in questions:
            for hit in self.recall.search(question, scope=self.reach(scope), top_k=_FOR_EACH, filter=where):
                if hit.id not in found or found[hit.id].score < hit.score:
                    found[hit.id] = hit
        best = sorted(found.values(), key=lambda hit: -hit.score)
        return [hit.item for hit in best if self.changeable(hit.item, scope)]


def known(items: Iterable[MemoryItem]) -> list[Known]:
    """Memories as an extractor is shown them."""
    return [_known(f"m{number}", item) for number, item in enumerate(items, start=1)]


def asked(planner: PlanningExtractor, request: ExtractionRequest) -> ExtractionPlan:
    """What holds of what one extractor proposes.

    Raises:
        MemplugError: It could not answer, as it says itself.
        PluginError: It failed.
    """
    try:
        proposals = planner.plan(request)
        # Inside, too: a plugin's proposal may hold None where words should be, and that must not cost the input.
        plan = checked(proposals, request) if isinstance(proposals, Proposals) else None
    except MemplugError:
        raise
    except Exception as error:
        raise PluginError(f"the extractor {planner.name!r} failed", plugin=planner.name, hook="plan") from error
    if plan is None:
        raise PluginError(f"the extractor {planner.name!r} must answer Proposals", plugin=planner.name, hook="plan")
    return plan


def _known(label: str, item: MemoryItem) -> Known:
    fact = item.kind in FACT_KINDS
    return Known(
        label=label,
        id=item.id,
        version=item.version,
        kind=item.kind,
        text=item.text[:_LONGEST],
        at=item.occurred_at or item.created_at,
        turns=item.source.derived_from if fact else (item.id,),
        tags=item.tags,
    )


def _planned(plan: ExtractionPlan) -> list[Known]:
    """What is planned already of the same input, so that what comes later in it can be about that."""
    return [
        Known(
            label=f"n{number}",
            id=f"{_PLANNED}{number}",
            version=0,
            kind=change.kind,
            text=change.text,
            at=max(turn.said_at for turn in change.sources),
        )
        for number, change in enumerate(plan.changes)
        if change.text
    ][-_SHOWN:]


def _joined(plan: ExtractionPlan, more: ExtractionPlan) -> ExtractionPlan:
    """Both, where a change of what is only planned is put into it."""
    changes = list(plan.changes)
    for change in more.changes:
        if change.id is not None and change.id.startswith(_PLANNED):
            number = int(change.id.removeprefix(_PLANNED))
            changes[number] = _revised(changes[number], change)
        else:
            changes.append(change)
    return ExtractionPlan(changes=tuple(_apart(changes)), left_out=plan.left_out + more.left_out)


def _revised(first: PlannedFact, later: PlannedFact) -> PlannedFact:
    """A planned change with other words, since the same input says otherwise further down."""
    sources = later.sources if later.action == "supersede" else (*first.sources, *later.sources)
    return replace(
        first,
        text=later.text,
        sources=sources,
        reason=later.reason or first.reason,
        occurred_at=later.occurred_at or first.occurred_at,
        tags=later.tags or first.tags,
    )


def _apart(changes: Collection[PlannedFact]) -> list[PlannedFact]:
    """The changes without a second one of the same memory: two extractors may both have had it in mind."""
    seen: set[str] = set()
    kept = []
    for change in changes:
        if change.id is None or change.id not in seen:
            kept.append(change)
        seen.add(change.id or "")
    return kept
