"""What was said, as extractors are shown it: turns of drafts and of stored memories, with what was said before them.

Greetings and thanks are none (`memplug.lexical.chatter`): there is nothing to remember in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memplug.lexical.chatter import chatter
from memplug.safety.text import count_tokens
from memplug.store import View
from memplug.values.extraction import Turn
from memplug.values.filters import All, Compare
from memplug.values.scope import scope_of_item

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from memplug.store import Store
    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem, Record
    from memplug.values.scope import Scope
    from memplug.values.source import Provenance

#: The kind of what was said; pictures, documents and tools are no turns.
SPOKEN = "text"
#: Whose words are turns. Of a tool or a document nobody says anything.
_SPEAKING = frozenset({"user", "assistant"})
#: Turns before the new ones that are shown for understanding, and how much of each.
_BEFORE, _BEFORE_CHARACTERS = 6, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """Turns with what they came from.

    Args:
        turns: In their order.
        origins: What each fresh turn is, by its label.
    """

    turns: tuple[Turn, ...]
    origins: Mapping[str, Draft | MemoryItem] = field(default_factory=dict)

    @property
    def told(self) -> bool:
        """Whether the user says anything new in it."""
        return any(turn.fresh and turn.role == "user" for turn in self.turns)


def speaks(said: Draft | MemoryItem) -> bool:
    """Whether it is something that the user or the assistant said, in words alone."""
    return said.kind == SPOKEN and said.media is None and (said.source.role or "user") in _SPEAKING


def of_drafts(drafts: Iterable[Draft], fresh: Collection[int], before: Iterable[Turn], now: datetime) -> Dialogue:
    """The turns of what is being added.

    Args:
        drafts: It, in its order.
        fresh: Parts that were not there before.
        before: What was said before all of it.
        now: When what has no time of its own is said.
    """
    said = [draft for draft in drafts if speaks(draft) and chatter(draft.text) is None]
    turns = [
        _turn(draft.source, draft.text, draft.occurred_at or now, fresh=draft.part in fresh, part=draft.part)
        for draft in said
    ]
    return _numbered(before, list(zip(turns, said, strict=True)))


def of_records(records: Iterable[Record], before: Iterable[Turn]) -> Dialogue:
    """The turns of memories that are stored already and were not looked at, in the order of their conversation."""
    items = sorted((record.item for record in records if chatter(record.item.text) is None), key=_place)
    turns = [_turn(item.source, item.text, item.occurred_at or item.created_at, id_=item.id) for item in items]
    return _numbered(before, list(zip(turns, items, strict=True)))


def said_before(store: Store, scope: Scope, position: int | None) -> list[Turn]:
    """The last turns of a conversation before a place in it, or its last ones; none outside of a conversation.

    Args:
        store: Where they are.
        scope: The conversation, with all its ids.
        position: The place; None means the end.
    """
    if scope.run_id is None:
        return []
    where = [Compare("kind", "eq", SPOKEN), Compare("role", "in", tuple(_SPEAKING))]
    if position is not None:
        span = (Compare("position", "gte", position - _BEFORE), Compare("position", "lt", position))
        where += span
    view = View(scope=scope, filter=All((*where, Compare("position", "set", value=True))))
    found = [record.item for record in store.select(view, limit=_BEFORE * 2) if _is_of(record.item, scope)]
    last = sorted(found, key=_place)[-_BEFORE:]
    return [
        _turn(
            item.source, item.text[:_BEFORE_CHARACTERS], item.occurred_at or item.created_at, fresh=False, id_=item.id
        )
        for item in last
    ]


def windows(dialogue: Dialogue, tokens: int) -> Iterator[tuple[Turn, ...]]:
    """The turns in portions that fit into one question, each with the last turns of the one before.

    Args:
        dialogue: All of it.
        tokens: Most tokens of the fresh turns in one portion.
    """
    before = [turn for turn in dialogue.turns if not turn.fresh]
    window: list[Turn] = []
    size = 0
    shown = list(before)
    for turn in (turn for turn in dialogue.turns if turn.fresh):
        cost = count_tokens(turn.text)
        if window and size + cost > tokens:
            yield (*shown, *window)
            shown = [_earlier(one) for one in window[-_BEFORE:]]
            window, size = [], 0
        window.append(turn)
        size += cost
    if window:
        yield (*shown, *window)


def pieces(text: str, tokens: int) -> list[str]:
    """A text in pieces of about so many tokens at most, cut between lines or words where that can be."""
    found = []
    while count_tokens(text) > tokens:
        # A token is at least two bytes of most texts; half of what fits is surely small enough.
        end = max(len(text) * tokens // count_tokens(text), 1)
        cut = max(text.rfind("\n", end // 2, end), text.rfind(" ", end // 2, end)) + 1 or end
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text]


def cut(dialogue: Dialogue, tokens: int) -> Dialogue:
    """The dialogue with turns that are too long for one question as several, each of which is that turn."""
    said: list[tuple[Turn, Draft | MemoryItem]] = []
    for turn in dialogue.turns:
        if turn.fresh:
            parts = pieces(turn.text, tokens)
            said += [(replace(turn, text=part), dialogue.origins[turn.label]) for part in parts]
    return _numbered([turn for turn in dialogue.turns if not turn.fresh], said)


def _earlier(turn: Turn) -> Turn:
    return replace(turn, text=turn.text[:_BEFORE_CHARACTERS], fresh=False)


def _turn(
    source: Provenance,
    text: str,
    said_at: datetime,
    *,
    fresh: bool = True,
    part: int | None = None,
    id_: str | None = None,
) -> Turn:
    role = source.role or "user"
    return Turn(label="", text=text, role=role, said_at=said_at, speaker=source.speaker, fresh=fresh, part=part, id=id_)


def _numbered(before: Iterable[Turn], said: Sequence[tuple[Turn, Draft | MemoryItem]]) -> Dialogue:
    turns = [*before, *(turn for turn, _ in said)]
    labelled = [replace(turn, label=f"t{number}") for number, turn in enumerate(turns, start=1)]
    origins = dict(
        zip([turn.label for turn in labelled][len(turns) - len(said) :], (one for _, one in said), strict=True)
    )
    return Dialogue(turns=tuple(labelled), origins=origins)


def _place(item: MemoryItem) -> tuple[int, datetime, str]:
    return (item.source.position if item.source.position is not None else -1, item.created_at, item.id)


def _is_of(item: MemoryItem, scope: Scope) -> bool:
    """Whether it lies in exactly this scope: in another user's conversation of that name it says nothing of this."""
    return scope_of_item(item.ids) == scope
