"""A tool call with its result, or the half of it that is known yet."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

CallOutcome = Literal["pending", "ok", "error"]

#: Under what name a memory's metadata holds it.
FIELD = "tool_call"
#: Levels of nesting in which arguments, a result and a schema are kept as JSON; what has more stays text.
LEVELS = 64
#: Characters of arguments and result that a memory's text shows; nothing is cut from what is kept.
SHOWN = 20_000
#: Characters of arguments and of a result that are kept in the metadata of a use that is too long for it.
_BEGINNING = 2_000
_WORDS = re.compile(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One use of a tool.

    Args:
        id: What the messages call it by; an empty text where they do not. Servers use one id several times.
        name: The tool; None where only the result is known, and it does not say.
        called: Whether the call itself is known.
        arguments: A JSON value; the raw text where what the model wrote is no JSON.
        outcome: ``pending`` until there is a result.
        result: A JSON value; text where it is none.
        error: What went wrong, in the tool's words.
        error_type: ``ValueError``, ``404``, ``timeout`` …; ``error`` where nothing says.
        duration_ms: How long it took, where that is known.
        cut: Digests of arguments and result by these names, where only their beginnings (`shortened`) or something
            else (`showing`) is here.
    """

    id: str = ""
    name: str | None = None
    called: bool = False
    arguments: Any = None
    outcome: CallOutcome = "pending"
    result: Any = None
    error: str | None = None
    error_type: str | None = None
    duration_ms: float | None = None
    cut: Mapping[str, str] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether there is a result."""
        return self.outcome != "pending"

    def fits(self, other: ToolCall) -> bool:
        """Whether the two can be halves of one use, or are the same: nothing that both know differs."""
        if self.id != other.id or (self.name and other.name and self.name != other.name):
            return False
        if self.called and other.called and self._digest("arguments") != other._digest("arguments"):
            return False
        both = self.answered and other.answered
        return not both or (self.outcome == other.outcome and self._digest("result") == other._digest("result"))

    def _digest(self, name: str) -> str:
        return self.cut.get(name) or _digest_of(getattr(self, name))

    def shortened(self) -> ToolCall:
        """The use with only the beginnings of what is long, which still fits what the whole one fits."""
        long = {
            name: _digest_of(value)
            for name in ("arguments", "result")
            if len(plain(value := getattr(self, name))) > _BEGINNING
        }
        kept: dict[str, Any] = {name: plain(getattr(self, name))[:_BEGINNING] + "…" for name in long}
        return replace(self, cut=long, **kept)

    def showing(self, result: Any) -> ToolCall:
        """The use with something else to show for its result, which still fits what this one fits."""
        return replace(self, result=result, cut={**self.cut, "result": self._digest("result")})

    def joined(self, other: ToolCall) -> ToolCall:
        """Both halves in one; what this one knows stays."""
        call = self if self.called else other
        answer = self if self.answered else other
        return replace(
            answer,
            id=self.id or other.id,
            name=self.name or other.name,
            called=call.called,
            arguments=call.arguments,
            duration_ms=self.duration_ms if self.duration_ms is not None else other.duration_ms,
        )

    def as_json(self) -> dict[str, Any]:
        """What `of_json` takes; what is not known is left out."""
        told: dict[str, Any] = {"id": self.id, "name": self.name, "outcome": self.outcome}
        if self.called:
            told["arguments"] = self.arguments
        if self.answered:
            told["result"] = self.result
        more = {"error": self.error, "error_type": self.error_type, "duration_ms": self.duration_ms}
        told |= {name: value for name, value in more.items() if value is not None}
        return told | ({"cut": dict(self.cut)} if self.cut else {})

    @classmethod
    def of_json(cls, held: object) -> Self | None:
        """The call that `as_json` gave; None where it is of another shape."""
        if not isinstance(held, Mapping) or held.get("outcome") not in {"pending", "ok", "error"}:
            return None
        known = {name: held.get(name) for name in ("name", "error", "error_type")}
        if any(value is not None and not isinstance(value, str) for value in known.values()):
            return None
        duration, cut = held.get("duration_ms"), held.get("cut")
        return cls(
            id=str(held.get("id", "")),
            called="arguments" in held,
            arguments=held.get("arguments"),
            outcome=held["outcome"],
            result=held.get("result"),
            duration_ms=float(duration) if isinstance(duration, int | float) else None,
            cut={str(name): str(digest) for name, digest in cut.items()} if isinstance(cut, Mapping) else {},
            **known,
        )

    @property
    def text(self) -> str:
        """The use in words, as it is searched and shown."""
        first = self.name or "a tool"
        if self.called:
            first = f"{first}({_listed(self.arguments)})"
        if not self.answered:
            return first
        return f"{first}\n→ {_cut(plain(self.result)) or '(nothing)'}"

    @property
    def words(self) -> str:
        """The tool's name as words: ``get reservation details``."""
        return words_of(self.name or "")


def words_of(name: str) -> str:
    """A program's name as words: ``getUserDetails`` and ``get_user_details`` both are three."""
    return " ".join(_WORDS.sub(" ", name).split()).lower()


def _digest_of(value: Any) -> str:
    """Names a JSON value, 1 and True being different."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Any) -> str:
    """A JSON value as text, the same for equal ones."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value is nested in more levels than these; a text or number has none."""
    if isinstance(value, Mapping | list | tuple):
        members = value.values() if isinstance(value, Mapping) else value
        return levels < 1 or any(deeper(member, levels - 1) for member in members)
    return False


def plain(value: Any) -> str:
    """A JSON value for people: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(arguments: Any) -> str:
    if isinstance(arguments, Mapping):
        shown = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
        return _cut(shown)
    return "" if arguments is None else _cut(plain(arguments))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
