"""No async call of the LlamaIndex adapters runs on the event loop's thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest
from llama_index.core.llms import ChatMessage
from numpy.typing import NDArray

from memplug import AsyncMemory, Memory
from memplug.llamaindex import MemplugMemoryBlock, MemplugReader, MemplugRetriever, MemplugToolSpec

#: What each adapter does in an async call that asks a question.
CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "retriever": lambda memory: MemplugRetriever(memory, user_id="u").aretrieve("tea"),
    "async memory": lambda memory: MemplugRetriever(AsyncMemory(memory), user_id="u").aretrieve("tea"),
    "reader": lambda memory: MemplugReader(memory, user_id="u").aload_data("tea"),
    "lazy reader": lambda memory: MemplugReader(memory, user_id="u").alazy_load_data("tea"),
    "block": lambda memory: MemplugMemoryBlock(memory, user_id="u").aget([ChatMessage(content="tea?")]),
    "tool": lambda memory: MemplugToolSpec(memory, user_id="u").to_tool_list()[0].acall(query="tea"),
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
    """While a recall takes 500 ms. For an idle machine: `pytest -s -m slow tests/unit/test_llamaindex_loop.py`."""

    async def run(memory: Memory) -> float:
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
