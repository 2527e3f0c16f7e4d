"""Feedback: a correction where it is clear what it corrects, else a note."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound
from memplug.pipelines.versions import check_version
from memplug.safety.labels import check_labels
from memplug.values.outcome import AddResult, Outcome
from memplug.values.prompt import Usage
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
        [outcome] = self.ingest.add(replace(request, kind=FEEDBACK, reason=result.reason)).outcomes
        return replace(result, id=outcome.id, applied=True)

    def added(self, request: AddRequest) -> AddResult:
        """What `Memory.add` does: feedback among the input corrects what it is about, and everything else is stored."""
        if request.is_feedback:
            labels = check_labels(request, self.corrector.recall.limits)
            request = replace(request, tags=labels.tags, metadata=labels.metadata)  # tags may be a stream
            result = self.corrector.correct(
                str(request.content),
                [request.scope],
                dry_run=False,
                tags=labels.tags,
                metadata=labels.metadata,
                asking=bool(request.infer),
            )
            if result.event != "noted":
                return AddResult(outcomes=tuple(_outcomes(result, part=0)), usage=result.usage)
            stored = self.ingest.add(replace(request, reason=result.reason))
            return replace(stored, usage=stored.usage + result.usage)
        stored = self.ingest.add(request)
        done = [self._applied(outcome, request) for outcome in stored.outcomes]
        return replace(
            stored,
            outcomes=tuple(one for outcomes, _ in done for one in outcomes),
            usage=sum((usage for _, usage in done), stored.usage),
        )

    def _applied(self, outcome: Outcome, request: AddRequest) -> tuple[list[Outcome], Usage]:
        """The outcomes of one part; a note of feedback whose correction was found goes again."""
        if outcome.kind != FEEDBACK or outcome.event != "added" or outcome.id is None:
            return [outcome], Usage()
        note = self.corrector.store.get(outcome.id, request.scope).item
        result = self.corrector.correct(
            outcome.text,
            [request.scope],
            dry_run=False,
            tags=note.tags,
            metadata=note.metadata,
            asking=bool(request.infer),
        )
        if result.event == "noted":
            return [outcome], result.usage
        self.editor.delete(outcome.id, scope=request.scope, version=None, erase=False)
        return _outcomes(result, part=outcome.part), result.usage

    def undo(self, result: FeedbackResult, scope: Scope | None, buckets: Collection[str] = ()) -> None:
        """Brings back what a correction changed, or removes its note.

        Args:
            result: What the correction did.
            scope: Where that was; None means anywhere.
            buckets: Where it may have been beside the scope.

        Raises:
            NotFound: A memory is gone since.
            AccessDenied: The user may not change it any more.
            VersionConflict: Somebody changed a memory after the correction; nothing was undone.
        """
        if not result.applied:
            return
        scopes = [scope, *(scope.beside(name) for name in buckets)] if scope is not None else [None]
        for one, where in [(one, self._unchanged(one, scopes)) for one in result.corrections]:
            self.editor.restore(one.id, one.version, scope=where, expected=one.version + 1)
        if result.id is not None:
            self.editor.delete(result.id, scope=scope, version=None, erase=False)

    def _unchanged(self, one: Correction, scopes: Sequence[Scope | None]) -> Scope | None:
        """The scope that a corrected memory lies in, which still has the version that the correction made."""
        for number, scope in enumerate(scopes, start=1):
            try:
                latest = self.editor.store.history(one.id, scope, change=True)[-1]
            except NotFound:
                if number == len(scopes):
                    raise
                continue
            check_version(f"memory {one.id!r}", latest, latest.version, one.version + 1)
            return scope
        return None


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
