"""Which memories a caller wants: the arguments that all adapters share, as one filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.safety.labels import check_texts
from memplug.values.filters import All, Compare, Filter

if TYPE_CHECKING:
    from collections.abc import Collection

    from memplug.values.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a recall is to find.

    Args:
        top_k: Most hits.
        where: What must hold of a hit.
        min_score: The lowest score.
        near: How many bits of the perceptual hashes of two pictures may differ.
    """

    top_k: int
    near: int
    where: Filter | None = None
    min_score: float | None = None


def kinds_in(kinds: Collection[str] | None, limits: Limits) -> Filter | None:
    """Only these kinds; None where any will do.

    Raises:
        MalformedInput: It is no list of texts.
    """
    return None if kinds is None else Compare("kind", "in", check_texts("kinds", kinds, limits.filter_values))


def tags_all(tags: Collection[str] | None, limits: Limits) -> Filter | None:
    """Only what carries all of these tags; None where there are none.

    Raises:
        MalformedInput: It is no list of texts.
    """
    if not tags:
        return None
    return All(tuple(Compare("tags", "contains", tag) for tag in check_texts("tags", tags, limits.tags)))
