"""Corrections that no rule can read: a model says which memory is meant, and is checked like everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memplug import AsyncMemory, Memory
from memplug.testing.endpoint import Failure, ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.values.scope import ScopeIds

WANG: ScopeIds = {"user_id": "wang"}
LIMIT = "The purchase limit for office software is 800 yuan."
OUTDATED = "the limit you told me is outdated, ask finance"
AFTER = "The purchase limit for office software is outdated, ask finance."


def correction(text: str, memory: str = "m1", action: str = "update", reason: str = "They say so.") -> dict[str, Any]:
    """One correction as a model answers it."""
    return {"memory": memory, "action": action, "text": text, "reason": reason}


def corrections(*found: dict[str, Any]) -> dict[str, Any]:
    """A model's whole answer."""
    return {"corrections": list(found)}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model that is never sure, until it is told otherwise."""
    with ModelServer() as running:
        running.on("", corrections())
        yield running


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path, server: ModelServer) -> Iterator[Memory]:
    """A store of each backend with one memory, and the model."""
    location = str(tmp_path / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, model=server.model(), embedder="hashing:256") as opened:
        opened.add(LIMIT, infer=False, **WANG)
        yield opened


def texts(memory: Memory, **ids: Any) -> list[str]:
    """All current words, oldest first."""
    return [item.text for item in reversed(memory.get_all(**(ids or WANG)).items)]


def test_it_changes_what_is_meant(memory: Memory, server: ModelServer) -> None:
    """As a new version whose history says why; `undo` takes it back; ``dry_run`` only shows it."""
    server.on("", corrections(correction(AFTER)))
    plan = memory.feedback(OUTDATED, dry_run=True, **WANG)
    assert (plan.event, plan.applied, plan.corrections[0].after, texts(memory)) == ("corrected", False, AFTER, [LIMIT])
    result = memory.feedback(OUTDATED, **WANG)
    assert (result.event, result.applied, texts(memory)) == ("corrected", True, [AFTER])
    assert (result.corrections[0].before, result.usage.requests) == (LIMIT, 1)
    before, after = memory.history(result.ids[0], **WANG)
    assert (before.source.reason, after.source.reason) == (None, "feedback: They say so.")
    assert memory.search("purchase limit", **WANG)[0].text == AFTER
    memory.undo(result, **WANG)
    assert texts(memory) == [LIMIT]


def test_the_relation_and_not_the_value(memory: Memory, server: ModelServer) -> None:
    """What a rule reads but cannot place, a model may."""
    memory.add("Ann is my cousin, and a dentist.", infer=False, **WANG)
    after = "Ann is my sister, and a dentist."
    server.on("", lambda asked: corrections(correction(after, memory=_label(asked.text, "dentist"))))
    assert memory.feedback("no, my sister, not my cousin's", **WANG).event == "corrected"
    assert texts(memory) == [LIMIT, after]


def _label(question: str, words: str) -> str:
    """The label of the memory that says something."""
    return question.partition("The memories:")[2].partition(words)[0].rpartition("\n[")[2].partition("]")[0]


def test_rules_come_first(memory: Memory, server: ModelServer) -> None:
    """What they read surely asks nobody, and its history says why, too."""
    said = "The purchase limit for office software is 600 yuan, not 800 yuan."
    result = memory.feedback(said, **WANG)
    assert (result.event, server.requests) == ("corrected", [])
    assert memory.history(result.ids[0])[-1].source.reason == f"feedback: {said}"
    memory.update(result.ids[0], "The limit is a secret.")
    assert memory.get(result.ids[0]).source.reason is None


def test_forgetting(memory: Memory, server: ModelServer) -> None:
    """Where nothing holds any more; it can be undone as well."""
    server.on("", corrections(correction("", action="forget")))
    result = memory.feedback("I do not want you to keep that thing about purchases", **WANG)
    assert (result.event, result.corrections[0].deleted, texts(memory)) == ("forgotten", True, [])
    memory.undo(result, **WANG)
    assert texts(memory) == [LIMIT]


@pytest.mark.parametrize(
    ("answer", "flaw"),
    [
        (correction(AFTER, memory="m7"), "memory_unknown"),
        (correction("The purchase limit for office software is 300 yuan."), "number_unsupported"),
        (correction("Olga sets the purchase limit for office software."), "name_unsupported"),
        (correction("Rockets burn hydrogen peroxide somewhere."), "words_unsupported"),
        (correction(LIMIT.upper()), "known"),
        (correction("The limit is not outdated."), "negation_unsupported"),
        (correction(""), "empty"),
    ],
)
def test_what_does_not_hold_changes_nothing(
    memory: Memory, server: ModelServer, answer: dict[str, Any], flaw: str
) -> None:
    """The words are noted instead, with the reason."""
    server.on("", corrections(answer))
    result = memory.feedback(OUTDATED, **WANG)
    assert (result.event, texts(memory)) == ("noted", [LIMIT, OUTDATED])
    assert flaw in result.reason
    assert memory.get(str(result.id)).kind == "feedback"


@pytest.mark.parametrize("wrong", [correction("", memory="m2", action="forget"), correction(OUTDATED, memory="m2")])
def test_what_it_is_not_about_stays(memory: Memory, server: ModelServer, wrong: dict[str, Any]) -> None:
    """A model may choose any memory that it was shown; one that shares no word with the correction is not meant."""
    memory.add("My dog Rex is old.", infer=False, **WANG)
    server.on("", corrections(wrong))
    result = memory.feedback(OUTDATED, **WANG)
    assert (result.event, "memory_unrelated" in result.reason) == ("noted", True)
    assert texts(memory)[:2] == [LIMIT, "My dog Rex is old."]


def test_others_are_never_shown(memory: Memory, server: ModelServer) -> None:
    """Neither another user's memories, nor a bucket's that was not named, nor what the user may only read."""
    memory.add("The purchase limit for pencils is 7 yuan.", infer=False, user_id="eve")
    memory.add("The purchase limit for paper is 8 yuan.", infer=False, bucket="kb")
    memory.buckets.create("team", owner="olga", title="The team")
    memory.buckets.share("team", "wang", "viewer", by="olga")
    memory.add("The purchase limit for pens is 9 yuan.", infer=False, user_id="olga", bucket="team")
    memory.feedback(OUTDATED, buckets=["team"], **WANG)
    assert "office software" in server.requests[-1].text
    assert not [word for word in ("pencils", "paper", "pens") if word in server.requests[-1].text]
    server.on(
        "",
        lambda asked: corrections(correction("The purchase limit for paper is outdated.", _label(asked.text, "paper"))),
    )
    assert memory.feedback(OUTDATED, buckets=["kb"], **WANG).event == "corrected"
    assert texts(memory, bucket="kb") == ["The purchase limit for paper is outdated."]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure(status=401), "model.refused"),
        (Failure(status=429, headers={"Retry-After": "1"}), "model.unavailable"),
        (Failure(status=500), "model.unavailable"),
        (Failure(disconnect="before"), "model.unavailable"),
        ("{no json", "model.answer"),
        ({"changes": 1}, "model.answer"),
    ],
)
def test_a_model_that_fails_loses_nothing(memory: Memory, server: ModelServer, failure: Any, code: str) -> None:
    """The words are kept as a memory, which says why they are only noted."""
    server.on("", failure)
    result = memory.feedback(OUTDATED, **WANG)
    assert (result.event, result.applied, texts(memory)) == ("noted", True, [LIMIT, OUTDATED])
    assert code in result.reason
    assert code in str(memory.get(str(result.id)).source.reason)


def test_feedback_among_other_input(memory: Memory, server: ModelServer) -> None:
    """Through `add` it does the same."""
    server.on("", corrections(correction(AFTER)))
    server.on("What was said now", {"memories": []})
    result = memory.add(["Lunch is at noon.", {"type": "feedback", "text": OUTDATED}], tags=["checked"], **WANG)
    assert [one.event for one in result.outcomes] == ["added", "updated"]
    assert sorted(texts(memory)) == [*sorted([AFTER, "Lunch is at noon."])]
    assert memory.search("purchase limit", tags=["checked"], **WANG)[0].text == AFTER
    noted = memory.add(OUTDATED, kind="feedback", **WANG)
    assert (noted.outcomes[0].kind, noted.usage.requests) == ("feedback", 1)
    assert memory.add("The limit is odd.", kind="feedback", infer=False, **WANG).usage.requests == 0


async def test_it_can_be_awaited(server: ModelServer) -> None:
    """The same words."""
    server.on("", corrections(correction(AFTER)))
    async with AsyncMemory("memory://", model=server.model(), embedder="hashing:64") as memory:
        await memory.add(LIMIT, infer=False, **WANG)
        assert (await memory.feedback(OUTDATED, **WANG)).event == "corrected"
