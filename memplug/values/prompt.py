"""What a chat model is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in a question.

    Args:
        data: The file's bytes. Not shown by ``repr``: it is somebody's picture.
        content_type: What they are (``image/png``).
    """

    data: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """One message of a question.

    Args:
        role: Who says it.
        text: The words. Not shown by ``repr``: logs hold ids and sizes, never content.
        pictures: Pictures that stand behind the words.
    """

    role: Literal["system", "user", "assistant"]
    text: str = field(repr=False)
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to a chat model.

    Args:
        messages: In their order, at least one.
        schema: A JSON schema that the answer must keep to; None asks for plain text.
        schema_name: What the schema is called, in letters, digits and ``_``; some servers want one.
        max_tokens: Most tokens of the answer; None leaves it to the server.
    """

    messages: tuple[PromptMessage, ...]
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What models were asked and what that took.

    Args:
        requests: Requests that were answered.
        input_tokens, output_tokens: As the server counted them; 0 where it did not say.
        cost: In the currency of the prices that the user configured; None where a price is not known.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        costs = [one.cost for one in (self, other) if one.cost is not None]
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=sum(costs) if costs else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a chat model answered.

    Args:
        text: Its words; JSON text where the question had a schema, which is not checked here.
        model: The model's name, as the server gives it.
        usage: What it took.
    """

    text: str = field(repr=False)
    model: str
    usage: Usage = field(default_factory=Usage)
