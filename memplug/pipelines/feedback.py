"""Feedback: a correction where it is clear what it corrects, else a note."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound
from memplug.values.outcome import AddResult, Outcome
from memplug.values.request import FEEDBACK

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from memplug.pipelines.correcting import Corrector
    from memplug.pipelines.editing import Editor
    from memplug.pipelines.ingest import Ingest
    from memplug.values.feedback import Correction, FeedbackResult
    from memplug.values.request import AddRequest
    from memplug.values.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Takes feedback, and takes it back."""

    corrector: Corrector
    ingest: Ingest
    editor: Editor

    def take(self, request: AddRequest, buckets: Collection[str] = (), *, dry_run: bool = False) -> FeedbackResult:
        """Corrects what the feedback is about; what cannot be located is stored as a memory of its own.

        Args:
            request: The feedback as ``content``, and all that is said about it.
            buckets: Where the wrong memory may be beside the request's scope.
            dry_run: Only say what would happen.
        """
        scopes = [request.scope, *(request.scope.beside(name) for name in buckets)]
        result = self.corrector.correct(str(request.content), scopes, dry_run=dry_run)
        if result.event != "noted" or dry_run:
            return result
        [outcome] = self.ingest.add(replace(request, kind=FEEDBACK)).outcomes
        return replace(result, id=outcome.id, applied=True)

    def added(self, request: AddRequest) -> AddResult:
        """What `Memory.add` does: feedback among the input corrects what it is about, and everything else is stored."""
        if request.is_feedback:
            result = self.corrector.correct(str(request.content), [request.scope], dry_run=False)
            noted = result.event == "noted"
            return self.ingest.add(request) if noted else AddResult(outcomes=tuple(_outcomes(result, part=0)))
        stored = self.ingest.add(request)
        outcomes = [one for outcome in stored.outcomes for one in self._applied(outcome, request)]
        return replace(stored, outcomes=tuple(outcomes))

    def _applied(self, outcome: Outcome, request: AddRequest) -> list[Outcome]:
        """The outcomes of one part; a note of feedback whose correction was found goes again."""
        if outcome.kind != FEEDBACK or outcome.event != "added" or outcome.id is None:
            return [outcome]
        result = self.corrector.correct(outcome.text, [request.scope], dry_run=False)
        if result.event == "noted":
            return [outcome]
        self.editor.delete(outcome.id, scope=request.scope, version=None, erase=False)
        return _outcomes(result, part=outcome.part)

    def undo(self, result: FeedbackResult, scope: Scope | None, buckets: Collection[str] = ()) -> None:
        """Brings back what a correction changed, or removes its note.

        Args:
            result: What the correction did.
            scope: Where that was; None means anywhere.
            buckets: Where it may have been beside the scope.

        Raises:
            NotFound: A memory is gone since.
            AccessDenied: The user may not change it any more.
        """
        if not result.applied:
            return
        scopes = [scope, *(scope.beside(name) for name in buckets)] if scope is not None else [None]
        for one in result.corrections:
            self._restore(one, scopes)
        if result.id is not None:
            self.editor.delete(result.id, scope=scope, version=None, erase=False)

    def _restore(self, one: Correction, scopes: Sequence[Scope | None]) -> None:
        for scope in scopes[:-1]:
            try:
                self.editor.restore(one.id, one.version, scope=scope)
            except NotFound:
                continue
            return
        self.editor.restore(one.id, one.version, scope=scopes[-1])


def _outcomes(result: FeedbackResult, *, part: int) -> list[Outcome]:
    """One for each memory that a correction changed."""
    return [
        Outcome(
            event="deleted" if one.deleted else "updated",
            part=part,
            id=one.id,
            kind=one.kind,
            text=one.after,
            version=one.version + 1,
        )
        for one in result.corrections
    ]
