"""A chat model that is never told a secret."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memplug.exceptions import ModelRefused
from memplug.safety.secrets import redacted, redacted_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memplug.plugins.models import ChatModel
    from memplug.values.prompt import Answer, Prompt


class RedactingModel:
    """A chat model whose questions are sent without keys, tokens and passwords; ``[secret:kind]`` stands for them.

    Fails closed: where the search for secrets itself fails, nothing is sent. Pictures are sent as they are.

    Args:
        model: Any chat model.
        redact: Gives a text without its secrets.
    """

    def __init__(self, model: ChatModel, *, redact: Callable[[str], str] = redacted) -> None:
        self._model = model
        self._redact = redact
        self.name = model.name
        self.vision = model.vision

    def answer(self, prompt: Prompt) -> Answer:
        """One answer to the question without its secrets.

        Raises:
            ModelRefused: The search for secrets failed.
            ModelError: What the model raises.
        """
        return self._model.answer(self._safe(prompt))

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer piece by piece; see `answer`."""
        return self._model.stream(self._safe(prompt))

    def close(self) -> None:
        """Lets go of the model's connections, where it has any."""
        close = getattr(self._model, "close", None)
        if callable(close):
            close()

    def __repr__(self) -> str:
        return f"RedactingModel({self._model!r})"

    def _safe(self, prompt: Prompt) -> Prompt:
        try:
            messages = tuple(replace(message, text=self._redact(message.text)) for message in prompt.messages)
            return replace(prompt, messages=messages, schema=redacted_json(prompt.schema))
        except Exception as error:
            words = f"a question to the model {self.name!r} was not sent: the search for secrets in it failed"
            raise ModelRefused(words) from error


def redacting(model: ChatModel) -> RedactingModel:
    """The model behind the search for secrets; one that is behind it already comes back as it is."""
    return model if isinstance(model, RedactingModel) else RedactingModel(model)
