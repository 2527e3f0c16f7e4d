"""What type checkers see of `memplug.langchain`: read by mypy strict, and never run.

A line that must not pass has an ignore with its code, which mypy reports where the line would pass after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_type

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, TodoListMiddleware
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.document_loaders import BaseBlobParser, BaseLoader
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool

from memplug import AsyncMemory, Memory
from memplug.langchain import (
    LangChainChatModel,
    LangChainEmbedder,
    MemplugBlobParser,
    MemplugChatMessageHistory,
    MemplugLoader,
    MemplugMiddleware,
    MemplugRetriever,
    inputs_of,
    memory_tools,
)

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel

    from memplug.plugins.models import ChatModel
    from memplug.plugins.protocols import Embedder


@dataclass
class Context:
    """Who asks."""

    user_id: str


def agents(memory: Memory, model: BaseChatModel) -> None:
    """The middleware is one for `create_agent`, with any face of a memory."""
    middleware = MemplugMiddleware(memory, placement="system_end", images=True, top_k=3)
    general: AgentMiddleware[Any, Any, Any] = middleware
    create_agent(model, memory_tools(memory), middleware=[middleware], context_schema=Context)
    create_agent(model, [], middleware=[general])
    create_agent(model, [], middleware=[TodoListMiddleware(), MemplugMiddleware(memory, agent_id="waiter")])
    MemplugMiddleware(AsyncMemory(memory).scoped(user_id="wang"))
    MemplugMiddleware(memory, placement="first")  # type: ignore[arg-type]
    MemplugMiddleware(memory, on_error="ignore")  # type: ignore[arg-type]
    MemplugMiddleware(memory, user_name="wang")  # type: ignore[call-arg]
    assert_type(memory_tools(memory.scoped(user_id="wang"), images=True), list[BaseTool])


def reading(memory: Memory) -> None:
    """Retriever, loader and parser give documents."""
    assert_type(MemplugRetriever(memory=memory, user_id="wang", k=2).invoke("tea", k=1), list[Document])
    loader: BaseLoader = MemplugLoader(memory, query="tea", since="2026-01-01", limit=3, user_id="wang")
    assert_type(loader.load(), list[Document])
    parser: BaseBlobParser = MemplugBlobParser(describe=False)
    MemplugLoader(memory, top_k=3)  # type: ignore[call-arg]
    del parser


def messages(memory: Memory, said: list[BaseMessage]) -> None:
    """A history is LangChain's, and messages become input."""
    history: BaseChatMessageHistory = MemplugChatMessageHistory(memory, "monday", user_id="wang")
    assert_type(history.messages, list[BaseMessage])
    memory.add(inputs_of(said, without_tools=["password"]), user_id="wang")


def ways_back(model: BaseChatModel, embeddings: Embeddings) -> None:
    """LangChain's models are memplug's."""
    chat: ChatModel = LangChainChatModel(model, vision="auto", method="json_schema")
    embedder: Embedder = LangChainEmbedder(embeddings)
    Memory(model=chat, embedder=embedder)
    LangChainChatModel(embeddings)  # type: ignore[arg-type]
    LangChainEmbedder(model)  # type: ignore[arg-type]
