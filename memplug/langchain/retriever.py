"""Memories as LangChain documents."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import ConfigDict, Field

from memplug.memory import Memory
from memplug.scoped import ScopedMemory

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun

    from memplug.values.hit import Hit


class MemplugRetriever(BaseRetriever):
    """Recalls memories as documents, best first.

    The page content is the memory's words. The metadata holds the memory's own, and over it: ``score``, ``kind``,
    ``created_at``, and where there are such ``key``, ``tags``, ``occurred_at``, ``role``, ``speaker``, ``file``,
    ``page``, ``content_type``, the scope ids, and with `include_media` the original as ``media_base64``.

        retriever = MemplugRetriever(memory=memory, user_id="wang", k=4)
        retriever.invoke("what does Wang like to eat?")
        retriever.invoke("and to drink?", k=2)

    Args:
        memory: The memory, or a scoped view of one; then no ids are needed.
        k: Most documents; also an argument of each call.
        user_id, agent_id, run_id, bucket: Whose memories.
        kinds, memory_tags, filters, min_score: As `kinds`, `tags`, … of `Memory.search`.
        include_media: Whether documents carry their originals, for models that take pictures.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    memory: Memory | ScopedMemory
    k: int = Field(default=4, ge=1)
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None
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
    ) -> list[Document]:
        return self._recall(query, k)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
        k: int | None = None,
    ) -> list[Document]:
        # LangChain's own executor carries the context variables that tracing relies on into the thread.
        return await run_in_executor(None, self._recall, query, k)

    def _recall(self, query: str, k: int | None) -> list[Document]:
        hits = self.memory.search(
            query,
            top_k=self.k if k is None else k,
            kinds=self.kinds,
            tags=self.memory_tags,
            filters=self.filters,
            min_score=self.min_score,
            user_id=self.user_id,
            agent_id=self.agent_id,
            run_id=self.run_id,
            bucket=self.bucket,
        )
        return [self._document(hit) for hit in hits]

    def _document(self, hit: Hit) -> Document:
        metadata = {**hit.metadata, **_about(hit)}
        if self.include_media and (media := hit.media) is not None:
            metadata["media_base64"] = base64.b64encode(media).decode()
        return Document(id=hit.id, page_content=hit.text, metadata=metadata)


def _about(hit: Hit) -> dict[str, Any]:
    """What memplug knows of a memory, as plain values that any vector store or prompt template can take."""
    item = hit.item
    known: dict[str, Any] = {
        "score": hit.score,
        "kind": item.kind,
        "content_type": item.content_type,
        "created_at": item.created_at.isoformat(),
        "occurred_at": item.occurred_at.isoformat() if item.occurred_at else None,
        "key": item.key,
        "tags": list(item.tags),
        "role": item.source.role,
        "speaker": item.source.speaker,
        "file": item.source.file or (item.media.name if item.media else None),
        "page": item.source.page,
        "url": item.source.url,
        **item.ids,
    }
    return {name: value for name, value in known.items() if value not in (None, "", [])}
