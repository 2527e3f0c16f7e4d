"""Tools, where somebody asks how to do something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from memplug.lexical.analyzer import analyze
from memplug.values.tool_call import words_of
from memplug.values.tool_stats import TOOL_FIELD, ToolStats

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from memplug.plugins.protocols import Candidate, Question

#: Questions about how something is done, or with what.
_HOW = re.compile(
    r"\bhow (?:do|does|can|could|should|would|to|did)\b|\b(?:which|what) (?:tools?|functions?|apis?|commands?|calls?)\b"
    r"|\b(?:use|call|using) (?:a |the )?tools?\b|如何|怎么|怎样|哪个(?:工具|函数|接口)|用什么",
    re.IGNORECASE,
)
#: Programs are named with few verbs, and people ask with others that mean the same.
_VERBS = (
    "look lookup find get fetch retrieve read show see view check query search list load describe details detail info",
    "create add make new book insert register open start",
    "update change modify edit set alter rename move patch",
    "delete remove cancel drop erase clear close",
    "send post notify message mail transfer forward",
    "calculate compute sum add count evaluate",
)
_CLASSES = tuple(frozenset(term for word in words.split() for term in analyze(word)) for words in _VERBS)
#: What such a question says of tools in general.
_GENERAL = frozenset(analyze("tool tools function api command call use"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The memory of a tool gains where the question asks how something is done and the tool is called like it.

    Words cannot tell: all uses of all tools of one field share them.

    Args:
        weight: What a tool gains whose name and description cover the whole question.
    """

    name: ClassVar[str] = "tools"
    weight: float = 1.2

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """See `memplug.plugins.protocols.Ranker`."""
        asked = [term for term in question.terms if term not in _GENERAL]
        if not asked or not _HOW.search(question.text):
            return [0.0] * len(candidates)
        return [self.weight * _covered(asked, one) ** 2 for one in candidates]


def _covered(asked: Collection[str], candidate: Candidate) -> float:
    """Share of the question's words that a tool's name, description and arguments hold, or a verb of their meaning."""
    item = candidate.record.item
    if TOOL_FIELD not in item.metadata or item.kind != "tool_call":
        return 0.0
    stats = ToolStats.of_json(item.metadata[TOOL_FIELD])
    if stats is None:
        return 0.0
    held = set(analyze(f"{words_of(stats.name)} {stats.description} {' '.join(map(words_of, stats.arguments))}"))
    return sum(term in held or _means_the_same(term, held) for term in asked) / len(asked)


def _means_the_same(term: str, held: Collection[str]) -> bool:
    return any(term in verbs and not verbs.isdisjoint(held) for verbs in _CLASSES)
