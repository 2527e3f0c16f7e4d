"""What chat models of other frameworks share where they stand in for memplug's own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MemplugError, ModelAnswerError, ModelRefused
from memplug.models.failures import model_error
from memplug.values.prompt import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memplug.values.prompt import Prompt, Usage

_JSON_ONLY = "Answer with one JSON object and nothing else. It keeps to this JSON schema:\n"


class ForeignModel(ABC):
    """A chat model of another framework as memplug's `ChatModel`.

    Nothing is tried again here: these models have retries of their own.

    Args:
        model: The model's own name.
        name: What it is called in statuses and logs.
        vision: Whether it can be shown pictures.
        max_tokens: What the model's argument for the most tokens of an answer is called; None never limits them.
    """

    def __init__(self, *, model: str, name: str, vision: bool, max_tokens: str | None) -> None:
        self.name = name
        self.vision = vision
        self._model = model
        self._max_tokens = max_tokens

    @abstractmethod
    def _answered(self, prompt: Prompt) -> tuple[str, Usage]:
        """The answer's text, JSON where there is a schema, and what it took; may raise anything."""

    @abstractmethod
    def _pieces(self, prompt: Prompt) -> Iterator[str]:
        """The answer piece by piece; may raise anything."""

    def answer(self, prompt: Prompt) -> Answer:
        """One answer; JSON text where the question has a schema, to which it is not held here.

        Raises:
            ModelRefused: The server takes neither the key, the model nor the question, or the model sees no pictures.
            ModelUnavailable: It cannot be reached, is too slow, or has too much to do.
            ModelAnswerError: The answer is empty.
            ModelError: It failed otherwise.
        """
        self._check(prompt)
        with self._failing():
            text, usage = self._answered(prompt)
        if not text.strip():
            raise self._empty()
        return Answer(text=text, model=self._model, usage=usage)

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer to a question without schema, piece by piece; raises what `answer` does, also between pieces."""
        self._check(prompt)
        said = False
        with self._failing():
            for piece in self._pieces(prompt):
                if piece:
                    said = True
                    yield piece
        if not said:
            raise self._empty()

    def _check(self, prompt: Prompt) -> None:
        if not self.vision and any(message.pictures for message in prompt.messages):
            raise ModelRefused(f"the model {self.name!r} is shown no pictures", hint="vision=True, if it can see")

    def _options(self, prompt: Prompt) -> dict[str, Any]:
        limited = self._max_tokens is not None and prompt.max_tokens is not None
        return {str(self._max_tokens): prompt.max_tokens} if limited else {}

    def _empty(self) -> ModelAnswerError:
        return ModelAnswerError(f"the model {self.name!r} gave an empty answer")

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turns whatever an integration raises into one of our errors."""
        try:
            yield
        except MemplugError:
            raise
        except Exception as error:
            raise model_error(error, f"the model {self.name!r}") from error


def json_rule(schema: Mapping[str, Any]) -> str:
    """A schema in words, for the system message of a model that knows no other way to be held to it."""
    return _JSON_ONLY + json.dumps(dict(schema), ensure_ascii=False)
