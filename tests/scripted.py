"""A LangChain chat model whose answers are a function of what it is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

Script = Callable[[list[BaseMessage]], AIMessage | str]


class Scripted(BaseChatModel):
    """Answers by a script, and keeps what it was asked.

    Args:
        script: Gives the answer to messages.
        asked: The requests, oldest first.
        tools: The names of the tools that it was given last.
        settings: The other arguments of each request.
    """

    script: Script
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[Any] = Field(default_factory=list)
    settings: list[dict[str, Any]] = Field(default_factory=list)
    model_name: str = "scripted-1"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        """Knows them."""
        self.tools[:] = [getattr(tool, "name", tool) for tool in tools]
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **settings: Any
    ) -> ChatResult:
        del stop, run_manager
        self.asked.append(list(messages))
        self.settings.append(settings)
        given = self.script(messages)
        message = AIMessage(given) if isinstance(given, str) else given
        return ChatResult(generations=[ChatGeneration(message=message)])


def saying(*answers: AIMessage | str | Exception, **fields: Any) -> Scripted:
    """A model that says one after the other, and then the last one again and again; an error is raised."""
    left = itertools.chain(answers, itertools.repeat(answers[-1]))

    def script(_: list[BaseMessage]) -> AIMessage | str:
        given = next(left)
        if isinstance(given, Exception):
            raise given
        return given.model_copy() if isinstance(given, AIMessage) else given

    return Scripted(script=script, **fields)


def calling(name: str, id_: str = "call_1", /, **arguments: Any) -> AIMessage:
    """An answer that calls a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": id_, "type": "tool_call"}])
