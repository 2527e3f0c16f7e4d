"""What stands in a memory's metadata, whoever wrote it there, stays within limits: else no import takes its export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Draft, Limits, Memory, Scope, Source, hookimpl
from memplug.exceptions import InputTooLarge
from skills import RETURNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memplug.values.item import MemoryItem

HANDBOOK = b"# Handbook\n\nRefunds take ten days.\n\n## Shipping\n\nFree over 50 euros.\n"


def size(metadata: Any) -> int:
    """Bytes as JSON."""
    return len(json.dumps(dict(metadata), ensure_ascii=False).encode())


def comes_back(memory: Memory, folder: Path) -> bool:
    """Whether an import takes all that an export gives."""
    archive = folder / "all.zip"
    memory.export(archive)
    with Memory("memory://", embedder="hashing:256", limits=memory.settings.limits) as other:
        report = other.import_(archive)
    return not report.rejected and report.added > 0


def filling(name: str, room: int) -> dict[str, str]:
    """Metadata of that many bytes as JSON."""
    return {name: "x" * (room - size({name: ""}))}


@pytest.mark.parametrize(
    "content",
    ["Refunds take ten days.", Source(data=HANDBOOK, name="a.md")],
    ids=["text", "document"],
)
def test_what_is_said_twice_adds_up_to_the_limit(memory: Memory, tmp_path: Path, content: Any) -> None:
    """Metadata that joins what is there may fill the limit; a byte more is refused, and all stays as it was."""
    [id_] = memory.add(content, user_id="u", metadata=filling("a", 30_000)).ids
    held, room = memory.get(id_).metadata, memory.settings.limits.metadata_bytes
    more = room - size(held) + 1
    with pytest.raises(InputTooLarge, match=f"metadata has 64,001 bytes as JSON; at most {room:,}") as caught:
        memory.add(content, user_id="u", metadata=filling("b", more))
    assert caught.value.result is not None
    assert [outcome.event for outcome in caught.value.result.outcomes] == ["rejected"]
    assert memory.get(id_).metadata == held
    [outcome] = memory.add(content, user_id="u", metadata=filling("b", more - 1)).outcomes
    assert (outcome.event, outcome.id) == ("updated", id_)
    assert size(memory.get(id_).metadata) == room
    assert comes_back(memory, tmp_path)


def test_halves_of_a_call_add_up_to_the_limit(memory: Memory, tmp_path: Path) -> None:
    """A call whose result came before it, each with much metadata, is rejected, and the result stays as it was."""
    answer = {"role": "tool", "tool_call_id": "c", "content": "7"}
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    [id_] = memory.add([answer], user_id="u", metadata=filling("a", 40_000)).ids
    with pytest.raises(InputTooLarge, match="at most 64,000"):
        memory.add([call], user_id="u", metadata=filling("b", 40_000))
    assert [version.version for version in memory.history(id_)] == [1]
    assert memory.get_all(filters={"tool.name": "*"}, user_id="u").items == ()
    assert memory.add([call], user_id="u", metadata=filling("b", 20_000)).ids == (id_,)
    assert comes_back(memory, tmp_path)


@pytest.mark.parametrize(
    "content", [Source(data=HANDBOOK, name="a.md"), Source(data=RETURNS.encode(), name="SKILL.md")], ids=["md", "skill"]
)
def test_what_a_reader_found_counts(memory: Memory, tmp_path: Path, content: Source) -> None:
    """A part whose metadata is too much with what was found in it is rejected by its name, and no other part is."""
    most = memory.settings.limits.metadata_bytes
    with pytest.raises(InputTooLarge, match=r"SKILL\.md|a\.md"):
        memory.add([content], user_id="u", metadata=filling("a", most))
    assert len(memory.get_all(user_id="u")) == 0
    assert list(memory.engine.store.backend.list_media()) == []
    result = memory.add(["beside", content], user_id="u", metadata=filling("a", most))
    assert [outcome.event for outcome in result.outcomes] == ["added", "rejected"]
    assert isinstance(result.outcomes[1].error, InputTooLarge)
    assert result.outcomes[1].id is None
    memory.add([content], user_id="u", metadata=filling("a", most - 10_000))
    assert comes_back(memory, tmp_path)


def test_what_a_plugin_adds_counts() -> None:
    """An extractor's fact with too much metadata is left out by name; what it was drawn from is stored."""

    class Facts:
        name = "facts"

        @hookimpl
        def register_extractors(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
            register("facts", lambda: self)

        def extract(self, drafts: Sequence[Draft], scope: Scope) -> list[Draft]:
            assert scope.user_id == "u"
            return [Draft(part=one.part, kind="fact", text="fact", metadata={"x": "x" * 64_000}) for one in drafts]

    with Memory("memory://", embedder="hashing:64", plugins=[Facts()]) as memory:
        result = memory.add("my words", user_id="u")
        assert [(one.event, one.kind) for one in result.outcomes] == [("added", "text"), ("rejected", "fact")]
        assert [item.text for item in memory.get_all(user_id="u")] == ["my words"]


def test_a_line_that_adds_too_much_is_rejected_alone(memory: Memory, tmp_path: Path) -> None:
    """Also in an import of lines, by its number."""
    lines = [
        {"content": "same", "user_id": "u", "metadata": filling("a", 40_000)},
        {"content": "same", "user_id": "u", "metadata": filling("b", 40_000)},
        {"content": "other", "user_id": "u"},
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    report = memory.import_(path)
    assert ([one.line for one in report.rejected], report.added) == ([2], 2)
    assert all(size(item.metadata) <= 64_000 for item in memory.get_all(user_id="u"))
    assert comes_back(memory, tmp_path)


def _call(number: int, arguments: Any, result: str) -> list[dict[str, Any]]:
    function = {"name": "f", "arguments": json.dumps(arguments)}
    return [
        {"role": "assistant", "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": result},
    ]


def _tool(memory: Memory) -> MemoryItem:
    [item] = memory.get_all(filters={"tool.name": "f"}, user_id="u").items
    return item


def test_what_is_counted_of_a_tool_fits(tmp_path: Path) -> None:
    """Long arguments of many names, and failures of many sorts, leave the counts and what is usual; all comes back."""
    with Memory("memory://", embedder="hashing:256") as memory:
        messages = [
            message
            for n in range(40)
            for message in _call(n, {f"name{k}": f"{n}" + "字" * 250 for k in range(18)}, f"E{n}Error: " + "y" * 900)
        ]
        memory.add(messages, user_id="u")
        held = _tool(memory).metadata["tool"]
        assert 10_000 < size(_tool(memory).metadata) <= 64_000
        assert (held["calls"], held["errors"], len(held["arguments"])) == (40, 40, 18)
        assert held["arguments"]["name7"]["count"] == 40
        assert held["last_error"]
        assert comes_back(memory, tmp_path)


@pytest.mark.parametrize("levels", [17, 18, 64, 65, 150, 900])
def test_however_deep_a_tool_s_values_are_they_come_back(tmp_path: Path, levels: int) -> None:
    """Arguments and results keep their form as JSON down to 64 levels, beyond that as text; both survive an export."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    with Memory("memory://", embedder="hashing:256") as memory:
        call, answer = _call(0, value, json.dumps(value))
        memory.add([call, answer], user_id="u")
        [use] = memory.get_all(filters={"metadata.tool_call": "*"}, user_id="u").items
        kept = use.metadata["tool_call"]
        assert kept["result"] == kept["arguments"] == (value if levels <= 64 else json.dumps(value))
        assert comes_back(memory, tmp_path)


def test_a_definition_is_as_deep_as_its_values_may_be(tmp_path: Path) -> None:
    """A schema of 64 levels is kept and comes back; one of 65 is refused by the tool's name."""
    with Memory("memory://", embedder="hashing:256") as memory:
        schema: Any = {"type": "object"}
        for _ in range(63):
            schema = {"items": schema}
        memory.add({"type": "function", "function": {"name": "f", "parameters": schema}}, user_id="u")
        assert _tool(memory).metadata["tool"]["schema"] == schema
        assert comes_back(memory, tmp_path)
        with pytest.raises(InputTooLarge, match="'f' is nested in over 64 levels"):
            memory.add({"type": "function", "function": {"name": "f", "parameters": {"items": schema}}}, user_id="u")


def test_smaller_limits_hold_as_well(tmp_path: Path) -> None:
    """What a caller allows is what is stored."""
    with Memory("memory://", embedder="hashing:256", limits=Limits(metadata_bytes=100)) as memory:
        memory.add("same", user_id="u", metadata=filling("a", 60))
        with pytest.raises(InputTooLarge, match="at most 100"):
            memory.add("same", user_id="u", metadata=filling("b", 60))
        assert comes_back(memory, tmp_path)
