"""A LlamaIndex embedding as memplug's embedder."""

from __future__ import annotations

from llama_index.core.base.embeddings.base import BaseEmbedding

from memplug.embedders.foreign import ForeignEmbedder
from memplug.exceptions import ConfigError

#: What LlamaIndex calls a model whose integration says no name.
_UNKNOWN = "unknown"


class LlamaIndexEmbedder(ForeignEmbedder):
    """Any of LlamaIndex's embeddings: ``Memory(embedder=LlamaIndexEmbedder(OpenAIEmbedding()))``.

    A long text is the mean of its pieces; blank texts are never sent. The store remembers the name and refuses another
    embedder, so it has to be given again whenever the store is opened.

    Args:
        embedding: LlamaIndex's embedding.
        name: What the vector space is called; by default ``llamaindex:`` and the model's name.
        dimension: Length of its vectors; None takes it from the first answer.

    Raises:
        ConfigError: It is no embedding of LlamaIndex.
    """

    def __init__(self, embedding: BaseEmbedding, *, name: str | None = None, dimension: int | None = None) -> None:
        if not isinstance(embedding, BaseEmbedding):
            raise ConfigError(f"an embedding of LlamaIndex is needed here, not {type(embedding).__name__}")
        model = embedding.model_name
        given = name or f"llamaindex:{embedding.class_name() if model in ('', _UNKNOWN) else model}"
        super().__init__(given, dimension=dimension)
        self._embedding = embedding

    def _texts(self, texts: list[str]) -> object:
        return self._embedding.get_text_embedding_batch(texts)

    def _question(self, text: str) -> object:
        return self._embedding.get_query_embedding(text)
