"""Recall as a LangChain retriever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import ConfigDict, Field

from memplug.aio import AsyncMemory, AsyncScopedMemory
from memplug.binding import taken_apart
from memplug.exceptions import NotFound
from memplug.langchain.documents import document_of
from memplug.memory import Memory
from memplug.scoped import ScopedMemory

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun

    from memplug.values.hit import Hit


class MemplugRetriever(BaseRetriever):
    """Recalls memories as documents, best first.

        retriever = MemplugRetriever(memory=memory, user_id="wang", k=4)
        retriever.invoke("what does Wang like to eat?")
        retriever.invoke("and to drink?", k=2, kinds=["image"])

    The page content is the memory's words. The metadata holds the memory's own, and beside it: ``score``, ``kind``,
    ``created_at``, ``updated_at``, ``version``, and where there are such ``key``, ``tags``, ``occurred_at``, ``role``,
    ``speaker``, ``file``, ``page``, ``section``, ``url``, ``citation``, ``content_type``, ``media_digest`` and
    ``media_size`` of an original, the scope ids, and with `include_media` the original itself as ``media_base64``. A
    name of the caller's own that is among these stands as ``metadata.<name>``. `Memory.media` gives the original of a
    document's ``id``.

    Args:
        memory: The memory, or a scoped view of one, of either face; with a view no ids are needed.
        k: Most documents; also an argument of each call.
        user_id, agent_id, run_id, bucket: Whose memories.
        buckets: Further buckets to search; None keeps those of a view.
        kinds, memory_tags, filters, min_score: As `kinds`, `tags`, … of `Memory.search`; also arguments of each call,
            which take their places.
        include_media: Whether documents carry their originals, for models that take pictures.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    memory: Memory | ScopedMemory | AsyncMemory | AsyncScopedMemory
    k: int = Field(default=4, ge=1)
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None
    buckets: Sequence[str] | None = None
    kinds: list[str] | None = None
    memory_tags: list[str] | None = None
    filters: Mapping[str, Any] | None = None
    min_score: float | None = None
    include_media: bool = False

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
        k: int | None = None,
        **which: Any,
    ) -> list[Document]:
        return self._recall(query, k, **which)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
        k: int | None = None,
        **which: Any,
    ) -> list[Document]:
        # LangChain's own executor carries the context variables that tracing relies on into the thread.
        return await run_in_executor(None, self._recall, query, k, **which)

    def _recall(
        self,
        query: str,
        k: int | None,
        *,
        kinds: list[str] | None = None,
        memory_tags: list[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> list[Document]:
        opened, view = taken_apart(self.memory)
        search = opened.search if view is None else view.search
        buckets: Any = {} if self.buckets is None else {"buckets": self.buckets}
        hits = search(
            query,
            top_k=self.k if k is None else k,
            kinds=self.kinds if kinds is None else kinds,
            tags=self.memory_tags if memory_tags is None else memory_tags,
            filters=self.filters if filters is None else filters,
            min_score=self.min_score if min_score is None else min_score,
            user_id=self.user_id,
            agent_id=self.agent_id,
            run_id=self.run_id,
            bucket=self.bucket,
            **buckets,
        )
        return [document_of(hit.item, score=hit.score, media=self._media(hit)) for hit in hits]

    def _media(self, hit: Hit) -> bytes | None:
        if not self.include_media:
            return None
        try:
            return hit.media
        except NotFound:
            return None  # erased just now
