"""The LlamaIndex tools: what a model can do with memory, and what it cannot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools.tool_spec.base import BaseToolSpec

from memplug import Memory
from memplug.exceptions import MalformedInput, NotFound, ScopeError
from memplug.llamaindex import MemplugToolSpec
from support import png

if TYPE_CHECKING:
    from llama_index.core.tools import FunctionTool

NAMES = ["search_memory", "save_memory", "correct_memory", "load_skill"]


def tools(spec: MemplugToolSpec) -> dict[str, FunctionTool]:
    """The tools by name."""
    return {tool.metadata.get_name(): tool for tool in spec.to_tool_list()}


def test_it_is_what_llamaindex_calls_a_tool_spec(memory: Memory) -> None:
    """As LlamaIndex's own packages test it, with the four tools."""
    assert BaseToolSpec in MemplugToolSpec.__mro__
    assert list(tools(MemplugToolSpec(memory, user_id="u"))) == NAMES


def test_a_model_cannot_say_whose_memories(memory: Memory) -> None:
    """No tool takes an id; every argument is described, and descriptions are as short as OpenAI wants them."""
    for name, tool in tools(MemplugToolSpec(memory, user_id="u")).items():
        schema = tool.metadata.get_parameters_dict()
        assert set(schema["properties"]) <= {"query", "text", "tags", "correction", "name", "path"}, name
        assert all(one["description"] for one in schema["properties"].values())
        assert tool.metadata.to_openai_tool()["function"]["name"] == name
        with pytest.raises(TypeError):
            tool.call(user_id="other")
    with pytest.raises(ScopeError):
        MemplugToolSpec(memory)


def test_search_gives_words_with_their_source(memory: Memory) -> None:
    """Each memory is quoted with who said it, when, and its id; others' are not there; nothing is said as such."""
    [id_] = memory.add("I like green tea.", user_id="u").ids
    memory.add("tea of others", user_id="other")
    search = tools(MemplugToolSpec(memory, user_id="u"))["search_memory"]
    output = search.call(query="tea")
    assert "I like green tea." in output.content
    assert f"id {id_}" in output.content
    assert 'from="user, 2026-01-01' in output.content
    assert "others" not in output.content
    empty = tools(MemplugToolSpec(memory, user_id="nobody"))["search_memory"]
    assert empty.call(query="tea").content == "Nothing is remembered about this."


def test_search_shows_pictures(tmp_path: Path) -> None:
    """A tool's result holds the picture behind its words, for models that see; for others the words alone."""
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        memory.add(png("blue"), user_id="u", description="a blue square")
        output = tools(MemplugToolSpec(memory, user_id="u"))["search_memory"].call(query="blue square")
        words, picture = output.blocks
        assert isinstance(words, TextBlock)
        assert "a blue square" in words.text
        assert isinstance(picture, ImageBlock)
        assert picture.resolve_image().read() == png("blue")
        blind = MemplugToolSpec(memory, user_id="u", pictures=False)
        assert len(tools(blind)["search_memory"].call(query="blue square").blocks) == 1


def test_long_memories_are_shortened(memory: Memory) -> None:
    """A model is not flooded by one memory."""
    memory.add("tea " * 5_000, user_id="u")
    output = tools(MemplugToolSpec(memory, user_id="u"))["search_memory"].call(query="tea")
    assert 1_000 < len(output.content) < 3_000
    assert "…" in output.content


def test_save_and_correct(memory: Memory) -> None:
    """What a model saves is kept as the model's words; a correction in plain words changes what is found."""
    spec = tools(MemplugToolSpec(memory, user_id="u"))
    saved = spec["save_memory"].call(text="The limit is 800 yuan.", tags=["rules"])
    [item] = memory.get_all(user_id="u")
    assert item.id in saved.content
    assert (item.text, item.source.role, item.tags) == ("The limit is 800 yuan.", "assistant", ("rules",))
    corrected = spec["correct_memory"].call(correction="The limit is 600 yuan, not 800 yuan.")
    assert corrected.content.startswith("Corrected: ")
    assert [one.text for one in memory.get_all(user_id="u")] == ["The limit is 600 yuan."]
    noted = spec["correct_memory"].call(correction="The price of kettles is 9 euros, not 7 euros.")
    assert noted.content.startswith("Noted, but nothing was changed")
    forgot = spec["correct_memory"].call(correction="forget that the limit is 600 yuan")
    assert forgot.content.startswith("Forgotten: forgot")
    with pytest.raises(MalformedInput):
        spec["save_memory"].call(text=" ")


def test_skills_are_read(memory: Memory, tmp_path: Path) -> None:
    """Instructions with the list of files, one file, a file that is no text; what is not there is an error."""
    folder = tmp_path / "returns"
    (folder / "references").mkdir(parents=True)
    (folder / "references" / "policy.md").write_text("Within 30 days.")
    (folder / "logo.bin").write_bytes(b"\xff\xfe\x00")
    (folder / "SKILL.md").write_text("---\nname: returns\ndescription: Takes goods back.\n---\n# Steps\n")
    memory.add(folder, user_id="u")
    load = tools(MemplugToolSpec(memory, user_id="u"))["load_skill"]
    body = load.call(name="returns").content
    assert body.startswith("# Steps")
    assert "references/policy.md" in body
    assert load.call(name="returns", path="references/policy.md").content == "Within 30 days."
    assert load.call(name="returns", path="logo.bin").content == "logo.bin has 3 bytes that are no text."
    for wrong in ({"name": "no-such"}, {"name": "returns", "path": "../secret"}):
        with pytest.raises(NotFound):
            load.call(**wrong)


def test_async_tools_do_the_same(memory: Memory) -> None:
    """Each tool has an async form of its own."""
    spec = tools(MemplugToolSpec(memory, user_id="u"))

    async def run() -> list[str]:
        saved = await spec["save_memory"].acall(text="The limit is 800 yuan.")
        corrected = await spec["correct_memory"].acall(correction="The limit is 600 yuan, not 800 yuan.")
        found = await spec["search_memory"].acall(query="limit")
        return [saved.content, corrected.content, found.content]

    saved, corrected, found = asyncio.run(run())
    assert saved.startswith("Remembered as ")
    assert "600" in corrected
    assert "600" in found
    with pytest.raises(NotFound):
        asyncio.run(spec["load_skill"].acall(name="no-such"))
