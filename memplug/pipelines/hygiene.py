"""Finds what says the same as a text in the whole of a scope, and not only among the memories that came last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.lexical.analyzer import analyze
from memplug.lexical.sameness import same_words
from memplug.store import View
from memplug.values.filters import Compare

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.item import Record
    from memplug.values.scope import Scope

#: Memories that are looked at for their words. One with exactly a text's words is among the first of them, unless as
#: many others hold all its words, too.
_MATCHED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A memory that may say what a text says.

    Args:
        record: It.
        same: Whether it says it in the same words (`memplug.lexical.sameness`), so that nothing would be new.
        similarity: How near they are, 0 to 1: by the words that they share or by meaning, whichever is more.
    """

    record: Record
    same: bool
    similarity: float


def near_duplicates(
    store: Store,
    embedder: Embedder,
    scope: Scope,
    texts: Sequence[str],
    *,
    kinds: Collection[str] | None = None,
    limit: int = 5,
) -> list[list[Twin]]:
    """What a scope holds already of each text, by its words and by meaning.

    Only `Twin.same` says that a text is a duplicate. What is near may be its opposite ("I have 2 cats", "I have 3
    cats"), and takes somebody who understands it.

    Args:
        store: Where memories are.
        embedder: What made their vectors.
        scope: Where to look; without a ``run_id`` in all conversations of the user.
        texts: What is about to be stored.
        kinds: Look at memories of these kinds only.
        limit: Most memories for each text.

    Returns:
        A list for each text, in their order: those with the same words first, then the nearest.
    """
    asked = None if kinds is None else Compare("kind", "in", tuple(kinds))
    view = store.bound(View(scope=scope, filter=asked))
    vectors = embedder.embed(list(texts))
    return [_twins(store, view, text, vector, limit) for text, vector in zip(texts, vectors, strict=True)]


def _twins(store: Store, view: View, text: str, vector: NDArray[np.float32], limit: int) -> list[Twin]:
    terms = list(dict.fromkeys(analyze(text)))
    matched = [match.record for match in store.match(terms, view, limit=_MATCHED)] if terms else []
    near = store.nearest(vector, view, limit=limit) if vector.any() else []
    cosines = {match.record.id: match.score for match in near}
    words = same_words(text)
    twins = [
        Twin(
            record=record,
            same=words != "" and same_words(record.item.text) == words,
            similarity=max(_overlap(terms, record), min(cosines.get(id_, 0.0), 1.0)),
        )
        for id_, record in {record.id: record for record in [*matched, *(match.record for match in near)]}.items()
    ]
    return sorted(twins, key=lambda twin: (not twin.same, -twin.similarity, twin.record.id))[:limit]


def _overlap(terms: Collection[str], record: Record) -> float:
    """The share of the different words of both that both have."""
    others = set(analyze(record.item.text))
    both = others.union(terms)
    return len(others.intersection(terms)) / len(both) if both else 0.0
