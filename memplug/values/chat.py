"""What a chat over memories answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memplug.values.prompt import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.exceptions import MemplugError
    from memplug.values.context import Context
    from memplug.values.hit import Hit
    from memplug.values.outcome import AddResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """What `Memory.chat` gives; ``str`` of it is the answer's text.

    Args:
        text: The answer, with the numbers of the memories that it rests on: ``Thai food [1].``
        context: The memories that the model was shown.
        citations: The memories that the answer names, by their number in the text.
        unknown: Numbers in the answer that no memory has, so that nobody takes them for evidence.
        usage: What the answer took; zeros where it was streamed, since servers do not say it then.
        remembered: What became of the exchange, where it was to be remembered.
        error: Why the exchange could not be remembered; the answer is there all the same.
    """

    text: str
    context: Context
    citations: Mapping[int, Hit] = field(default_factory=dict)
    unknown: tuple[int, ...] = ()
    usage: Usage = field(default_factory=Usage)
    remembered: AddResult | None = None
    error: MemplugError | None = None

    def __str__(self) -> str:
        return self.text
