"""Text as an input type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memplug.exceptions import MalformedInput
from memplug.inputs.parts import unpack
from memplug.inputs.text import TextInput
from memplug.plugins.protocols import ParseContext
from memplug.testing.inputs import InputTypeContract, image_part, png
from memplug.values.draft import Draft, Part
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence


class TestTextInput(InputTypeContract):
    """TextInput keeps the promises of every input type."""

    def make(self) -> TextInput:
        """The input type."""
        return TextInput()

    def samples(self) -> Sequence[Part]:
        """Its own form."""
        return [Part(index=0, text=text) for text in ("hello", "我叫王", "two\nlines", " blanks ")]

    def strangers(self) -> Sequence[Part]:
        """Other types' parts."""
        return [image_part(png()), Part(index=0, text="x", kind="feedback"), Part(index=0, value={"type": "file"})]

    def broken(self) -> Sequence[Part]:
        """Parts to refuse."""
        return [Part(index=0, text=text) for text in ("", "  \n\t", "\0", "\ud800")]


def draft(part: Part) -> Draft:
    """The only draft of a part."""
    (found,) = TextInput().parse(part, ParseContext())
    return found


def test_a_text_is_remembered_in_its_own_words() -> None:
    """The memory's words are the user's, blanks and all, as plain text."""
    found = draft(Part(index=3, text="  I am Wang,\n and I like spicy food. "))
    assert (found.text, found.kind, found.content_type) == (
        "  I am Wang,\n and I like spicy food. ",
        "text",
        "text/plain",
    )
    assert (found.media, found.context) == (None, "")


def test_an_empty_text_is_an_error_that_says_so() -> None:
    """A text without a word is malformed rather than stored or dropped."""
    with pytest.raises(MalformedInput, match="empty text"):
        draft(Part(index=0, text=" \0 "))


def test_a_description_of_a_text_helps_to_find_it() -> None:
    """The user's words about a text are searchable with it and not part of it."""
    found = draft(Part(index=0, text="4711", description="the door code"))
    assert (found.text, found.context) == ("4711", "the door code")


def test_a_tools_answer_knows_its_call() -> None:
    """The text of a tool message remembers which call it answers."""
    message: dict[str, Any] = {"role": "tool", "tool_call_id": "call_123", "content": "7°C"}
    (part,) = unpack(message, description=None, content_type=None, kind=None, limits=Limits())
    assert isinstance(part, Part)
    assert TextInput().accepts(part)
    assert (draft(part).source.role, draft(part).source.tool_call) == ("tool", "call_123")
