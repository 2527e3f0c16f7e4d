"""Finds what was done repeatedly with success: the same tools in the same order, by counting."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound
from memplug.pipelines.calls import USE, recorded
from memplug.pipelines.practice import in_order
from memplug.store import View
from memplug.values.filters import All, Compare
from memplug.values.tool_call import FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from memplug.store import Store
    from memplug.values.run import Run
    from memplug.values.scope import Scope

#: Steps of a procedure that is looked for, and of one that is taken whole; conversations that make a repetition.
_LEAST, _MOST, _WHOLE, _REPEATED = 2, 8, 20, 2
#: Runs that are shown of a procedure.
_SHOWN = 12
_HINT = "name a conversation with run_id, or the tools in their order with tools=[...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """What was done.

    Args:
        tools: The tools in their order; several uses of one after the other are one step.
        examples: The runs of it, those that failed on the way included, for each conversation; the newest come first.
    """

    tools: tuple[str, ...]
    examples: tuple[tuple[Run, ...], ...]

    @property
    def runs(self) -> list[Run]:
        """Runs to show: of the newest conversations, as many as there is room for."""
        found: list[Run] = []
        for example in self.examples:
            if found and len(found) + len(example) > _SHOWN:
                break
            found += example[:_SHOWN]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """Uses of one tool that worked, one after the other, by their places among the conversation's runs."""

    tool: str
    first: int
    last: int


def procedure(store: Store, scope: Scope, tools: Sequence[str] = ()) -> Procedure:
    """The procedure that a scope shows.

    Args:
        store: Where the runs are.
        scope: Whose. With a ``run_id``, all that worked in this conversation is the procedure; else the one that was
            carried out most often in at least two, longer ones counting more.
        tools: The procedure to look for, where the caller knows it; then one conversation is enough.

    Raises:
        NotFound: There is none.
    """
    talks = _conversations(store, scope)
    if tools:
        wanted = tuple(tools)
    elif scope.run_id is not None:
        wanted = max((_tools(_steps(runs)) for runs in talks), key=len, default=())[:_WHOLE]
    else:
        wanted = _repeated(talks)
    examples = [example for runs in talks if wanted and (example := _example(runs, wanted))]
    if not examples:
        what = f"in which {', '.join(tools)!r:.200} worked in this order" if tools else "that worked"
        often = "" if tools or scope.run_id is not None else f" in {_REPEATED} conversations or more"
        raise NotFound(f"there are no uses of tools here {what}{often}", hint=_HINT)
    newest = sorted(examples, key=lambda runs: runs[-1].at, reverse=True)
    return Procedure(tools=wanted, examples=tuple(newest))


def _conversations(store: Store, scope: Scope) -> list[list[Run]]:
    """The answered uses of each conversation in a scope, in their order."""
    view = View(scope=scope, filter=All((Compare("kind", "eq", USE), Compare(f"metadata.{FIELD}", "set", value=True))))
    found = ((record.item, call) for record in store.each(view) if (call := recorded(record.item)) is not None)
    talks: defaultdict[Scope, list[Run]] = defaultdict(list)
    for run in in_order(found):
        talks[run.scope].append(run)
    return list(talks.values())


def _steps(runs: Sequence[Run]) -> list[_Step]:
    steps: list[_Step] = []
    for place, run in enumerate(runs):
        if not run.worked:
            continue
        if steps and steps[-1].tool == run.tool:
            steps[-1] = _Step(tool=run.tool, first=steps[-1].first, last=place)
        else:
            steps.append(_Step(tool=run.tool, first=place, last=place))
    return steps


def _tools(steps: Iterable[_Step]) -> tuple[str, ...]:
    return tuple(step.tool for step in steps)


def _repeated(talks: Iterable[Sequence[Run]]) -> tuple[str, ...]:
    """What was done in most conversations, a longer one weighing more; nothing where nothing was done twice."""
    counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for runs in talks:
        for tools in set(_windows(_tools(_steps(runs)))):
            counts[tools] += 1
    return _best({tools: count for tools, count in counts.items() if count >= _REPEATED})


def _windows(tools: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for size in range(_LEAST, min(_MOST, len(tools)) + 1):
        for first in range(len(tools) - size + 1):
            yield tools[first : first + size]


def _best(counts: Mapping[tuple[str, ...], int]) -> tuple[str, ...]:
    return max(counts, key=lambda tools: (counts[tools] * (len(tools) - 1), len(tools), tools), default=())


def _example(runs: Sequence[Run], tools: tuple[str, ...]) -> tuple[Run, ...]:
    """The runs of a procedure in a conversation, its last time there, with what failed on the way; else nothing."""
    steps = _steps(runs)
    for first in range(len(steps) - len(tools), -1, -1):
        found = steps[first : first + len(tools)]
        if _tools(found) == tools:
            begins = steps[first - 1].last + 1 if first else 0
            inside = runs[begins : found[-1].last + 1]
            return tuple(run for run in inside if run.tool in tools)
    return ()
