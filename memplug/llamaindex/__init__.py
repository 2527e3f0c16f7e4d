"""memplug inside LlamaIndex.

Needs the extra ``llamaindex``: ``pip install 'memplug[llamaindex]'``.
"""

from __future__ import annotations

from memplug.exceptions import MissingExtra

try:
    from memplug.llamaindex.block import MemplugMemoryBlock
    from memplug.llamaindex.embedder import LlamaIndexEmbedder
    from memplug.llamaindex.files import MemplugFileReader
    from memplug.llamaindex.memory import MemplugMemory
    from memplug.llamaindex.model import LlamaIndexChatModel
    from memplug.llamaindex.reader import MemplugReader
    from memplug.llamaindex.retriever import MemplugRetriever
    from memplug.llamaindex.tools import MemplugToolSpec
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "llama_index":
        raise
    raise MissingExtra("memplug.llamaindex needs llama-index-core", hint="pip install 'memplug[llamaindex]'") from error

__all__ = [
    "LlamaIndexChatModel",
    "LlamaIndexEmbedder",
    "MemplugFileReader",
    "MemplugMemory",
    "MemplugMemoryBlock",
    "MemplugReader",
    "MemplugRetriever",
    "MemplugToolSpec",
]
