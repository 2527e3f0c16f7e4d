"""Any model of the sentence-transformers family, on the user's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from memplug.embedders.pieces import all_pieces
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError, MissingExtra, PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MODEL = "all-MiniLM-L6-v2"
#: Characters embedded at once: near the 256 word pieces that small models read before they stop listening.
_PIECE = 1_000


class SentenceTransformersEmbedder:
    """A model by its name or folder. A text that is longer than the model reads is the mean of its pieces.

    Args:
        argument: Name of a model, which the library downloads when it does not have it yet, or a folder; empty
            means ``all-MiniLM-L6-v2``.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        ConfigError: There is no such model, or it could not be downloaded.
    """

    #: Texts stay on the machine.
    local = True

    def __init__(self, argument: str = "") -> None:
        model = argument or _MODEL
        self.name = f"sentence-transformers:{model}"
        self._model = _loaded(model)
        dimension = self._model.get_sentence_embedding_dimension()
        if not isinstance(dimension, int):
            raise ConfigError(f"the model {model!r} does not say how long its vectors are")
        self.dimension = dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length; zeros for a blank text."""
        return self._pooled(texts, self._model.encode)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``, with the model's own prompt for questions."""
        row: NDArray[np.float32] = self._pooled([text], getattr(self._model, "encode_query", self._model.encode))[0]
        return row

    def _pooled(self, texts: Sequence[str], encode: Any) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        found = list(all_pieces(texts, _PIECE))
        if not found:
            return rows
        try:
            vectors = encode([piece.text for piece in found], convert_to_numpy=True, show_progress_bar=False)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise PluginError(f"{self.name} failed: {error}", plugin=self.name, hook="embed") from error
        weights = np.array([len(piece.text) for piece in found], dtype=np.float32)
        np.add.at(rows, [piece.row for piece in found], unit_rows(vectors) * weights[:, None])
        return unit_rows(rows)


def _loaded(model: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtra(
            "the embedder 'sentence-transformers' needs its extra: pip install 'memplug[sentence-transformers]'"
        ) from error
    try:
        return SentenceTransformer(model)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"the model {model!r} cannot be loaded: {error}") from error
