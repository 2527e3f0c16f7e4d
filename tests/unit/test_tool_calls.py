"""Tool calls: calls and results linked by id, and what is counted of each tool."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Memory
from memplug.exceptions import InputTooLarge, MalformedInput
from memplug.inputs.tool_call import ToolCallInput
from memplug.testing.inputs import InputTypeContract
from memplug.values.draft import Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.values.item import MemoryItem
    from memplug.values.scope import ScopeIds

ALICE: ScopeIds = {"user_id": "alice"}


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """An empty store of each backend."""
    with Memory(str(tmp_path / "store") if request.param == "lancedb" else "memory://") as opened:
        yield opened


def call(name: str = "get_weather", id_: str = "call_123", **arguments: object) -> dict[str, Any]:
    """An assistant's message with one call, as OpenAI writes it."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": id_, "type": "function", "function": function}]}


def answer(text: str, id_: str = "call_123", **more: object) -> dict[str, Any]:
    """A tool's message."""
    return {"role": "tool", "tool_call_id": id_, "content": text, **more}


def uses(memory: Memory, **ids: Any) -> list[MemoryItem]:
    """The uses that are stored, oldest first."""
    found = memory.get_all(filters={"metadata.tool_call": "*"}, limit=1_000, **(ids or ALICE)).items
    return list(reversed(found))


def tool(memory: Memory, name: str, **ids: Any) -> dict[str, Any]:
    """What is counted of one tool."""
    found = memory.get_all(filters={"tool.name": name}, **(ids or ALICE)).items
    assert len(found) == 1
    held: dict[str, Any] = found[0].metadata["tool"]
    return held


def told(item: MemoryItem) -> tuple[Any, ...]:
    """Name, arguments, outcome and result of a use."""
    held = item.metadata["tool_call"]
    return held["name"], held.get("arguments"), held["outcome"], held.get("result")


class TestContract(InputTypeContract):
    """The built-in type keeps to the contract of all."""

    def make(self) -> ToolCallInput:
        """The type."""
        return ToolCallInput()

    def samples(self) -> list[Part]:
        """A call, a definition, and a tool's answer."""
        return [
            Part(index=0, kind="tool_call", value={"type": "tool_call", "id": "c", "name": "f", "args": {}}),
            Part(index=0, kind="tool_call", value={"name": "f", "parameters": {"type": "object"}}),
            Part(index=0, text="7", role="tool", value={"role": "tool", "tool_call_id": "c", "content": "7"}),
        ]

    def strangers(self) -> list[Part]:
        """Texts of people, and of tools that say nothing of a call."""
        return [Part(index=0, text="hello"), Part(index=0, text="7", role="tool", value={"role": "tool"})]

    def broken(self) -> list[Part]:
        """Calls without the name of a tool."""
        return [Part(index=0, kind="tool_call", value=value) for value in (5, {}, {"function": {"name": ""}})]


def test_memos_example_gives_one_use_with_its_result(memory: Memory) -> None:
    """The seed's own messages: call and result become one memory, and each part has its outcome."""
    messages = [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "call_123",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"location":"Beijing"}'},
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_123",
            "content": [{"type": "text", "text": '{"temperature":"7°C"}'}],
        },
    ]
    outcomes = memory.add(messages, **ALICE).outcomes
    assert [(one.part, one.event) for one in outcomes] == [(0, "added"), (1, "added")]
    assert outcomes[0].id == outcomes[1].id
    [use] = uses(memory)
    assert told(use) == ("get_weather", {"location": "Beijing"}, "ok", {"temperature": "7°C"})
    assert (use.kind, use.source.tool_call, use.source.role) == ("tool_call", "call_123", "assistant")
    assert "Beijing" in use.text
    assert "7°C" in use.text


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_halves_find_each_other(memory: Memory, *, together: bool, order: tuple[int, int]) -> None:
    """In one input or in two, the call first or the result."""
    halves = [call(location="Beijing"), answer('{"t": 7}')]
    sent = [halves[index] for index in order]
    for content in [sent] if together else [[one] for one in sent]:
        memory.add(content, **ALICE)
    [use] = uses(memory)
    assert told(use) == ("get_weather", {"location": "Beijing"}, "ok", {"t": 7})
    assert {name: tool(memory, "get_weather")[name] for name in ("calls", "ok", "errors")} == {
        "calls": 1,
        "ok": 1,
        "errors": 0,
    }


def test_one_id_used_several_times_is_several_uses(memory: Memory) -> None:
    """Some servers give every call the same id; the results still find their calls, in order."""
    run = [
        call("a", "x", n=1), answer("one", "x"),
        call("b", "x", n=2), answer("two", "x"),
        call("a", "x", n=1), answer("one", "x"),
    ]  # fmt: skip
    memory.add(run, **ALICE)
    assert [told(use) for use in uses(memory)] == [
        ("a", {"n": 1}, "ok", "one"),
        ("b", {"n": 2}, "ok", "two"),
        ("a", {"n": 1}, "ok", "one"),
    ]
    memory.add(call("a", "x", n=3), **ALICE)
    memory.add(answer("three", "x"), **ALICE)
    assert told(uses(memory)[-1]) == ("a", {"n": 3}, "ok", "three")
    assert tool(memory, "a")["calls"] == 3


def test_parallel_calls_of_one_message_get_their_own_results(memory: Memory) -> None:
    """Results in another order than the calls."""
    calls = [call("f", "1", n=1)["tool_calls"][0], call("f", "2", n=2)["tool_calls"][0]]
    memory.add([{"role": "assistant", "tool_calls": calls}, answer("two", "2"), answer("one", "1")], **ALICE)
    assert {told(use)[1]["n"]: told(use)[3] for use in uses(memory)} == {1: "one", 2: "two"}


def test_the_same_conversation_again_counts_nothing_twice(memory: Memory) -> None:
    """A retry, whole or in parts, finds everything there."""
    run = [call(location="Beijing"), answer("7"), call("think", "t"), answer("", "t")]
    memory.add(run, **ALICE)
    before = [(use.id, use.version) for use in uses(memory)]
    assert {one.event for one in memory.add(run, **ALICE).outcomes} == {"unchanged"}
    for message in run:
        memory.add(message, **ALICE)
    assert [(use.id, use.version) for use in uses(memory)] == before
    assert tool(memory, "get_weather")["calls"] == 1
    assert (tool(memory, "think")["calls"], tool(memory, "think")["ok"]) == (1, 1)


TEXT = [{"type": "text", "text": '{"y": 2}'}]
HALVES = [{"type": "text", "text": '{"y":'}, {"type": "text", "text": "2}"}]
ASKED = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": '{"x": 1}'}
FORMS: dict[str, list[Any]] = {
    "openai": [call("f", "c", x=1), answer('{"y": 2}', "c")],
    "openai of 2023": [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}},
        {"role": "function", "name": "f", "content": '{"y": 2}'},
    ],
    "responses": [
        {"role": "assistant", "content": [ASKED]},
        {"role": "user", "content": [{"type": "function_call_output", "call_id": "c", "output": '{"y": 2}'}]},
    ],
    "anthropic": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": TEXT}]},
    ],
    "langchain blocks": [
        {"role": "assistant", "content": [{"type": "tool_call", "id": "c", "name": "f", "args": {"x": 1}}]},
        answer('{"y": 2}', "c"),
    ],
    "objects": [
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"role": "tool", "tool_call_id": "c", "content": HALVES},
    ],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_library_s_form_is_understood(memory: Memory, form: str) -> None:
    """OpenAI's three, Anthropic's and LangChain's."""
    memory.add(FORMS[form], **ALICE)
    [use] = uses(memory)
    name, arguments, outcome, result = told(use)
    assert (name, arguments, outcome) == ("f", {"x": 1}, "ok")
    assert result == {"y": 2} or json.loads(result) == {"y": 2}


@pytest.mark.parametrize(
    ("message", "type_"),
    [
        (answer("Error: user not found"), "error"),
        (answer("ValueError: no such day"), "ValueError"),
        (answer('Traceback (most recent call last):\n  File "a", line 1\nKeyError: 5'), "KeyError"),
        (answer('{"error": {"code": "rate_limited", "message": "slow down"}}'), "rate_limited"),
        (answer('{"success": false, "message": "no"}'), "error"),
        (answer('{"status_code": 404}'), "404"),
        (answer("Error executing tool: request timed out"), "timeout"),
        (answer("错误\uff1a没有找到"), "error"),
        (answer("no luck", is_error=True), "error"),
        (answer("no luck", status="error"), "error"),
    ],
)
def test_failures_are_told_from_results(memory: Memory, message: dict[str, Any], type_: str) -> None:
    """By what the message says, what an object says of itself, or how a text begins."""
    memory.add([call(city="X"), message], **ALICE)
    held = uses(memory)[0].metadata["tool_call"]
    assert (held["outcome"], held["error_type"]) == ("error", type_)
    assert tool(memory, "get_weather")["error_types"] == {type_: 1}


NO_FAILURES = [
    "",
    "[]",
    "No errors found",
    "7",
    '{"error": null, "t": 7}',
    '{"errors": []}',
    "The error rate is 2 %",
    '{"status": "ok"}',
]


@pytest.mark.parametrize("text", NO_FAILURES)
def test_results_that_speak_of_errors_are_no_failures(memory: Memory, text: str) -> None:
    """An empty answer is one, too."""
    memory.add([call(city="X"), answer(text)], **ALICE)
    assert uses(memory)[0].metadata["tool_call"]["outcome"] == "ok"


def test_durations(memory: Memory) -> None:
    """As the message says, or from the times of both."""
    memory.add([call("a", "1"), answer("x", "1", duration_ms=250)], **ALICE)
    memory.add(
        [call("a", "2") | {"chat_time": "2026-01-01 10:00:00"}, answer("x", "2", chat_time="2026-01-01 10:00:02")],
        **ALICE,
    )
    assert sorted(use.metadata["tool_call"]["duration_ms"] for use in uses(memory)) == [250, 2000]
    assert tool(memory, "a")["mean_ms"] == 1125


def test_a_tool_s_memory_says_how_it_is_used(memory: Memory) -> None:
    """What works, what is usual, what fails; its schema where one was given."""
    definition = {
        "type": "function",
        "function": {
            "name": "get_reservation_details",
            "description": "Looks up a booking.",
            "parameters": {"type": "object", "properties": {"reservation_id": {"type": "string"}}},
        },
    }
    memory.add("The sky over Beijing was grey.", **ALICE)
    memory.add([call("get_reservation_details", "1", reservation_id="ZFA04Y"), answer('{"user": "mia"}', "1")], **ALICE)
    [outcome] = memory.add(definition, **ALICE).outcomes
    assert outcome.event == "updated"
    memory.add([call("get_reservation_details", "2", reservation_id="NOPE"), answer("Error: not found", "2")], **ALICE)
    held = tool(memory, "get_reservation_details")
    assert (held["calls"], held["ok"], held["errors"], held["success_rate"]) == (2, 1, 1, 0.5)
    assert held["schema"]["properties"]["reservation_id"] == {"type": "string"}
    assert held["example"] == {"arguments": {"reservation_id": "ZFA04Y"}, "result": {"user": "mia"}}
    assert held["last_error"] == "Error: not found"
    assert held["failures"][0]["arguments"] == {"reservation_id": "NOPE"}
    assert held["arguments"]["reservation_id"] == {"count": 2, "values": {'"ZFA04Y"': 1, '"NOPE"': 1}}
    hits = memory.search("how do I look up a reservation?", kinds=["tool_call"], **ALICE)
    assert hits[0].metadata["tool"]["name"] == "get_reservation_details"
    assert "reservation_id=ZFA04Y" in hits[0].text
    assert [one.event for one in memory.add(definition, **ALICE).outcomes] == ["unchanged"]


def test_uses_of_all_conversations_count_for_one_tool(memory: Memory) -> None:
    """What an agent learns of a tool is worth something in its next conversation; other users' uses are not hers."""
    for run in ("monday", "tuesday"):
        memory.add([call(day=run), answer("7")], user_id="alice", run_id=run)
    memory.add([call(day="x"), answer("Error: no")], user_id="bob")
    assert (tool(memory, "get_weather")["calls"], tool(memory, "get_weather")["errors"]) == (2, 0)
    assert tool(memory, "get_weather", user_id="bob")["errors"] == 1


@pytest.mark.parametrize("erase", [False, True])
def test_a_use_that_is_removed_is_counted_no_more(memory: Memory, *, erase: bool) -> None:
    """Neither its arguments nor its error stay behind in what is told of the tool."""
    memory.add([call("f", "1", pin="4711"), answer("Error: 4711 is wrong", "1")], **ALICE)
    memory.add([call("f", "2", pin="1"), answer("fine", "2")], **ALICE)
    memory.delete(uses(memory)[0].id, erase=erase, **ALICE)
    held = tool(memory, "f")
    assert (held["calls"], held["ok"], held["errors"], held["failures"]) == (1, 1, 0, [])
    assert "4711" not in json.dumps(held)
    [about] = memory.get_all(filters={"tool.name": "f"}, **ALICE).items
    if erase:
        assert all("4711" not in version.text for version in memory.history(about.id, **ALICE))
    memory.delete(uses(memory)[0].id, erase=erase, **ALICE)
    assert not memory.get_all(filters={"tool.name": "f"}, **ALICE).items


def test_deleting_a_conversation_recounts_the_tools_that_it_used(memory: Memory) -> None:
    """The tool's memory lies outside of the conversation and stays right."""
    memory.add([call("f", "1"), answer("x", "1"), call("g", "2"), answer("x", "2")], user_id="alice", run_id="monday")
    memory.add([call("f", "3"), answer("x", "3")], user_id="alice", run_id="tuesday")
    memory.delete_all(user_id="alice", run_id="monday")
    assert tool(memory, "f")["calls"] == 1
    assert not memory.get_all(filters={"tool.name": "g"}, **ALICE).items


def test_a_removed_tool_memory_is_counted_anew(memory: Memory) -> None:
    """Nothing is lost with it but a definition."""
    memory.add([call("f", "1"), answer("x", "1")], **ALICE)
    [about] = memory.get_all(filters={"tool.name": "f"}, **ALICE).items
    memory.delete(about.id, erase=True, **ALICE)
    memory.add([call("f", "2"), answer("x", "2")], **ALICE)
    assert tool(memory, "f")["calls"] == 2


def test_long_results_are_kept_whole(memory: Memory) -> None:
    """Beyond what metadata should hold they are the memory's original; halves still find each other."""
    long = {"rows": ["a row of the table " + str(n) for n in range(3_000)]}
    memory.add(call("dump", "1", table="t" * 40_000), **ALICE)
    memory.add(answer(json.dumps(long), "1"), **ALICE)
    [use] = uses(memory)
    whole = json.loads(memory.media(use.id, **ALICE))
    assert (whole["result"], whole["arguments"]) == (long, {"table": "t" * 40_000})
    assert len(json.dumps(dict(use.metadata))) < 64_000
    assert {one.event for one in memory.add(answer(json.dumps(long), "1"), **ALICE).outcomes} == {"unchanged"}


def test_what_is_no_call_is_refused_in_words(memory: Memory) -> None:
    """A call without a name, and a definition that is too long."""
    with pytest.raises(MalformedInput, match="needs the name of its tool"):
        memory.add({"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}, **ALICE)
    definition = {"type": "function", "function": {"name": "f", "parameters": {"x": "y" * 32_000}}}
    with pytest.raises(InputTooLarge, match="at most 32,000"):
        memory.add(definition, **ALICE)


def test_arguments_that_are_no_json_are_kept_as_they_came(memory: Memory) -> None:
    """A model's call may be cut off."""
    cut = {"id": "1", "function": {"name": "f", "arguments": '{"a": "b'}}
    memory.add({"role": "assistant", "tool_calls": [cut]}, **ALICE)
    assert told(uses(memory)[0])[1] == '{"a": "b'


def test_labels_of_both_halves_stay(memory: Memory) -> None:
    """What is said about a call is not lost when its result comes."""
    memory.add(call(city="X"), tags=["a"], metadata={"run": 1}, **ALICE)
    memory.add(answer("7"), tags=["b"], metadata={"cost": 2}, **ALICE)
    [use] = uses(memory)
    assert (use.tags, use.metadata["run"], use.metadata["cost"]) == (("a", "b"), 1, 2)


@pytest.mark.parametrize("name", ["tool_call", "tool"])
def test_metadata_cannot_pass_for_what_is_kept(memory: Memory, name: str) -> None:
    """A caller's words under these names would replace the call, or make it vanish as a definition."""
    with pytest.raises(MalformedInput, match=f"'{name}' is taken"):
        memory.add([call(city="X"), answer("7")], metadata={name: {"name": "hammer"}}, **ALICE)
    memory.add("a text has none of it", metadata={name: {"name": "hammer"}}, **ALICE)
    assert len(memory.get_all(**ALICE).items) == 1


def test_real_runs_are_counted_exactly(tmp_path: Path, data_folder: Path) -> None:
    """25 real agent runs: of each tool as many calls and failures as an independent count gives."""
    runs = json.loads((data_folder / "tool-calls" / "airline-dev.json").read_text("utf-8"))
    calls: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for run in runs:
        for message in run["messages"]:
            calls.update(one["function"]["name"] for one in message.get("tool_calls") or [])
            if message["role"] == "tool" and message["content"].startswith("Error"):
                failed[message["name"]] += 1
    with Memory(tmp_path / "store") as memory:
        for number, run in enumerate(runs):
            spoken = [one for one in run["messages"] if one.get("tool_calls") or one["role"] == "tool"]
            memory.add(spoken, user_id="alice", run_id=f"run-{number}")
        tools = memory.get_all(filters={"metadata.tool": "*"}, limit=100, **ALICE).items
        found = {item.metadata["tool"]["name"]: item.metadata["tool"] for item in tools}
        assert {name: held["calls"] for name, held in found.items()} == calls
        assert {name: held["errors"] for name, held in found.items() if held["errors"]} == failed
        assert all(held["ok"] + held["errors"] == held["calls"] for held in found.values())
        hits = memory.search("how do I look up a reservation?", kinds=["tool_call"], **ALICE)
        assert "get_reservation_details" in hits[0].text
