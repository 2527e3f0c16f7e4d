"""memplug inside LangChain.

Needs the extra ``langchain``: ``pip install 'memplug[langchain]'``.
"""

from __future__ import annotations

from memplug.exceptions import MissingExtra

try:
    from memplug.langchain.retriever import MemplugRetriever
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "langchain_core":
        raise
    raise MissingExtra("memplug.langchain needs langchain-core", hint="pip install 'memplug[langchain]'") from error

__all__ = ["MemplugRetriever"]
