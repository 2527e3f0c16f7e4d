"""A LangChain agent whose memory tools are langmem's, over memplug as LangGraph's store.

    python examples/langgraph_store_agent.py [STORE]

Needs ``pip install 'memplug[langchain,langgraph]' langmem``; says so where langmem is missing. Runs offline, with no
key: the model is scripted. For a real one, put it in place of `Scripted()`:

    model = "openai:gpt-5-mini"                 # pip install langchain-openai

What langmem's tools keep are memories of memplug's like others: `Memory.search`, `export` and `memplug` in the terminal
reach them as well.
"""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from memplug.langchain import MemplugStore, encode_label


class Scripted(BaseChatModel):
    """A model that keeps what it is told to, and looks for all else."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        """It needs no telling which tools there are."""
        del tools
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages[-1]))])


def _answer(last: BaseMessage) -> AIMessage:
    if isinstance(last, ToolMessage) and last.name == "manage_memory":
        return AIMessage("I will remember that.")
    if isinstance(last, ToolMessage):
        found = [item["value"]["content"] for item in json.loads(last.text)]
        return AIMessage(f"I remember: {' | '.join(found)}" if found else "That is new to me.")
    if last.text.startswith("Remember that "):
        call = {"id": "call_1", "name": "manage_memory", "args": {"content": last.text.removeprefix("Remember that ")}}
    else:
        call = {"id": "call_1", "name": "search_memory", "args": {"query": last.text, "limit": 1}}
    return AIMessage("", tool_calls=[call])


def main(location: str) -> None:
    """Two users; each has a namespace, and an agent finds what was kept in another run."""
    try:
        from langmem import create_manage_memory_tool, create_search_memory_tool
    except ModuleNotFoundError as error:
        print(f"This example needs {error.name}: pip install langmem")
        return
    with MemplugStore.open(location) as store:
        namespace = ("memories", "{user}")
        tools = [create_manage_memory_tool(namespace), create_search_memory_tool(namespace)]
        agent = create_agent(Scripted(), tools, store=store)

        def say(user: str, words: str) -> None:
            # A label of a namespace has no dots; `encode_label` and `decode_label` take any id there and back.
            config: Any = {"configurable": {"user": encode_label(user)}}
            result = agent.invoke({"messages": [HumanMessage(words)]}, config)
            print(f"{user}: {words}\n{'':<{len(user)}}  {result['messages'][-1].text}\n")

        say("wang@example.com", "Remember that Wang never eats peanuts.")
        say("wang@example.com", "Remember that dinner with Li cost 128 yuan.")
        say("wang@example.com", "May Wang have peanuts?")
        say("mei@example.com", "May Wang have peanuts?")
        bucket = f"memories.{encode_label('wang@example.com')}"
        hits = store.memory.search("what did dinner cost?", bucket=bucket, top_k=1)
        print(f"The same by memplug itself: {hits[0].metadata['content']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
