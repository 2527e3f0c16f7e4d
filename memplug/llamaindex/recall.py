"""Recall by words, by a picture, or by both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.llamaindex.similar import similar, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memplug.binding import Binding
    from memplug.llamaindex.similar import Sample
    from memplug.llamaindex.wanted import Wanted
    from memplug.values.hit import Hit


def recalled(binding: Binding, said: str, wanted: Wanted, *, sample: Sample | None = None) -> list[Hit]:
    """The memories that answer, best first.

    Args:
        binding: Where to look.
        said: The question in words; may be blank where there is a picture.
        wanted: What to find.
        sample: A picture to find by: what looks like it, and what its describers' words find.

    Raises:
        MalformedInput, InputTooLarge: There is nothing to look for, or too much.
    """
    if sample is None:
        return _search(binding, said, wanted)
    seen = similar(binding, sample, top_k=wanted.top_k, where=wanted.where, near=wanted.near)
    binding.memory.engine.plugins.notify("after_search", query=said, hits=seen)
    words = "\n".join(part for part in (said.strip(), words_of(binding, sample, said)) if part)
    return _best([*seen, *(_search(binding, words, wanted) if words else ())], wanted)


def _search(binding: Binding, query: str, wanted: Wanted) -> list[Hit]:
    return list(binding.view.search(query, top_k=wanted.top_k, filters=wanted.where, min_score=wanted.min_score))


def _best(hits: Iterable[Hit], wanted: Wanted) -> list[Hit]:
    """Hits of several searches as one list, each memory once with its best score."""
    kept: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda one: -one.score):
        if wanted.min_score is None or hit.score >= wanted.min_score:
            kept.setdefault(hit.id, hit)
    return list(kept.values())[: wanted.top_k]
