"""Links tool calls with their results: inside one input, and with what the store holds already.

Servers use one id several times, also inside one conversation. So an id alone never decides: the halves must fit, and
each use has a place of its own under its id.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memplug.pipelines.identity import imported_id
from memplug.values.draft import Media
from memplug.values.tool_call import FIELD, ToolCall, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record
    from memplug.values.scope import Scope

#: The kind of uses of tools, and of what is known of a tool.
USE = "tool_call"
#: Bytes of arguments and result up to which they stand in the metadata; longer ones become the memory's original.
INLINE_BYTES = 32_000
#: Places under one id that are asked for at a time.
_STEP = 4


def call_of(draft: Draft) -> ToolCall | None:
    """The use of a tool that a draft holds; None where it is something else."""
    return ToolCall.of_json(draft.metadata.get(FIELD)) if draft.kind == USE else None


def referring(draft: Draft, refer: Callable[[Any], Any]) -> Draft:
    """The use with another result in the place of its own; it is still told by its own one that it is the same use.

    Args:
        draft: Any draft.
        refer: Gives the other result; where that is the same, so is the draft.
    """
    call = _whole(draft) if draft.kind == USE else None
    if call is None or not call.answered or call.cut:
        return draft
    result = refer(call.result)
    if result == call.result:
        return draft
    return _sized(_worded(replace(draft, media=None, content_type="text/plain"), call.showing(result)))


def recorded(item: MemoryItem) -> ToolCall | None:
    """The use that a stored memory holds, perhaps only the beginnings of it; a deleted one holds none."""
    return ToolCall.of_json(item.metadata.get(FIELD)) if item.kind == USE else None


def linked(drafts: Sequence[Draft], messages: Mapping[int, int]) -> list[Draft]:
    """The drafts with each result joined to its call, in whatever order they came.

    Args:
        drafts: In the order of the parts.
        messages: The message number of each part; the pieces of one message's answer are one answer.
    """
    found: list[Draft] = []
    for draft in drafts:
        call = call_of(draft)
        index = None if call is None else _partner(found, draft, call, messages)
        if call is None or index is None:
            found.append(draft)
        else:
            found[index] = _joined(found[index], draft, messages)
    return [_sized(draft) for draft in found]


def _partner(found: Sequence[Draft], draft: Draft, call: ToolCall, messages: Mapping[int, int]) -> int | None:
    """The place of the earlier half that a half belongs to; the first that still lacks it."""
    for index, other in enumerate(found):
        known = call_of(other)
        if known is None or known.id != call.id:
            continue
        if _one_answer(other, draft, known, call, messages):
            return index
        lacks = known.answered is not call.answered and known.called is not call.called
        named = bool(call.id) or (known.name == call.name and call.answered)
        if lacks and named and known.fits(call):
            return index
    return None


def _one_answer(one: Draft, other: Draft, known: ToolCall, call: ToolCall, messages: Mapping[int, int]) -> bool:
    """Whether two texts are of one tool's message."""
    if not (known.answered and call.answered) or call.called:
        return False
    return messages.get(other.part) in {messages.get(part) for part in (one.part, *one.also)[-1:]}


def _joined(one: Draft, other: Draft, messages: Mapping[int, int]) -> Draft:
    first, second = call_of(one), call_of(other)
    assert first is not None  # noqa: S101 - `_partner` found it
    assert second is not None  # noqa: S101 - as above
    if _one_answer(one, other, first, second, messages):
        worst = second if second.outcome == "error" else first
        result = f"{plain(first.result)}\n{plain(second.result)}"
        call = replace(first, result=result, outcome=worst.outcome, error=worst.error, error_type=worst.error_type)
    else:
        call = first.joined(second)
    call = _timed(call, one, other)
    source = one.source if first.called else other.source
    return _worded(
        replace(
            one,
            also=(*one.also, other.part, *other.also),
            source=source,
            occurred_at=one.occurred_at or other.occurred_at,
            context="\n".join(dict.fromkeys(words for words in (one.context, other.context) if words)),
        ),
        call,
    )


def _timed(call: ToolCall, one: Draft, other: Draft) -> ToolCall:
    if call.duration_ms is not None or one.occurred_at is None or other.occurred_at is None:
        return call
    took = abs((other.occurred_at - one.occurred_at).total_seconds()) * 1_000
    return replace(call, duration_ms=took)


def _whole(draft: Draft) -> ToolCall | None:
    """The use with all its arguments and its whole result."""
    if draft.media is not None and (whole := ToolCall.of_json(json.loads(draft.media.data))):
        return whole
    return call_of(draft)


def _worded(draft: Draft, call: ToolCall) -> Draft:
    """The draft with this use as its words and metadata."""
    return replace(draft, text=call.text, metadata={**draft.metadata, FIELD: call.as_json()})


def _sized(draft: Draft) -> Draft:
    """A use that is too long for metadata keeps arguments and result as its original, byte for byte."""
    call = call_of(draft)
    if call is None or draft.media is not None:
        return draft
    data = json.dumps(call.as_json(), indent=1).encode()
    if len(data) <= INLINE_BYTES:
        return draft
    return replace(
        draft,
        metadata={**draft.metadata, FIELD: call.shortened().as_json()},
        media=Media(data=data, content_type="application/json", name=f"{call.name or 'tool'}.json"),
        content_type="application/json",
    )


@dataclass(slots=True, kw_only=True)
class CallPlaces:
    """Finds the place of each use in the store, where it may lie already, or half of it.

    Args:
        store: Where to look.
    """

    store: Store
    _taken: set[str] = field(default_factory=set)

    def placed(self, draft: Draft, scope: Scope) -> Draft:
        """The draft with a name for its place, joined with what lies there."""
        call = call_of(draft)
        if call is None or not call.id or draft.named:
            return draft
        number = 0
        while True:
            origins = {f"tool_call:{at}:{call.id}": at for at in range(number, number + _STEP)}
            ids = {imported_id(scope, origin): origin for origin in origins}
            latest = self.store.backend.latest(list(ids))
            for id_, origin in ids.items():
                if id_ in self._taken or not _fits(latest.get(id_), call):
                    continue
                self._taken.add(id_)
                return self._over(replace(draft, origin=origin), latest.get(id_))
            number += _STEP

    def _over(self, draft: Draft, record: Record | None) -> Draft:
        """The draft with what the stored half adds."""
        known = self._stored(record.item) if record is not None and not record.item.deleted else None
        call = _whole(draft)
        if record is None or known is None or call is None:
            return draft
        old = record.item
        joined = _worded(replace(draft, media=None, content_type="text/plain"), known.joined(call))
        return _sized(
            replace(
                joined,
                source=old.source if known.called else replace(draft.source, position=old.source.position),
                tags=tuple(sorted({*old.tags, *draft.tags})),
                metadata={**old.metadata, **joined.metadata},
                occurred_at=old.occurred_at or draft.occurred_at,
                expires_at=draft.expires_at or old.expires_at,
                context="\n".join(dict.fromkeys(words for words in (record.context, draft.context) if words)),
            )
        )

    def _stored(self, item: MemoryItem) -> ToolCall | None:
        known = recorded(item)
        if known is None or not known.cut or item.media is None:
            return known
        with closing(self.store.backend.open_media(item.media.digest)) as file:
            return ToolCall.of_json(json.loads(file.read())) or known


def _fits(record: Record | None, call: ToolCall) -> bool:
    if record is None or record.item.deleted:
        return True
    known = recorded(record.item)
    return known is not None and known.fits(call)
