"""A chat model whose answers are checked and counted, since a plugin's model is foreign code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.exceptions import MemplugError, ModelAnswerError, ModelError, ModelRefused
from memplug.plugins.metering import spend
from memplug.values.prompt import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.models import ChatModel
    from memplug.values.prompt import Prompt


class CheckedModel:
    """A chat model that keeps to its contract, or raises a `ModelError`; what it is asked is counted.

    Args:
        model: Any chat model.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.name = str(model.name)
        self.vision = model.vision is True

    def answer(self, prompt: Prompt) -> Answer:
        """One answer, counted by `metered`.

        Raises:
            ModelRefused: There are pictures in the question, and the model cannot see.
            ModelError: The model failed; or it raised or returned something else than it may.
        """
        self._check(prompt)
        try:
            found = self._model.answer(prompt)
        except MemplugError:
            raise
        except Exception as error:
            raise self._failure(error) from error
        if not isinstance(found, Answer):
            raise ModelAnswerError(f"the model {self.name!r} returned a {type(found).__name__} instead of an Answer")
        spend(found.usage)
        return found

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer piece by piece.

        Raises:
            ModelError: See `answer`; also between two pieces.
        """
        self._check(prompt)
        try:
            yield from self._model.stream(prompt)
        except MemplugError:
            raise
        except Exception as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Lets go of the model's connections, where it has any."""
        close = getattr(self._model, "close", None)
        if callable(close):
            close()

    def __repr__(self) -> str:
        return f"CheckedModel({self._model!r})"

    def _check(self, prompt: Prompt) -> None:
        if not self.vision and any(message.pictures for message in prompt.messages):
            raise ModelRefused(f"the model {self.name!r} is not set up to be shown pictures", hint="vision_model=...")

    def _failure(self, error: Exception) -> ModelError:
        # Its words may repeat what was said, or a key; they stay in ``__cause__``.
        return ModelError(f"the model {self.name!r} raised {type(error).__name__}")


def checked(model: ChatModel) -> CheckedModel:
    """The model with every answer checked; one that is checked already comes back as it is."""
    return model if isinstance(model, CheckedModel) else CheckedModel(model)
