"""The LangChain retriever: LangChain's own standard tests, and what they do not cover."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests

from memplug import AsyncMemory, Memory
from memplug.exceptions import ScopeError
from memplug.langchain import MemplugRetriever
from support import png

if TYPE_CHECKING:
    from pathlib import Path


class TestStandard(RetrieversIntegrationTests):
    """LangChain's standard tests for retrievers."""

    @pytest.fixture(autouse=True)
    def _filled(self) -> Any:
        with Memory("memory://", embedder="hashing:256") as memory:
            memory.add([f"note {number} about green tea" for number in range(6)], user_id="u")
            self.memory = memory
            yield

    @property
    def retriever_constructor(self) -> type[MemplugRetriever]:
        """The class under test."""
        return MemplugRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        """How to make one."""
        return {"memory": self.memory, "user_id": "u"}

    @property
    def retriever_query_example(self) -> str:
        """A query with at least three documents."""
        return "green tea"


def test_documents_carry_what_is_known(memory: Memory) -> None:
    """A document has the words, the score, the caller's metadata, and the picture when asked for."""
    data = png()
    memory.add(data, user_id="u", description="a red square", metadata={"shop": "x"}, tags=["t"], key="k")
    scoped = MemplugRetriever(memory=memory.scoped(user_id="u"), include_media=True)
    [document] = scoped.invoke("red square")
    assert document.page_content == "a red square"
    assert document.metadata["shop"] == "x"
    assert document.metadata["tags"] == ["t"]
    assert document.metadata["kind"] == "image"
    assert 0 < document.metadata["score"] <= 1
    assert base64.b64decode(document.metadata["media_base64"]) == data


def test_filters_and_scope_hold(memory: Memory) -> None:
    """A retriever sees its own user, kinds, tags and filters only."""
    memory.add("tea", user_id="u", tags=["a"], metadata={"n": 1})
    memory.add("green tea", user_id="u", metadata={"n": 2})
    memory.add("tea of others", user_id="other")
    found = {document.page_content for document in MemplugRetriever(memory=memory, user_id="u").invoke("tea")}
    assert found == {"tea", "green tea"}
    [document] = MemplugRetriever(memory=memory, user_id="u", filters={"n": {"gt": 1}}).invoke("tea")
    assert document.page_content == "green tea"
    [document] = MemplugRetriever(memory=memory, user_id="u", memory_tags=["a"]).invoke("tea")
    assert document.page_content == "tea"


def test_calls_may_say_which_memories(memory: Memory) -> None:
    """`kinds`, `memory_tags`, `filters` and `min_score` of a call take the places of the constructor's."""
    memory.add("green tea", user_id="u", tags=["a"], metadata={"n": 1})
    memory.add(png(), user_id="u", description="green tea in a cup")
    retriever = MemplugRetriever(memory=memory, user_id="u", kinds=["text"])
    assert [one.page_content for one in retriever.invoke("green tea")] == ["green tea"]
    assert [one.page_content for one in retriever.invoke("green tea", kinds=["image"])] == ["green tea in a cup"]
    assert retriever.invoke("green tea", filters={"n": 2}) == []
    assert retriever.invoke("green tea", memory_tags=["b"]) == []
    with pytest.raises(TypeError):
        retriever.invoke("green tea", user_id="other")


def test_all_faces_and_further_buckets(memory: Memory) -> None:
    """A view with its buckets, an async face, and nothing without a scope."""
    memory.add("green tea is on shelf 3", bucket="shop")
    memory.add("I like green tea", user_id="u")
    for face in (memory, AsyncMemory(memory)):
        retriever = MemplugRetriever(memory=face, user_id="u", buckets=["shop"])
        assert len(retriever.invoke("green tea")) == 2
    view = memory.scoped(user_id="u", buckets=["shop"])
    assert len(MemplugRetriever(memory=view).invoke("green tea")) == 2
    assert len(MemplugRetriever(memory=view, buckets=[]).invoke("green tea")) == 1
    with pytest.raises(ScopeError):
        MemplugRetriever(memory=memory).invoke("green tea")


def test_media_and_citation_are_named(memory: Memory, tmp_path: Path) -> None:
    """A reference that `Memory.media` understands, the place in a document, and no name hides another."""
    (tmp_path / "handbook.md").write_text("# Returns\n\nWithin thirty days.\n")
    memory.add(tmp_path / "handbook.md", user_id="u")
    memory.add(png(), user_id="u", description="a red square", metadata={"score": "mine"})
    picture, *_ = MemplugRetriever(memory=memory, user_id="u").invoke("red square")
    assert picture.id is not None
    assert memory.media(picture.id, user_id="u") == png()
    assert picture.metadata["media_size"] == len(png())
    assert picture.metadata["metadata.score"] == "mine"
    assert "media_base64" not in picture.metadata
    passage, *_ = MemplugRetriever(memory=memory, user_id="u").invoke("within thirty days")
    assert passage.metadata["citation"] == "handbook.md, § Returns"
    assert passage.metadata["part_of"]


async def _ainvoke(retriever: MemplugRetriever, query: str) -> list[Any]:
    return await retriever.ainvoke(query, k=1)


def test_async(memory: Memory) -> None:
    """The async call gives the same."""
    import asyncio

    memory.add(["tea", "coffee"], user_id="u")
    [document] = asyncio.run(_ainvoke(MemplugRetriever(memory=memory, user_id="u"), "coffee"))
    assert document.page_content == "coffee"
