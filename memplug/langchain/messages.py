"""LangChain's messages as memplug's input, and what stands in them."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from memplug.inputs.envelope import as_message
from memplug.pipelines.identity import media_digest
from memplug.safety.text import clean

#: What is remembered, in memplug's words, by LangChain's types and by the roles of its `ChatMessage`. A system prompt
#: is the program's, not something that was said.
_ROLES: Mapping[str, str] = {
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "AIMessageChunk": "assistant",
    "HumanMessageChunk": "user",
    "ToolMessageChunk": "tool",
    "tool": "tool",
    "function": "tool",
}
#: Blocks that nobody said: a model's thinking, and pieces of calls that are still being streamed.
_NOT_SAID = frozenset({"reasoning", "thinking", "redacted_thinking", "tool_call_chunk", "server_tool_call_chunk"})
_TEXTS = frozenset({"text", "input_text", "output_text"})
_CALLS = frozenset({"tool_call", "tool_use", "function_call"})


def inputs_of(messages: Iterable[BaseMessage], *, without_tools: Collection[str] = ()) -> list[dict[str, Any]]:
    """What `Memory.add` takes for messages: texts, pictures, files, and tool calls with their results.

        memory.add(inputs_of(state["messages"]), user_id="wang", run_id="monday")

    Every provider's form of content is read as LangChain's own ``content_blocks`` show it. System prompts, a model's
    thinking, summaries of a conversation and what LangChain tells itself (`RemoveMessage`) are left out.

    Args:
        messages: In their order.
        without_tools: Names of tools whose calls and results are left out.
    """
    left_out: set[str] = set()
    return [read for one in messages if (read := _input(one, frozenset(without_tools), left_out)) is not None]


def words_in(message: BaseMessage) -> str:
    """A message's words, without its pictures and calls."""
    return "\n".join(_texts(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands in a conversation, and so before a model anyway.

    Args:
        texts: The texts of its messages.
        pictures: Digests of its pictures that are there as bytes.
        calls: Ids of its tool calls.
    """

    texts: frozenset[str]
    pictures: frozenset[str]
    calls: frozenset[str]


def standing_in(messages: Sequence[BaseMessage]) -> Standing:
    """What stands in these messages."""
    return Standing(
        texts=frozenset(clean(text).strip() for one in messages for text in _texts(one)),
        pictures=frozenset(digest for one in messages for digest in _pictures(one)),
        calls=frozenset(id_ for one in messages for id_ in _call_ids(one)),
    )


def last_question(messages: Sequence[BaseMessage]) -> int | None:
    """The place of the last thing that the user said; None where there is none."""
    return next((at for at in range(len(messages) - 1, -1, -1) if is_said_by_user(messages[at])), None)


def is_said_by_user(message: BaseMessage) -> bool:
    """Whether it is the user's own; LangChain's `SummarizationMiddleware` writes its summaries as if they were."""
    return isinstance(message, HumanMessage) and not _is_summary(message)


def last_answer(messages: Sequence[BaseMessage]) -> int:
    """How many messages stand up to the last whole answer, which ends a turn; a call of a tool ends none."""
    ends = (at + 1 for at, one in enumerate(messages) if isinstance(one, AIMessage) and not one.tool_calls)
    return max(ends, default=0)


def _input(message: BaseMessage, without: frozenset[str], left_out: set[str]) -> dict[str, Any] | None:
    role = _ROLES.get(str(getattr(message, "role", message.type)))
    if role is None or _is_summary(message):
        return None
    if role == "tool" and (message.name in without or getattr(message, "tool_call_id", None) in left_out):
        return None
    calls = []
    for call in message.tool_calls if isinstance(message, AIMessage) else ():
        if call["name"] in without:
            left_out.add(str(call["id"]))
        else:
            calls.append(dict(call))
    content = [block for block in _blocks(message) if _is_said(block)]
    if not content and not calls and role != "tool":
        return None
    read = {
        "role": role,
        "name": message.name,
        # An empty result is one all the same: the call was answered.
        "content": content or ("" if role == "tool" else None),
        "tool_calls": calls or None,
        "tool_call_id": getattr(message, "tool_call_id", None),
        "status": getattr(message, "status", None),
    }
    return {name: value for name, value in read.items() if value is not None}


def _is_summary(message: BaseMessage) -> bool:
    return message.additional_kwargs.get("lc_source") == "summarization"


def _blocks(message: BaseMessage) -> list[Any]:
    """The content as LangChain reads it, or as it stands where LangChain cannot (see `as_message`)."""
    read = as_message(message)
    content = message.content if read is None else read["content"]
    return list(content) if isinstance(content, list | tuple) else [content]


def _is_said(block: object) -> bool:
    if isinstance(block, str):
        return bool(block.strip())
    if not isinstance(block, Mapping):
        return True
    type_ = block.get("type")
    if type_ in _TEXTS:
        return bool(str(block.get("text") or "").strip())
    inner = block.get("value")
    if type_ == "non_standard" and isinstance(inner, Mapping):
        return inner.get("type") not in _NOT_SAID
    return type_ not in _NOT_SAID and type_ not in _CALLS


def _texts(message: BaseMessage) -> Iterator[str]:
    for block in _blocks(message):
        text = block.get("text") if isinstance(block, Mapping) and block.get("type") in _TEXTS else block
        if isinstance(text, str) and text.strip():
            # Half a surrogate pair in one message must not cost the whole conversation its memory.
            yield text if text.isascii() else text.encode(errors="replace").decode()


def _pictures(message: BaseMessage) -> Iterator[str]:
    """Digests of the pictures in a message that are there as bytes."""
    for block in _blocks(message):
        data = block.get("base64") if isinstance(block, Mapping) and block.get("type") == "image" else None
        if isinstance(data, str):
            try:
                yield media_digest(base64.b64decode(data))
            except ValueError:  # of binascii; a plain one where it is not even ASCII
                continue


def _call_ids(message: BaseMessage) -> Iterator[str]:
    if isinstance(message, ToolMessage):
        yield message.tool_call_id
    elif isinstance(message, AIMessage):
        yield from (str(call["id"]) for call in message.tool_calls if call["id"])
