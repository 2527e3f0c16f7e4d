"""Corrections in plain words: finds what is wrong without an id, and supersedes it in one commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import AccessDenied, InputTooLarge, MalformedInput
from memplug.feedback.phrases import LONGEST, read_claim
from memplug.feedback.rewording import reworded, subject_terms
from memplug.pipelines.guarding import guarded
from memplug.pipelines.identity import item_identity
from memplug.pipelines.indexing import index
from memplug.pipelines.versions import following, tombstone
from memplug.safety.text import clean
from memplug.values.feedback import Correction, FeedbackResult
from memplug.values.filters import Compare, Not

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.feedback.claim import Claim
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
_BARRED = "what says so lies in a shared bucket, and is not this user's to change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrector:
    """The way in for feedback.

    Args:
        store: Where memories are.
        recall: Finds those that a correction may be about.
        plugins: Guards and observers.
        embedder: Makes the vectors of what is corrected.
        contention: Tries again where somebody else changed a memory meanwhile.
    """

    store: Store
    recall: Recall
    plugins: PluginManager
    embedder: Embedder
    contention: Contention

    def correct(self, feedback: str, scopes: Sequence[Scope], *, dry_run: bool) -> FeedbackResult:
        """Applies a correction, or says why it cannot be.

        Args:
            feedback: What the user says.
            scopes: Where the wrong memory may be.
            dry_run: Only say what would change.

        Raises:
            MalformedInput, InputTooLarge: The feedback is empty or too long.
        """
        if not isinstance(feedback, str) or not feedback.strip():
            raise MalformedInput("feedback must be a text that is not empty")
        if len(feedback) > self.recall.limits.query_length:
            raise InputTooLarge(f"feedback has at most {self.recall.limits.query_length:,} characters")
        claim = read_claim(clean(feedback))
        if claim is None:
            return FeedbackResult(event="noted", reason=_unread(feedback))

        def attempt() -> FeedbackResult:
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
            if not dry_run:
                self._apply(changes)
            gone = all(one.deleted for one in corrections)
            event = FeedbackResult(event="forgotten" if gone else "corrected", corrections=corrections)
            return replace(event, candidates=barred, reason=reason, applied=not dry_run)

        return self.contention.settled(attempt)

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
