"""The event loop goes on while memplug works for LangChain."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from loops import goes_on, longest_stall
from memplug import Memory
from memplug.langchain import MemplugLoader, MemplugMiddleware, MemplugRetriever, memory_tools
from scripted import saying


def _agent(memory: Memory) -> Coroutine[Any, Any, Any]:
    made = create_agent(saying("ok"), [], middleware=[MemplugMiddleware(memory, user_id="u")])
    return made.ainvoke({"messages": [HumanMessage("tea?")]})


#: Each way in which LangChain awaits a question.
CALLS: dict[str, Callable[[Memory], Coroutine[Any, Any, Any]]] = {
    "middleware": _agent,
    "retriever": lambda memory: MemplugRetriever(memory=memory, user_id="u").ainvoke("tea"),
    "loader": lambda memory: MemplugLoader(memory, query="tea", user_id="u").aload(),
    "tool": lambda memory: memory_tools(memory.scoped(user_id="u"))[0].ainvoke({"query": "tea"}),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_loop_goes_on_while_a_question_is_asked(name: str) -> None:
    """An embedder that waits for the loop gets what it waits for; on the loop's thread it would wait for itself."""
    assert goes_on(CALLS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_the_loop_comes_round_within_50_ms(name: str) -> None:
    """While a recall takes 500 ms. For an idle machine: `pytest -s -m slow tests/unit/test_langchain_loop.py`."""
    longest = longest_stall(CALLS[name])
    print(f"{name}: {1000 * longest:.1f} ms")  # noqa: T201 - the figure is the point
    assert longest < 0.05
