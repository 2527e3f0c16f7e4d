"""A LlamaIndex LLM as memplug's chat model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ContentBlock, ImageBlock, TextBlock
from llama_index.core.bridge.pydantic import BaseModel, ConfigDict
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.tools import FunctionTool

from memplug.exceptions import ConfigError
from memplug.models.foreign import ForeignModel, json_rule
from memplug.models.structured import json_in
from memplug.values.prompt import Usage

if TYPE_CHECKING:
    from memplug.values.prompt import Prompt, PromptMessage

_UNKNOWN = "unknown"
_INPUT, _OUTPUT = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")


class LlamaIndexChatModel(ForeignModel):
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
        known = llm.metadata.model_name
        model = llm.class_name() if known in {"", _UNKNOWN} else known
        super().__init__(model=model, name=name or f"llamaindex:{model}", vision=vision, max_tokens=max_tokens)
        self._llm = llm

    def _answered(self, prompt: Prompt) -> tuple[str, Usage]:
        if prompt.schema is None:
            response = self._llm.chat(_messages(prompt), **self._options(prompt))
            text = response.message.content or ""
        elif isinstance(self._llm, FunctionCallingLLM) and self._llm.metadata.is_function_calling_model:
            response, text = self._called(self._llm, prompt, prompt.schema)
        else:
            response = self._llm.chat(_told(_messages(prompt), prompt.schema), **self._options(prompt))
            text = json_in(response.message.content or "")
        return text, _usage(response)

    def _pieces(self, prompt: Prompt) -> Iterator[str]:
        for piece in self._llm.stream_chat(_messages(prompt), **self._options(prompt)):
            yield piece.delta or ""

    def _called(self, llm: FunctionCallingLLM, prompt: Prompt, schema: Mapping[str, Any]) -> tuple[ChatResponse, str]:
        """The answer as the arguments of a call; as words, where the model says them instead."""
        response = llm.chat_with_tools(
            [_tool(prompt.schema_name, schema)],
            chat_history=_messages(prompt),
            tool_required=True,
            allow_parallel_tool_calls=False,
            **self._options(prompt),
        )
        calls = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        if calls:
            return response, json.dumps(calls[0].tool_kwargs, ensure_ascii=False)
        return response, json_in(response.message.content or "")


def _messages(prompt: Prompt) -> list[ChatMessage]:
    return [_message(message) for message in prompt.messages]


def _message(message: PromptMessage) -> ChatMessage:
    blocks: list[ContentBlock] = [TextBlock(text=message.text)]
    blocks += [ImageBlock(image=one.data, image_mimetype=one.content_type) for one in message.pictures]
    return ChatMessage(role=message.role, blocks=blocks)


def _told(messages: list[ChatMessage], schema: Mapping[str, Any]) -> list[ChatMessage]:
    """The messages with the schema in the system message, which is the first: many models take one, in front."""
    rule = TextBlock(text=json_rule(schema))
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
