"""What a chat model must be able to do, and what plugins that need one are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.values.prompt import Answer, Prompt


class ChatModel(Protocol):
    """Answers questions. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """What it is called in statuses and logs, such as ``openai:gpt-5-mini``."""
        ...

    @property
    def vision(self) -> bool:
        """Whether it can be shown pictures."""
        ...

    def answer(self, prompt: Prompt) -> Answer:
        """One answer.

        Raises:
            ModelError: It refused, could not be reached, or answered nonsense; ``retryable`` says whether the same
                question may be answered later.
        """
        ...

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer to a question without schema, piece by piece; raises what `answer` does, also between pieces."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """What the factory of a describer or an extractor is given to work with.

    Args:
        model: The chat model that the user configured, if any.
        vision: The model for pictures that the user configured, if any; else the chat model where that can see.
        limits: The numbers to keep to.
    """

    model: ChatModel | None = None
    vision: ChatModel | None = None
    limits: Limits = field(default_factory=Limits)
