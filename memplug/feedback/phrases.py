"""Reads corrections: the ways in which people say in English and Chinese that something is otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.feedback.claim import Claim
from memplug.feedback.values import common_cut, value_like

if TYPE_CHECKING:
    from collections.abc import Callable

#: Characters of feedback that are read by rules; what is longer is a report, not a correction.
LONGEST = 2_000

_END = " \t\n.!?,;:\"'\u201c\u201d\u2018\u2019\u3001\u3002\uff0c\uff1b\uff1a\uff01\uff1f"
#: How corrections begin, before they come to the point.
_OPENING = re.compile(
    r"^\s*(?:(?:no|nope|wrong|sorry|actually|correction|please note(?: that)?|fyi|btw|well|hey|hi|oops|wait)\b"
    r"[\s,.:;!\-]*"
    r"|(?:that'?s|that is|this is|it'?s|you(?:'re| are)) (?:wrong|incorrect|not (?:right|correct|true))\b"
    r"(?!\s+that\b)[\s,.:;!\-]*"
    r"|(?:i meant|i mean|in fact|to be (?:clear|precise))\b[\s,.:;!\-]*"
    r"|(?:不对|错了|不是的|更正|纠正一下|其实|实际上|请注意)[\s,\uff0c。\uff1a:!\uff01]*)+",
    re.IGNORECASE,
)
_LET = r"(?:please\s+|can you\s+|could you\s+)?"
_QUOTE = "[\"'\u201c\u201d\u2018\u2019\u300c\u300d]?"

_FORGET = re.compile(
    rf"^{_LET}(?:forget|delete|remove|erase|drop|disregard)\b\s*"
    r"(?:(?:everything|anything|all|what|the (?:memory|memories|fact|note|notes|part|thing))\b\s*)?"
    r"(?:(?:i|we) (?:said|told you|wrote)\s*)?(?:you know\s*)?(?:about|that|where|regarding|of)?\s*(?P<about>.+)$",
    re.IGNORECASE,
)
_UNTRUE = re.compile(
    r"^(?:it(?:'s| is)\s+)?(?:(?:wrong|false|incorrect|not true|no longer true|untrue|outdated) that\s+(?P<that>.+)"
    r"|(?:the (?:memory|fact|note) )?(?:that\s+)?(?P<about>.+?)\s+(?:is|was|are)(?:n't| not| no longer)?\s+"
    r"(?:wrong|incorrect|false|untrue|outdated|obsolete|true(?: any ?more)?|right|correct|valid(?: any ?more)?))$",
    re.IGNORECASE,
)
_FORGET_ZH = re.compile(
    r"^(?:请|麻烦)?(?:你)?(?:忘记|忘掉|忘了|删除|删掉|移除|不要再?记(?:得|住)?|别再?记(?:得|住)?)(?:关于|有关|我说过的?|我说的)?(?P<about>.+?)(?:的(?:事|记忆|内容|信息))?(?:吧)?$"
)

_SWAP = re.compile(
    rf"^{_LET}(?:change|replace|correct|update|switch|fix)\s+(?P<old>.+?)\s+(?:to|with|by|into)\s+(?P<new>.+?)"
    r"(?:\s+(?:in|for|of|about|everywhere)\b\s*(?P<about>.*))?$",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"^(?P<about>.+?)\s+(?:has |have |was |were |is |are |got )?(?:been )?"
    r"(?:changed|moved|switched|increased|raised|lowered|reduced|updated|renamed|rescheduled|postponed"
    r"|went(?: up| down)?)"
    r"\s+from\s+(?P<old>.+?)\s+to\s+(?P<new>.+)$",
    re.IGNORECASE,
)
_ARROW = re.compile(r"^(?P<old>[^→]{1,80}?)\s*(?:→|->|=>)\s*(?P<new>[^→]{1,80})$")
_NOT_BUT = re.compile(
    r"^(?P<about>.*?)\s*\b(?:is|are|was|were|am|do|does|did|has|have|should|will)?\s*(?:n't|\bnot)\s+"
    r"(?P<old>.+?)\s*(?:[,;.]|\s-)?\s+"
    r"(?:but(?: rather)?|it'?s|it is|it was|they'?re|they are|he'?s|she'?s|i'?m|rather|instead)\s+"
    r"(?P<new>.+)$",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"^(?P<left>.+?)(?:\s*[,;(\u2014\u2013]|\s+-|\.)\s*(?:and\s+|it'?s\s+|it is\s+)?"
    r"(?:not|never|no longer)\s+(?P<old>.+?)\)?$"
    r"|^(?P<left2>.+?),?\s+(?:instead of|rather than|and not|not)\s+(?P<old2>.+)$",
    re.IGNORECASE,
)
_SHOULD = re.compile(
    rf"^{_QUOTE}(?P<old>.+?){_QUOTE}\s+(?:should|must|has to|needs to|ought to)\s+(?:be|read|say)\s+"
    rf"{_QUOTE}(?P<new>.+?){_QUOTE}$",
    re.IGNORECASE,
)
_NOW = re.compile(
    r"^(?P<statement>(?P<about>.+?\s+(?:is|are|was|were|(?:now\s+|currently\s+)?"
    r"(?:cost|live|work|like|prefer|start|begin|end|use)s?|has|have))"
    r"\s+(?:now\s+|currently\s+)?(?P<new>.+?))(?P<now>\s+(?:now|from now on|these days|as of (?:now|today)))?$",
    re.IGNORECASE,
)

_NOT_BUT_ZH = re.compile(
    r"^(?P<about>.*?)(?:并)?不是(?P<old>[^,\uff0c。]+?)[,\uff0c;\uff1b。]?\s*(?:而|应该|其实)?是(?P<new>[^,\uff0c。]+)$"
)
_NOT_ZH = re.compile(r"^(?P<left>.+?)[,\uff0c;\uff1b]?\s*(?:而)?不是(?P<old>[^,\uff0c。]+)$")
_SWAP_ZH = re.compile(
    r"^(?:请)?(?:把|将)(?P<about>.*?)(?:从|的)?(?P<old>[^从的]+?)(?:改成|改为|换成|更正为|替换(?:成|为)|变成)(?:了)?(?P<new>.+)$"
)
_CHANGED_ZH = re.compile(
    r"^(?P<about>.+?)(?:已经|已|现在)?(?:从|由)(?P<old>.+?)(?:改成|改为|变成|变为|调整(?:到|为)|换成|涨到|降到)(?:了)?(?P<new>.+?)(?:了)?$"
)
_BECAME_ZH = re.compile(r"^(?P<about>.+?)(?:已经|已)?(?:改成|改为|变成|变为|调整为|换成)(?:了)?(?P<new>.+?)(?:了)?$")
_NOW_ZH = re.compile(r"^(?P<about>.+?)(?:现在|目前|应该|应当)(?:是|为)(?P<new>.+?)(?:了)?$")


def read_claim(feedback: str) -> Claim | None:
    """What a correction says; None where none of the rules knows its form."""
    text = _OPENING.sub("", feedback.strip()[: LONGEST + 1]).strip(_END)
    if not text or len(text) > LONGEST:
        return None
    return next((claim for rule in _RULES if (claim := rule(text)) is not None), None)


def _trimmed(text: str | None) -> str:
    return (text or "").strip(_END)


def _forget(text: str) -> Claim | None:
    found = _FORGET.match(text) or _FORGET_ZH.match(text)
    if found is None or not (about := _trimmed(found["about"])):
        return None
    return Claim(action="forget", about=about)


def _untrue(text: str) -> Claim | None:
    found = _UNTRUE.match(text)
    if found is None or not re.search(
        r"wrong|incorrect|false|untrue|outdated|obsolete|n't|\bnot\b|no longer", text, re.IGNORECASE
    ):
        return None
    return Claim(action="forget", about=_trimmed(found["that"] or found["about"]))


def _swap(text: str) -> Claim | None:
    for pattern in (_SWAP, _SWAP_ZH, _CHANGED, _CHANGED_ZH, _ARROW):
        if found := pattern.match(text):
            parts = found.groupdict()
            old, new = _trimmed(parts["old"]), _trimmed(parts["new"])
            about = _trimmed(parts.get("about"))
            if old and new and old != new:
                old, more = _subject_of(old) if not about else (old, "")
                return Claim(action="replace", about=about or more, old=old, new=new)
    return None


def _subject_of(old: str) -> tuple[str, str]:
    """``the limit from 800`` as value and subject: ``800``, ``the limit``."""
    head, separator, tail = old.partition(" from ")
    return (tail, head) if separator else (old, "")


def _not_but(text: str) -> Claim | None:
    found = _NOT_BUT.match(text) or _NOT_BUT_ZH.match(text)
    if found is None:
        return None
    old, new = _trimmed(found["old"]), _trimmed(found["new"])
    about = _trimmed(found["about"])
    if not old or not new or old == new:
        return None
    old, new = common_cut(old, new)
    return Claim(action="replace", about=about, old=old, new=new)


def _not(text: str) -> Claim | None:
    """``X, not Y``: the value in X is the one that is like Y."""
    found = _NOT.match(text) or _NOT_ZH.match(text)
    if found is None:
        return None
    parts = found.groupdict()
    left, old = _trimmed(parts["left"] or parts.get("left2")), _trimmed(parts["old"] or parts.get("old2"))
    span = value_like(left, old) if left and old else None
    if span is None:
        return None
    new = left[span[0] : span[1]]
    if new.casefold() == old.casefold():
        return None
    return Claim(
        action="replace", about=f"{left[: span[0]]} {left[span[1] :]}".strip(), old=old, new=new, statement=left
    )


def _should(text: str) -> Claim | None:
    found = _SHOULD.match(text)
    if found is None:
        return None
    old, new = _trimmed(found["old"]), _trimmed(found["new"])
    # "The limit should be 600" names no wrong value: its subject is not of the kind of its value.
    if value_like(old, new) == (0, len(old)):
        return Claim(action="replace", old=old, new=new)
    return Claim(action="restate", about=old, new=new, statement=f"{old} is {new}")


def _now(text: str) -> Claim | None:
    """A statement with a new value; which one is wrong the memory must tell."""
    for pattern in (_NOW_ZH, _BECAME_ZH):
        if found := pattern.match(text):
            about, new = _trimmed(found["about"]), _trimmed(found["new"])
            return Claim(action="restate", about=about, new=new, statement=f"{about}是{new}") if about and new else None
    found = _NOW.match(text)
    if found is None or not (found["now"] or re.search(r"\b(?:now|currently)\b", text, re.IGNORECASE)):
        return None
    statement = re.sub(r"\s+(?:now|currently)\b", "", _trimmed(found["statement"]), flags=re.IGNORECASE)
    new = re.sub(r"^(?:now|currently)\s+", "", _trimmed(found["new"]), flags=re.IGNORECASE)
    return Claim(action="restate", about=_trimmed(found["about"]), new=new, statement=statement)


_RULES: tuple[Callable[[str], Claim | None], ...] = (_forget, _swap, _not_but, _not, _should, _now, _untrue)
