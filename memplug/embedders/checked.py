"""An embedder whose answers are checked, because a wrong vector is never noticed later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memplug.exceptions import MemplugError, PluginError
from memplug.safety.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from memplug.plugins.protocols import Embedder

#: How far a row's length may be from 1; float32 sums of 4,096 numbers stay within 1e-4.
_TOLERANCE = 1e-3


class CheckedEmbedder:
    """An embedder that keeps to its contract, or raises.

    It is never told a secret, unless it says that it keeps texts on the machine (``local = True``); where the search
    for secrets fails, it is told nothing.

    Args:
        embedder: Any embedder.

    Raises:
        PluginError: It has no proper name or dimension, or later: it raised, or its answer has the wrong shape or
            type, holds a number that is none, or has a row that is neither of unit length nor all zeros.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        if not isinstance(embedder.name, str) or not embedder.name:
            raise PluginError(
                f"an embedder's name must be text, not {embedder.name!r}", plugin=repr(embedder.name), hook="name"
            )
        self.name = embedder.name
        self._local = getattr(embedder, "local", False) is True

    @property
    def dimension(self) -> int:
        """Length of a vector. Some embedders have to ask their server for it, so it is asked for when needed."""
        found = self._called("dimension", lambda: self._embedder.dimension)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise self._error("dimension", f"is no whole number above 0 but {found!r}")
        return found

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length or all zeros."""
        texts = list(texts)
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        rows = self._called("embed", lambda: self._embedder.embed([self._safe(text) for text in texts]))
        return self._checked("embed", rows, (len(texts), self.dimension))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``, of unit length or all zeros."""
        row = self._called("embed_query", lambda: self._embedder.embed_query(self._safe(text)))
        return self._checked("embed_query", row, (self.dimension,))

    def close(self) -> None:
        """Lets go of the embedder's connections, where it has any."""
        close = getattr(self._embedder, "close", None)
        if callable(close):
            close()

    def _safe(self, text: str) -> str:
        return text if self._local else redacted(text)

    def _called(self, method: str, call: Callable[[], object]) -> object:
        try:
            return call()
        except MemplugError:
            raise
        except Exception as error:
            raise self._error(method, f"raised {type(error).__name__}: {error}") from error

    def _checked(self, method: str, found: object, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if not isinstance(found, np.ndarray):
            raise self._error(method, f"returned a {type(found).__name__} instead of a numpy array")
        if found.shape != shape:
            raise self._error(method, f"returned an array of shape {found.shape} instead of {shape}")
        if found.dtype != np.float32:
            raise self._error(method, f"returned numbers of type {found.dtype} instead of float32")
        # Squares of float32 numbers over 1.8e19 are infinite in float32, and would warn.
        lengths = np.sqrt(np.square(found, dtype=np.float64).sum(axis=-1))
        if not np.isfinite(lengths).all():
            raise self._error(method, "returned a number that is not finite")
        if not np.all((lengths == 0) | (np.abs(lengths - 1) <= _TOLERANCE)):
            raise self._error(method, "returned a row that is neither of unit length nor all zeros")
        return found

    def _error(self, method: str, problem: str) -> PluginError:
        words = f"the embedder {self.name!r} is broken: {method} {problem}"
        return PluginError(words, plugin=self.name, hook=method)


def checked(embedder: Embedder) -> CheckedEmbedder:
    """The embedder with every answer checked; one that is checked already comes back as it is."""
    return embedder if isinstance(embedder, CheckedEmbedder) else CheckedEmbedder(embedder)
