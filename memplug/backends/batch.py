"""What every backend asks of a batch of records before it looks at the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from memplug.exceptions import EmbedderMismatch, MalformedInput, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from memplug.plugins.protocols import StoreProfile
    from memplug.values.item import Record


def checked_batch(records: Sequence[Record], profile: StoreProfile) -> list[Record]:
    """The records as they are stored: a vector of zeros, which has no direction, becomes none.

    Raises:
        MalformedInput: An id occurs twice, or a vector holds NaN or infinity.
        EmbedderMismatch: A vector is not of the store's dimension.
    """
    if len({record.id for record in records}) != len(records):
        raise MalformedInput("one commit holds two versions of the same memory", hint="commit them one after the other")
    if _sound([record.vector for record in records if record.vector is not None], profile):
        return list(records)
    return [_checked_record(record, profile) for record in records]


def _sound(vectors: Sequence[NDArray[np.float32]], profile: StoreProfile) -> bool:
    """Whether `_checked_record` would find nothing, looked at together, which takes a tenth of the time."""
    form = (profile.dimension,), np.dtype(np.float32)
    if any((getattr(vector, "shape", None), getattr(vector, "dtype", None)) != form for vector in vectors):
        return False
    if len(vectors) <= 1:
        return all(np.isfinite(vector).all() and vector.any() for vector in vectors)
    matrix = np.stack(vectors)
    return bool(np.isfinite(matrix).all() and matrix.any(axis=1).all())


def _checked_record(record: Record, profile: StoreProfile) -> Record:
    if record.vector is None:
        return record
    vector = checked_vector(record.vector, profile)
    if not vector.any():
        return replace(record, vector=None)
    return record if vector is record.vector else replace(record, vector=vector)


def checked_vector(vector: NDArray[np.float32], profile: StoreProfile) -> NDArray[np.float32]:
    """The vector as float32 of shape ``(profile.dimension,)``.

    Raises:
        MalformedInput: It holds NaN or infinity.
        EmbedderMismatch: It has another length.
    """
    found = np.asarray(vector, dtype=np.float32)
    if found.shape != (profile.dimension,):
        raise EmbedderMismatch(
            f"a vector of shape {found.shape} does not belong in this store, which was made with "
            f"{profile.embedder!r} and holds vectors of {profile.dimension} numbers"
        )
    if not np.isfinite(found).all():
        raise MalformedInput("a vector holds NaN or infinity")
    return found


def check_versions(records: Sequence[Record], highest: Mapping[str, int]) -> None:
    """Each record must be one above the highest version of its id.

    Args:
        records: What is about to be written.
        highest: The highest version of each id; an id that is missing has none.

    Raises:
        VersionConflict: Some are not; ``current`` names those.
    """
    wrong = {record.id: highest.get(record.id, 0) for record in records}
    wrong = {record.id: wrong[record.id] for record in records if record.version != wrong[record.id] + 1}
    if not wrong:
        return
    id_, current = next(iter(wrong.items()))
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    raise VersionConflict(f"memory {id_[:200]!r} is at version {current} now{more}; nothing was written", current=wrong)


def checked_conversion(before: Sequence[Record], after: Sequence[Record], profile: StoreProfile) -> list[Record]:
    """What a conversion made of records: the same versions in the same order, with vectors of the new dimension.

    Raises:
        MalformedInput: Versions are missing, changed or in another order, or a vector holds NaN or infinity.
        EmbedderMismatch: A vector is not of the new dimension.
    """
    if [(one.id, one.version) for one in before] != [(one.id, one.version) for one in after]:
        raise MalformedInput("the conversion did not give back the same versions in the same order")
    return [_checked_record(record, profile) for record in after]
