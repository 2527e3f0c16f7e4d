"""The `embed` of an index as a memplug embedder: what LangGraph's stores take, LangChain's `Embeddings` or a function.

A store of memplug's has one embedder, which made all its vectors and which it remembers. So an `embed` has to be the
embedder of the store: `MemplugStore.open` makes it so.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import EmbeddingsLambda, ensure_embeddings

from memplug.exceptions import BackendError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from langgraph.store.base import IndexConfig
    from numpy.typing import NDArray

T = TypeVar("T")

#: What an embedding is asked for where nobody says how long its vectors are.
_PROBE = "memplug"


class IndexEmbedder:
    """Embeds with what an `IndexConfig` names.

    Its name says what class or function that is and which model it says to have; give another one where two that
    differ would be called the same.

    Args:
        index: The configuration; without ``dims`` the embedding is asked once.
        name: What the store is to remember it by.

    Raises:
        ConfigError: ``embed`` is nothing that embeds, or ``dims`` is no positive number.
    """

    def __init__(self, index: IndexConfig, *, name: str | None = None) -> None:
        self.embeddings: Embeddings = _embeddings(index)
        self.name = name or f"langchain:{_name(self.embeddings)}"
        self._thread = _Loop()
        dims: object = index.get("dims")
        if dims is not None and (isinstance(dims, bool) or not isinstance(dims, int) or dims < 1):
            raise ConfigError(f"dims must be the number of dimensions, not {dims!r:.80}")
        self._dimension = dims

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        if self._dimension is None:
            self._dimension = len(self._documents([_PROBE])[0])
        return self._dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length or all zeros."""
        # A text that is blank has no direction, and some servers refuse it.
        places = [place for place, text in enumerate(texts) if text.strip()]
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if places:
            rows[places] = _unit(self._documents([texts[place] for place in places]))
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``, of unit length or all zeros."""
        found: Any = (
            self._thread.run(self.embeddings.aembed_query(text))
            if self._is_async_only()
            else self.embeddings.embed_query(text)
        )
        row: NDArray[np.float32] = _unit([found])[0]
        return row

    def close(self) -> None:
        """Ends the loop of an asynchronous function; what waits for it gets a `BackendError`."""
        self._thread.close()

    def _documents(self, texts: list[str]) -> list[list[float]]:
        if self._is_async_only():
            return self._thread.run(self.embeddings.aembed_documents(texts))
        return self.embeddings.embed_documents(texts)

    def _is_async_only(self) -> bool:
        embeddings = self.embeddings
        return isinstance(embeddings, EmbeddingsLambda) and getattr(embeddings, "func", None) is None


def _embeddings(index: IndexConfig) -> Embeddings:
    embed: Any = index.get("embed")
    if not isinstance(embed, str | Embeddings) and not callable(embed):
        raise ConfigError(f"the index's embed must be Embeddings, a function or a name, not a {type(embed).__name__}")
    try:
        return ensure_embeddings(embed)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(f"the index's embed cannot be used: {error}") from error


def _name(embeddings: Embeddings) -> str:
    if isinstance(embeddings, EmbeddingsLambda):
        function: Any = getattr(embeddings, "func", None) or getattr(embeddings, "afunc", None)
        named = function if hasattr(function, "__qualname__") else type(function)
        return f"{named.__module__}.{named.__qualname__}"
    models = (getattr(embeddings, name, None) for name in ("model", "model_name", "model_id"))
    model = next((found for found in models if isinstance(found, str) and found), None)
    return type(embeddings).__name__ if model is None else f"{type(embeddings).__name__}:{model}"


def _unit(rows: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    found = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(found, axis=-1, keepdims=True)
    # What is no number stays one, so that it is seen and refused.
    return np.asarray(np.divide(found, lengths, out=found.copy(), where=lengths != 0), dtype=np.float32)


class _Loop:
    """An event loop in a thread of its own, so that an asynchronous function keeps one loop, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[int, asyncio.AbstractEventLoop] | None = None

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            # Inside the lock, so that it comes before `close` stops the loop, or goes to a new one.
            answer = asyncio.run_coroutine_threadsafe(asked, self._loop())
        try:
            return answer.result()
        except CancelledError as error:
            raise BackendError("the store was closed while it waited for an embedding") from error

    def _loop(self) -> asyncio.AbstractEventLoop:
        # A process that was forked has none of its parent's threads.
        if self._held is None or self._held[0] != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(loop,), name="memplug-embedding", daemon=True).start()
            self._held = (os.getpid(), loop)
        return self._held[1]

    def close(self) -> None:
        with self._lock:
            held, self._held = self._held, None
            if held is not None and held[0] == os.getpid():
                held[1].call_soon_threadsafe(held[1].stop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        # Whoever still waits for one of them would wait for ever, and so would the end of the process.
        while left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left))
        loop.close()
