"""What an input says of tools, as plans beside those of its drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.pipelines.calls import USE
from memplug.pipelines.planning import Plan
from memplug.pipelines.toolbook import ToolBook
from memplug.values.draft import Draft
from memplug.values.tool_stats import TOOL_FIELD, ToolStats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.outcome import Event
    from memplug.values.request import AddRequest


def definition_of(draft: Draft) -> ToolStats | None:
    """What a draft defines of a tool; None where it is something else."""
    return ToolStats.of_json(draft.metadata.get(TOOL_FIELD)) if draft.kind == USE else None


def defines_tool(draft: Draft) -> bool:
    """Whether a draft is a tool's definition, which has no memory of its own beside the tool's."""
    return definition_of(draft) is not None


def about_tools(
    store: Store, inputs: Sequence[tuple[Sequence[Draft], AddRequest]], plans: Sequence[Sequence[Plan]]
) -> list[list[Plan]]:
    """For each input the plans for its definitions, and one that tells nobody for each other tool that it used.

    Args:
        store: Where the tools' memories are.
        inputs: All drafts with their requests.
        plans: What was decided for those that define nothing.
    """
    book = ToolBook(store=store)
    defined: list[list[tuple[Draft, str]]] = []
    for (drafts, request), decided in zip(inputs, plans, strict=True):
        for plan in decided:
            if plan.record is not None:
                book.use(request.scope, plan.previous.item if plan.previous else None, plan.record.item)
        definitions = [(draft, definition) for draft in drafts if (definition := definition_of(draft)) is not None]
        defined.append([(draft, book.define(request.scope, definition)) for draft, definition in definitions])
    written = {record.id: (record, previous) for record, previous in book.written(store.clock())}
    known = store.backend.latest([id_ for found in defined for _, id_ in found if id_ not in written])
    told = [[_plan(draft, id_, written.pop(id_, None), known.get(id_)) for draft, id_ in found] for found in defined]
    rest = [
        Plan(
            draft=Draft(part=0, kind=record.item.kind),
            id=id_,
            event="updated",
            record=record,
            previous=previous,
            silent=True,
        )
        for id_, (record, previous) in written.items()
    ]
    return [[*told[0], *rest], *told[1:]] if told else []


def _plan(draft: Draft, id_: str, written: tuple[Record, Record | None] | None, known: Record | None) -> Plan:
    """The plan for one definition; where another one of the same input is written already, it tells of that."""
    if written is None:
        return Plan(draft=draft, id=id_, event="unchanged", record=None, previous=known)
    record, previous = written
    event: Event = "added" if previous is None or previous.item.deleted else "updated"
    return Plan(draft=draft, id=id_, event=event, record=record, previous=previous)
