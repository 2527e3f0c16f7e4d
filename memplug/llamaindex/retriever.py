"""Recall as a LlamaIndex retriever, for questions in words and for pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Unpack

from llama_index.core.callbacks import CallbackManager
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from memplug.binding import AnyMemory, bind
from memplug.exceptions import MalformedInput
from memplug.llamaindex.nodes import node_of
from memplug.llamaindex.pictures import Pictures
from memplug.llamaindex.recall import recalled
from memplug.llamaindex.similar import HASH_BITS, NEAR, sample_at
from memplug.llamaindex.wanted import Wanted, kinds_in, tags_all
from memplug.values.filters import Filter, parse_filter
from memplug.values.hit import Hit
from memplug.values.scope import ScopeIds
from memplug.values.scoping import joined


class MemplugRetriever(BaseRetriever):
    """Recalls memories as nodes, best first. A picture comes as an `ImageNode` whose content blocks have its words too.

        retriever = MemplugRetriever(memory, user_id="wang", similarity_top_k=4)
        retriever.retrieve("what does Wang like to eat?")
        retriever.retrieve(QueryBundle("", image_path="photo.png"))

    A question with ``image_path`` finds the stored pictures that look like that one (the same, resized or compressed
    anew), and by what the memory's describers read in it, what is remembered in words. Async calls run in worker
    threads and never block the event loop.

    Args:
        memory: The memory, or a scoped view of one; then no ids are needed.
        user_id, agent_id, run_id, bucket: Whose memories.
        buckets: Further buckets to look into.
        similarity_top_k: Most nodes.
        kinds, tags, filters, min_score: As the arguments of `Memory.search`.
        media_folder: Where copies of pictures are kept. Without it they come under the path of the store's own file,
            or where there is none with their bytes.
        near: How many of the 64 bits of the perceptual hash of two pictures that look alike may differ.
        callback_manager, verbose: LlamaIndex's.

    Raises:
        ScopeError: No scope id.
        MalformedInput: A number is out of range.
        FilterError: A filter that means nothing.
    """

    def __init__(
        self,
        memory: AnyMemory,
        *,
        buckets: Collection[str] | None = None,
        similarity_top_k: int = 4,
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        min_score: float | None = None,
        media_folder: str | Path | None = None,
        near: int = NEAR,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> None:
        self._binding = bind(memory, buckets=buckets, **ids)
        limits = self._binding.memory.settings.limits
        if not isinstance(similarity_top_k, int) or not 1 <= similarity_top_k <= limits.top_k:
            raise MalformedInput(f"similarity_top_k must be 1 to {limits.top_k}, not {similarity_top_k!r}")
        if isinstance(near, bool) or not isinstance(near, int) or not 0 <= near <= HASH_BITS:
            raise MalformedInput(f"near must be 0 to {HASH_BITS}, not {near!r}")
        self._wanted = Wanted(
            top_k=similarity_top_k,
            where=joined(parse_filter(filters, limits), kinds_in(kinds, limits), tags_all(tags, limits)),
            min_score=min_score,
            near=near,
        )
        self._pictures = Pictures(folder=Path(media_folder) if media_folder is not None else None)
        super().__init__(callback_manager=callback_manager, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node_of(hit, self._binding, self._pictures) for hit in self._recall(query_bundle)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # LlamaIndex's own calls `_retrieve` on the event loop.
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def _recall(self, query_bundle: QueryBundle) -> list[Hit]:
        limits = self._binding.memory.settings.limits
        picture = query_bundle.image_path
        sample = sample_at(Path(picture), limits) if picture is not None else None
        return recalled(self._binding, query_bundle.query_str, self._wanted, sample=sample)
