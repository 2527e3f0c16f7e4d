"""What `add` promises where plugins, other writers or lost files get in its way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memplug import Draft, Media, Memory, Scope, Source, hookimpl
from memplug.exceptions import ConfigError, FilterError, InputRejected, MalformedInput, NotFound, ScopeError
from memplug.pipelines.identity import keyed_id
from memplug.values.filters import All, Compare
from memplug.values.item import MemoryItem, Record
from support import Clock, png


class Guard:
    """Redacts a word, and leaves out what is forbidden."""

    @hookimpl
    def before_add(self, drafts: list[Draft]) -> list[Draft]:
        """Looks at everything that is to be stored."""
        kept = [draft for draft in drafts if "forbidden" not in draft.text]
        return [replace(draft, text=draft.text.replace("SECRET", "[redacted]")) for draft in kept]


class Extractor:
    """Draws one fact from each text; or fails as told."""

    name = "facts"

    def __init__(self, failure: str = "") -> None:
        self.failure = failure

    @hookimpl
    def register_extractors(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("facts", lambda: self)

    def extract(self, drafts: Sequence[Draft], scope: Scope) -> Any:
        """Facts, or what a broken plugin would give."""
        assert scope.user_id == "u"
        if self.failure == "generator":
            return (1 / 0 for _ in drafts)
        if self.failure == "none":
            return None
        if self.failure == "junk":
            return ["no draft"]
        return [Draft(part=draft.part, kind="fact", text=f"fact: SECRET {draft.text}") for draft in drafts]


class Describer:
    """Says something else about a picture each time, or fails."""

    name = "eyes"

    def __init__(self, *answers: Any) -> None:
        self.answers: Iterator[Any] = iter(answers)

    @hookimpl
    def register_describers(self, register: Callable[[str, Callable[[], Any]], None]) -> None:
        """Offers itself."""
        register("eyes", lambda: self)

    def accepts(self, media: Media) -> bool:
        """Takes everything."""
        return bool(media.data)

    def describe(self, media: Media, *, context: str) -> str:
        """The next answer."""
        assert media.content_type == "image/png"
        assert isinstance(context, str)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        found: str = answer
        return found


def opened(*plugins: object, clock: Clock | None = None) -> Memory:
    """A memory with plugins."""
    return Memory("memory://", embedder="hashing:64", plugins=plugins, clock=clock)


def kinds(memory: Memory) -> dict[str, str]:
    """The words of the user's memories by kind."""
    return {item.kind: item.text for item in memory.get_all(user_id="u")}


class TestGuards:
    """`before_add` sees everything that is to be stored."""

    def test_extracted_facts_pass_the_guard(self) -> None:
        """What an extractor adds is guarded like what the user said."""
        with opened(Guard(), Extractor()) as memory:
            memory.add("SECRET plan", user_id="u")
            assert kinds(memory) == {"text": "[redacted] plan", "fact": "fact: [redacted] [redacted] plan"}

    def test_left_out_parts_have_an_outcome(self) -> None:
        """A part that a guard takes out is rejected by name; the others are stored."""
        with opened(Guard()) as memory:
            result = memory.add(["fine", "forbidden"], user_id="u")
            assert [outcome.event for outcome in result.outcomes] == ["added", "rejected"]
            with pytest.raises(InputRejected):
                memory.add("forbidden again", user_id="u")

    def test_updates_and_restores_pass_the_guard(self) -> None:
        """New words come past the guard on every way in."""
        with opened(Guard()) as memory:
            [id_] = memory.add("harmless", user_id="u").ids
            assert memory.update(id_, "now SECRET").text == "now [redacted]"
            with pytest.raises(InputRejected):
                memory.update(id_, "forbidden")
            assert memory.get(id_).text == "now [redacted]"


class TestExtractors:
    """Extractors only ever add."""

    @pytest.mark.parametrize("failure", ["generator", "none", "junk"])
    def test_a_broken_one_costs_nothing_that_was_said(self, failure: str, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever an extractor does wrong, the user's words are stored and the log says what happened."""
        with opened(Extractor(failure)) as memory:
            memory.add("my words", user_id="u", infer=True)
            assert kinds(memory) == {"text": "my words"}
        assert "extractor facts failed" in caplog.text

    def test_infer_false_asks_none(self) -> None:
        """`infer=False` leaves extractors out."""
        with opened(Extractor()) as memory:
            memory.add("my words", user_id="u", infer=False)
            assert kinds(memory) == {"text": "my words"}


class TestDescribers:
    """Describers add words to pictures."""

    def test_own_words_come_first(self) -> None:
        """The user's words stay, what was seen stands below, and both are found."""
        with opened(Describer("a red square")) as memory:
            memory.add(png(), user_id="u", description="my logo")
            [hit] = memory.search("square", user_id="u")
            assert hit.text == "my logo\na red square"

    def test_another_answer_is_no_other_picture(self) -> None:
        """The same picture added again is a duplicate, whatever is seen in it this time."""
        with opened(Describer("a red square", "something crimson")) as memory:
            memory.add(png(), user_id="u", description="my logo")
            assert memory.add(png(), user_id="u", description="my logo").outcomes[0].event == "duplicate"

    @pytest.mark.parametrize("failure", [RuntimeError("no model"), 7])
    def test_failure_is_kept_and_healed(self, failure: Any, caplog: pytest.LogCaptureFixture) -> None:
        """A picture whose description failed is stored with the reason; added again, it gets its words."""
        caplog.set_level(logging.CRITICAL)
        with opened(Describer(failure, "a red square")) as memory:
            [id_] = memory.add(png(), user_id="u", description="my logo").ids
            item = memory.get(id_)
            assert (item.status, item.text) == ("failed", "my logo")
            assert "eyes" in (item.error or "")
            assert memory.add(png(), user_id="u", description="my logo").outcomes[0].event == "updated"
            item = memory.get(id_)
            assert (item.status, item.text, item.error) == ("ready", "my logo\na red square", None)


class TestOtherWriters:
    """Others may write the same at the same time."""

    @pytest.mark.parametrize("writers", [24])
    def test_nobody_starves(self, memory: Memory, writers: int) -> None:
        """Many writers of one key all succeed, each as a version of its own."""
        failed: list[BaseException] = []

        def write(number: int) -> None:
            try:
                memory.add(f"value {number}", user_id="u", key="k")
            except BaseException as error:  # noqa: BLE001 - kept for the assertion
                failed.append(error)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(memory.history(memory.get(key="k", user_id="u").id)) == writers

    def test_turns_of_two_writers_get_their_own_numbers(self, tmp_path: Path) -> None:
        """Two that write one conversation in turn count on from each other."""
        with Memory(tmp_path, embedder="hashing:64") as a, Memory(tmp_path) as b:
            for writer, text in ((a, "0"), (b, "1"), (b, "2"), (a, "3"), (b, "4"), (a, "5")):
                writer.add(text, user_id="u", run_id="r")
            assert {item.text: item.source.position for item in a.get_all(user_id="u")} == {
                str(number): number for number in range(6)
            }


class TestOriginals:
    """Pictures that get lost."""

    def test_adding_again_heals(self, memory: Memory) -> None:
        """An original whose file is gone is there again once the same file was added again."""
        [id_] = memory.add(png(), user_id="u").ids
        backend = memory.engine.store.backend
        backend.remove_media(list(backend.list_media()))
        assert not memory.doctor().ok
        assert memory.add(png(), user_id="u").outcomes[0].event == "duplicate"
        assert memory.media(id_) == png()
        assert memory.doctor().ok

    def test_damage_is_healed(self, tmp_path: Path) -> None:
        """A damaged original is found by the doctor, and whole again after repair and adding it again."""
        with Memory(tmp_path, embedder="hashing:64") as memory:
            [id_] = memory.add(png(), user_id="u").ids
            media = memory.get(id_).media
            assert media is not None
            [file] = tmp_path.rglob(media.digest)
            file.write_bytes(b"rotten")
            assert [check.name for check in memory.doctor(repair=True).checks if not check.ok] == [
                "originals are whole"
            ]
            memory.add(png(), user_id="u")
            assert memory.media(id_) == png()
            assert memory.doctor().ok

    def test_erasure_in_the_middle_of_an_add(self, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
        """A picture whose last other memory is erased during the add is there when the add has ended."""
        [old] = memory.add(png(), user_id="a").ids
        store = memory.engine.store
        commit = store.backend.commit

        def erased_meanwhile(records: Sequence[Record]) -> None:
            monkeypatch.undo()
            memory.delete(old, erase=True)
            commit(records)

        monkeypatch.setattr(store.backend, "commit", erased_meanwhile, raising=False)
        [new] = memory.add(png(), user_id="b").ids
        assert memory.media(new) == png()

    def test_orphans_go(self, memory: Memory) -> None:
        """What an add that was cut off left behind is removed by the doctor, and by maintenance."""
        backend = memory.engine.store.backend
        for clean in (lambda: memory.doctor(repair=True), memory.maintain):
            backend.put_media("0" * 64, b"left behind")
            assert not memory.doctor().ok
            clean()
            assert list(backend.list_media()) == []


class TestLabels:
    """What is said about content."""

    def test_description_of_a_known_text_is_kept(self, memory: Memory) -> None:
        """A description that comes later is found, and one that is there is not wiped by other labels."""
        memory.add("tea", user_id="u")
        assert memory.add("tea", user_id="u", description="hot beverage").outcomes[0].event == "updated"
        memory.add("tea", user_id="u", tags=["x"])
        assert memory.search("beverage", user_id="u")

    def test_one_is_not_true(self, memory: Memory) -> None:
        """Metadata that changes from 1 to true is a change."""
        memory.add("x", user_id="u", key="k", metadata={"flag": 1})
        assert memory.add("x", user_id="u", key="k", metadata={"flag": True}).outcomes[0].event == "updated"

    def test_the_later_expiry_counts(self, memory: Memory, clock: Clock) -> None:
        """Content said again without an end has none."""
        memory.add("PIN", user_id="u", expires_at=clock.advance() + timedelta(minutes=1))
        memory.add("PIN", user_id="u")
        clock.advance(hours=1)
        assert memory.search("PIN", user_id="u")

    def test_expired_is_gone_from_the_past_too(self, memory: Memory, clock: Clock, tmp_path: Path) -> None:
        """History, time travel and export give nothing that has expired."""
        [id_] = memory.add("PIN", user_id="u", expires_at=clock.advance() + timedelta(minutes=1)).ids
        then = clock.advance()
        clock.advance(hours=1)
        assert not memory.search("PIN", user_id="u", as_of=then)
        assert memory.export(tmp_path / "x.zip").memories == 0
        with pytest.raises(NotFound):
            memory.history(id_)

    def test_restore_keeps_an_end_to_come(self, memory: Memory, clock: Clock) -> None:
        """A restored memory still ends when it was to end."""
        [id_] = memory.add("a", user_id="u", expires_at=clock.advance() + timedelta(days=1)).ids
        memory.update(id_, "b")
        assert memory.restore(id_, 1).expires_at is not None

    def test_version_zero_means_none(self, memory: Memory, clock: Clock) -> None:
        """A key that was deleted or has expired is free for who expects nothing there."""
        memory.add("a", user_id="u", key="k", version=0, expires_at=clock.advance() + timedelta(minutes=1))
        clock.advance(hours=1)
        [id_] = memory.add("b", user_id="u", key="k", version=0).ids
        memory.delete(id_)
        assert memory.add("c", user_id="u", key="k", version=0).outcomes[0].event == "added"

    def test_keys_of_wider_and_narrower_scopes(self, memory: Memory) -> None:
        """A key means the memory of exactly the scope named, where there is one."""
        memory.add("outer", user_id="u", key="k")
        memory.add("inner", user_id="u", run_id="r", key="k")
        assert memory.get(key="k", user_id="u").text == "outer"
        assert memory.get(key="k", user_id="u", run_id="r").text == "inner"
        assert memory.get(key="k", run_id="r").text == "inner"

    def test_keyed_turn_keeps_its_place(self, memory: Memory) -> None:
        """A correction under a key stays at its place in the conversation."""
        memory.add("first", user_id="u", run_id="r", key="k")
        memory.add("second", user_id="u", run_id="r")
        memory.add("first, corrected", user_id="u", run_id="r", key="k")
        assert memory.get(key="k", user_id="u").source.position == 0

    def test_changed_back_is_the_same_again(self, memory: Memory) -> None:
        """A memory that was changed and changed back is known when its words are said again."""
        [id_] = memory.add("A", user_id="u").ids
        memory.update(id_, "B")
        memory.update(id_, "A")
        assert memory.add("A", user_id="u").outcomes[0].event == "duplicate"


class TestForgedRows:
    """A row that lies where another scope's belongs, as only a forged import could place it."""

    def test_nobody_builds_on_it(self, memory: Memory, clock: Clock) -> None:
        """The key's owner gets an error, not the forger's memory; the forger's erasure spares the owner."""
        now = clock()
        scope = Scope(user_id="victim")
        forged = MemoryItem(
            id=keyed_id(scope, "k"), kind="text", text="forged", user_id="forger", created_at=now, updated_at=now
        )
        memory.engine.store.backend.commit([Record(item=forged)])
        with pytest.raises(ScopeError):
            memory.add("mine", user_id="victim", key="k")
        with pytest.raises(NotFound):
            memory.get(forged.id, user_id="victim")


def source(**given: Any) -> Source:
    """A source from anything."""
    return Source(**given)


def compare(operator: Any) -> Compare:
    """A comparison with any operator."""
    return Compare("kind", operator, 1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.add("x", user_id="u", description=5), MalformedInput),
        (lambda m: m.add("x", user_id="u", content_type=5), MalformedInput),
        (lambda m: m.add("x", user_id="u", kind=5), MalformedInput),
        (lambda m: m.add({"role": 10**5000, "content": "x"}, user_id="u"), MalformedInput),
        (lambda _: source(path="text"), ConfigError),
        (lambda _: source(data="text"), ConfigError),
        (lambda _: source(data=b"x", name=5), ConfigError),
        (lambda m: m.search("x", user_id="u", tags=5), MalformedInput),
        (lambda m: m.search("x", user_id="u", tags="text"), MalformedInput),
        (lambda m: m.search("x", user_id="u", kinds=[5]), MalformedInput),
        (lambda m: m.search("x", user_id="u", tags=["t"] * 101), InputRejected),
        (lambda m: m.search("x", user_id="u", min_score="x"), MalformedInput),
        (lambda m: m.search("x", user_id="u", filters=compare("near")), FilterError),
        (lambda m: m.search("x", user_id="u", filters=All(tuple(All(()) for _ in range(1_000)))), FilterError),
        (lambda m: m.search("x", user_id="u", limit=3), TypeError),
        (lambda m: m.get("id", userid=None), TypeError),
        (lambda m: m.get(None, key=7, user_id="u"), MalformedInput),
        (lambda m: m.get("\ud800"), NotFound),
        (lambda m: m.delete(None), NotFound),
        (lambda m: m.history("x" * 10_000), NotFound),
        (lambda m: m.restore(m.add("x", user_id="u").ids[0], [1]), MalformedInput),
        (lambda m: m.get_all(user_id="u", cursor="W" * 10_000), MalformedInput),
        (lambda _: Memory("memory://", allow_hosts="localhost"), ConfigError),
    ],
)
def test_wrong_arguments(memory: Memory, call: Callable[[Memory], Any], error: type[Exception]) -> None:
    """A wrong argument is one error of a known kind, and stores nothing."""
    with pytest.raises(error):
        call(memory)


def test_results_are_dicts_as_mem0_has_them(memory: Memory) -> None:
    """mem0's idioms on results work, and what they give can be written as JSON."""
    import json

    added: Any = memory.add("tea", user_id="u")
    found: Any = memory.search("tea", user_id="u")
    listed: Any = memory.get_all(user_id="u")
    for result in (added, found, listed):
        assert "results" in result
        assert result.get("results", [])[0]["memory"] == "tea"
        assert json.loads(json.dumps(result["results"]))
    assert found[0] in found
    assert found.get("else") is None


def test_maintenance_removes_what_has_expired(memory: Memory, clock: Clock) -> None:
    """Expired memories and their originals go for good, by the memory's own clock; others stay."""
    memory.add(png("red"), user_id="u", expires_at=clock.advance() + timedelta(minutes=1))
    memory.add(png("blue"), user_id="u", expires_at=clock.advance() + timedelta(days=9))
    clock.advance(hours=1)
    memory.maintain()
    backend = memory.engine.store.backend
    assert len(backend.ids(All(()))) == 1
    assert len(list(backend.list_media())) == 2
    assert len(memory.get_all(user_id="u")) == 1
