"""What embeddings of other frameworks have in common on their way to being memplug's embedder."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from memplug.embedders.pieces import all_pieces, batches, pieces
from memplug.embedders.rows import unit_rows
from memplug.exceptions import PluginError
from memplug.models.failures import passing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: Characters of one input, as many models take no more; and inputs and characters of one call.
_PIECE, _COUNT, _CHARACTERS = 6_000, 256, 200_000
_PROBE = "memory"


class ForeignEmbedder(ABC):
    """Embeds with an object of another framework; each framework says how in `_texts` and `_question`.

    A long text is the mean of its pieces; blank texts are never sent. The store remembers the name and refuses another
    embedder, so it has to be given again whenever the store is opened.

    Args:
        name: What the vector space is called.
        dimension: Length of its vectors; None takes it from the first answer.
    """

    def __init__(self, name: str, *, dimension: int | None = None) -> None:
        self.name = name
        self._dimension = dimension
        self._lock = threading.Lock()

    @abstractmethod
    def _texts(self, texts: list[str]) -> object:
        """What the framework gives for texts."""

    @abstractmethod
    def _question(self, text: str) -> object:
        """What the framework gives for a question."""

    @property
    def dimension(self) -> int:
        """Length of a vector; where nobody said it, one word is embedded to find out."""
        if self._dimension is None:
            self._embedded([_PROBE])
        if self._dimension is None:  # pragma: no cover - an answer sets it or raises
            raise self._error("did not say how long its vectors are")
        return self._dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length; zeros for a blank text.

        Raises:
            PluginError: The embedding failed or answered nonsense; ``retryable`` says whether the same call may
                succeed later.
        """
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for batch in batches(all_pieces(texts, _PIECE), count=_COUNT, characters=_CHARACTERS):
            sent = [piece.text for piece in batch]
            weights = np.array([len(text) for text in sent], dtype=np.float32)
            np.add.at(rows, [piece.row for piece in batch], self._embedded(sent) * weights[:, None])
        return unit_rows(rows)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``; models that tell questions apart are told so.

        Raises:
            PluginError: See `embed`.
        """
        found = list(pieces(text, _PIECE))
        if not found:
            return np.zeros(self.dimension, dtype=np.float32)
        rows = self._rows([self._called(partial(self._question, piece)) for piece in found])
        weights = np.array([len(piece) for piece in found], dtype=np.float32)
        row: NDArray[np.float32] = unit_rows((rows * weights[:, None]).sum(axis=0, keepdims=True))[0]
        return row

    def _embedded(self, texts: list[str]) -> NDArray[np.float32]:
        found = self._called(partial(self._texts, texts))
        if not isinstance(found, list) or len(found) != len(texts):
            raise self._error(f"did not give one vector for each of {len(texts)} texts")
        return self._rows(found)

    def _called(self, call: Callable[[], object]) -> object:
        try:
            return call()
        except Exception as error:
            # Each integration has errors of its own; what they say stays in the cause, since some repeat the key.
            raise self._error(f"failed: {type(error).__name__}", retryable=passing(error)) from error

    def _rows(self, found: Sequence[object]) -> NDArray[np.float32]:
        try:
            rows = np.array(found, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise self._error("gave something else than vectors") from error
        if rows.ndim != 2 or not rows.shape[1] or not np.isfinite(rows).all():  # noqa: PLR2004 - rows and columns
            raise self._error("gave vectors that are none")
        with self._lock:
            if self._dimension is None:
                self._dimension = rows.shape[1]
        if self._dimension != rows.shape[1]:
            raise self._error(f"gives vectors of length {rows.shape[1]} instead of {self._dimension}")
        return unit_rows(rows)

    def _error(self, problem: str, *, retryable: bool = False) -> PluginError:
        hint = "the same call may succeed later" if retryable else None
        words = f"the embedding {self.name!r} {problem}"
        return PluginError(words, plugin=self.name, hook="embed", hint=hint, retryable=retryable)
