"""Whether an event loop goes on while an adapter asks memplug a question."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from memplug import Memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Asks a question of user ``u``.
Call = Callable[[Memory], Awaitable[Any]]
#: Seconds after which a test gives up on a loop that does not come round.
_PATIENCE = 20.0
#: How long a recall takes where the loop is timed, in seconds.
_RECALL = 0.5


class _Embedder:
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
        vector: NDArray[np.float32] = self.embed([text]).reshape(self.dimension)
        return vector


def goes_on(call: Call) -> bool:
    """Whether an embedder that waits for the loop gets what it waits for; on the loop's thread it waits for itself."""
    asked, answered = threading.Event(), threading.Event()
    told: list[bool] = []

    def meanwhile() -> None:
        asked.set()
        told.append(answered.wait(_PATIENCE))

    async def run(memory: Memory) -> None:
        task = asyncio.ensure_future(call(memory))
        while not asked.is_set():  # noqa: ASYNC110 - it is set in a worker thread
            await asyncio.sleep(0)
        answered.set()
        assert await task

    with Memory("memory://", embedder=_Embedder(meanwhile)) as memory:
        memory.add("tea", user_id="u")
        asyncio.run(run(memory))
    return told == [True]


def longest_stall(call: Call) -> float:
    """The longest time in seconds for which the loop did not come round during a recall of 500 ms."""

    async def run(memory: Memory) -> float:
        await call(memory)  # what is imported and compiled at first use is not recall
        task = asyncio.ensure_future(call(memory))
        longest, before = 0.0, time.perf_counter()
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        assert await task
        return longest

    with Memory("memory://", embedder=_Embedder(lambda: time.sleep(_RECALL))) as memory:
        memory.add("tea", user_id="u")
        return asyncio.run(run(memory))
