"""LangChain's messages as input."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from memplug.inputs.loading import load
from memplug.inputs.parts import Refused, unpack
from memplug.safety.fetch import Fetcher
from memplug.testing.inputs import png
from memplug.values.draft import Part
from memplug.values.limits import Limits

PNG = png()
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
LIMITS = Limits()


def unpacked(content: object) -> list[Part | Refused]:
    """What the content gives."""
    return unpack(content, description=None, content_type=None, kind=None, limits=LIMITS)


def parts(content: object) -> list[Part]:
    """What the content gives, where nothing of it is refused."""
    found = unpacked(content)
    assert all(isinstance(part, Part) for part in found), found
    return [part for part in found if isinstance(part, Part)]


def test_langchain_messages_are_read_like_dicts() -> None:
    """Human, AI, chat, system and tool messages give text with the right role, name and call."""
    found = parts(
        [
            HumanMessage("hi", name="Bob"),
            AIMessage("hello"),
            AIMessageChunk(content="more"),
            ChatMessage(content="rules", role="developer"),
            SystemMessage("be nice"),
            ToolMessage("7C", tool_call_id="c1"),
        ]
    )
    assert [one.text for one in found] == ["hi", "hello", "more", "rules", "be nice", "7C"]
    assert [one.role for one in found] == ["user", "assistant", "assistant", "system", "system", "tool"]
    assert found[0].speaker == "Bob"
    assert isinstance(found[5].value, dict)
    assert found[5].value["tool_call_id"] == "c1"


def test_langchain_tool_calls_are_parts() -> None:
    """An AI message's tool calls are parts, once each, and its empty text is none."""
    (found,) = parts([AIMessage("", tool_calls=[{"id": "c1", "name": "weather", "args": {"city": "Beijing"}}])])
    assert found.kind == "tool_call"
    assert isinstance(found.value, dict)
    assert (found.value["name"], found.value["args"]) == ("weather", {"city": "Beijing"})


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "image_url", "image_url": PNG_URL},
        {"type": "image", "base64": PNG_URL.partition(",")[2], "mime_type": "image/png"},
    ],
)
def test_langchain_pictures_are_read(block: dict[str, Any]) -> None:
    """Pictures in a LangChain message give their bytes, with the text beside them as context."""
    text, image = parts(HumanMessage([{"type": "text", "text": "my cat"}, block]))
    assert (text.text, image.context, image.kind) == ("my cat", "my cat", "image")
    source = load(image, LIMITS, Fetcher(LIMITS)).source
    assert source is not None
    assert source.data == PNG


def test_content_that_langchain_cannot_read_is_refused_by_part() -> None:
    """Where LangChain's own reading fails with a bare KeyError, the bad block is refused and the others are read."""
    bad, good = unpacked(HumanMessage([{"type": "image", "source_type": "url"}, {"type": "text", "text": "x"}]))
    assert isinstance(bad, Refused)
    assert isinstance(good, Part)


def test_langchains_remove_message_is_refused() -> None:
    """A message that is an instruction to LangChain itself has no role that could be remembered."""
    (found,) = unpacked([RemoveMessage(id="1")])
    assert isinstance(found, Refused)
    assert "unknown role" in str(found.error)
