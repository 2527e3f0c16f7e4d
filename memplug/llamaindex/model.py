"""A LlamaIndex LLM as memplug's chat model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ContentBlock, ImageBlock, TextBlock
from llama_index.core.bridge.pydantic import BaseModel, ConfigDict
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.tools import FunctionTool

from memplug.exceptions import ConfigError, MemplugError, ModelAnswerError, ModelRefused
from memplug.models.failures import model_error
from memplug.values.prompt import Answer, Usage

if TYPE_CHECKING:
    from memplug.values.prompt import Prompt, PromptMessage

_FENCED = re.compile(r"\A\s*```[a-zA-Z]*\s*\n(?P<inner>.*?)\n?\s*```\s*\Z", re.DOTALL)
_JSON_ONLY = "Answer with one JSON object and nothing else. It keeps to this JSON schema:\n"
_UNKNOWN = "unknown"
_INPUT, _OUTPUT = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")


class LlamaIndexChatModel:
    """Any of LlamaIndex's LLMs: ``Memory(model=LlamaIndexChatModel(OpenAI("gpt-5-mini"), vision=True))``.

    A question with a schema is asked as the call of one tool, which has the schema for its arguments, where the LLM
    calls tools; else the schema stands in the system message. Nothing is tried again here: LLMs have retries of their
    own.

    Args:
        llm: LlamaIndex's LLM.
        vision: Whether it can be shown pictures; LlamaIndex does not know.
        name: What it is called in statuses and logs; by default ``llamaindex:`` and the model's name.
        max_tokens: What the LLM's argument for the most tokens of an answer is called; None never limits them.

    Raises:
        ConfigError: It is no LLM of LlamaIndex.
    """

    def __init__(
        self, llm: LLM, *, vision: bool = False, name: str | None = None, max_tokens: str | None = "max_tokens"
    ) -> None:
        if not isinstance(llm, LLM):
            raise ConfigError(f"an LLM of LlamaIndex is needed here, not {type(llm).__name__}")
        model = llm.metadata.model_name
        self._model = llm.class_name() if model in {"", _UNKNOWN} else model
        self.name = name or f"llamaindex:{self._model}"
        self.vision = vision
        self._llm = llm
        self._max_tokens = max_tokens

    def answer(self, prompt: Prompt) -> Answer:
        """One answer; JSON text where the question has a schema, to which it is not held here.

        Raises:
            ModelRefused: The server takes neither the key, the model nor the question, or the model sees no pictures.
            ModelUnavailable: It cannot be reached, is too slow, or has too much to do.
            ModelAnswerError: The answer is empty.
            ModelError: It failed otherwise.
        """
        with self._failing():
            if prompt.schema is None:
                response = self._llm.chat(self._messages(prompt), **self._options(prompt))
                text = response.message.content or ""
            elif isinstance(self._llm, FunctionCallingLLM) and self._llm.metadata.is_function_calling_model:
                response, text = self._called(self._llm, prompt, prompt.schema)
            else:
                response = self._llm.chat(_told(self._messages(prompt), prompt.schema), **self._options(prompt))
                text = _unfenced(response.message.content or "")
        if not text.strip():
            raise ModelAnswerError(f"the model {self.name!r} gave an empty answer")
        return Answer(text=text, model=self._model, usage=_usage(response))

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer to a question without schema, piece by piece; raises what `answer` does, also between pieces."""
        said = False
        with self._failing():
            for piece in self._llm.stream_chat(self._messages(prompt), **self._options(prompt)):
                if piece.delta:
                    said = True
                    yield piece.delta
        if not said:
            raise ModelAnswerError(f"the model {self.name!r} gave an empty answer")

    def _called(self, llm: FunctionCallingLLM, prompt: Prompt, schema: Mapping[str, Any]) -> tuple[ChatResponse, str]:
        """The answer as the arguments of a call; as words, where the model says them instead."""
        response = llm.chat_with_tools(
            [_tool(prompt.schema_name, schema)],
            chat_history=self._messages(prompt),
            tool_required=True,
            allow_parallel_tool_calls=False,
            **self._options(prompt),
        )
        calls = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        if calls:
            return response, json.dumps(calls[0].tool_kwargs, ensure_ascii=False)
        return response, _unfenced(response.message.content or "")

    def _messages(self, prompt: Prompt) -> list[ChatMessage]:
        if not self.vision and any(message.pictures for message in prompt.messages):
            raise ModelRefused(f"the model {self.name!r} is shown no pictures", hint="vision=True, if it can see")
        return [_message(message) for message in prompt.messages]

    def _options(self, prompt: Prompt) -> dict[str, Any]:
        limited = self._max_tokens is not None and prompt.max_tokens is not None
        return {str(self._max_tokens): prompt.max_tokens} if limited else {}

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turns whatever an integration raises into one of our errors."""
        try:
            yield
        except MemplugError:
            raise
        except Exception as error:
            raise model_error(error, f"the model {self.name!r}") from error


def _message(message: PromptMessage) -> ChatMessage:
    blocks: list[ContentBlock] = [TextBlock(text=message.text)]
    blocks += [ImageBlock(image=one.data, image_mimetype=one.content_type) for one in message.pictures]
    return ChatMessage(role=message.role, blocks=blocks)


def _told(messages: list[ChatMessage], schema: Mapping[str, Any]) -> list[ChatMessage]:
    """The messages with the schema in the system message, which is the first: many models take one, in front."""
    rule = TextBlock(text=_JSON_ONLY + json.dumps(dict(schema), ensure_ascii=False))
    if messages and messages[0].role == "system":
        words = TextBlock(text=f"{messages[0].content}\n\n{rule.text}")
        return [ChatMessage(role="system", blocks=[words]), *messages[1:]]
    return [ChatMessage(role="system", blocks=[rule]), *messages]


def _tool(name: str, schema: Mapping[str, Any]) -> FunctionTool:
    """A tool that nobody runs, whose arguments keep to the schema."""

    class Arguments(BaseModel):
        """What LlamaIndex asks for the schema."""

        model_config = ConfigDict(extra="allow")

        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            return dict(schema)

    return FunctionTool.from_defaults(
        fn=lambda **_: None, name=name, description="Takes the answer, and ends the question.", fn_schema=Arguments
    )


def _unfenced(text: str) -> str:
    """JSON without the fence that many models put around it."""
    found = _FENCED.match(text)
    return (found["inner"] if found else text).strip()


def _usage(response: ChatResponse) -> Usage:
    """What it took, where the integration says so: beside the answer, or in the server's own words."""
    raw = response.raw
    usage = raw.get("usage") if isinstance(raw, Mapping) else getattr(raw, "usage", None)
    places = (response.additional_kwargs, usage)
    return Usage(requests=1, input_tokens=_count(places, _INPUT), output_tokens=_count(places, _OUTPUT))


def _count(places: tuple[object, ...], names: tuple[str, ...]) -> int:
    for place in places:
        for name in names:
            count = place.get(name) if isinstance(place, Mapping) else getattr(place, name, None)
            if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                return count
    return 0
