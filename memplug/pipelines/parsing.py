"""The first step of ingest: raw input into labelled drafts, and a rejection for each part that gives none."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from memplug.exceptions import (
    FileSizeError,
    InputRejected,
    InvalidImageError,
    MalformedInput,
    PluginError,
    UnsupportedInput,
)
from memplug.inputs.loading import load
from memplug.inputs.parts import Refused, unpack
from memplug.pipelines.calls import USE, linked
from memplug.pipelines.identity import draft_identity
from memplug.pipelines.quota import Quota
from memplug.safety.labels import Labels, check_labels
from memplug.values.outcome import Outcome
from memplug.values.tool_call import FIELD
from memplug.values.tool_stats import TOOL_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.plugins.manager import PluginManager
    from memplug.plugins.protocols import InputType, ParseContext
    from memplug.safety.fetch import Fetcher
    from memplug.values.draft import Draft, Part
    from memplug.values.request import AddRequest


log = logging.getLogger("memplug.ingest")

#: Characters of a file's name that an error shows, and the errors whose words a reference system fixed.
_NAME, _WORDED = 100, (InvalidImageError, FileSizeError)

#: Names in the metadata of a kind that later steps go by; a caller's own of another value would lead them astray.
_TAKEN = {USE: frozenset({FIELD, TOOL_FIELD}), "document": frozenset({"pages", "scanned_pages", "read_by"})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What the parts of one input gave.

    Args:
        drafts: In the order of the parts.
        rejected: One outcome per part that gave no draft.
        messages: The message number of each part, by the part's index.
    """

    drafts: list[Draft]
    rejected: list[Outcome]
    messages: dict[int, int]

    def message_of(self, draft: Draft) -> int:
        """The number of the message that a draft is from; 0 where a plugin made it from no part that there was."""
        return self.messages.get(draft.part, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Finds the input type for each part and lets it parse."""

    plugins: PluginManager
    fetcher: Fetcher
    context: ParseContext

    def parse(self, request: AddRequest) -> Parsed:
        """Drafts with everything that the request says about them.

        Raises:
            MalformedInput, InputTooLarge: What is said about the input is wrong, or the input as a whole is; a
                part that is wrong by itself becomes a rejected outcome instead.
        """
        labels = check_labels(request, self.context.limits)
        parts = unpack(
            request.content,
            description=request.description,
            content_type=request.content_type,
            kind=request.kind,
            limits=self.context.limits,
        )
        return self.parsed(parts, labels, Quota(self.context.limits), later=not request.wait)

    def parsed(
        self, parts: Iterable[Part | Refused], labels: Labels, quota: Quota | None = None, *, later: bool = False
    ) -> Parsed:
        """Drafts of parts that were made out already, with what is said about all of them.

        Args:
            parts: They.
            labels: What is said about all of them.
            quota: Counts the documents among them; None where they may be as many as there are.
            later: Whether an input type may leave for later what takes long.
        """
        parsed = Parsed(drafts=[], rejected=[], messages={})
        taken: dict[tuple[str | None, str | None], str] = {}
        for part in parts:
            try:
                if isinstance(part, Refused):
                    raise part.error
                drafts = self._drafts(part if labels.key is None else replace(part, key=labels.key), quota, later=later)
                _check_places(drafts, taken)
                parsed.drafts.extend(drafts)
                parsed.messages[part.index] = part.message
            except InputRejected as error:
                parsed.rejected.append(Outcome(event="rejected", part=part.index, error=_named(error, part)))
        parsed = replace(parsed, drafts=linked(parsed.drafts, parsed.messages))
        return replace(parsed, drafts=_labelled(parsed, labels))

    def _drafts(self, part: Part, quota: Quota | None, *, later: bool) -> list[Draft]:
        loaded = load(part, self.context.limits, self.fetcher)
        input_type = self._input_type(loaded)
        if quota is not None:
            quota.take(loaded, input_type)
        try:
            drafts = list(input_type.parse(loaded, replace(self.context, later=later)))
        except (InputRejected, MemoryError) as error:
            if quota is not None and isinstance(error, InputRejected):
                quota.give_back(loaded, input_type)
            raise
        except Exception as error:
            # A parser's crash is contained to its part, and the part says so: nothing goes on silently.
            raise _crashed(input_type, error) from error
        if not drafts:
            raise UnsupportedInput(f"the input type {input_type.name!r} found nothing to remember in this part")
        return drafts

    def _input_type(self, part: Part) -> InputType:
        types = self.plugins.input_types()
        for type_ in types:
            if _accepts(type_, part):
                return type_
        known = ", ".join(sorted({type_.name for type_ in types}))
        raise UnsupportedInput(f"no input type takes {_form(part)}", hint=f"there are: {known}")


def _named(error: InputRejected, part: Part | Refused) -> InputRejected:
    """The error with the name of its file, so that whoever hands in twenty knows which one it is about.

    What is said of pictures is fixed to the letter, so that the name stands beside it.
    """
    source = None if isinstance(part, Refused) else part.source
    name = "".join(one if one.isprintable() else "?" for one in source.label)[:_NAME] if source is not None else ""
    if not name or name in str(error):
        return error
    if isinstance(error, _WORDED):
        error.hint = f"{name}; {error.hint}" if error.hint else name
    else:
        error.args = (f"{name}: {error.message}",)
    return error


def _check_places(drafts: Iterable[Draft], taken: dict[tuple[str | None, str | None], str]) -> None:
    """Refuses a part that belongs where an earlier one of the same input is: no commit holds two versions of one.

    What is the same twice passes, and becomes a duplicate.
    """
    for draft in drafts:
        identity = draft_identity(draft) if draft.named else ""
        if draft.named and taken.setdefault((draft.key, draft.origin), identity) != identity:
            raise MalformedInput(
                f"an earlier part of the same input is called {draft.key or draft.origin!r} too, and differs from it",
                hint="add them one after the other: the later one then is a new version",
            )


def _accepts(input_type: InputType, part: Part) -> bool:
    try:
        return input_type.accepts(part)
    except Exception:
        # It had its chance to take the part; the types after it still have theirs.
        log.exception("the input type %s failed to look at a part", input_type.name)
        return False


def _crashed(input_type: InputType, error: Exception) -> InputRejected:
    rejected = MalformedInput(
        f"the input type {input_type.name!r} failed on this part: {type(error).__name__}: {error}"
    )
    rejected.__cause__ = PluginError(str(error), plugin=input_type.name, hook="parse")
    return rejected


def _form(part: Part) -> str:
    """The part's form in words, for the message that nobody takes it."""
    if part.kind is not None:
        return f"the kind {part.kind!r}"
    if part.source is not None:
        return part.source.media_type or part.source.label or "these bytes"
    return type(part.value).__name__ if part.value is not None else "this text"


def _labelled(parsed: Parsed, labels: Labels) -> list[Draft]:
    """The drafts with key, tags, metadata and times of the caller, and tied to others of their message."""
    if labels.key is not None and len(parsed.drafts) + len(parsed.rejected) > 1:
        raise MalformedInput(
            f"key {labels.key!r} names one memory, but the content has several parts",
            hint="add them one by one, each under its own key",
        )
    _check_names(parsed.drafts, labels)
    groups = _groups(parsed)
    return [
        replace(
            _marked(draft, labels),
            key=labels.key or draft.key,
            source=replace(draft.source, message=groups.get(parsed.message_of(draft)), reason=labels.reason),
            pieces=tuple(_marked(piece, labels) for piece in draft.pieces),
        )
        for draft in parsed.drafts
    ]


def _check_names(drafts: Iterable[Draft], labels: Labels) -> None:
    """Refuses the caller's metadata where it would pass for what memplug itself knows of a tool call or a document."""
    for draft in drafts:
        taken = _TAKEN.get(draft.kind, frozenset())
        for name in sorted(taken & labels.metadata.keys()):
            if draft.metadata.get(name) != labels.metadata[name]:
                raise MalformedInput(
                    f"the metadata name {name!r} is taken by what is kept of a {draft.kind.replace('_', ' ')}",
                    hint="use another name",
                )


def _marked(draft: Draft, labels: Labels) -> Draft:
    return replace(
        draft,
        tags=tuple(sorted({*draft.tags, *labels.tags})),
        metadata={**draft.metadata, **labels.metadata},
        occurred_at=draft.occurred_at or labels.occurred_at,
        expires_at=draft.expires_at or labels.expires_at,
    )


def _groups(parsed: Parsed) -> dict[int, str]:
    """An opaque id for each message that gave more than one draft."""
    drafts = Counter(parsed.message_of(draft) for draft in parsed.drafts)
    return {message: uuid4().hex for message, count in drafts.items() if count > 1}
