"""LangChain's embeddings as memplug's embedder."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from memplug.embedders.foreign import ForeignEmbedder
from memplug.exceptions import ConfigError

#: Under which names integrations have their model's name.
_NAMES = ("model", "model_name", "model_id")


class LangChainEmbedder(ForeignEmbedder):
    """Any of LangChain's embeddings: ``Memory(embedder=LangChainEmbedder(OpenAIEmbeddings()))``.

    A long text is the mean of its pieces; blank texts are never sent. The store remembers the name and refuses another
    embedder, so it has to be given again whenever the store is opened.

    Args:
        embeddings: LangChain's embeddings.
        name: What the vector space is called; by default ``langchain:`` with the class and the model's name.
        dimension: Length of its vectors; None takes it from the first answer.

    Raises:
        ConfigError: They are no embeddings of LangChain.
    """

    def __init__(self, embeddings: Embeddings, *, name: str | None = None, dimension: int | None = None) -> None:
        if not isinstance(embeddings, Embeddings):
            raise ConfigError(f"embeddings of LangChain are needed here, not {type(embeddings).__name__}")
        models = (getattr(embeddings, one, None) for one in _NAMES)
        model = next((found for found in models if isinstance(found, str) and found), None)
        # As a `MemplugStore` calls them, so that one store may be opened as either.
        kind = type(embeddings).__name__
        super().__init__(name or f"langchain:{kind if model is None else f'{kind}:{model}'}", dimension=dimension)
        self._embeddings = embeddings

    def _texts(self, texts: list[str]) -> object:
        return self._embeddings.embed_documents(texts)

    def _question(self, text: str) -> object:
        return self._embeddings.embed_query(text)
