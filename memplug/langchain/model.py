"""A LangChain chat model as memplug's chat model."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from memplug.exceptions import ConfigError
from memplug.langchain.pictures import Images, takes_pictures
from memplug.models.foreign import ForeignModel, json_rule
from memplug.models.structured import json_in
from memplug.values.prompt import Prompt, PromptMessage, Usage

Method = Literal["auto", "json_schema", "function_calling", "json_mode", "prompt"]
_METHODS: tuple[Method, ...] = ("auto", "json_schema", "function_calling", "json_mode", "prompt")
#: Under which names integrations have their model's name.
_NAMES = ("model_name", "model", "model_id")
_CLASSES: Mapping[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


class LangChainChatModel(ForeignModel):
    """Any of LangChain's chat models: ``Memory(model=LangChainChatModel(init_chat_model("openai:gpt-5-mini")))``.

    Nothing is tried again here: chat models have retries of their own (``max_retries``).

    Args:
        llm: LangChain's chat model.
        vision: Whether it can be shown pictures; ``"auto"`` as its ``profile`` says.
        method: How a question with a schema is asked. ``"auto"``: as the integration itself does it where it has a way
            of its own (`with_structured_output`), by the call of a tool where it has tools, else in words. The others
            are LangChain's words for these; with ``"json_schema"`` and ``"json_mode"`` the answer is not limited in
            length.
        name: What it is called in statuses and logs; by default ``langchain:`` and the model's name.
        max_tokens: What the model's argument for the most tokens of an answer is called; None never limits them.

    Raises:
        ConfigError: It is no chat model of LangChain, or the method is none.
    """

    def __init__(
        self,
        llm: BaseChatModel,
        *,
        vision: Images = "auto",
        method: Method = "auto",
        name: str | None = None,
        max_tokens: str | None = "max_tokens",
    ) -> None:
        if not isinstance(llm, BaseChatModel):
            raise ConfigError(f"a chat model of LangChain is needed here, not {type(llm).__name__}")
        if method not in _METHODS:
            raise ConfigError(f"method must be one of {', '.join(_METHODS)}, not {method!r:.80}")
        found = (getattr(llm, one, None) for one in _NAMES)
        model = next((one for one in found if isinstance(one, str) and one), type(llm).__name__)
        super().__init__(
            model=model,
            name=name or f"langchain:{model}",
            vision=takes_pictures(llm, vision),
            max_tokens=max_tokens,
        )
        self._llm = llm
        self._method = _way(llm) if method == "auto" else method

    def _answered(self, prompt: Prompt) -> tuple[str, Usage]:
        message, text = self._said(prompt) if prompt.schema is None else self._filled(prompt, prompt.schema)
        return text, _usage(message)

    def _pieces(self, prompt: Prompt) -> Iterator[str]:
        for piece in self._llm.stream(_messages(prompt), **self._options(prompt)):
            yield str(piece.text)

    def _said(self, prompt: Prompt) -> tuple[object, str]:
        message = self._llm.invoke(_messages(prompt), **self._options(prompt))
        return message, str(message.text)

    def _filled(self, prompt: Prompt, schema: Mapping[str, Any]) -> tuple[object, str]:
        """The answer to a question with a schema, as JSON text."""
        # LangChain takes the name of a schema from its title.
        form = {"title": prompt.schema_name, "description": "The answer.", **schema}
        messages = _messages(prompt)
        match self._method:
            case "function_calling":
                return self._called(form, messages, prompt)
            case "prompt":
                message = self._llm.invoke(_asked_in_words(messages, schema), **self._options(prompt))
                return message, json_in(str(message.text))
            case "json_mode":
                messages = _asked_in_words(messages, schema)
        way = {} if self._method == "auto" else {"method": self._method}
        found: Any = self._llm.with_structured_output(form, include_raw=True, **way).invoke(messages)
        raw, parsed = found["raw"], found["parsed"]
        text = json_in(str(raw.text)) if parsed is None else json.dumps(parsed, ensure_ascii=False)
        return raw, text

    def _called(self, form: dict[str, Any], messages: list[BaseMessage], prompt: Prompt) -> tuple[object, str]:
        """The answer as the arguments of a call; as words, where the model says them instead."""
        model = self._llm.bind_tools([form], tool_choice="any")
        message = model.invoke(messages, **self._options(prompt))
        if message.tool_calls:
            return message, json.dumps(message.tool_calls[0]["args"], ensure_ascii=False)
        return message, json_in(str(message.text))


def _way(llm: BaseChatModel) -> Method:
    """How a model is best asked for JSON."""
    if type(llm).with_structured_output is not BaseChatModel.with_structured_output:
        return "auto"
    return "function_calling" if type(llm).bind_tools is not BaseChatModel.bind_tools else "prompt"


def _messages(prompt: Prompt) -> list[BaseMessage]:
    return [_message(message) for message in prompt.messages]


def _message(message: PromptMessage) -> BaseMessage:
    kind = _CLASSES[message.role]
    if not message.pictures:
        return kind(content=message.text)
    blocks: list[Any] = [{"type": "text", "text": message.text}]
    for one in message.pictures:
        encoded = base64.b64encode(one.data).decode()
        blocks.append({"type": "image", "base64": encoded, "mime_type": one.content_type})
    return kind(content=blocks)


def _asked_in_words(messages: list[BaseMessage], schema: Mapping[str, Any]) -> list[BaseMessage]:
    """The messages with the schema in the system message, which is the first: many models take one, in front."""
    rule = json_rule(schema)
    if messages and isinstance(messages[0], SystemMessage):
        return [SystemMessage(content=f"{messages[0].text}\n\n{rule}"), *messages[1:]]
    return [SystemMessage(content=rule), *messages]


def _usage(message: object) -> Usage:
    counted = getattr(message, "usage_metadata", None)
    found = counted if isinstance(counted, Mapping) else {}
    return Usage(
        requests=1, input_tokens=int(found.get("input_tokens", 0)), output_tokens=int(found.get("output_tokens", 0))
    )
