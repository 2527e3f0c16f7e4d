"""memplug inside LangChain and LangGraph.

Needs the extra ``langchain``: ``pip install 'memplug[langchain]'``; the store for LangGraph alone needs ``langgraph``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MissingExtra

if TYPE_CHECKING:
    from memplug.langchain.embedder import LangChainEmbedder
    from memplug.langchain.history import MemplugChatMessageHistory
    from memplug.langchain.loader import MemplugBlobParser, MemplugLoader
    from memplug.langchain.messages import inputs_of
    from memplug.langchain.middleware import MemplugMiddleware
    from memplug.langchain.model import LangChainChatModel
    from memplug.langchain.retriever import MemplugRetriever
    from memplug.langchain.store import MemplugStore, decode_label, encode_label
    from memplug.langchain.tools import memory_tools

try:
    import langchain_core  # noqa: F401 - what everything here needs
except ModuleNotFoundError as error:
    if error.name != "langchain_core":
        raise
    raise MissingExtra("memplug.langchain needs langchain-core", hint="pip install 'memplug[langchain]'") from error

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

#: Where each name is. It is imported when it is asked for, since a retriever needs a third of what an agent does.
_PLACES = {
    "LangChainChatModel": "model",
    "LangChainEmbedder": "embedder",
    "MemplugBlobParser": "loader",
    "MemplugChatMessageHistory": "history",
    "MemplugLoader": "loader",
    "MemplugMiddleware": "middleware",
    "MemplugRetriever": "retriever",
    "MemplugStore": "store",
    "decode_label": "store",
    "encode_label": "store",
    "inputs_of": "messages",
    "memory_tools": "tools",
}
#: What else than langchain-core may be missing where one of them is imported.
_NEEDED = frozenset({"langchain", "langgraph"})


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_PLACES[name]}")
    except MissingExtra:
        raise
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise MissingExtra(f"{name} needs langchain", hint="pip install 'memplug[langchain]'") from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
