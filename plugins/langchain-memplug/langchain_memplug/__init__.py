"""memplug for LangChain under the name where its users look for integrations; see `memplug.langchain`."""

from memplug.langchain import (
    LangChainChatModel,
    LangChainEmbedder,
    MemplugBlobParser,
    MemplugChatMessageHistory,
    MemplugLoader,
    MemplugMiddleware,
    MemplugRetriever,
    MemplugStore,
    decode_label,
    encode_label,
    inputs_of,
    memory_tools,
)

__all__ = [
    "LangChainChatModel",
    "LangChainEmbedder",
    "MemplugBlobParser",
    "MemplugChatMessageHistory",
    "MemplugLoader",
    "MemplugMiddleware",
    "MemplugRetriever",
    "MemplugStore",
    "decode_label",
    "encode_label",
    "inputs_of",
    "memory_tools",
]
