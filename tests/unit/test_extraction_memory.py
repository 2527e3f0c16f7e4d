"""Facts out of conversations, through `Memory`, with a model behind a real socket."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from memplug import AsyncMemory, Draft, Extraction, Limits, Memory, hookimpl
from memplug.exceptions import ConfigError, MalformedInput, ModelRefused
from memplug.testing.endpoint import Asked, Failure, ModelServer
from memplug.values.extraction import FACT_KINDS, ExtractionRequest, Proposal, Proposals
from memplug.values.prompt import Prompt, PromptMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memplug import MemoryItem
    from memplug.plugins.models import Toolbox
    from memplug.values.scope import ScopeIds

WANG: ScopeIds = {"user_id": "wang"}
MONDAY: ScopeIds = {"user_id": "wang", "run_id": "monday"}
TUESDAY: ScopeIds = {"user_id": "wang", "run_id": "tuesday"}
QUICK = Limits(task_pause=0.01)


def fact(text: str, *turns: str, **more: Any) -> dict[str, Any]:
    """One thing as a model answers it."""
    plain = {"action": "add", "memory": None, "kind": "fact", "date": None, "category": None, "implicit": False}
    return plain | {"reason": None, "text": text, "turns": list(turns or ["t1"])} | more


def facts(*found: dict[str, Any]) -> dict[str, Any]:
    """A model's whole answer."""
    return {"memories": list(found)}


def supersede(text: str, *, memory: str = "m1", reason: str = "They moved.", **more: Any) -> dict[str, Any]:
    """A memory that does not hold any more."""
    return fact(text, action="supersede", memory=memory, reason=reason, **more)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model that finds nothing worth remembering until it is told otherwise."""
    with ModelServer() as running:
        running.on("", facts())
        yield running


def opened(server: ModelServer, location: Path | str = "memory://", **more: Any) -> Memory:
    """A store with the model."""
    settings: dict[str, Any] = {"model": server.model(), "embedder": "hashing:256", "limits": QUICK}
    return Memory(location, **settings | more)


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path, server: ModelServer) -> Iterator[Memory]:
    """An empty store of each backend, with the model."""
    with opened(server, tmp_path if request.param == "lancedb" else "memory://") as found:
        yield found


def known(memory: Memory, **ids: Any) -> dict[str, MemoryItem]:
    """The facts of a scope by their words."""
    return {item.text: item for item in memory.get_all(**(ids or WANG)) if item.kind in FACT_KINDS}


def turns(memory: Memory, **ids: Any) -> list[str]:
    """What was said in a scope, oldest first."""
    return [item.text for item in reversed(memory.get_all(**(ids or WANG)).items) if item.kind == "text"]


class TestAdding:
    """Facts stand beside what was said."""

    def test_all_of_it_becomes_visible_in_one_commit(self, server: ModelServer) -> None:
        """Observers are told of turns and facts together."""
        told: list[list[str]] = []

        class Observer:
            @hookimpl
            def after_add(self, items: list[MemoryItem]) -> None:
                """Listens."""
                told.append([item.kind for item in items])

        server.on("", facts(fact("The user lives in Paris.")))
        with opened(server, plugins=[Observer()]) as memory:
            memory.add(["I live in Paris.", {"role": "assistant", "content": "Nice."}], **MONDAY)
        assert told == [["text", "text", "fact"]]

    def test_facts_cite_the_turns_that_say_them(self, memory: Memory, server: ModelServer) -> None:
        """All in one commit; the turns stay as they were said; what was said about them holds of the facts, too."""
        server.on(
            "",
            facts(
                fact("The user lives in Paris.", "t1"),
                fact(
                    "The user prefers window seats.",
                    "t3",
                    kind="preference",
                    implicit=True,
                    reason="They took one twice.",
                ),
                fact("The user flew to Rome.", "t3", kind="event", date="2026-05-01"),
            ),
        )
        said = [
            {"role": "user", "name": "Wang", "content": "I live in Paris."},
            {"role": "assistant", "content": "And lately?"},
            {"role": "user", "name": "Wang", "content": "Flew to Rome last Friday, window seat, as on the way back."},
        ]
        result = memory.add(
            said, tags=["trip"], metadata={"team": 7}, expires_at="2090-01-01", occurred_at="2026-05-04", **MONDAY
        )
        assert [one.event for one in result.outcomes] == ["added"] * 6
        assert (result.left_out, result.usage.requests) == ((), 1)
        assert result.usage.input_tokens > 100
        assert turns(memory) == [one["content"] for one in said]
        found = known(memory)
        ids = {item.text: item.id for item in memory.get_all(**MONDAY)}
        lives = found["The user lives in Paris."]
        assert (lives.kind, lives.version, lives.tags, lives.metadata) == ("fact", 1, ("trip",), {"team": 7})
        assert lives.source.derived_from == (ids["I live in Paris."],)
        assert (lives.source.role, lives.source.speaker, lives.source.position) == ("user", "Wang", None)
        assert lives.expires_at == datetime(2090, 1, 1, tzinfo=UTC)
        seats = found["The user prefers window seats."]
        assert (seats.kind, seats.metadata["preference"], seats.source.reason) == (
            "preference", "implicit", "They took one twice."
        )  # fmt: skip
        rome = found["The user flew to Rome. (2026-05-01)"]
        assert (rome.kind, rome.occurred_at) == ("event", datetime(2026, 5, 1, tzinfo=UTC))
        assert [hit.kind for hit in memory.search("Paris", kinds=["fact"], **MONDAY)] == ["fact"]

    def test_more_about_it_is_a_new_version(self, memory: Memory, server: ModelServer) -> None:
        """With the turns of both, and the old words in its history."""
        server.on("sister", facts(fact("The user has a sister, Ann.")))
        server.on(
            "doctor", facts(fact("The user has a sister, Ann, who is a doctor.", "t2", action="update", memory="m1"))
        )
        first = memory.add("I have a sister, Ann.", **MONDAY)
        second = memory.add("Ann is a doctor.", **MONDAY)
        [ann] = known(memory).values()
        assert (ann.id, ann.version) == (first.ids[1], 2)
        assert set(ann.source.derived_from) == {first.ids[0], second.ids[0]}
        assert [one.text for one in memory.history(ann.id, **WANG)] == [
            "The user has a sister, Ann.", "The user has a sister, Ann, who is a doctor."
        ]  # fmt: skip
        assert second.outcomes[1].event == "updated"

    def test_what_is_known_is_not_stored_again(self, memory: Memory, server: ModelServer) -> None:
        """Neither by the model's own judgement, nor where it does not see that it is."""
        server.on("", facts(fact("The user lives in Paris.")))
        memory.add("I live in Paris.", **MONDAY)
        result = memory.add("As I said, I live in Paris!", **TUESDAY)
        assert [one.flaw for one in result.left_out] == ["known"]
        server.on("", facts(fact("The user lives in Paris.", action="nothing", memory="m1")))
        assert memory.add("Paris is where I live.", **TUESDAY).left_out == ()
        assert len(known(memory)) == 1

    def test_the_same_input_again_asks_nobody(self, memory: Memory, server: ModelServer) -> None:
        """And of a conversation that is handed in as it grows, only what is new is new to the model."""
        server.on("", facts(fact("The user lives in Paris.")))
        said: list[Any] = ["I live in Paris.", {"role": "assistant", "content": "Do you like it?"}]
        memory.add(said, **MONDAY)
        memory.add(said, **MONDAY)
        assert len(server.requests) == 1
        server.on("", facts(fact("The user loves Paris.", "t3")))
        result = memory.add([*said, "I love Paris, yes."], **MONDAY)
        assert result.outcomes[-1].text == "The user loves Paris."
        before, now = server.requests[-1].text.split("What was said now:")
        assert "I live in Paris." in before.split("What was said before")[1]
        assert ("[t3]" in now, "[t2]" in now) == (True, False)

    def test_an_answer_is_understood_by_the_stored_question(self, memory: Memory, server: ModelServer) -> None:
        """Also where each message is added by itself."""
        memory.add({"role": "assistant", "content": "Do you like sushi?"}, **MONDAY)
        assert not server.requests
        server.on("", facts(fact("The user likes sushi.", "t2")))
        memory.add("Very much so!", **MONDAY)
        [sushi] = known(memory).values()
        assert [memory.get(id_).text for id_ in sushi.source.derived_from] == ["Very much so!"]

    def test_there_may_be_nobody_to_ask(self, tmp_path: Path, server: ModelServer) -> None:
        """Without a model nothing changes; ``infer`` decides where there is one; an import asks nobody."""
        server.on("", facts(fact("The user lives in Paris.")))
        with Memory("memory://", embedder="hashing:64") as plain:
            assert len(plain.add("I live in Paris.", **WANG).outcomes) == 1
            with pytest.raises(ConfigError, match="infer"):
                plain.add("I live in Rome.", infer=True, **WANG)
            with pytest.raises(ConfigError, match="model"):
                plain.extract("I live in Rome.", **WANG)
        with opened(server) as memory:
            assert len(memory.add("I live in Paris.", infer=False, **WANG).outcomes) == 1
            memory.add(["Hello!", {"role": "assistant", "content": "You live in Paris, right?"}], **WANG)
            lines = tmp_path / "said.jsonl"
            lines.write_text(json.dumps({"content": "I used to live in Paris.", "user_id": "wang"}))
            assert memory.import_(lines).added == 1
            assert (server.requests, known(memory)) == ([], {})
            assert len(memory.add("Really, I live in Paris.", infer=True, **WANG).outcomes) == 2

    def test_a_long_conversation_is_asked_about_in_portions(self, server: ModelServer) -> None:
        """A later portion may change what an earlier one gave; what is too long for one is cut, and cited whole."""
        server.on(
            "",
            lambda asked: (
                facts(fact("The user lives in Paris.", _label(asked, "Paris")))
                if "in Paris" in asked.text.split("said now")[1]
                else facts()
            ),
        )
        server.on(
            "to Berlin",
            lambda asked: facts(
                supersede("The user moved to Berlin.", memory="n0", turns=[_label(asked, "to Berlin")])
            ),
        )
        limits = Limits(extraction_tokens=60, task_pause=0.01)
        with opened(server, limits=limits) as memory:
            long = "I live in Paris. " + "The weather was fine again today and we went out. " * 12
            result = memory.add([long, "I moved to Berlin."], **WANG)
            assert len(server.requests) > 2
            assert len(result.ids) == 3
            [moved] = known(memory).values()
            assert (moved.text, moved.source.derived_from) == ("The user moved to Berlin.", (result.ids[1],))


def _label(asked: Asked, words: str) -> str:
    """The label of the turn that says something."""
    before = asked.text.split("said now")[1].split(words)[0]
    return before.rpartition("[")[2].partition("]")[0]


class TestKnowledgeUpdates:
    """A later statement that contradicts an earlier one takes its place."""

    def test_history_says_why(self, memory: Memory, server: ModelServer) -> None:
        """The old fact is its earlier version; what was said stays, and is never found before the correction."""
        server.on("", facts(fact("The user lives in Paris.")))
        first = memory.add("I live in Paris.", **MONDAY)
        server.on("Berlin", facts(supersede("The user moved to Berlin.", turns=["t2"])))
        second = memory.add("I moved to Berlin.", **MONDAY)
        paris, berlin = memory.history(first.ids[1], **WANG)
        assert (paris.text, paris.source.reason) == ("The user lives in Paris.", None)
        assert (berlin.text, berlin.source.reason) == ("The user moved to Berlin.", "They moved.")
        assert berlin.source.derived_from == (second.ids[0],)
        assert berlin.source.supersedes == (first.ids[0],)
        for question in ("I live in Paris.", "Where in Paris does the user live?", "user moved"):
            found = [hit.text for hit in memory.search(question, **WANG)]
            assert found.index("The user moved to Berlin.") < found.index("I live in Paris.")
        memory.restore(berlin.id, 1, **WANG)
        assert list(known(memory)) == ["The user lives in Paris."]

    def test_across_conversations(self, memory: Memory, server: ModelServer) -> None:
        """The old fact ends where it was said, and names the new one, which lies where that was said."""
        server.on("", facts(fact("The user lives in Paris.")))
        old = memory.add("I live in Paris.", **MONDAY).ids[1]
        server.on("Berlin", facts(supersede("The user moved to Berlin.")))
        new = memory.add("I moved to Berlin.", **TUESDAY).ids[1]
        assert list(known(memory)) == ["The user moved to Berlin."]
        assert memory.get(new, **TUESDAY).source.supersedes[0] == old
        gone = memory.history(old, **WANG)[-1]
        assert (gone.deleted, gone.text, gone.source.reason) == (True, "", f"superseded by {new}")
        found = [hit.text for hit in memory.search("Where in Paris does the user live?", **WANG)]
        assert found.index("The user moved to Berlin.") < found.index("I live in Paris.")

    def test_what_was_said_before_there_was_a_model(self, memory: Memory, server: ModelServer) -> None:
        """Its turn stays, and stands below the fact that contradicts it."""
        said = memory.add("I live in Paris.", infer=False, **MONDAY).ids[0]
        server.on("", facts(supersede("The user moved to Berlin.")))
        memory.add("I moved to Berlin.", **TUESDAY)
        assert memory.get(said, **WANG).version == 1
        found = [hit.text for hit in memory.search("Where in Paris do I live?", **WANG)]
        assert found.index("The user moved to Berlin.") < found.index("I live in Paris.")

    def test_only_inside_the_scope_where_that_is_asked_for(self, server: ModelServer) -> None:
        """``reach="scope"`` keeps conversations apart; without a user they always are."""
        server.on("", facts(fact("The user lives in Paris.")))
        ids: list[tuple[dict[str, Any], Extraction]] = [
            ({"user_id": "wang"}, Extraction(reach="scope")), ({"agent_id": "bot"}, Extraction())
        ]  # fmt: skip
        for who, rules in ids:
            with opened(server, extraction=rules) as memory:
                memory.add("I live in Paris.", run_id="monday", **who)
                memory.add("We live in Paris.", run_id="tuesday", **who)
                assert "There are no memories of this yet." in server.requests[-1].text
                assert len(known(memory, **who)) == 1  # the last by its words
                assert [len(known(memory, run_id=run, **who)) for run in ("monday", "tuesday")] == [1, 1]

    def test_links_come_along_where_a_scope_takes_an_export_over(
        self, memory: Memory, server: ModelServer, tmp_path: Path
    ) -> None:
        """Facts name their turns as these are called there."""
        server.on("", facts(fact("The user lives in Paris.")))
        memory.add("I live in Paris.", **MONDAY)
        memory.export(tmp_path / "all.zip", **WANG)
        memory.import_(tmp_path / "all.zip", user_id="li")
        [paris] = known(memory, user_id="li").values()
        assert [memory.get(id_, user_id="li").text for id_ in paris.source.derived_from] == ["I live in Paris."]


class Planner:
    """An extractor of one's own, without a model."""

    name = "mine"

    def __init__(self, plan: Callable[[ExtractionRequest], Any]) -> None:
        self.plan = plan

    @hookimpl
    def register_extractors(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("mine", lambda: self)


class TestChecks:
    """What a model proposes is done where it holds, and only there."""

    def test_what_does_not_hold_is_left_out(
        self, memory: Memory, server: ModelServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With the reason in the result and in the log, and without anybody's words there."""
        caplog.set_level(logging.DEBUG, logger="memplug")
        server.on("", facts(fact("The user lives in Paris.")))
        foreign = memory.add("I live in Paris.", user_id="eve").ids[1]
        server.on(
            "",
            facts(
                fact("The user lives in Rome."),
                fact("The user has 3 cats."),
                fact("The user has cats.", "t9"),
                fact("The sofa is red.", "t2"),
                supersede("The user has cats.", memory="m7"),
                supersede("The user has cats.", memory=foreign),
                supersede("The user has cats.", memory=f"[{foreign}]"),
                fact("The user has 2 cats."),
            ),
        )
        said = [{"role": "user", "content": "I have 2 cats."}, {"role": "assistant", "content": "The sofa is red."}]
        result = memory.add(said, **WANG)
        assert [one.flaw for one in result.left_out] == [
            "name_unsupported", "number_unsupported", "turn_unknown", "not_the_users",
            "memory_unknown", "memory_unknown", "memory_unknown",
        ]  # fmt: skip
        assert list(known(memory)) == ["The user has 2 cats."]
        assert not result.rejected
        assert memory.get(foreign, user_id="eve").version == 1
        assert "name_unsupported" in caplog.text
        assert not [word for word in ("cats", "Rome", "Paris", "sofa") if word in caplog.text]

    def test_other_users_are_never_shown(self, memory: Memory, server: ModelServer) -> None:
        """Neither their facts nor their turns, however near."""
        server.on("", facts(fact("The user lives in Paris.")))
        memory.add("I live in Paris.", user_id="eve")
        memory.add("I live in Paris.", **WANG)
        assert "There are no memories of this yet." in server.requests[-1].text

    def test_another_members_facts_in_a_shared_bucket_stay(self, memory: Memory, server: ModelServer) -> None:
        """Whoever may edit there: what Wang says is not about Olga."""
        memory.buckets.create("team", owner="olga", title="The team")
        memory.buckets.share("team", "wang", "editor", by="olga")
        server.on("", facts(fact("The user lives in Paris.")))
        memory.add("I live in Paris.", user_id="olga", bucket="team")
        server.on("", facts(supersede("The user lives in Rome.")))
        result = memory.add("I live in Rome.", user_id="wang", bucket="team")
        assert [one.flaw for one in result.left_out] == ["memory_unknown"]
        assert "There are no memories of this yet." in server.requests[-1].text
        for user in ("wang", "eve"):
            memory.extract("I live in Paris.", user_id=user, bucket="team")
            shown = server.requests[-1].text.rpartition("\nIt is ")[2]
            assert ("Rome" in shown, shown.count("in Paris")) == (user == "wang", 1)

    def test_extractors_of_ones_own_come_through_the_same_door(self, caplog: pytest.LogCaptureFixture) -> None:
        """Without a model, and with the same checks; one that breaks leaves the turns pending, with the reason."""
        mine = Planner(
            lambda request: Proposals(
                found=tuple(
                    Proposal(action="add", text=f"Said: {turn.text}", turns=(turn.label,)) for turn in request.turns
                )
            )
        )
        once = Limits(task_tries=1, task_pause=0.01)
        with Memory("memory://", embedder="hashing:64", plugins=[mine], limits=once) as memory:
            assert list(known(memory)) == []
            memory.add("I live in Paris.", infer=True, **WANG)
            assert list(known(memory)) == ["Said: I live in Paris."]
            mine.plan = lambda _: Proposals(
                found=(Proposal(action="update", memory="whatever", turns=("t1",), text="x"),)
            )
            assert [one.flaw for one in memory.add("I moved to Berlin.", **WANG).left_out] == ["memory_unknown"]
            for broken in (lambda _: 1 / 0, lambda _: None):
                mine.plan = broken
                result = memory.add(f"I like {broken.__code__.co_firstlineno} {id(broken)}", **WANG)
                item = memory.get(result.ids[0])
                assert item.text.startswith("I like")
                assert memory.wait(str(result.task_id), 30).state == "failed"
                assert str(memory.get(result.ids[0]).error).startswith("extract: plugin.failed: ")
        assert "I like" not in caplog.text

    @pytest.mark.parametrize("broken", [Proposal(action="add", text=None, turns=("t1",)), "nonsense"])  # type: ignore[arg-type]
    def test_a_broken_extractor_costs_no_turn(self, broken: Any) -> None:
        """What it proposes may be anything; what was said is stored, and says why nothing was drawn from it."""

        class Broken:
            name = "broken"

            @hookimpl
            def register_extractors(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
                register("broken", lambda: self)

            def plan(self, request: ExtractionRequest) -> Proposals:
                assert request.turns
                return Proposals(found=(broken,))

        with Memory("memory://", embedder="hashing:256", plugins=[Broken()]) as memory:
            result = memory.add("I live in Paris.", **WANG)
            [item] = memory.get_all(**WANG)
            assert ([one.event for one in result.outcomes], item.text) == (["pending"], "I live in Paris.")
            assert "plugin.failed" in str(item.error)

    def test_what_a_server_repeats_is_not_logged_with_an_extractors_failure(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither the key nor what was said, which stand in the server's own words behind the error."""

        class Asking:
            name = "asking"

            def __init__(self, toolbox: Toolbox) -> None:
                self._model = toolbox.model

            def extract(self, drafts: Any, scope: Any) -> list[Draft]:
                assert drafts
                assert scope
                assert self._model is not None
                self._model.answer(Prompt(messages=(PromptMessage(role="user", text="What of it?"),)))
                return []

        class Plugin:
            @hookimpl
            def register_extractors(self, register: Callable[[str, Callable[[Toolbox], Any]], None]) -> None:
                register("asking", Asking)

        with ModelServer(api_key="another") as server:
            server.on("", Failure(status=500))
            model = server.model(api_key="sk-not-to-be-seen")
            with opened(server, model=model, plugins=[Plugin()]) as memory:
                result = memory.add("I live in Paris.", **WANG)
        assert "model.refused" in result.outcomes[0].reason
        assert "extractor asking failed" in caplog.text
        assert "sk-not-to-be-seen" not in caplog.text

    def test_guards_see_facts_too(self, server: ModelServer) -> None:
        """Each by itself: one that is refused costs no other."""

        class Guard:
            @hookimpl
            def before_add(self, drafts: list[Draft]) -> list[Draft]:
                """Lets no cats in, and nothing of Rome."""
                if any(draft.kind == "fact" and "Rome" in draft.text for draft in drafts):
                    raise MalformedInput("no Rome")
                return [draft for draft in drafts if not (draft.kind == "fact" and "cats" in draft.text)]

        server.on("", facts(fact("The user has cats."), fact("The user is from Rome."), fact("The user has dogs.")))
        with opened(server, plugins=[Guard()]) as memory:
            result = memory.add("I have cats and dogs, and am from Rome.", **WANG)
            assert [one.flaw for one in result.left_out] == ["guarded", "guarded"]
            assert list(known(memory)) == ["The user has dogs."]

    def test_the_users_rules_are_asked_for_and_kept(self, server: ModelServer) -> None:
        """Instructions and topics stand in the question; a category becomes a tag, an excluded topic no memory."""
        server.on("", facts(fact("The user likes tea.", category="diet"), fact("The user has a salary of 9000 euros.")))
        rules = Extraction(instructions="Mind the food.", categories=["diet"], exclude=["salary"])
        with opened(server, extraction=rules) as memory:
            memory.add("I like tea. My salary is 9000 euros.", **WANG)
            assert [hit.text for hit in memory.search("tea", tags=["diet"], **WANG)] == ["The user likes tea."]
            assert list(known(memory)) == ["The user likes tea."]
            assert "Mind the food." in server.requests[-1].text


FAILURES: dict[str, tuple[Any, str]] = {
    "401": (Failure(status=401), "model.refused"),
    "429": (Failure(status=429, headers={"Retry-After": "0.01"}), "model.unavailable"),
    "500": (Failure(status=500), "model.unavailable"),
    "timeout": (Failure(delay=2), "model.unavailable"),
    "disconnect": (Failure(disconnect="before"), "model.unavailable"),
    "invalid JSON": ("{no json", "model.answer"),
    "wrong schema": ({"memories": [{"action": "dance"}]}, "model.answer"),
}


class TestFailures:
    """A model that fails costs nothing that was said."""

    @pytest.mark.parametrize("name", FAILURES)
    @pytest.mark.parametrize("wait", [True, False])
    def test_turns_are_kept_and_facts_come_later(self, name: str, wait: bool, server: ModelServer) -> None:
        """The status says what was wrong, and what was said is found all the same."""
        failure, code = FAILURES[name]
        server.on("", failure)
        with opened(
            server, model=server.model(timeout=0.15 if name == "timeout" else 10.0), limits=Limits(task_pause=30.0)
        ) as memory:
            result = memory.add("I live in Paris.", wait=wait, **MONDAY)
            refused = code == "model.refused"
            if not wait:
                assert memory.wait(str(result.task_id), 30 if refused else 0.3).state == (
                    "failed" if refused else "running"
                )
            item = memory.get(result.ids[0])
            assert (item.text, known(memory)) == ("I live in Paris.", {})
            assert item.status == ("failed" if refused else "pending")
            if wait or refused:
                assert str(item.error).startswith(f"extract: {code}: ")
                assert result.rejected == ()
            assert (result.task_id is None) == (wait and refused)
            assert memory.search("Paris", **WANG)[0].id == item.id

    @pytest.mark.parametrize("name", FAILURES)
    def test_a_server_that_recovers(self, name: str, server: ModelServer, tmp_path: Path) -> None:
        """`Memory.work` brings the facts, exactly once, also of what was refused where it is asked to try again."""
        server.on("", facts(fact("The user lives in Paris.")))
        server.on("", FAILURES[name][0], times=2)  # an answer of no use is asked for twice
        with opened(server, tmp_path, model=server.model(timeout=0.15)) as memory:
            result = memory.add("I live in Paris.", **MONDAY)
            for _ in range(200):
                memory.work(again=True)
                if known(memory):
                    break
            memory.work(again=True)
            [paris] = known(memory).values()
            assert (paris.text, paris.version, paris.source.derived_from) == (
                "The user lives in Paris.", 1, (result.ids[0],)
            )  # fmt: skip
            said = memory.get(result.ids[0])
            assert (said.status, said.error, said.text) == ("ready", None, "I live in Paris.")

    def test_what_was_refused_is_asked_again_with_the_same_input(self, server: ModelServer) -> None:
        """Who adds it again need not know of tasks."""
        server.on("", facts(fact("The user lives in Paris.")))
        server.on("", Failure(status=401), times=1)
        with opened(server) as memory:
            first = memory.add("I live in Paris.", **WANG)
            assert (first.outcomes[0].event, memory.get(first.ids[0]).status) == ("added", "failed")
            again = memory.add("I live in Paris.", **WANG)
            assert [one.event for one in again.outcomes] == ["updated", "added"]
            assert memory.get(first.ids[0]).status == "ready"


class TestLater:
    """With ``wait=False`` facts come in the background."""

    def test_turns_are_there_at_once(self, memory: Memory, server: ModelServer) -> None:
        """Then the facts of all of them together, with what it took in the task's status."""
        looked = threading.Event()

        def answer(_: Asked) -> dict[str, Any]:
            looked.wait(10)
            return facts(fact("The user lives in Paris.", "t1"), fact("The user has 2 cats.", "t3"))

        server.on("", answer)
        said = ["I live in Paris.", {"role": "assistant", "content": "Nice."}, "I have 2 cats.", "Bye!"]
        result = memory.add(said, wait=False, **MONDAY)
        assert [one.event for one in result.outcomes] == ["pending", "pending", "pending", "added"]
        assert turns(memory) == ["I live in Paris.", "Nice.", "I have 2 cats.", "Bye!"]
        looked.set()
        status = memory.wait(str(result.task_id), 30)
        assert (status.state, status.usage.requests, len(server.requests)) == ("completed", 1, 1)
        assert sorted(known(memory)) == ["The user has 2 cats.", "The user lives in Paris."]
        assert known(memory)["The user has 2 cats."].source.derived_from == (result.ids[2],)
        assert [item.status for item in memory.get_all(**WANG)] == ["ready"] * 6

    def test_a_process_without_the_model_leaves_it_to_others(self, server: ModelServer, tmp_path: Path) -> None:
        """Nothing is lost between them, and nothing is done twice."""
        server.on("", Failure(status=503))
        with opened(server, tmp_path, limits=Limits(task_pause=0.01, task_tries=10**6)) as memory:
            task = memory.add("I live in Paris.", wait=False, **WANG).task_id
        with Memory(tmp_path, embedder="hashing:256", model="none") as plain:
            assert plain.work() is None
            assert plain.status(str(task)).state == "running"
            assert "no step of this process" in plain.status(str(task)).note
        server.on("", facts(fact("The user lives in Paris.")))
        with opened(server, tmp_path) as one, opened(server, tmp_path) as other:
            both = [threading.Thread(target=memory.wait, args=(str(task), 30)) for memory in (one, other)]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
            assert one.status(str(task)).state == "completed"
            assert [item.kind for item in one.get_all(**WANG)].count("fact") == 1

    def test_a_turn_that_is_deleted_meanwhile_stays_gone(self, memory: Memory, server: ModelServer) -> None:
        """And no fact is made of it."""
        asked, go = threading.Event(), threading.Event()

        def answer(_: Asked) -> dict[str, Any]:
            asked.set()
            go.wait(10)
            return facts(fact("The user lives in Paris."))

        server.on("", answer)
        result = memory.add("I live in Paris.", wait=False, **WANG)
        assert asked.wait(10)
        memory.delete(result.ids[0], **WANG)
        go.set()
        memory.wait(str(result.task_id), 30)
        assert (len(memory.get_all(**WANG)), known(memory)) == (0, {})

    @pytest.mark.parametrize("change", ["delete", "erase", "update"])
    def test_a_turn_that_changes_meanwhile_gives_no_fact_of_what_it_was(
        self, memory: Memory, server: ModelServer, change: str
    ) -> None:
        """The others' facts come all the same; a turn with other words is looked at again."""
        asked, go = threading.Event(), threading.Event()

        def answer(_: Asked) -> dict[str, Any]:
            asked.set()
            go.wait(10)
            return facts(fact("The user lives in Paris.", "t1"), fact("The user has 2 cats.", "t2"))

        server.on("Rome", facts(fact("The user lives in Rome.")))
        server.on("Paris", answer)
        result = memory.add(["I live in Paris.", "I have 2 cats."], wait=False, **WANG)
        assert asked.wait(10)
        if change == "update":
            memory.update(result.ids[0], "I live in Rome.", **WANG)
        else:
            memory.delete(result.ids[0], erase=change == "erase", **WANG)
        go.set()
        assert memory.wait(str(result.task_id), 30).state == "completed"
        more = {"The user lives in Rome."} if change == "update" else set()
        assert known(memory).keys() == {"The user has 2 cats."} | more

    def test_two_at_once(self, memory: Memory, server: ModelServer) -> None:
        """Two calls with the same words give the facts of one of them, whichever was first."""
        both = threading.Barrier(2, timeout=10)
        drawn = iter(["The user lives in Paris.", "The user is living in Paris."])
        lock = threading.Lock()

        def answer(_: Asked) -> dict[str, Any]:
            both.wait()
            with lock:
                return facts(fact(next(drawn)))

        server.on("", answer)
        calls = [threading.Thread(target=lambda: memory.add("I live in Paris.", **WANG)) for _ in range(2)]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert len(known(memory)) == 1
        assert turns(memory) == ["I live in Paris."]


class TestErasure:
    """What is erased does not live on in what was made of it."""

    def test_facts_of_a_turn_go_with_it(self, memory: Memory, server: ModelServer) -> None:
        """Only of that turn; a deletion that can be taken back leaves them."""
        server.on("quartz", facts(fact("The user collects quartz.")))
        server.on("like tea", facts(fact("The user likes tea.")))
        first = memory.add("I collect quartz.", **WANG).ids[0]
        second = memory.add("I like tea.", **WANG).ids[0]
        memory.delete(second, **WANG)
        assert known(memory).keys() == {"The user likes tea.", "The user collects quartz."}
        memory.delete(first, erase=True, **WANG)
        assert known(memory).keys() == {"The user likes tea."}
        memory.restore(second, 1, **WANG)
        memory.delete(second, erase=True, **WANG)
        assert not memory.get_all(**WANG)

    def test_a_fact_that_holds_by_another_turn_loses_what_it_was(self, server: ModelServer, tmp_path: Path) -> None:
        """It stays with its current words, without its history; one that has words of both goes."""
        server.on("quartz", facts(fact("The user lives in quartzville.")))
        moved = fact("The user lives in Berlin.", "t2", action="supersede", memory="m1", reason="Not in quartzville.")
        server.on("Berlin", facts(moved))
        server.on("like tea", facts(fact("The user collects quartzite and likes tea.", "t1", "t2")))
        with opened(server, tmp_path) as memory:
            first = memory.add("I live in quartzville.", **MONDAY).ids[0]
            memory.add("I live in Berlin.", **MONDAY)
            memory.delete(first, erase=True, **WANG)
            [item] = known(memory).values()
            assert [one.text for one in memory.history(item.id, **WANG)] == ["The user lives in Berlin."]
            assert memory.search("Berlin", kinds=FACT_KINDS, **WANG)[0].id == item.id
            changed = memory.update(item.id, "The user lives in Bonn.", **WANG)
            assert (changed.version, list(known(memory))) == (2, ["The user lives in Bonn."])
            both = memory.add(["I collect quartzite.", "I like tea."], **TUESDAY).ids
            assert "The user collects quartzite and likes tea." in known(memory)
            memory.delete(both[0], erase=True, **WANG)
            assert known(memory).keys() == {"The user lives in Bonn."}
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert b"Berlin" in kept
        assert b"quartz" not in kept


CHILD = """
import sys, time
from memplug import Memory
from memplug.models.openai import OpenAIChatModel
model = OpenAIChatModel("test", base_url=sys.argv[2], api_key="test", retries=0)
memory = Memory(sys.argv[1], model=model, embedder="hashing:256")
memory.add("I live in Paris.", user_id="wang", wait=sys.argv[3] == "True")
time.sleep(60)
"""


@pytest.mark.parametrize("wait", [True, False])
def test_a_process_that_is_killed_while_it_asks(wait: bool, server: ModelServer, tmp_path: Path) -> None:
    """Either nothing was stored and the call had not returned, or any process goes on: the fact comes once."""
    asked, go = threading.Event(), threading.Event()

    def answer(_: Asked) -> dict[str, Any]:
        asked.set()
        go.wait(30)
        return facts(fact("The user lives in Paris."))

    server.on("", answer)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "store"), server.url, str(wait)])
    try:
        while not asked.wait(0.05):
            assert child.poll() is None
    finally:
        child.kill()
        child.wait()
        go.set()
    with opened(server, tmp_path / "store") as memory:
        assert turns(memory) == ([] if wait else ["I live in Paris."])
        if wait:
            memory.add("I live in Paris.", **WANG)
        while memory.work() is not None:
            pass
        assert (turns(memory), list(known(memory))) == (["I live in Paris."], ["The user lives in Paris."])
        assert memory.work() is None
        assert len(memory.get_all(**WANG)) == 2


class TestExtract:
    """`Memory.extract` shows what `add` would do."""

    def test_nothing_is_written(self, memory: Memory, server: ModelServer) -> None:
        """The same changes, against the same memories."""
        server.on("", facts(fact("The user lives in Paris.")))
        first = memory.add("I live in Paris.", **MONDAY)
        server.on("", facts(supersede("The user moved to Berlin.", turns=["t2"]), fact("The user has 9 cats.", "t2")))
        plan = memory.extract([{"role": "user", "content": "I moved to Berlin."}], **MONDAY)
        [change] = plan.changes
        assert (change.action, change.id, change.text, change.before) == (
            "supersede", first.ids[1], "The user moved to Berlin.", "The user lives in Paris."
        )  # fmt: skip
        assert [turn.text for turn in change.sources] == ["I moved to Berlin."]
        assert ([one.flaw for one in plan.left_out], plan.usage.requests) == (["number_unsupported"], 1)
        assert [item.version for item in memory.get_all(**WANG)] == [1, 1]
        with pytest.raises(MalformedInput):
            memory.extract("", **MONDAY)
        server.on("", Failure(status=401))
        with pytest.raises(ModelRefused):
            memory.extract("I moved to Rome.", **MONDAY)

    async def test_it_can_be_awaited(self, server: ModelServer) -> None:
        """As can all of it."""
        server.on("", facts(fact("The user lives in Paris.")))
        async with AsyncMemory("memory://", model=server.model(), embedder="hashing:64") as memory:
            wang = memory.scoped(user_id="wang")
            assert [one.text for one in (await wang.extract("I live in Paris.")).changes] == [
                "The user lives in Paris."
            ]
            result = await wang.add("I live in Paris.", wait=False)
            assert (await memory.wait(str(result.task_id), 30)).state == "completed"
            assert [hit.kind for hit in await wang.search("Paris", kinds=["fact"])] == ["fact"]
