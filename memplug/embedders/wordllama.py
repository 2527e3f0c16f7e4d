"""The default embedder: a static model inside the wordllama wheel, offline, 256 dimensions."""

from __future__ import annotations

import functools
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from memplug.embedders.pieces import pieces
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MODEL = "l2_supercat"
_DIMENSIONS = (256, 128, 64)
#: Characters tokenized at once. The tokenizer takes a text as one word: a megabyte at once takes 2.4 times as long
#: as in pieces, and its tokens' vectors 250 MB. Cut at blanks, the tokens are the same.
_PIECE = 4_000


class WordLlamaEmbedder:
    """The mean of static word-piece vectors, which is why it is fast and knows nothing of word order.

    The code of wordllama is MIT; its weights derive from the token embeddings of Llama 2.

    The package itself is never imported: its import sets up the root logger of the host program, and its own
    ``embed`` pads each batch to its longest text (a megabyte among 64 texts takes 16 GB). Nothing here changes
    the tokenizer once it is loaded, so several threads may embed at the same time; texts are tokenized one by one,
    because the tokenizer's own batches start threads that do not survive a fork.

    Args:
        argument: The dimension, one of 256, 128 and 64 (fewer dimensions are a prefix); empty means 256. The model's
            name may stand before it, as in `name`: a store is opened again by the name of its embedder.

    Raises:
        ConfigError: The argument is no such dimension.
        MissingExtra: The package is not installed, or its files are damaged.
    """

    #: Texts stay on the machine.
    local = True

    def __init__(self, argument: str = "") -> None:
        dimension = argument.removeprefix(f"{_MODEL}:")
        if dimension not in {"", *map(str, _DIMENSIONS)}:
            raise ConfigError(
                f"wordllama has no model {argument!r}", hint=f"its argument is a dimension: one of {_DIMENSIONS}"
            )
        self.dimension = int(dimension or _DIMENSIONS[0])
        self.name = f"wordllama:{_MODEL}:{self.dimension}"
        weights, self._tokenizer = _model()
        self._weights = weights[:, : self.dimension]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length; zeros for a blank text."""
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for place, text in enumerate(texts):
            for piece in pieces(text, _PIECE):
                rows[place] += self._sum(piece)
        return unit_rows(rows)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``."""
        row: NDArray[np.float32] = self.embed([text])[0]
        return row

    def _sum(self, piece: str) -> NDArray[np.float32]:
        ids = self._tokenizer.encode(piece, add_special_tokens=False).ids
        total: NDArray[np.float32] = self._weights[ids].sum(axis=0)
        return total


@functools.cache
def _model() -> tuple[NDArray[np.float32], Tokenizer]:
    """The weights, float32 of shape ``(32000, 256)``, and the tokenizer; neither is ever changed."""
    spec = util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the embedder 'wordllama' needs its package: pip install wordllama")
    folder = Path(spec.submodule_search_locations[0])
    try:
        weights = load_file(folder / "weights" / f"{_MODEL}_256.safetensors")["embedding.weight"].astype(np.float32)
        words = (folder / "tokenizers" / f"{_MODEL}_tokenizer_config.json").read_text(encoding="utf-8")
        tokenizer = Tokenizer.from_str(words)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise MissingExtra(
            f"the files of the embedder 'wordllama' are missing or damaged: {error}",
            hint="pip install --force-reinstall wordllama",
        ) from error
    weights.setflags(write=False)
    return weights, tokenizer
