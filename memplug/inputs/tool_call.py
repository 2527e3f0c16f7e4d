"""Tool calls, their results, and definitions of tools, in the forms that chat libraries write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.inputs.provenance import provenance_of
from memplug.inputs.tool_outcome import judged
from memplug.safety.text import clean
from memplug.values.draft import Draft
from memplug.values.source import Provenance
from memplug.values.tool_call import FIELD, LEVELS, ToolCall, canonical, deeper, words_of
from memplug.values.tool_stats import TOOL_FIELD, ToolStats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.protocols import ParseContext
    from memplug.values.draft import Part

Block = Mapping[str, Any]

#: Bytes of a tool's definition: it stays in the metadata of the tool's memory.
_DEFINITION_BYTES = 32_000
#: Under which names the forms have the id of a call, its arguments, a result and a duration in milliseconds.
_IDS = ("tool_call_id", "tool_use_id", "call_id", "id")
_ARGUMENTS = ("arguments", "args", "input", "parameters")
_RESULTS = ("content", "output", "result", "text")
_MILLISECONDS = ("duration_ms", "latency_ms", "elapsed_ms")
_SECONDS = ("duration", "elapsed", "duration_seconds")
_ANSWERS = frozenset({"tool_result", "function_call_output", "server_tool_result"})


class ToolCallInput:
    """Takes calls, results and definitions; what belongs together is linked afterwards (`pipelines.calls`)."""

    name = "tool_call"

    def accepts(self, part: Part) -> bool:
        """Whether it is one of the three, by the form of the part, or the text of a tool's message."""
        if part.kind is not None:
            return part.kind == self.name
        return part.text is not None and part.role == "tool" and isinstance(part.value, Mapping) and _names_call(part)

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:  # noqa: ARG002 - the Protocol's shape
        """One draft: a use of a tool or the half of it that the part holds, or a definition.

        Raises:
            MalformedInput: A call without the tool's name, or a part of another form.
            InputTooLarge: A definition that is too long to stand beside what is counted.
        """
        block = part.value
        if not isinstance(block, Mapping):
            hint = '{"id": …, "function": {"name": …, "arguments": …}}'
            raise MalformedInput("a tool call must be a dict", hint=hint)
        if part.text is not None:
            yield _drafted(part, _answer(block, part.text))
        elif (definition := _definition(block)) is not None:
            yield _defined(part, definition)
        elif block.get("type") in _ANSWERS:
            yield _drafted(part, _answer(block, _found(block, _RESULTS)))
        else:
            yield _drafted(part, _call(block))


def _names_call(part: Part) -> bool:
    value = part.value
    return isinstance(value, Mapping) and any(isinstance(value.get(name), str) for name in ("tool_call_id", "name"))


def _drafted(part: Part, call: ToolCall) -> Draft:
    source = provenance_of(part)
    source = Provenance(role=source.role, speaker=source.speaker, tool_call=call.id or None)
    return Draft(
        part=part.index,
        kind="tool_call",
        text=call.text,
        context="\n".join(words for words in (call.words, clean(part.description or ""), clean(part.context)) if words),
        metadata={FIELD: call.as_json()},
        occurred_at=part.occurred_at,
        source=source,
    )


def _call(block: Block) -> ToolCall:
    """OpenAI's call with its ``function``, and the flat ones of LangChain, Anthropic and the Responses interface."""
    inner = block.get("function")
    held = inner if isinstance(inner, Mapping) else block
    name = held.get("name")
    if not isinstance(name, str) or not name.strip():
        raise MalformedInput("a tool call needs the name of its tool", hint='{"function": {"name": "get_weather", …}}')
    arguments = _json(_found(held, _ARGUMENTS), scalars=True)
    return ToolCall(id=_id(block), name=clean(name), called=True, arguments=arguments)


def _answer(block: Block, given: Any) -> ToolCall:
    result = _json(_flat(given))
    failed, error, error_type = judged(block, result)
    name = block.get("name")
    return ToolCall(
        id=_id(block),
        name=clean(name) if isinstance(name, str) and name.strip() else None,
        outcome="error" if failed else "ok",
        result=result,
        error=error,
        error_type=error_type,
        duration_ms=_duration(block),
    )


def _flat(given: Any) -> Any:
    """A list of text blocks as their text; anything else as it is."""
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        found = [one.get("text") if isinstance(one, Mapping) else one for one in given]
        texts = [text for text in found if isinstance(text, str)]
        if texts and len(texts) == len(found):
            return "\n".join(texts)
    return "" if given is None else given


def _id(block: Block) -> str:
    # A Responses item has an id of its own beside that of its call, and an answer never means its own.
    found = next((block[name] for name in _IDS if isinstance(block.get(name), str) and block[name]), "")
    return clean(str(found))


def _found(block: Block, names: Sequence[str]) -> Any:
    return next((block[name] for name in names if block.get(name) is not None), None)


def _json(given: Any, *, scalars: bool = False) -> Any:
    """The JSON value that a text holds, where that is an object or a list; else the text itself.

    Args:
        given: A text or a JSON value.
        scalars: Whether an empty text stands for no arguments.
    """
    from pydantic_core import from_json

    if not isinstance(given, str):
        return _settled(given)
    text = clean(given)
    if scalars and not text.strip():
        return {}
    if text.lstrip()[:1] in {"{", "["}:
        try:
            found = from_json(text, allow_inf_nan=False)
        except ValueError:
            return text  # a model's arguments that were cut off are kept as they came
        return text if deeper(found, LEVELS) else found
    return text


def _settled(given: Any) -> Any:
    """A value that JSON can hold.

    Raises:
        MalformedInput: It is none.
    """
    import json

    try:
        found = json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedInput(f"arguments and results of a tool must be JSON: {error}") from error
    return canonical(found) if deeper(found, LEVELS) else found


def _duration(block: Block) -> float | None:
    for names, factor in ((_MILLISECONDS, 1.0), (_SECONDS, 1_000.0)):
        found = _found(block, names)
        if isinstance(found, int | float) and not isinstance(found, bool) and found >= 0:
            return float(found) * factor
    return None


def _definition(block: Block) -> Block | None:
    """What a request's ``tools`` list says of a tool; None where the block is something else."""
    inner = block.get("function") if isinstance(block.get("function"), Mapping) else block
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        return None
    schema = inner.get("parameters") or inner.get("input_schema") or inner.get("inputSchema")
    has_call = any(block.get(name) for name in ("id", "call_id")) or "arguments" in inner or "args" in inner
    return inner if isinstance(schema, Mapping) and not has_call else None


def _defined(part: Part, inner: Block) -> Draft:
    schema = inner.get("parameters") or inner.get("input_schema") or inner.get("inputSchema")
    if deeper(schema, LEVELS):
        raise InputTooLarge(f"the definition of the tool {inner['name']!r:.100} is nested in over {LEVELS} levels")
    description = inner.get("description")
    stats = ToolStats(
        name=clean(inner["name"]),
        description=clean(description) if isinstance(description, str) else "",
        schema=_settled(schema),
    )
    size = len(canonical(stats.as_json()).encode("utf-8", "surrogatepass"))
    if size > _DEFINITION_BYTES:
        most = f"at most {_DEFINITION_BYTES:,} are taken"
        raise InputTooLarge(f"the definition of the tool {stats.name!r:.100} has {size:,} bytes; {most}")
    return Draft(
        part=part.index,
        kind="tool_call",
        text=stats.text,
        context="\n".join(words for words in (words_of(stats.name), clean(part.description or "")) if words),
        metadata={TOOL_FIELD: stats.as_json()},
        occurred_at=part.occurred_at,
        source=Provenance(role=part.role, speaker=part.speaker),
    )
