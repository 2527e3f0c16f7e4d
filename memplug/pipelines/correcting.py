"""Corrections in plain words: finds what is wrong without an id, and supersedes it in one commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from memplug.exceptions import AccessDenied, InputTooLarge, MalformedInput, VersionConflict
from memplug.feedback.phrases import LONGEST, read_claim
from memplug.feedback.rewording import reworded, subject_terms
from memplug.pipelines.guarding import guarded
from memplug.pipelines.identity import item_identity
from memplug.pipelines.indexing import index
from memplug.pipelines.versions import following, tombstone
from memplug.safety.labels import check_joined
from memplug.safety.text import clean
from memplug.values.feedback import Correction, FeedbackResult
from memplug.values.filters import Compare, Not

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memplug.feedback.claim import Claim
    from memplug.pipelines.consulting import Consulting
    from memplug.pipelines.recall import Recall
    from memplug.pipelines.versions import Contention
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.item import MemoryItem, Record
    from memplug.values.scope import Scope

#: Memories that are looked at for each question, and shown where none of them is sure.
_LOOKED_AT, _SHOWN = 30, 5
#: How much of what a correction is about a memory must say, and how much of what the best one says.
_SURE, _NEAR_BEST = 0.75, 0.9
#: Kinds that a correction never rewrites: what a tool answered was answered so, a skill is its author's, and other
#: feedback was said so.
_FIXED = ("tool_call", "skill", "blob", "feedback")
#: Characters of the reason that a correction leaves in the history of what it changed.
_LONGEST_REASON = 500
_BARRED = "what says so lies in a shared bucket, and is not this user's to change"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """Feedback, with what is said about it."""

    text: str
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrector:
    """The way in for feedback.

    Args:
        store: Where memories are.
        recall: Finds those that a correction may be about.
        plugins: Guards and observers.
        embedder: Makes the vectors of what is corrected.
        contention: Tries again where somebody else changed a memory meanwhile.
        consulting: Asks a model what is meant, where no rule can tell.
    """

    store: Store
    recall: Recall
    plugins: PluginManager
    embedder: Embedder
    contention: Contention
    consulting: Consulting

    def correct(
        self,
        feedback: str,
        scopes: Sequence[Scope],
        *,
        dry_run: bool,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        asking: bool = True,
    ) -> FeedbackResult:
        """Applies a correction, or says why it cannot be.

        Args:
            feedback: What the user says.
            scopes: Where the wrong memory may be.
            dry_run: Only say what would change.
            tags, metadata: What is said about the feedback, which goes to what is corrected.
            asking: Whether a model may be asked where no rule can tell what is meant.

        Raises:
            MalformedInput, InputTooLarge: The feedback is empty or too long.
        """
        if not isinstance(feedback, str) or not feedback.strip():
            raise MalformedInput("feedback must be a text that is not empty")
        if len(feedback) > self.recall.limits.query_length:
            raise InputTooLarge(f"feedback has at most {self.recall.limits.query_length:,} characters")
        said = _Said(text=clean(feedback), tags=tags, metadata=metadata or {}, dry_run=dry_run)
        claim = read_claim(said.text)
        if claim is None:
            result = FeedbackResult(event="noted", reason=_unread(feedback))
        else:
            result = self.contention.settled(lambda: self._by_rule(claim, said, scopes))
        if result.event != "noted" or result.reason == _BARRED or not (asking and self.consulting.ready):
            return result
        return self._by_model(said, scopes, result)

    def _by_rule(self, claim: Claim, said: _Said, scopes: Sequence[Scope]) -> FeedbackResult:
        found = list(self._found(claim, scopes))
        sure = _sure(claim, [correction for _, correction in found])
        if not sure:
            shown = sorted((one for _, one in found), key=lambda one: -one.fit)[:_SHOWN]
            reason = "several memories may be meant" if found else "no memory says what it corrects"
            return FeedbackResult(event="noted", candidates=tuple(shown), reason=reason)
        changes = [(record, one) for record, one in found if record is not None and one in sure]
        corrections = tuple(one for _, one in changes)
        barred = tuple(one for one in sure if one not in corrections)
        reason = _BARRED if barred else ""
        if not changes:
            return FeedbackResult(event="noted", candidates=barred, reason=reason)
        return replace(self._carried_out(changes, said, {}), candidates=barred, reason=reason)

    def _by_model(self, said: _Said, scopes: Sequence[Scope], noted: FeedbackResult) -> FeedbackResult:
        """What a model makes of a correction that no rule could carry out; what was noted of it where it cannot."""
        advice = self.consulting.advice(said.text, scopes, Not(Compare("kind", "in", _FIXED)))
        if not advice.changes:
            return replace(noted, reason=f"{noted.reason}; {advice.reason}", usage=advice.usage)
        # What has an original cannot be half forgotten, by a model's advice as little as by a rule.
        changes = [one for one in advice.changes if not (one[1].deleted and one[0].item.media is not None)]
        if any(record.version != one.version for record, one in changes) or not changes:
            return replace(noted, reason=f"{noted.reason}; what is meant was changed meanwhile", usage=advice.usage)
        try:
            result = self._carried_out(changes, said, advice.reasons)
        except VersionConflict:
            return replace(noted, reason=f"{noted.reason}; what is meant was changed meanwhile", usage=advice.usage)
        return replace(result, usage=advice.usage)

    def _carried_out(
        self, changes: Sequence[tuple[Record, Correction]], said: _Said, reasons: Mapping[str, str]
    ) -> FeedbackResult:
        """Applies changes, or only says what they are."""
        corrections = tuple(one for _, one in changes)
        try:
            labelled = [(self._labelled(record, one, said.tags, said.metadata), one) for record, one in changes]
        except InputTooLarge as error:
            return FeedbackResult(event="noted", candidates=corrections, reason=error.message)
        if not said.dry_run:
            self._apply([(_reasoned(record, reasons.get(one.id) or said.text), one) for record, one in labelled])
        gone = all(one.deleted for one in corrections)
        event = FeedbackResult(event="forgotten" if gone else "corrected", corrections=corrections)
        return replace(event, applied=not said.dry_run)

    def _found(self, claim: Claim, scopes: Sequence[Scope]) -> Iterator[tuple[Record | None, Correction]]:
        """The memories that the correction would change, with what it would make of them.

        None stands for a memory that the user may only read.
        """
        seen: set[str] = set()
        for scope in scopes:
            for question in _questions(claim):
                rewritable = Not(Compare("kind", "in", _FIXED))
                for hit in self.recall.search(question, scope=scope, top_k=_LOOKED_AT, filter=rewritable):
                    if hit.id in seen:
                        continue
                    seen.add(hit.id)
                    if (correction := _correction(hit.item, claim)) is not None:
                        yield self._changeable(hit.id, scope), correction

    def _changeable(self, id_: str, scope: Scope) -> Record | None:
        try:
            return self.store.get(id_, scope, change=True)
        except AccessDenied:
            return None

    def _labelled(self, record: Record, one: Correction, tags: Sequence[str], metadata: Mapping[str, Any]) -> Record:
        """The record with what is said about its correction; one that is forgotten has nothing left to carry that.

        Raises:
            InputTooLarge: It would have too much metadata.
        """
        item = record.item
        if one.deleted or not (tags or metadata):
            return record
        joined = {**item.metadata, **metadata}
        check_joined(joined, "", self.recall.limits)
        return replace(record, item=replace(item, tags=tuple(sorted({*item.tags, *tags})), metadata=joined))

    def _apply(self, changes: Sequence[tuple[Record, Correction]]) -> None:
        now = self.store.clock()
        gone = [following(tombstone(record), record, now) for record, one in changes if one.deleted]
        changed = [
            guarded(following(_corrected(record, one), record, now), self.plugins)
            for record, one in changes
            if not one.deleted
        ]
        written = index(changed, self.embedder)
        self.store.commit([*written, *gone], {})
        if written:
            self.plugins.notify("after_add", items=[record.item.handed_out() for record in written])
        if gone:
            self.plugins.notify("on_delete", items=[record.item.handed_out() for record in gone])


def _reasoned(record: Record, reason: str) -> Record:
    """The record with why it is changed, which its history tells from then on."""
    source = replace(record.item.source, reason=f"feedback: {reason}"[:_LONGEST_REASON])
    return replace(record, item=replace(record.item, source=source))


def _questions(claim: Claim) -> list[str]:
    """What to search for: what it is about with the wrong value, and the wrong value alone."""
    about = f"{claim.about} {claim.old}".strip()
    return list(dict.fromkeys(words for words in (about, claim.old) if words))


def _correction(item: MemoryItem, claim: Claim) -> Correction | None:
    if item.media is not None and (claim.action == "forget" or item.kind == "document"):
        # An original cannot be half forgotten, and a document's words are in its passages.
        return None
    found = reworded(item.text, claim)
    if found is None or found.text == item.text:
        return None
    return Correction(
        id=item.id, kind=item.kind, before=item.text, after=found.text, version=item.version, fit=round(found.fit, 4)
    )


def _sure(claim: Claim, found: Sequence[Correction]) -> list[Correction]:
    """Those of the memories that are meant beyond doubt."""
    if not subject_terms(claim):
        # Only a value is named: it is clear what is meant where one memory alone has it.
        return list(found) if len(found) == 1 else []
    best = max((one.fit for one in found), default=0.0)
    return [one for one in found if one.fit >= _SURE and one.fit >= _NEAR_BEST * best]


def _corrected(record: Record, correction: Correction) -> Record:
    item = replace(record.item, text=correction.after)
    return replace(record, item=item, identity=item_identity(item))


def _unread(feedback: str) -> str:
    if len(feedback) > LONGEST:
        return f"it is longer than {LONGEST:,} characters, and no rule reads that"
    return "no rule knows this way of putting it; 'X, not Y', 'it is X now' and 'forget that …' are known"
