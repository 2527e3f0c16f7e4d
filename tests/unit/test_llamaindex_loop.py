"""No async call of the LlamaIndex adapters runs on the event loop's thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from loops import goes_on, longest_stall
from memplug import AsyncMemory
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


@pytest.mark.parametrize("name", CALLS)
def test_the_loop_goes_on_while_a_question_is_asked(name: str) -> None:
    """An embedder that waits for the loop gets what it waits for; on the loop's thread it would wait for itself."""
    assert goes_on(CALLS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_the_loop_comes_round_within_50_ms(name: str) -> None:
    """While a recall takes 500 ms. For an idle machine: `pytest -s -m slow tests/unit/test_llamaindex_loop.py`."""
    longest = longest_stall(CALLS[name])
    print(f"{name}: {1000 * longest:.1f} ms")  # noqa: T201 - the figure is the point
    assert longest < 0.05
