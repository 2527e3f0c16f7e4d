"""What a tool's lesson was learnt from, and when there is something new to learn."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from memplug.values.tool_stats import ToolStats

#: The kind of lessons, and under what name the metadata of one holds what it was learnt from.
LESSON = "lesson"
LESSON_FIELD = "lesson"
#: Sorts of failures that are told apart. A tool whose errors differ each time must not cost a question each time.
MOST_SORTS = 20
#: Characters of an error, and words in it, by which sorts are told apart: as many as `ToolStats` keeps of it.
_ERROR, _WORDS = 300, 8
_WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)*")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that was learnt.

    Args:
        text: ``When … then …``, in one sentence.
        runs: Ids of the uses of the tool that show it.
        arguments: Names of the tool's arguments that it is about.
        error: Words of the error that it is about; empty where it is about none.
    """

    text: str
    runs: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a lesson knows.

    Args:
        tool: The tool's name.
        uses, ok: Answered uses that there were, and how many of them worked.
        sorts: The sorts of failures among them (`sort_of`), at most `MOST_SORTS`.
        unsolved: Whether some sort of failure had no use after it yet that worked.
    """

    tool: str
    uses: int
    ok: int
    sorts: tuple[str, ...] = ()
    unsolved: bool = False

    def as_json(self, rules: tuple[Rule, ...] = ()) -> dict[str, Any]:
        """What `of_json` takes, with the rules beside it."""
        return asdict(self) | {"sorts": list(self.sorts), "rules": [_plain(rule) for rule in rules]}

    @classmethod
    def of_json(cls, held: object) -> Self | None:
        """What `as_json` gave; None where it is of another shape."""
        if not isinstance(held, Mapping) or not isinstance(held.get("tool"), str):
            return None
        counts, sorts = [held.get("uses"), held.get("ok")], held.get("sorts")
        if not all(isinstance(count, int) and count >= 0 for count in counts) or not isinstance(sorts, list | tuple):
            return None
        return cls(
            tool=held["tool"],
            uses=held["uses"],
            ok=held["ok"],
            sorts=tuple(map(str, sorts)),
            unsolved=held.get("unsolved") is True,
        )


def is_due(known: Learnt | None, stats: ToolStats) -> bool:
    """Whether there is something new to learn of a tool, for which a model is worth asking.

    There is with the first answered use, and then with a sort of failure that was not there before, with the first
    success after one, and whenever there are twice as many answered uses. So n uses cost at most about log2(n)
    questions, and two for each of the first `MOST_SORTS` sorts of failures.

    Args:
        known: What the lesson was learnt from; None where there is none.
        stats: What is counted of the tool now.
    """
    answered = stats.ok + stats.errors
    if known is None or not known.uses:
        return answered > 0
    new = sorts_of(stats) - set(known.sorts) if len(known.sorts) < MOST_SORTS else frozenset()
    return answered >= 2 * known.uses or bool(new) or (known.unsolved and stats.ok > known.ok)


def sorts_of(stats: ToolStats) -> frozenset[str]:
    """The sorts of the last failures that are counted of a tool."""
    return frozenset(
        sort_of(failure.get("arguments"), str(failure.get("error", "")), str(failure.get("error_type", "")))
        for failure in stats.failures
    )


def sort_of(arguments: object, error: str, error_type: str) -> str:
    """Names a sort of failure: its type, which arguments were given, and the error's first words without numbers.

    Values are none of it, nor is what has a digit in it, since those differ each time. It is a digest, so that it
    tells nothing of what was said.
    """
    names = sorted(map(str, arguments)) if isinstance(arguments, Mapping) else []
    words = [word for word in _WORD.findall(error[:_ERROR].casefold()) if not _DIGIT.search(word)]
    told = json.dumps([error_type or "error", names, words[:_WORDS]])
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(rule: Rule) -> dict[str, Any]:
    told = {"text": rule.text, "runs": list(rule.runs), "arguments": list(rule.arguments), "error": rule.error}
    return {name: value for name, value in told.items() if value}
