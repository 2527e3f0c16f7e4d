"""Feedback in plain words: what it corrects is found without an id, and superseded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memplug import Memory
from memplug.exceptions import InputTooLarge, MalformedInput, NotFound, VersionConflict
from memplug.feedback.phrases import read_claim
from memplug.feedback.rewording import reworded
from memplug.inputs.feedback import FeedbackInput
from memplug.testing.inputs import InputTypeContract
from memplug.values.draft import Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.values.scope import ScopeIds

WANG: ScopeIds = {"user_id": "wang"}
SEED = "The purchase limit for office software is 600 yuan, not 800 yuan."


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """An empty store of each backend."""
    with Memory(str(tmp_path / "store") if request.param == "lancedb" else "memory://") as opened:
        yield opened


def texts(memory: Memory, ids: ScopeIds = WANG) -> list[str]:
    """All current words, oldest first."""
    return [item.text for item in reversed(memory.get_all(pieces=True, limit=100, **ids).items)]


class TestContract(InputTypeContract):
    """The built-in type keeps to the contract of all."""

    def make(self) -> FeedbackInput:
        """The type."""
        return FeedbackInput()

    def samples(self) -> list[Part]:
        """A text that is said to be feedback."""
        return [Part(index=0, text="it is too slow", kind="feedback")]

    def strangers(self) -> list[Part]:
        """Any other text."""
        return [Part(index=0, text="hello")]

    def broken(self) -> list[Part]:
        """A blank one."""
        return [Part(index=0, text=" ", kind="feedback")]


def test_the_seeds_example(memory: Memory) -> None:
    """The wrong limit is superseded: 600 comes first, 800 is in history only, other memories are untouched."""
    [wrong] = memory.add("The purchase limit for office software is 800 yuan.", **WANG).outcomes
    memory.add(["The purchase limit for hardware is 800 yuan.", "Office hours end at 8."], **WANG)
    result = memory.feedback(SEED, **WANG)
    assert (result.event, result.applied, result.ids) == ("corrected", True, (wrong.id,))
    hits = memory.search("What is the purchase limit for office software?", **WANG)
    assert hits[0].text == "The purchase limit for office software is 600 yuan."
    assert [hit.text for hit in hits if "800" in hit.text] == ["The purchase limit for hardware is 800 yuan."]
    assert [version.text for version in memory.history(str(wrong.id), **WANG)] == [
        "The purchase limit for office software is 800 yuan.",
        "The purchase limit for office software is 600 yuan.",
    ]


def test_a_plan_changes_nothing_and_undo_restores(memory: Memory) -> None:
    """``dry_run`` shows what would be; `undo` brings back what was."""
    memory.add("The purchase limit for office software is 800 yuan.", **WANG)
    plan = memory.feedback(SEED, dry_run=True, **WANG)
    assert (plan.event, plan.applied) == ("corrected", False)
    assert plan.corrections[0].after == "The purchase limit for office software is 600 yuan."
    assert texts(memory) == ["The purchase limit for office software is 800 yuan."]
    memory.undo(plan, **WANG)
    memory.undo(memory.feedback(SEED, **WANG), **WANG)
    assert texts(memory) == ["The purchase limit for office software is 800 yuan."]
    memory.undo(memory.feedback("Forget that the purchase limit is for office software", **WANG), **WANG)
    assert texts(memory) == ["The purchase limit for office software is 800 yuan."]


def test_a_correction_reaches_the_buckets_that_were_allowed(memory: Memory) -> None:
    """A knowledge base is corrected where it was named, and nowhere else."""
    memory.add("The purchase limit for office software is 800 yuan.", bucket="kb_rules")
    memory.add("The purchase limit for office software is 800 yuan.", bucket="kb_other")
    memory.add("The purchase limit for office software is 800 yuan.", user_id="somebody else")
    assert memory.feedback(SEED, buckets=["kb_rules"], **WANG).event == "corrected"
    assert texts(memory, {"bucket": "kb_rules"}) == ["The purchase limit for office software is 600 yuan."]
    assert texts(memory, {"bucket": "kb_other"}) == ["The purchase limit for office software is 800 yuan."]
    assert texts(memory, {"user_id": "somebody else"}) == ["The purchase limit for office software is 800 yuan."]


def test_the_same_wrong_fact_said_twice_is_corrected_twice(memory: Memory) -> None:
    """No stale copy is left to rank above the correction."""
    memory.add("The purchase limit for office software is 800 yuan.", **WANG)
    memory.add("Note: for office software the purchase limit is 800 yuan per year!", **WANG)
    assert len(memory.feedback(SEED, **WANG).corrections) == 2
    assert not [text for text in texts(memory) if "800" in text]


@pytest.mark.parametrize(
    ("stored", "feedback", "after"),
    [
        ("I like coffee.", "I like tea, not coffee", "I like tea."),
        ("My flight is on Monday.", "My flight is not on Monday but on Tuesday.", "My flight is on Tuesday."),
        ("The limit is 800 yuan.", "The limit is 600 yuan now", "The limit is 600 yuan."),
        ("The limit is 800 yuan.", "The limit is now 600 yuan.", "The limit is 600 yuan."),
        ("The limit is 800 yuan.", "The limit should be 600 yuan", "The limit is 600 yuan."),
        ("The limit is 800 yuan.", "Please change 800 to 600", "The limit is 600 yuan."),
        ("The limit is 800 yuan.", "800 should be 600", "The limit is 600 yuan."),
        ("The limit is 800 yuan.", "The limit was raised from 800 yuan to 900 yuan.", "The limit is 900 yuan."),
        ("The office is in Berlin.", "The office moved from Berlin to Munich", "The office is in Munich."),
        ("I live in Paris with Eve.", "Actually, I live in Rome now", "I live in Rome with Eve."),
        ("My name is Wang Lin.", "No, my name is Wang Li, not Wang Lin!", "My name is Wang Li."),
        ("The dog's name is Max.", "That's wrong. The dog's name is Rex, not Max.", "The dog's name is Rex."),
        ("We use Python 3.11.", "We use Python 3.12 instead of Python 3.11", "We use Python 3.12."),
        ("My password is hunter2", "My password isn't hunter2, it's hunter3", "My password is hunter3"),
        ("It costs 1,800, 800 for members", "It costs 600 for members, not 800", "It costs 1,800, 600 for members"),
        ("办公软件的采购限额是800元。", "办公软件的采购限额是600元\uff0c不是800元。", "办公软件的采购限额是600元。"),
        ("办公软件的采购限额是800元。", "办公软件的采购限额不是800元\uff0c而是600元。", "办公软件的采购限额是600元。"),
        ("限额是800元。", "把800元改成600元", "限额是600元。"),
        ("会议是星期一", "会议现在是星期二了", "会议是星期二"),
    ],
)  # fmt: skip
def test_ways_of_putting_a_correction(memory: Memory, stored: str, feedback: str, after: str) -> None:
    """English and Chinese; everything that was not corrected stays as it was said."""
    memory.add([stored, "Something else entirely."], **WANG)
    result = memory.feedback(feedback, **WANG)
    assert (result.event, texts(memory)) == ("corrected", [after, "Something else entirely."])


@pytest.mark.parametrize(
    ("stored", "feedback", "left"),
    [
        ("I like coffee.", "Forget that I like coffee", []),
        ("I like coffee. My dog is Rex.", "please forget that I like coffee", ["My dog is Rex."]),
        ("I live in Paris", "It's wrong that I live in Paris", []),
        ("My address is Elm Street 5.", "My address is outdated", []),
        ("我喜欢咖啡", "请忘记我喜欢咖啡", []),
    ],
)
def test_ways_of_asking_to_forget(memory: Memory, stored: str, feedback: str, left: list[str]) -> None:
    """A sentence goes, or the whole memory where nothing else is in it."""
    memory.add([stored, "Something else entirely."], **WANG)
    memory.feedback(feedback, **WANG)
    assert texts(memory) == [*left, "Something else entirely."]


@pytest.mark.parametrize(
    ("stored", "feedback"),
    [
        (["The sky is blue."], SEED),
        (["The limit for pens is 800 yuan.", "The limit for ink is 800 yuan."], "Change 800 to 600"),
        (["I like coffee."], "Your answers are too long."),
        (["I like coffee."], "It's 600 yuan now"),
        (["I like coffee in the morning."], "Forget about the invoice of May"),
        ([], SEED),
    ],
)
def test_what_is_not_sure_is_noted_and_changes_nothing(memory: Memory, stored: list[str], feedback: str) -> None:
    """The words are kept as feedback, findable, and the outcome says why."""
    for text in stored:
        memory.add(text, **WANG)
    result = memory.feedback(feedback, **WANG)
    assert (result.event, result.applied) == ("noted", True)
    assert result.reason
    assert texts(memory) == [*stored, feedback]
    [item] = memory.get_all(filters={"kind": "feedback"}, **WANG).items
    assert item.id == result.id
    memory.undo(result, **WANG)
    assert texts(memory) == stored


def test_where_several_may_be_meant_they_are_named(memory: Memory) -> None:
    """So that a caller can ask."""
    memory.add(["The limit for pens is 800 yuan.", "The limit for ink is 800 yuan."], **WANG)
    result = memory.feedback("800 should be 600", dry_run=True, **WANG)
    assert {one.before for one in result.candidates} == set(texts(memory))
    assert result.id is None


def test_add_takes_feedback_too(memory: Memory) -> None:
    """The same through the one door that everything goes in by."""
    [wrong] = memory.add("The purchase limit for office software is 800 yuan.", **WANG).outcomes
    [outcome] = memory.add(SEED, kind="feedback", **WANG).outcomes
    assert (outcome.event, outcome.id, outcome.kind, outcome.version) == ("updated", wrong.id, "text", 2)
    [outcome] = memory.add(
        "Forget that the purchase limit for office software exists", kind="feedback", **WANG
    ).outcomes
    assert (outcome.event, outcome.as_mem0()["event"]) == ("deleted", "DELETE")
    for event in ("added", "duplicate"):
        [outcome] = memory.add("You talk too much.", kind="feedback", **WANG).outcomes
        assert (outcome.event, outcome.kind) == (event, "feedback")


def test_feedback_among_other_input(memory: Memory) -> None:
    """As a part of a message, or in MemOS's words: what it corrects is corrected, everything else is stored."""
    [wrong] = memory.add("The purchase limit for office software is 800 yuan.", **WANG).outcomes
    outcomes = memory.add(["Lunch is at noon.", {"type": "feedback", "text": SEED}], **WANG).outcomes
    assert [(one.event, one.part) for one in outcomes] == [("added", 0), ("updated", 1)]
    assert outcomes[1].id == wrong.id
    assert texts(memory) == ["The purchase limit for office software is 600 yuan.", "Lunch is at noon."]
    request = {"feedback_content": "The purchase limit for office software is 700 yuan, not 600 yuan."}
    assert memory.add(request, **WANG).outcomes[0].event == "updated"
    assert memory.add({"feedback_content": "Too slow."}, **WANG).outcomes[0].kind == "feedback"


@pytest.mark.parametrize("shape", ["alone", "among other input"])
def test_what_is_said_about_feedback_is_kept(memory: Memory, shape: str) -> None:
    """Its tags and metadata go to the version that it makes, beside what was there; `history` has that without them."""
    [wrong] = memory.add("The purchase limit for office software is 800 yuan.", metadata={"by": "hr"}, **WANG).ids
    said: dict[str, Any] = {"tags": (tag for tag in ["checked"]), "metadata": {"ticket": 7}}
    if shape == "alone":
        memory.add(SEED, kind="feedback", **said, **WANG)
    else:
        memory.add(["Lunch is at noon.", {"type": "feedback", "text": SEED}], **said, **WANG)
    before, after = memory.history(wrong, **WANG)
    assert (before.tags, before.metadata) == ((), {"by": "hr"})
    assert (after.tags, after.metadata) == (("checked",), {"by": "hr", "ticket": 7})
    noted = memory.add("The parking rules are odd.", kind="feedback", tags=(tag for tag in ["new"]), **WANG).ids
    assert memory.get(noted[0]).tags == ("new",)


def test_feedback_that_says_too_much_changes_nothing(memory: Memory) -> None:
    """Where a memory could not hold what is said about its correction, too, that is noted, with the reason."""
    [wrong] = memory.add("The limit for office software is 800 yuan.", metadata={"a": "x" * 40_000}, **WANG).ids
    said = "The limit for office software is 600 yuan, not 800 yuan."
    [outcome] = memory.add(said, kind="feedback", metadata={"b": "y" * 40_000}, **WANG).outcomes
    assert (outcome.event, outcome.kind) == ("added", "feedback")
    assert memory.get(str(outcome.id)).metadata["b"] == "y" * 40_000
    assert [version.version for version in memory.history(wrong)] == [1]
    with pytest.raises(MalformedInput, match="metadata"):
        memory.add(said, kind="feedback", metadata={"b": object()}, **WANG)


def test_what_tools_answered_is_never_rewritten(memory: Memory) -> None:
    """It was answered so."""
    call = {"id": "1", "function": {"name": "limit", "arguments": "{}"}}
    answer = {"role": "tool", "tool_call_id": "1", "content": "The purchase limit for office software is 800 yuan."}
    memory.add([{"role": "assistant", "tool_calls": [call]}, answer], **WANG)
    assert memory.feedback(SEED, dry_run=True, **WANG).event == "noted"


def test_hostile_feedback_is_bounded(memory: Memory) -> None:
    """Empty, too long, and texts made to keep patterns busy."""
    with pytest.raises(MalformedInput):
        memory.feedback(" ", **WANG)
    with pytest.raises(InputTooLarge):
        memory.feedback("x" * 20_001, **WANG)
    for text in (
        "not " * 500,
        "a, not " * 280,
        "is now " * 280,
        "从" * 2_000,
        "change " * 280,
        "不是" * 1_000,
        "\\1 \\g<0>",
    ):
        read_claim(text[:2_000])
    claim = read_claim("the path is C:\\new, not C:\\old")
    assert claim is not None
    found = reworded("The path is C:\\old.", claim)
    assert found is not None
    assert found.text == "The path is C:\\new."


def test_undo_keeps_what_was_changed_since(memory: Memory) -> None:
    """A newer word is not overwritten, and nothing is half undone; undoing twice is such a case, too."""
    memory.add("The purchase limit for office software is 800 yuan.", **WANG)
    result = memory.feedback(SEED, **WANG)
    newer = memory.update(result.ids[0], "The purchase limit for office software is 500 yuan.", **WANG)
    with pytest.raises(VersionConflict) as caught:
        memory.undo(result, **WANG)
    assert caught.value.current == {newer.id: newer.version}
    assert memory.get(newer.id, **WANG).text == newer.text
    again = memory.feedback("The purchase limit for office software is 600 yuan, not 500 yuan.", **WANG)
    memory.undo(again, **WANG)
    with pytest.raises(VersionConflict):
        memory.undo(again, **WANG)
    assert memory.get(newer.id, **WANG).text == newer.text


def test_undo_of_what_is_gone_says_so(memory: Memory) -> None:
    """Nothing is pretended."""
    [wrong] = memory.add("The purchase limit for office software is 800 yuan.", **WANG).outcomes
    result = memory.feedback(SEED, **WANG)
    memory.delete(str(wrong.id), erase=True, **WANG)
    with pytest.raises(NotFound):
        memory.undo(result, **WANG)
