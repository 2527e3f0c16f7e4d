"""Uses of tools out of the store, as something to learn from, and which of them teach most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.pipelines.toolbook import uses
from memplug.values.lesson import MOST_SORTS, Learnt, sort_of
from memplug.values.run import Run
from memplug.values.scope import scope_of_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memplug.store import Store
    from memplug.values.item import MemoryItem
    from memplug.values.scope import Scope
    from memplug.values.tool_call import ToolCall

#: Sorts of failures that are shown, and runs altogether; of those that worked at least so many, where there are.
_SORTS, _RUNS, _WORKED = 4, 10, 3


def runs_of(store: Store, scope: Scope, tool: str) -> list[Run]:
    """The answered uses of a tool whose home is a scope, oldest first.

    Args:
        store: Where they are.
        scope: The home of the tool's memory (`memplug.pipelines.toolbook.home`).
        tool: Its name.
    """
    return in_order((item, call) for item, call in uses(store, scope) if call.name == tool)


def in_order(found: Iterable[tuple[MemoryItem, ToolCall]]) -> list[Run]:
    """Uses as runs, oldest first; those without a result are none yet."""
    placed = sorted(((item.created_at, item.id, item, call) for item, call in found), key=lambda one: one[:2])
    return [
        Run(
            id=item.id,
            call=call,
            at=item.occurred_at or item.created_at,
            scope=scope_of_item(item.ids),
            ends=item.expires_at,
        )
        for _, _, item, call in placed
        if call.answered and call.name
    ]


def learnt_from(tool: str, runs: Sequence[Run]) -> Learnt:
    """What a lesson knows that was written from all these uses."""
    last_ok = max((place for place, run in enumerate(runs) if run.worked), default=-1)
    first: dict[str, int] = {}
    for place, run in enumerate(runs):
        if not run.worked:
            first.setdefault(_sort(run), place)
    return Learnt(
        tool=tool,
        uses=len(runs),
        ok=sum(run.worked for run in runs),
        sorts=tuple(first)[:MOST_SORTS],
        unsolved=any(place > last_ok for place in first.values()),
    )


def instructive(runs: Sequence[Run]) -> list[Run]:
    """Those of a tool's runs that teach most, in their order.

    Of each of the last sorts of failures the last one, with the use that worked after it, in the same conversation if
    there is such; and the last ones that worked.
    """
    worked = [place for place, run in enumerate(runs) if run.worked]
    last: dict[str, int] = {}
    for place, run in enumerate(runs):
        if not run.worked:
            last.pop(_sort(run), None)
            last[_sort(run)] = place
    chosen: dict[int, None] = {}
    for failed in list(last.values())[-_SORTS:][::-1]:
        chosen |= dict.fromkeys([failed, *_remedy(failed, worked, runs)])
    for place in worked[::-1]:
        if sum(runs[one].worked for one in chosen) >= _WORKED:
            break
        chosen.setdefault(place)
    return [runs[place] for place in sorted(list(chosen)[:_RUNS])]


def _remedy(failed: int, worked: Sequence[int], runs: Sequence[Run]) -> list[int]:
    """The place of the use that worked after one that failed; none where there is none."""
    later = [place for place in worked if place > failed]
    same = [place for place in later if runs[place].scope == runs[failed].scope]
    return (same or later)[:1]


def _sort(run: Run) -> str:
    call = run.call
    return sort_of(call.arguments, call.error or "", call.error_type or "")
