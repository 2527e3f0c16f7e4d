"""One memory per tool and scope: how often it was used, what works, what fails. By counting, without a model.

It lies in the scope of its uses without their ``run_id``, where that leaves an id: what an agent learns of a tool is
worth something in its next conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.pipelines.calls import USE, recorded
from memplug.pipelines.identity import imported_id
from memplug.pipelines.versions import following, tombstone
from memplug.store import View
from memplug.values.filters import All, Compare
from memplug.values.item import MemoryItem, Record
from memplug.values.scope import Scope
from memplug.values.source import Provenance
from memplug.values.tool_call import FIELD, words_of
from memplug.values.tool_stats import TOOL_FIELD, ToolStats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from memplug.store import Store
    from memplug.values.tool_call import ToolCall


@dataclass(slots=True, kw_only=True)
class _Page:
    """What is new about one tool.

    Args:
        uses: What was known of each use before, and what is known now.
        definition: What a definition says of it.
    """

    uses: list[tuple[ToolCall | None, ToolCall]] = field(default_factory=list)
    definition: ToolStats | None = None


def home(scope: Scope) -> Scope:
    """Where the memories of a scope's tools lie."""
    ids = {name: value for name, value in scope.ids.items() if name != "run_id"}
    return Scope(**ids) if ids else scope


def tool_id(scope: Scope, name: str) -> str:
    """The id of a tool's memory in the scope that is its home."""
    return imported_id(scope, f"tool:{name}")


@dataclass(slots=True, kw_only=True)
class ToolBook:
    """Collects what one commit says of tools, and writes it to their memories in the same commit.

    Args:
        store: Where they are.
    """

    store: Store
    _pages: dict[tuple[Scope, str], _Page] = field(default_factory=dict)

    def use(self, scope: Scope, before: MemoryItem | None, after: MemoryItem) -> None:
        """Notes a use that is being written; ``before`` is the version that is there."""
        call = recorded(after)
        if call is None or not call.name:
            return
        known = recorded(before) if before is not None and not before.deleted else None
        page = self._pages.setdefault((home(scope), call.name), _Page())
        # A result that came before its call could not be counted for a tool.
        page.uses.append((known if known and known.name else None, call))

    def define(self, scope: Scope, definition: ToolStats) -> str:
        """Notes a definition, and returns the id of the tool's memory."""
        place = home(scope)
        self._pages.setdefault((place, definition.name), _Page()).definition = definition
        return tool_id(place, definition.name)

    def written(self, moment: datetime) -> list[tuple[Record, Record | None]]:
        """The memories to commit, each with the version that is there: none for a tool of which nothing changed."""
        ids = {tool_id(scope, name): (scope, name) for scope, name in self._pages}
        latest = self.store.backend.latest(list(ids)) if ids else {}
        found: list[tuple[Record, Record | None]] = []
        for id_, (scope, name) in ids.items():
            page, previous = self._pages[scope, name], latest.get(id_)
            stats = self._stats(scope, name, page, previous)
            record = _record(id_, scope, stats, moment)
            if previous is None:
                found.append((record, None))
            elif previous.item.deleted or previous.item.metadata.get(TOOL_FIELD) != stats.as_json():
                record = following(record, previous, moment, reborn=previous.item.deleted)
                found.append((record, previous))
        return found

    def _stats(self, scope: Scope, name: str, page: _Page, previous: Record | None) -> ToolStats:
        stats = None
        if previous is not None and not previous.item.deleted:
            stats = ToolStats.of_json(previous.item.metadata.get(TOOL_FIELD))
        if stats is None:
            # There is none, or it was removed or damaged: what is stored is counted anew.
            stats = counted(self.store, scope, name)
        if page.definition is not None:
            stats = stats.defined(page.definition)
        for before, after in page.uses:
            stats = stats.counted(before, after)
        return stats.fitting()


def counted(store: Store, scope: Scope, name: str) -> ToolStats:
    """The stats of a tool from all its uses in a scope, in the order in which they came."""
    stats = ToolStats(name=name)
    calls = [(item.created_at, item.id, call) for item, call in uses(store, scope) if call.name == name]
    for _, _, call in sorted(calls, key=lambda use: use[:2]):
        stats = stats.counted(None, call)
    return stats


def recounted(store: Store, gone: Iterable[MemoryItem], moment: datetime) -> tuple[list[Record], list[Record]]:
    """What becomes of the memories of tools after uses of theirs were removed.

    Args:
        store: Where they are; the uses have left it.
        gone: The uses as they were.
        moment: When.

    Returns:
        Their next versions, and deletions of those that have no use and no definition any more.
    """
    ids = tools_of(gone)
    latest = store.backend.latest(list(ids)) if ids else {}
    written, dropped = [], []
    for id_, (scope, name) in ids.items():
        previous = latest.get(id_)
        ended = previous is None or previous.item.deleted
        before = ToolStats.of_json(previous.item.metadata.get(TOOL_FIELD)) if previous is not None else None
        stats = counted(store, scope, name)
        if before is not None:
            stats = stats.defined(before)
        if stats.calls or stats.schema:
            record = _record(id_, scope, stats.fitting(), moment)
            written.append(following(record, previous, moment, reborn=ended) if previous is not None else record)
        elif previous is not None and not ended:
            dropped.append(following(tombstone(previous), previous, moment))
    return written, dropped


def tools_of(items: Iterable[MemoryItem]) -> dict[str, tuple[Scope, str]]:
    """The tools that these memories are uses of: the ids of their memories, with where those lie, and their names."""
    tools = dict.fromkeys(
        (home(Scope(**item.ids)), call.name) for item in items if (call := recorded(item)) is not None and call.name
    )
    return {tool_id(scope, name): (scope, name) for scope, name in tools}


def uses(store: Store, scope: Scope) -> Iterator[tuple[MemoryItem, ToolCall]]:
    """The uses of tools whose memories lie in a scope: those of its conversations count, of narrower scopes not."""
    uses = All((Compare("kind", "eq", USE), Compare(f"metadata.{FIELD}", "set", value=True)))
    view = View(scope=scope, filter=uses, trusted=True)
    for record in store.each(view):
        call = recorded(record.item)
        if call is not None and home(Scope(**record.item.ids)) == scope:
            yield record.item, call


def _record(id_: str, scope: Scope, stats: ToolStats, moment: datetime) -> Record:
    item = MemoryItem(
        id=id_,
        kind=USE,
        text=stats.text,
        created_at=moment,
        updated_at=moment,
        metadata={TOOL_FIELD: stats.as_json()},
        source=Provenance(role="tool"),
        user_id=scope.user_id,
        agent_id=scope.agent_id,
        run_id=scope.run_id,
        bucket=scope.bucket,
    )
    return Record(item=item, context=words_of(stats.name))
