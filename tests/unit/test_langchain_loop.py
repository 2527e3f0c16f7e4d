"""The event loop goes on while memplug works for LangChain."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from memplug import Memory
from memplug.langchain import MemplugLoader, MemplugMiddleware, MemplugRetriever, memory_tools
from scripted import saying

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
#: Seconds after which a test gives up on a loop that does not come round.
_PATIENCE = 20.0


class Embedder:
    """Embeds a question with a callable in between.

    Args:
        meanwhile: What is done while a question is embedded.
    """

    name = "meanwhile"
    dimension = 4

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors at once."""
        return np.full((len(texts), 4), 0.5, dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """A vector, after what is to be done."""
        self._meanwhile()
        return self.embed([text]).reshape(self.dimension)


@pytest.mark.parametrize("name", CALLS)
def test_the_loop_goes_on_while_a_question_is_asked(name: str) -> None:
    """An embedder that waits for the loop gets what it waits for; on the loop's thread it would wait for itself."""
    asked, answered = threading.Event(), threading.Event()
    told: list[bool] = []

    def meanwhile() -> None:
        asked.set()
        told.append(answered.wait(_PATIENCE))

    async def run(memory: Memory) -> None:
        task = asyncio.ensure_future(CALLS[name](memory))
        while not asked.is_set():  # noqa: ASYNC110 - it is set in a worker thread
            await asyncio.sleep(0)
        answered.set()
        assert await task

    with Memory("memory://", embedder=Embedder(meanwhile)) as memory:
        memory.add("tea", user_id="u")
        asyncio.run(run(memory))
    assert told == [True]


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_the_loop_comes_round_within_50_ms(name: str) -> None:
    """While a recall takes 500 ms. For an idle machine: `pytest -s -m slow tests/unit/test_langchain_loop.py`."""

    async def run(memory: Memory) -> float:
        await CALLS[name](memory)  # what is imported and compiled at first use is not recall
        task = asyncio.ensure_future(CALLS[name](memory))
        longest, before = 0.0, time.perf_counter()
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        assert await task
        return longest

    with Memory("memory://", embedder=Embedder(lambda: time.sleep(0.5))) as memory:
        memory.add("tea", user_id="u")
        longest = asyncio.run(run(memory))
    print(f"{name}: {1000 * longest:.1f} ms")  # noqa: T201 - the figure is the point
    assert longest < 0.05
