"""An embedder without a model: words and their parts, counted under hashes."""

from __future__ import annotations

import functools
import re
import unicodedata
import zlib
from typing import TYPE_CHECKING

import numpy as np

from memplug.embedders.pieces import pieces
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DIMENSION = 256
_LEAST, _MOST = 64, 65_536
_PIECE = 100_000
_WORD = re.compile(r"\w+")
#: A word counts twice as much as one of its parts; parts are what makes inflected forms alike.
_WHOLE, _PART = 2.0, 1.0
_SIGN = 1 << 31


class HashingEmbedder:
    """Words that look alike get vectors that lie near: no meaning, but the same on every machine, forever.

    For tests, and for those who do not want a model at all.

    Args:
        argument: The dimension, from 64 to 65,536; empty means 256.

    Raises:
        ConfigError: The argument is no such number.
    """

    #: Texts stay on the machine.
    local = True

    def __init__(self, argument: str = "") -> None:
        number = int(argument) if argument.isascii() and argument.isdigit() else None
        dimension = _DIMENSION if argument == "" else number
        if dimension is None or not _LEAST <= dimension <= _MOST:
            raise ConfigError(f"the embedder 'hashing' takes a dimension from {_LEAST} to {_MOST}, not {argument!r}")
        self.dimension = dimension
        self.name = f"hashing:{dimension}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts: float32 of shape ``(len(texts), dimension)``, of unit length; zeros for a blank text."""
        rows = np.zeros((len(texts), self.dimension), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            for piece in pieces(text, _PIECE):
                self._count(row, piece)
        return unit_rows(rows.astype(np.float32))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question: float32 of shape ``(dimension,)``."""
        row: NDArray[np.float32] = self.embed([text])[0]
        return row

    def _count(self, row: NDArray[np.float64], piece: str) -> None:
        words = _WORD.findall(unicodedata.normalize("NFKC", piece).casefold())
        features = [feature for word in words for feature in _features(word)]
        if not features:
            return
        hashes = np.fromiter((feature[0] for feature in features), dtype=np.int64, count=len(features))
        weights = np.fromiter((feature[1] for feature in features), dtype=np.float64, count=len(features))
        row += np.bincount(hashes % self.dimension, weights=weights, minlength=self.dimension)


@functools.lru_cache(maxsize=50_000)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """Hash and signed weight of a word and of its parts: three letters, or two where the script is not Latin."""
    framed = f"<{word}>"
    size = 3 if word.isascii() else 2
    parts = [framed[start : start + size] for start in range(len(framed) - size + 1)]
    return (_hashed(f"w{word}", _WHOLE), *(_hashed(f"p{part}", _PART) for part in parts))


def _hashed(feature: str, weight: float) -> tuple[int, float]:
    """CRC-32, since Python's own ``hash`` differs from process to process; its top bit gives the sign.

    With signs, features that meet under one hash cancel out on average instead of making all texts alike.
    """
    digest = zlib.crc32(feature.encode())
    return digest & (_SIGN - 1), weight if digest & _SIGN else -weight
