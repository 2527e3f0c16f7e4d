"""What type checkers see of `memplug.llamaindex`: read by mypy strict, and never run.

A line that must not pass has an ignore with its code, which mypy reports where the line would pass after all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.llms import LLM, ChatMessage
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document, NodeWithScore
from llama_index.core.tools import FunctionTool

from memplug import AsyncMemory, Memory
from memplug.llamaindex import (
    LlamaIndexChatModel,
    LlamaIndexEmbedder,
    MemplugFileReader,
    MemplugMemory,
    MemplugMemoryBlock,
    MemplugReader,
    MemplugRetriever,
    MemplugToolSpec,
)
from memplug.values.prompt import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llama_index.core.base.embeddings.base import BaseEmbedding

    from memplug.plugins.models import ChatModel
    from memplug.plugins.protocols import Embedder
    from memplug.values.prompt import Prompt


def reading(memory: Memory) -> None:
    """Readers give documents."""
    reader = MemplugReader(memory, user_id="wang", media_folder="pictures")
    assert_type(reader.load_data("tea", since="2026-01-01", limit=3), list[Document])
    assert_type(reader.lazy_load_data(), Iterator[Document])
    assert_type(reader.list_resources(), list[str])
    assert_type(reader.load_resource("id"), list[Document])
    reader.lazy_load_data(top_k=3)  # type: ignore[call-arg]
    extractor: dict[str, BaseReader] = {".pdf": MemplugFileReader()}
    assert_type(extractor[".pdf"].load_data("a.pdf"), list[Document])


async def recalling(memory: AsyncMemory) -> None:
    """The retriever takes all faces of a memory, and is one for LlamaIndex's engines."""
    retriever = MemplugRetriever(memory.scoped(user_id="wang"), similarity_top_k=2)
    assert_type(await retriever.aretrieve("tea"), list[NodeWithScore])
    assert_type(MemplugRetriever(memory, user_id="wang").retrieve("tea"), list[NodeWithScore])
    RetrieverQueryEngine(retriever=retriever)
    MemplugRetriever(memory, user="wang")  # type: ignore[call-arg]


async def chatting(memory: Memory, llm: LLM) -> None:
    """The chat memory is one of LlamaIndex's, and so are its block and tools."""
    own = MemplugMemory.from_memory(memory, user_id="wang", session_id="monday", token_limit=1_000)
    assert_type(own, MemplugMemory)
    assert_type(await own.aget(), list[ChatMessage])
    block: BaseMemoryBlock[list[ChatMessage]] = MemplugMemoryBlock(memory, user_id="wang")
    assert_type(await block.aget(), list[ChatMessage])
    spec = MemplugToolSpec(memory, user_id="wang", top_k=3)
    assert_type(spec.to_tool_list(), list[FunctionTool])
    assert_type(spec.search_memory("tea"), list[TextBlock | ImageBlock])
    await FunctionAgent(tools=[*spec.to_tool_list()], llm=llm).run("hello", memory=own)


def given_back(embedding: BaseEmbedding, llm: LLM, prompt: Prompt) -> None:
    """LlamaIndex's models are memplug's."""
    embedder: Embedder = LlamaIndexEmbedder(embedding)
    model: ChatModel = LlamaIndexChatModel(llm, vision=True)
    assert_type(model.answer(prompt), Answer)
    Memory("memory://", embedder=embedder)
