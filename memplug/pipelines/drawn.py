"""What becomes of facts when a turn that they were drawn from is erased: its words must not live on in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.pipelines.dialogue import speaks
from memplug.store import View
from memplug.values.extraction import FACT_KINDS
from memplug.values.filters import Compare
from memplug.values.scope import scope_of_item

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from memplug.store import Store
    from memplug.values.item import MemoryItem, Record


def drawn_from(store: Store, items: Iterable[MemoryItem]) -> dict[str, Record | None]:
    """The facts any version of which was drawn from turns that are being erased.

    Args:
        store: Where they are.
        items: All versions of what is being erased.

    Returns:
        By the fact's id what is left of it: its current words, as a first version, where they were drawn from other
        turns alone; None where they were not, or it is deleted.
    """
    turns = {item.id: item for item in items if speaks(item)}
    found: dict[str, Record | None] = {}
    for scope in {scope_of_item(item.ids) for item in turns.values()}:
        view = View(scope=scope, filter=Compare("kind", "in", FACT_KINDS), trusted=True)
        latest = store.backend.latest(store.ids(view))
        for id_, record in latest.items():
            if id_ in turns or not any(_cites(one, turns) for one in _versions(store, record)):
                continue
            found[id_] = None if record.item.deleted or _cites(record, turns) else _first(record, turns)
    return found


def _versions(store: Store, record: Record) -> Iterable[Record]:
    return [record] if record.version == 1 else store.backend.versions(record.id)


def _cites(record: Record, turns: Collection[str]) -> bool:
    return any(id_ in turns for id_ in record.item.source.derived_from)


def _first(record: Record, turns: Mapping[str, MemoryItem]) -> Record:
    """The fact as if there had been none before; why it took the place of another may repeat what that said."""
    older = tuple(id_ for id_ in record.item.source.supersedes if id_ not in turns)
    source = replace(record.item.source, supersedes=older, reason=None)
    return replace(record, item=replace(record.item, version=1, source=source))
