"""Raw input into stored memories: parse, describe, guard, extract, embed, commit.

All that one `add` yields becomes visible in one commit, or none of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError, InputRejected, MemplugError, VersionConflict
from memplug.pipelines.identity import media_digest
from memplug.pipelines.indexing import index
from memplug.pipelines.planning import Plan, Planner
from memplug.values.outcome import AddResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.pipelines.parsing import Parsed, Parser
    from memplug.pipelines.turns import TurnCounter
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder, Extractor
    from memplug.store import Store
    from memplug.values.draft import Draft, Media
    from memplug.values.item import Record
    from memplug.values.request import AddRequest

log = logging.getLogger("memplug.ingest")

#: How often a commit that lost a race is planned anew. Each round sees what won the last one, so a second
#: round nearly always suffices; the bound only keeps a broken backend from looping for ever.
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """The way in."""

    store: Store
    plugins: PluginManager
    parser: Parser
    embedder: Embedder
    turns: TurnCounter

    def add(self, request: AddRequest) -> AddResult:
        """Stores what the request holds; see `Memory.add`.

        Raises:
            InputRejected: Nothing of the input could be stored; the error is the first part's, and its ``result``
                holds the outcomes of all.
            MemplugError: The store or a guard failed; nothing was stored.
        """
        parsed = self.parser.parse(request)
        drafts = [self._described(draft) for draft in parsed.drafts]
        kept = self.plugins.guard(drafts, request.scope)
        rejected = parsed.rejected + _left_out(drafts, kept)
        if not kept and rejected:
            raise _refusal(rejected)
        kept = [*kept, *self._extracted(kept, request)]
        plans = self._committed(kept, parsed, request)
        stored = [plan.record.item for plan in plans if plan.record is not None]
        self.plugins.notify("after_add", items=stored)
        outcomes = [*rejected, *(plan.outcome() for plan in plans)]
        return AddResult(outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.part)))

    def _described(self, draft: Draft) -> Draft:
        """Adds what describers see in the media to the user's own words, which always stay and come first."""
        media = draft.media
        if media is None:
            return draft
        words, errors = [draft.text] if draft.text else [], []
        for describer in self.plugins.describers():
            try:
                found = describer.describe(media, context=draft.text) if describer.accepts(media) else ""
            except Exception as error:  # noqa: BLE001 - the picture is kept, and its status carries the reason
                log.warning(
                    "describer %s failed on %d bytes of %s", describer.name, len(media.data), media.content_type
                )
                errors.append(f"{describer.name}: {error}")
            else:
                words += [found] if found.strip() else []
        return replace(draft, text="\n".join(words), error="; ".join(errors) or draft.error)

    def _extracted(self, drafts: Sequence[Draft], request: AddRequest) -> list[Draft]:
        extractors = self.plugins.extractors() if request.infer else []
        if request.infer is True and not extractors:
            raise ConfigError("infer=True needs an extractor, and no plugin registers one", hint="infer='auto'")
        return [draft for extractor in extractors for draft in _tried(extractor, drafts, request)]

    def _committed(self, drafts: Sequence[Draft], parsed: Parsed, request: AddRequest) -> list[Plan]:
        """Plans, embeds and commits; plans anew where another writer came first."""
        planner = Planner(store=self.store)
        for attempt in range(_ATTEMPTS):
            plans = planner.plan(drafts, request)
            plans = self._numbered(plans, parsed, request)
            plans = self._indexed(plans)
            records = [plan.record for plan in plans if plan.record is not None]
            try:
                self._write(plans, records)
            except VersionConflict:
                if request.version is not None or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return plans
        return []

    def _write(self, plans: Sequence[Plan], records: Sequence[Record]) -> None:
        """Media first: an original that no row names is harmless, a row whose original is missing is a loss."""
        for plan in plans:
            if plan.record is not None and plan.draft.media is not None:
                for data in _bytes_of(plan.draft.media):
                    self.store.backend.put_media(media_digest(data), data)
        if records:
            self.store.backend.commit(records)

    def _numbered(self, plans: Sequence[Plan], parsed: Parsed, request: AddRequest) -> list[Plan]:
        """Gives new turns of a conversation their place in it; parts of one message share one."""
        fresh = sorted({parsed.message_of(plan.draft) for plan in plans if plan.event == "added"})
        if not fresh or (request.scope.run_id is None and len(parsed.messages) == 1):
            return list(plans)
        first = self.turns.take(request.scope, len(fresh)) if request.scope.run_id is not None else 0
        place = {message: first + number for number, message in enumerate(fresh)}
        return [_placed(plan, place.get(parsed.message_of(plan.draft))) for plan in plans]

    def _indexed(self, plans: Sequence[Plan]) -> list[Plan]:
        """Gives the records that will be written their terms and vectors, in one call of the embedder."""
        indexed = iter(index([plan.record for plan in plans if plan.record], self.embedder))
        return [replace(plan, record=next(indexed)) if plan.record else plan for plan in plans]


def _tried(extractor: Extractor, drafts: Sequence[Draft], request: AddRequest) -> Sequence[Draft]:
    try:
        return extractor.extract(drafts, request.scope)
    except Exception:
        # What the user said is stored all the same: an extractor only ever adds to it.
        log.exception("extractor %s failed on %d drafts; they are stored without it", extractor.name, len(drafts))
        return []


def _placed(plan: Plan, position: int | None) -> Plan:
    if plan.record is None or plan.event != "added" or position is None:
        return plan
    item = plan.record.item
    return replace(
        plan, record=replace(plan.record, item=replace(item, source=replace(item.source, position=position)))
    )


def _bytes_of(media: Media) -> list[bytes]:
    return [media.data] if media.thumbnail is None else [media.data, media.thumbnail]


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
