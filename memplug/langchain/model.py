"""A LangChain chat model as memplug's chat model."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from memplug.exceptions import ConfigError, MemplugError, ModelAnswerError, ModelRefused
from memplug.langchain.pictures import Images, takes_pictures
from memplug.models.failures import model_error
from memplug.models.structured import json_in
from memplug.values.prompt import Answer, Prompt, PromptMessage, Usage

Method = Literal["auto", "json_schema", "function_calling", "json_mode", "prompt"]
_METHODS: tuple[Method, ...] = ("auto", "json_schema", "function_calling", "json_mode", "prompt")
_JSON_ONLY = "Answer with one JSON object and nothing else. It keeps to this JSON schema:\n"
#: Under which names integrations have their model's name.
_NAMES = ("model_name", "model", "model_id")
_CLASSES: Mapping[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


class LangChainChatModel:
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
        self._model = next((one for one in found if isinstance(one, str) and one), type(llm).__name__)
        self.name = name or f"langchain:{self._model}"
        self.vision = takes_pictures(llm, vision)
        self._llm = llm
        self._method = _way(llm) if method == "auto" else method
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
            message, text = self._said(prompt) if prompt.schema is None else self._filled(prompt, prompt.schema)
        if not text.strip():
            raise ModelAnswerError(f"the model {self.name!r} gave an empty answer")
        return Answer(text=text, model=self._model, usage=_usage(message))

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The answer to a question without schema, piece by piece; raises what `answer` does, also between pieces."""
        said = False
        with self._failing():
            for piece in self._llm.stream(self._messages(prompt), **self._options(prompt)):
                if text := str(piece.text):
                    said = True
                    yield text
        if not said:
            raise ModelAnswerError(f"the model {self.name!r} gave an empty answer")

    def _said(self, prompt: Prompt) -> tuple[object, str]:
        message = self._llm.invoke(self._messages(prompt), **self._options(prompt))
        return message, str(message.text)

    def _filled(self, prompt: Prompt, schema: Mapping[str, Any]) -> tuple[object, str]:
        """The answer to a question with a schema, as JSON text."""
        # LangChain takes the name of a schema from its title.
        form = {"title": prompt.schema_name, "description": "The answer.", **schema}
        messages = self._messages(prompt)
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

    def _messages(self, prompt: Prompt) -> list[BaseMessage]:
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


def _way(llm: BaseChatModel) -> Method:
    """How a model is best asked for JSON."""
    if type(llm).with_structured_output is not BaseChatModel.with_structured_output:
        return "auto"
    return "function_calling" if type(llm).bind_tools is not BaseChatModel.bind_tools else "prompt"


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
    rule = _JSON_ONLY + json.dumps(dict(schema), ensure_ascii=False)
    if messages and isinstance(messages[0], SystemMessage):
        return [SystemMessage(content=f"{messages[0].text}\n\n{rule}"), *messages[1:]]
    return [SystemMessage(content=rule), *messages]


def _usage(message: object) -> Usage:
    counted = getattr(message, "usage_metadata", None)
    found = counted if isinstance(counted, Mapping) else {}
    return Usage(
        requests=1, input_tokens=int(found.get("input_tokens", 0)), output_tokens=int(found.get("output_tokens", 0))
    )
