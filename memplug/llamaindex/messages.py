"""LlamaIndex's chat messages as memplug's input."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import IOBase
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)

from memplug.values.source import Source

#: What is remembered, in memplug's words. A system prompt is the program's, not something that was said.
_ROLES: Mapping[MessageRole, str] = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
#: What LlamaIndex calls a document that nobody named.
_UNNAMED = "input_document"
#: The call's id, as FunctionAgent and the integrations for OpenAI write it.
_CALL_ID = "tool_call_id"


def inputs_of(messages: Iterable[ChatMessage]) -> list[dict[str, Any]]:
    """What `Memory.add` takes for messages: texts, pictures, files, and tool calls with their results.

    System prompts, a model's thinking and marks for caches are left out. URLs stay URLs, so that memplug fetches them
    by its own rules: LlamaIndex would ask any address.
    """
    return [read for message in messages if (read := _input(message)) is not None]


def words_in(message: ChatMessage) -> str:
    """A message's words without its pictures and calls."""
    return "\n".join(block.text for block in message.blocks if isinstance(block, TextBlock) and block.text.strip())


def pictures_in(message: ChatMessage) -> Iterator[bytes | Path]:
    """A message's pictures, as bytes or as files; those behind URLs are not looked at."""
    for block in message.blocks:
        if isinstance(block, ImageBlock):
            data = _bytes(block.image)
            if data is not None:
                yield data
            elif block.path is not None:
                yield Path(block.path)


def calls_in(message: ChatMessage) -> set[str]:
    """The ids of the tool calls that a message makes or answers."""
    answered = message.additional_kwargs.get(_CALL_ID)
    made = {call["id"] for call in _calls(message) if isinstance(call.get("id"), str)}
    return made | ({answered} if isinstance(answered, str) else set())


def _input(message: ChatMessage) -> dict[str, Any] | None:
    role = _ROLES.get(message.role)
    if role is None:
        return None
    content = [part for block in message.blocks for part in _parts(block)]
    calls = list(_calls(message)) if role == "assistant" else []
    call = message.additional_kwargs.get(_CALL_ID) if role == "tool" else None
    if not content and not calls:
        return None
    read = {"role": role, "content": content or None, "tool_calls": calls or None, _CALL_ID: call}
    return {name: value for name, value in read.items() if value is not None}


def _parts(block: object) -> Iterator[object]:
    match block:
        case TextBlock():
            if block.text.strip():
                yield {"type": "text", "text": block.text}
        case ImageBlock():
            yield from _media(block.image, block.path, block.url, block.image_mimetype, None, "image_url")
        case DocumentBlock():
            name = None if block.title == _UNNAMED else block.title
            yield from _media(block.data, block.path, block.url, block.document_mimetype, name, "file_url")
        case AudioBlock():
            kind = f"audio/{block.format}" if block.format else "audio/mpeg"
            yield from _media(block.audio, block.path, block.url, kind, None, "audio_url")
        case VideoBlock():
            yield from _media(block.video, block.path, block.url, block.video_mimetype, None, "video_url")
        case CitableBlock():
            for inner in block.content:
                yield from _parts(inner)
        case CitationBlock():
            yield from _parts(block.cited_content)


def _media(
    data: object, path: object, url: object, media_type: str | None, name: str | None, type_: str
) -> Iterator[object]:
    """One part for a file; ``type_`` names the part that holds a URL."""
    known = _bytes(data)
    if known is not None:
        yield Source(data=known, media_type=media_type, name=name)
    elif path is not None:
        yield Source(path=Path(str(path)), media_type=media_type, name=name)
    elif url is not None and type_ == "image_url":
        yield {"type": type_, type_: {"url": str(url)}}
    elif url is not None:
        yield Source(url=str(url), media_type=media_type, name=name)


def _bytes(data: object) -> bytes | None:
    """The bytes of a block, which holds them as base64."""
    if isinstance(data, IOBase):
        data.seek(0)
        read = data.read()
        return read if isinstance(read, bytes) else None
    return base64.b64decode(data) if isinstance(data, bytes) and data else None


def _calls(message: ChatMessage) -> Iterator[dict[str, Any]]:
    """The calls of tools, in OpenAI's form; in blocks, or as older integrations have them, beside."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    for block in blocks:
        yield _call(block.tool_call_id, block.tool_name, block.tool_kwargs)
    beside = message.additional_kwargs.get("tool_calls")
    for call in beside if isinstance(beside, Sequence) and not blocks and not isinstance(beside, str) else ():
        yield _read_call(call)


def _read_call(call: object) -> dict[str, Any]:
    """OpenAI's object or dict, or LlamaIndex's `ToolSelection`."""
    function = _member(call, "function")
    if function is None:
        return _call(_member(call, "tool_id"), _member(call, "tool_name"), _member(call, "tool_kwargs"))
    return _call(_member(call, "id"), _member(function, "name"), _member(function, "arguments"))


def _call(id_: object, name: object, arguments: object) -> dict[str, Any]:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False, default=str)
    call = {"type": "function", "function": {"name": name, "arguments": written}}
    return call | ({"id": id_} if id_ else {})


def _member(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
