"""Rows of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below this a vector is no direction but rounding noise.
_NOTHING = 1e-12


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of a ``(n, dimension)`` matrix at unit length; rows of zeros stay as they are.

    The lengths are taken in double precision, since squares of small float32 numbers vanish.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    lengths[lengths < _NOTHING] = np.inf
    return np.asarray(rows / lengths[:, None], dtype=np.float32)
