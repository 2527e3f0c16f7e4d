"""Chat models of OpenAI, Azure, Ollama, vLLM, LM Studio, or any other server that speaks ``/v1/chat/completions``."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memplug.exceptions import ConfigError, ModelAnswerError, ModelRefused
from memplug.models.connection import Connection, key_of
from memplug.models.dialect import Dialect
from memplug.values.prompt import Answer, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from openai import OpenAI

    from memplug.values.endpoint import Endpoint, Prices
    from memplug.values.prompt import Prompt, PromptMessage


class OpenAIChatModel:
    """A chat model behind an OpenAI-compatible server. Nothing of what it is asked or answers is ever logged.

    A server that does not know JSON schemas is asked for JSON in words instead, from the second try on at once.

    Args:
        argument: The model (at Azure: the deployment).
        base_url: Where the server is; else the variable ``OPENAI_BASE_URL``, else OpenAI itself.
        api_key: The key; else the variable ``OPENAI_API_KEY``. A server of one's own may need none.
        vision: Whether it may be shown pictures.
        timeout, retries, concurrency, prices: See `Endpoint`.

    Raises:
        ConfigError: No model was named, or neither a key nor a server.
        MissingExtra: The extra ``openai`` is not installed.
    """

    def __init__(
        self,
        argument: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        vision: bool = False,
        timeout: float = 60.0,
        retries: int = 2,
        concurrency: int = 4,
        prices: Prices | None = None,
    ) -> None:
        if not argument:
            raise ConfigError("the model 'openai' needs a name", hint="such as openai:gpt-5-mini")
        self.name = f"openai:{argument}"
        self.vision = vision
        self._model = argument
        self._prices = prices
        self._connection = Connection(
            user="the model 'openai'",
            title=f"the model server for {self.name!r}",
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            retries=retries,
            concurrency=concurrency,
        )
        self._dialect = Dialect(modern=self._connection.openai)

    @classmethod
    def configured(cls, argument: str, endpoint: Endpoint) -> Self:
        """The model on the server that the configuration names.

        Raises:
            ConfigError: See the class; or the variable that is to hold the key holds none.
        """
        return cls(
            argument,
            base_url=endpoint.base_url,
            api_key=key_of(endpoint, "the model 'openai'"),
            vision=endpoint.vision,
            timeout=endpoint.timeout,
            retries=endpoint.retries,
            concurrency=endpoint.concurrency,
            prices=endpoint.prices,
        )

    def answer(self, prompt: Prompt) -> Answer:
        """One answer.

        Raises:
            ModelError: It refused, could not be reached, or answered nonsense; see `Connection`.
        """
        completion = self._connection.call(lambda client: self._completion(client, prompt))
        with self._connection.failing():
            choice = completion.choices[0]
            text = choice.message.content or ""
            usage = self._usage(completion.usage)
            model = str(completion.model or self._model)
            refusal = getattr(choice.message, "refusal", None)
            reason = choice.finish_reason
        if refusal or reason == "content_filter":
            raise ModelRefused(f"{self._connection.title} declined to answer")
        self._check(text, reason)
        return Answer(text=text, model=model, usage=usage)

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer piece by piece. Only its beginning is tried again: what was handed out cannot be taken back.

        Raises:
            ModelError: Also between two pieces; `ModelUnavailable` where the server went away before the end.
        """
        if prompt.schema is not None:
            raise ConfigError("an answer that keeps to a schema cannot be streamed")
        with self._connection.turn():
            yield from self._pieces(prompt)

    def close(self) -> None:
        """Closes the connections to the server."""
        self._connection.close()

    def __repr__(self) -> str:
        return f"OpenAIChatModel({self._model!r})"

    def _completion(self, client: OpenAI, prompt: Prompt) -> Any:
        asked = self._dialect.asked(prompt)
        try:
            return client.chat.completions.create(model=self._model, messages=_messages(asked.prompt), **asked.options)
        except Exception as error:
            if not self._dialect.learnt(error, asked):
                raise
        return self._completion(client, prompt)

    def _pieces(self, prompt: Prompt) -> Iterator[str]:
        connection, reason, seen = self._connection, None, False
        opened = connection.call(lambda client: self._opened(client, prompt), held=True)
        with opened as chunks:
            iterator = iter(chunks)
            while True:
                with connection.failing():
                    chunk = next(iterator, None)
                    choice = chunk.choices[0] if chunk is not None and chunk.choices else None
                    piece = (choice.delta.content or "") if choice is not None else ""
                    reason = choice.finish_reason or reason if choice is not None else reason
                if chunk is None:
                    break
                seen = seen or bool(piece.strip())
                if piece:
                    yield piece
        if reason is None:
            raise connection.unavailable("went away in the middle of its answer")
        if reason == "content_filter":
            raise ModelRefused(f"{connection.title} declined to answer")
        self._check("seen" if seen else "", reason)

    def _opened(self, client: OpenAI, prompt: Prompt) -> Any:
        asked = self._dialect.asked(prompt)
        try:
            return client.chat.completions.create(
                model=self._model, messages=_messages(asked.prompt), stream=True, **asked.options
            )
        except Exception as error:
            if not self._dialect.learnt(error, asked):
                raise
        return self._opened(client, prompt)

    def _check(self, text: str, reason: str | None) -> None:
        if reason == "length":
            raise ModelAnswerError(
                f"{self._connection.title} broke off its answer", hint="it reached the limit on tokens"
            )
        if not text.strip():
            raise self._connection.nonsense("gave an empty answer")

    def _usage(self, counted: Any) -> Usage:
        """What the server counted; some count nothing."""
        usage = Usage(
            requests=1,
            input_tokens=int(getattr(counted, "prompt_tokens", 0) or 0),
            output_tokens=int(getattr(counted, "completion_tokens", 0) or 0),
        )
        return usage if self._prices is None else replace(usage, cost=self._prices.cost(usage))


def _messages(prompt: Prompt) -> Any:
    return [{"role": message.role, "content": _content(message)} for message in prompt.messages]


def _content(message: PromptMessage) -> str | list[dict[str, Any]]:
    """Plain text where there are no pictures, since not every server takes parts."""
    if not message.pictures:
        return message.text
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    for picture in message.pictures:
        url = f"data:{picture.content_type};base64,{base64.b64encode(picture.data).decode('ascii')}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts
