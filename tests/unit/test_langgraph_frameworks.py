"""What stores for LangGraph are used by runs on `MemplugStore`: langmem, deepagents, agents of LangChain.

Each is skipped where it is not installed: ``pip install langmem deepagents langchain``.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("langgraph.store.base")

from memplug.langchain.store import MemplugStore, encode_label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Their own deprecations are not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemplugStore]:
    """A store on disk."""
    with MemplugStore.open(tmp_path / "store", embedder="wordllama") as made:
        yield made


def test_the_tools_of_langmem(store: MemplugStore) -> None:
    """Create, find, change and delete a memory, each user their own, awaited or not."""
    langmem = pytest.importorskip("langmem")
    manage = langmem.create_manage_memory_tool(namespace=("memories", "{user}"), store=store)
    search = langmem.create_search_memory_tool(namespace=("memories", "{user}"), store=store)
    wang: Any = {"configurable": {"user": encode_label("wang@example.com")}}
    li: Any = {"configurable": {"user": "li"}}
    manage.invoke({"content": "Wang likes spicy food"}, wang)
    asyncio.run(manage.ainvoke({"content": "Wang is allergic to peanuts"}, wang))
    found = json.loads(search.invoke({"query": "what must Wang not eat? peanuts"}, wang))
    assert found[0]["value"] == {"content": "Wang is allergic to peanuts"}
    assert json.loads(asyncio.run(search.ainvoke({"query": "food"}, li))) == []
    manage.invoke({"action": "update", "id": found[0]["key"], "content": "Wang is allergic to nuts"}, wang)
    assert json.loads(search.invoke({"query": "allergic"}, wang))[0]["value"] == {"content": "Wang is allergic to nuts"}
    manage.invoke({"action": "delete", "id": found[0]["key"]}, wang)
    assert [item["value"]["content"] for item in json.loads(search.invoke({"query": "food"}, wang))] == [
        "Wang likes spicy food"
    ]


def test_the_files_of_deepagents(store: MemplugStore) -> None:
    """Write, read, edit, list, find and delete files, also one that is larger than metadata may be."""
    backends = pytest.importorskip("deepagents.backends")
    namespace = ("files", encode_label("wang@example.com"))
    files = backends.StoreBackend(store=store, namespace=lambda _: namespace)
    assert files.write("/notes/tea.md", "# Tea\nGreen tea is best.\n").error is None
    assert files.write("/big.txt", "x y z " * 60_000).error is None
    assert files.edit("/notes/tea.md", "best", "good").error is None
    assert files.read("/notes/tea.md").file_data["content"] == "# Tea\nGreen tea is good.\n"
    assert [match["path"] for match in files.grep("Green").matches] == ["/notes/tea.md"]
    assert [entry["path"] for entry in files.ls("/notes").entries] == ["/notes/tea.md"]
    item = store.get(namespace, "/big.txt")
    assert item is not None
    assert item.value["content"] == "x y z " * 60_000
    assert asyncio.run(files.aread("/notes/tea.md")).error is None
    assert files.delete("/notes/tea.md").error is None
    assert [item.key for item in store.search(("files",))] == ["/big.txt"]


def test_an_agent_with_a_store(store: MemplugStore) -> None:
    """A tool of an agent gets the store, and what it puts there the next conversation finds."""
    agents = pytest.importorskip("langchain.agents")
    config = pytest.importorskip("langgraph.config")
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool

    class Model(GenericFakeChatModel):
        """Says what it is told to."""

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            """It needs no telling which tools there are."""
            del tools
            return self

    @tool
    def remember(text: str) -> str:
        """Keeps a text."""
        config.get_store().put(("memories", "wang"), text, {"text": text})
        return "kept"

    @tool
    async def recall(query: str) -> str:
        """Finds texts."""
        return str([item.value for item in await config.get_store().asearch(("memories",), query=query)])

    def said(name: str, **arguments: str) -> Model:
        call = {"name": name, "args": arguments, "id": name, "type": "tool_call"}
        return Model(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("done")]))

    first = agents.create_agent(said("remember", text="Wang likes tea"), [remember], store=store)
    first.invoke({"messages": [("user", "I like tea")]})
    second = agents.create_agent(said("recall", query="tea"), [recall], store=store)
    result = asyncio.run(second.ainvoke({"messages": [("user", "what do I like?")]}))
    assert "Wang likes tea" in result["messages"][-2].content
