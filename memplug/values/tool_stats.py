"""What is known of a tool from its uses, by counting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

from memplug.values.tool_call import canonical, plain

if TYPE_CHECKING:
    from memplug.values.tool_call import ToolCall

#: Under what name the metadata of a tool's memory holds it.
TOOL_FIELD = "tool"
#: How many arguments are watched, values of each, failures, and characters of a value or result that are kept.
_ARGUMENTS, _VALUES, _FAILURES, _SHOWN = 30, 8, 5, 300
#: Bytes of all of it as JSON, fewer than `Limits.metadata_bytes`; sorts of failures that are kept where they are many.
_ROOM, _SORTS = 60_000, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStats:
    """One tool in one scope.

    Args:
        name: The tool's.
        description, schema: As its definition gives them; empty where there was none.
        calls, ok, errors: How many uses there were, worked, failed; the rest has no result yet.
        arguments: Of each argument how often it was given (``count``) and its usual values, as JSON text with how
            often each (``values``; the eight that came first and those that replaced rarer ones).
        error_types: How often each sort of failure.
        failures: The last five, each with ``arguments`` and ``error``.
        example: ``arguments`` and the beginning of the ``result`` of the last use that worked.
        last_error: The last failure's words.
        timed, total_ms: Uses whose duration is known, and the sum of these.
    """

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    calls: int = 0
    ok: int = 0
    errors: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    error_types: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Mapping[str, Any], ...] = ()
    example: Mapping[str, Any] | None = None
    last_error: str | None = None
    timed: int = 0
    total_ms: float = 0.0

    @property
    def success_rate(self) -> float | None:
        """Share of the answered uses that worked, 0 to 1; None where none is answered."""
        answered = self.ok + self.errors
        return self.ok / answered if answered else None

    @property
    def mean_ms(self) -> float | None:
        """Mean duration in milliseconds, of the uses where it is known."""
        return self.total_ms / self.timed if self.timed else None

    def counted(self, before: ToolCall | None, after: ToolCall) -> ToolStats:
        """The stats after a use became known, or more of it did.

        Args:
            before: What was known and counted of this use; None for a new one.
            after: What is known now.
        """
        stats = self if before else replace(self, calls=self.calls + 1)
        if after.called and not (before and before.called):
            stats = replace(stats, arguments=_watched(stats.arguments, after.arguments))
        if after.answered and not (before and before.answered):
            stats = _with_answer(stats, after)
        if after.duration_ms is not None and not (before and before.duration_ms is not None):
            stats = replace(stats, timed=stats.timed + 1, total_ms=stats.total_ms + after.duration_ms)
        return stats

    def defined(self, definition: ToolStats) -> ToolStats:
        """The stats with what a definition says."""
        return replace(self, description=definition.description, schema=definition.schema)

    def fitting(self) -> ToolStats:
        """The stats with as much of what was seen as there is room for; what is counted of the tool itself stays.

        An agent whose arguments are long and many would fill more than a memory's metadata may have.
        """
        stats = self
        for shorter in _SHORTER:
            if len(json.dumps(stats.as_json(), ensure_ascii=False).encode("utf-8", "replace")) <= _ROOM:
                break
            stats = shorter(stats)
        return stats

    def as_json(self) -> dict[str, Any]:
        """What `of_json` takes, with the rates beside it."""
        held = asdict(self) | {"failures": [dict(one) for one in self.failures]}
        return held | {"success_rate": self.success_rate, "mean_ms": self.mean_ms}

    @classmethod
    def of_json(cls, held: object) -> Self | None:
        """The stats that `as_json` gave; None where they are of another shape."""
        if not isinstance(held, Mapping) or not isinstance(held.get("name"), str):
            return None
        known = {one.name: held[one.name] for one in fields(cls) if one.name in held}
        counts = [known.get(name, 0) for name in ("calls", "ok", "errors", "timed")]
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            return None
        return cls(**known | {"failures": tuple(known.get("failures", ()))})

    @property
    def text(self) -> str:
        """The tool in words, as it is searched and shown."""
        return "\n".join(line for line in (self._head(), self._usage(), self._trouble()) if line)

    def _head(self) -> str:
        rate = self.success_rate
        share = f", {rate:.0%} success" if rate is not None else ""
        uses = f"{self.calls} {'call' if self.calls == 1 else 'calls'}, {self.ok} ok, {self.errors} failed{share}"
        return f"Tool {self.name}: {self.description or uses}" + (f" ({uses})" if self.description else "")

    def _usage(self) -> str:
        lines = []
        if self.example is not None:
            given = self.example["arguments"]
            named = given.items() if isinstance(given, Mapping) else ()
            shown = ", ".join(f"{name}={plain(value)}" for name, value in named) or (plain(given) if given else "")
            lines.append(f"A call that worked: {self.name}({shown}) → {plain(self.example['result'])}")
        usual = [
            f"{name} ({', '.join(list(seen['values'])[:3])})" if seen["values"] else name
            for name, seen in sorted(self.arguments.items(), key=lambda one: -one[1]["count"])
        ]
        if usual:
            lines.append(f"Arguments: {', '.join(usual)}")
        return "\n".join(lines)

    def _trouble(self) -> str:
        return f"Last error: {self.last_error}" if self.last_error else ""


def _with_values(stats: ToolStats, most: int) -> ToolStats:
    """The stats with so many of each argument's usual values."""
    arguments = {
        name: {"count": seen["count"], "values": dict([*seen["values"].items()][:most])}
        for name, seen in stats.arguments.items()
    }
    return replace(stats, arguments=arguments)


def _with_sorts(stats: ToolStats) -> ToolStats:
    """The stats with the usual sorts of failures."""
    usual = sorted(stats.error_types.items(), key=lambda one: -one[1])[:_SORTS]
    return replace(stats, error_types={name[:_SHOWN]: count for name, count in usual})


#: What goes first where there is too little room, one step after the other.
_SHORTER: tuple[Callable[[ToolStats], ToolStats], ...] = (
    lambda stats: _with_values(stats, 3),
    _with_sorts,
    lambda stats: _with_values(stats, 1),
    lambda stats: replace(stats, failures=stats.failures[-1:]),
    lambda stats: _with_values(stats, 0),
    lambda stats: replace(stats, failures=(), example=None),
    lambda stats: replace(stats, arguments={}),
)


def _with_answer(stats: ToolStats, call: ToolCall) -> ToolStats:
    arguments = _short(call.arguments)
    if call.outcome == "ok":
        example = {"arguments": arguments, "result": _short(call.result)}
        # A use whose call is not known shows nobody how to use the tool.
        return replace(stats, ok=stats.ok + 1, example=example if call.called else stats.example)
    type_ = call.error_type or "error"
    failure = {"arguments": arguments, "error": (call.error or "")[:_SHOWN], "error_type": type_}
    return replace(
        stats,
        errors=stats.errors + 1,
        error_types={**stats.error_types, type_: stats.error_types.get(type_, 0) + 1},
        failures=(*stats.failures, failure)[-_FAILURES:],
        last_error=(call.error or type_)[:_SHOWN],
    )


def _watched(held: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """The usual arguments after one more call."""
    found = {name: {"count": seen["count"], "values": dict(seen["values"])} for name, seen in held.items()}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if name not in found and len(found) >= _ARGUMENTS:
            continue
        seen = found.setdefault(str(name)[:_SHOWN], {"count": 0, "values": {}})
        seen["count"] += 1
        text = canonical(value)
        if len(text) > _SHOWN:
            continue
        values = seen["values"]
        if text not in values and len(values) >= _VALUES:
            # The rarest makes room, so that what became usual later is seen too.
            values.pop(min(values, key=lambda one: values[one]))
        values[text] = values.get(text, 0) + 1
        seen["values"] = dict(sorted(values.items(), key=lambda one: -one[1]))
    return found


def _short(value: Any) -> Any:
    """A JSON value, or the beginning of its text where it is long; of an object each member by itself."""
    if isinstance(value, Mapping) and len(value) <= _ARGUMENTS:
        shortened = {name: _short_text(member) for name, member in value.items()}
        if len(json.dumps(shortened)) <= _ARGUMENTS * _SHOWN:
            return shortened
    return _short_text(value)


def _short_text(value: Any) -> Any:
    text = plain(value)
    return value if len(text) <= _SHOWN else text[:_SHOWN] + "…"
