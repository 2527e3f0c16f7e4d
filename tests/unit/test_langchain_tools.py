"""`memory_tools`: LangChain's own standard tests, and what a model can do with memory and what it cannot."""

from __future__ import annotations

import asyncio
import base64
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from memplug import Memory
from memplug.exceptions import ScopeError
from memplug.langchain import memory_tools
from scripted import calling, saying
from support import png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.tools import BaseTool

EXAMPLES: dict[str, dict[str, Any]] = {
    "search_memory": {"query": "green tea"},
    "save_memory": {"text": "Wang likes green tea.", "tags": ["drinks"]},
    "correct_memory": {"correction": "The limit is 600 yuan, not 800 yuan."},
    "load_skill": {"name": "returns", "path": ""},
}


@dataclass
class Context:
    """Who asks."""

    user_id: str


def tools(memory: Any, **settings: Any) -> dict[str, BaseTool]:
    """The tools by name."""
    return {tool.name: tool for tool in memory_tools(memory, **settings)}


@pytest.fixture
def skilled(tmp_path: Path) -> Iterator[Memory]:
    """A memory on disk with a limit, a note and a skill."""
    folder = tmp_path / "returns"
    (folder / "references").mkdir(parents=True)
    (folder / "references" / "policy.md").write_text("Within 30 days.")
    (folder / "SKILL.md").write_text("---\nname: returns\ndescription: Takes goods back.\n---\n# Steps\n")
    with Memory(tmp_path / "store", embedder="hashing:256") as memory:
        memory.add(["The limit is 800 yuan.", "Wang drinks green tea."], user_id="u")
        memory.add(folder, user_id="u")
        yield memory


class _One:
    """One of the tools, over a memory that has something in it."""

    name = ""

    @pytest.fixture(autouse=True)
    def _filled(self, skilled: Memory) -> None:
        self.memory = skilled

    @property
    def tool_constructor(self) -> BaseTool:
        """The tool under test."""
        return tools(self.memory.scoped(user_id="u"))[self.name]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        """How it is called."""
        return EXAMPLES[self.name]


class _Search(_One):
    name = "search_memory"


class _Save(_One):
    name = "save_memory"


class _Correct(_One):
    name = "correct_memory"


class _Skill(_One):
    name = "load_skill"


# LangChain's standard tests know one base of theirs for each class.


class TestSearchUnit(_Search, ToolsUnitTests):
    """LangChain's unit tests for tools."""


class TestSearch(_Search, ToolsIntegrationTests):
    """LangChain's integration tests for tools."""


class TestSaveUnit(_Save, ToolsUnitTests):
    """LangChain's unit tests for tools."""


class TestSave(_Save, ToolsIntegrationTests):
    """LangChain's integration tests for tools."""


class TestCorrectUnit(_Correct, ToolsUnitTests):
    """LangChain's unit tests for tools."""


class TestCorrect(_Correct, ToolsIntegrationTests):
    """LangChain's integration tests for tools."""


class TestSkillUnit(_Skill, ToolsUnitTests):
    """LangChain's unit tests for tools."""


class TestSkill(_Skill, ToolsIntegrationTests):
    """LangChain's integration tests for tools."""


def call(tool: BaseTool, **arguments: Any) -> ToolMessage:
    """What a call gives an agent."""
    found = tool.invoke({"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"})
    assert isinstance(found, ToolMessage)
    return found


def test_a_model_cannot_say_whose_memories(skilled: Memory) -> None:
    """No tool takes an id, every argument is described, and an id that a model makes up changes nothing."""
    for name, tool in tools(skilled).items():
        schema = tool.tool_call_schema.model_json_schema()  # type: ignore[union-attr]
        assert set(schema["properties"]) == set(EXAMPLES[name])
        assert all(one["description"] for one in schema["properties"].values())
    skilled.add("mei drinks black tea", user_id="mei")
    model = saying(calling("search_memory", query="tea", user_id="mei", runtime={"context": {"user_id": "mei"}}), "ok")
    made = create_agent(model, memory_tools(skilled), context_schema=Context)
    result = made.invoke({"messages": [HumanMessage("tea?")]}, context=Context("u"))
    assert "Wang drinks green tea." in result["messages"][2].text
    assert "black" not in result["messages"][2].text


def test_nobody_is_an_error(skilled: Memory) -> None:
    """Outside of an agent, or in one whose context does not say who the user is."""
    with pytest.raises(ScopeError, match="user_id"):
        tools(skilled)["search_memory"].invoke({"query": "tea"})
    made = create_agent(saying(calling("save_memory", text="x"), "ok"), memory_tools(skilled))
    with pytest.raises(ScopeError, match="user_id"):
        made.invoke({"messages": [HumanMessage("save x")]})


def test_search_gives_words_with_ids_and_citations(skilled: Memory) -> None:
    """Quoted with who said it, when and its id; ids, scores and citations also for the program."""
    skilled.add(png(), user_id="u", description="a red square")
    tool = tools(skilled.scoped(user_id="u"), top_k=1)["search_memory"]
    found = call(tool, query="green tea")
    [about] = found.artifact
    assert f"id {about['id']}" in found.text
    assert "Wang drinks green tea." in found.text
    assert about["kind"] == "text"
    assert 0 < about["score"] <= 1
    nothing = call(tools(skilled.scoped(user_id="nobody"))["search_memory"], query="tea")
    assert (nothing.text, nothing.artifact) == ("Nothing is remembered about this.", [])


def test_search_shows_pictures_where_asked(skilled: Memory) -> None:
    """Behind their words, as content blocks; without that a result is one text."""
    skilled.add(png("blue"), user_id="u", description="a blue square")
    view = skilled.scoped(user_id="u")
    found = call(tools(view, images=True, top_k=1)["search_memory"], query="blue square")
    assert isinstance(found.content, list)
    words, picture = found.content
    assert isinstance(words, dict)
    assert isinstance(picture, dict)
    assert "a blue square" in words["text"]
    assert base64.b64decode(picture["base64"]).startswith(b"\x89PNG")
    assert isinstance(call(tools(view, top_k=1)["search_memory"], query="blue square").content, str)


def test_save_and_correct(skilled: Memory) -> None:
    """What a model saves is kept as the model's words; a correction in plain words changes what is found."""
    made = tools(skilled.scoped(user_id="u"))
    saved = call(made["save_memory"], text="The kettle costs 30 euros.", tags=["prices"])
    [item] = skilled.get_all(user_id="u", filters={"tags": {"contains": "prices"}})
    assert item.id in saved.text
    assert (item.text, item.source.role) == ("The kettle costs 30 euros.", "assistant")
    assert call(made["correct_memory"], correction="The limit is 600 yuan, not 800 yuan.").text.startswith("Corrected")
    assert "The limit is 600 yuan." in [one.text for one in skilled.get_all(user_id="u")]


def test_what_fails_the_model_is_told(skilled: Memory) -> None:
    """As the tool's error, and the run goes on; nothing of the store's insides is told."""
    made = create_agent(
        saying(calling("load_skill", name="no-such"), calling("save_memory", "c2", text=" "), "I see."),
        memory_tools(skilled),
        context_schema=Context,
    )
    result = made.invoke({"messages": [HumanMessage("load it")]}, context=Context("u"))
    errors = [one for one in result["messages"] if isinstance(one, ToolMessage)]
    assert [one.status for one in errors] == ["error", "error"]
    assert "no-such" in errors[0].text
    assert result["messages"][-1].text == "I see."
    assert call(tools(skilled.scoped(user_id="u"))["load_skill"], name="returns", path="../x").status == "error"


def test_agents_call_them_without_warnings(skilled: Memory) -> None:
    """Sync and async, with a dataclass as context: pydantic has nothing to say."""
    for _ in range(2):
        model = saying(
            calling("save_memory", text="The kettle costs 30 euros."),
            calling("search_memory", "c2", query="kettle"),
            calling("correct_memory", "c3", correction="The kettle costs 35 euros, not 30 euros."),
            calling("load_skill", "c4", name="returns", path="references/policy.md"),
            "done",
        )
        made = create_agent(model, memory_tools(skilled), context_schema=Context)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = asyncio.run(made.ainvoke({"messages": [HumanMessage("go")]}, context=Context("v")))
        told = [one.text for one in result["messages"] if isinstance(one, ToolMessage)]
        assert told[0].startswith("Remembered as ")
        assert "The kettle costs 30 euros." in told[1] or "35 euros" in told[1]
        assert "skill" in told[3]
