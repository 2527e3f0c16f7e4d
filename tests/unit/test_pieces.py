"""Wholes and pieces: a document's passages come, change and go with it, each a memory of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import pytest

from memplug import Memory
from memplug.exceptions import NotFound
from memplug.plugins.hookspecs import hookimpl
from memplug.values.draft import Draft, Media, Part
from memplug.values.scope import ScopeIds
from memplug.values.source import Provenance, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.plugins.protocols import ParseContext

ALICE: ScopeIds = {"user_id": "alice"}


class Leaflet:
    """Takes files whose passages are their lines."""

    name = "leaflet"

    def accepts(self, part: Part) -> bool:
        """Whether it is called so."""
        return part.source is not None and part.source.label.endswith(".leaflet")

    def parse(self, part: Part, context: ParseContext) -> Iterator[Draft]:  # noqa: ARG002 - the contract's
        """One whole, and a piece for each line."""
        assert part.source is not None
        assert part.source.data is not None
        data, name = part.source.data, part.source.label
        lines = [line for line in data.decode().splitlines() if line]
        source = Provenance(role="document", file=name)
        yield Draft(
            part=part.index,
            kind=self.name,
            text=name,
            media=Media(data=data, content_type="text/plain", name=name),
            source=source,
            pieces=tuple(
                Draft(part=part.index, kind=self.name, text=line, source=replace(source, page=page + 1))
                for page, line in enumerate(lines)
            ),
        )


class Leaflets:
    """The plugin."""

    @hookimpl
    def register_input_types(self, register: Any) -> None:
        """Registers it."""
        register("leaflet", Leaflet)


def leaflet(*lines: str, name: str = "a.leaflet") -> Source:
    """A leaflet with these passages."""
    return Source(data="\n".join(lines).encode(), name=name)


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """An empty store of each backend."""
    location = str(tmp_path / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, embedder="hashing", plugins=[Leaflets()]) as opened:
        yield opened


def passages(memory: Memory, **ids: Unpack[ScopeIds]) -> dict[str, tuple[int | None, int]]:
    """Page and version of each current passage, by its words."""
    page = memory.get_all(pieces=True, limit=1_000, **(ids or ALICE))
    return {item.text: (item.source.page, item.version) for item in page.items if item.part_of}


def test_each_passage_is_a_memory_that_cites_its_document(memory: Memory) -> None:
    """A hit is the passage, says where it stands, and leads to the original."""
    [outcome] = memory.add(leaflet("refunds take ten days", "shipping is free"), **ALICE).outcomes
    assert (outcome.event, outcome.kind, outcome.pieces) == ("added", "leaflet", 2)
    [hit] = memory.search("how long do refunds take?", top_k=1, **ALICE)
    assert (hit.text, hit.citation) == ("refunds take ten days", "a.leaflet, page 1")
    assert hit.item.part_of == outcome.id
    assert memory.media(hit.id, **ALICE) == b"refunds take ten days\nshipping is free"


def test_a_list_shows_documents_and_on_request_their_passages(memory: Memory) -> None:
    """A long document does not drown the other memories of a list."""
    [outcome] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    memory.add("a note", **ALICE)
    assert [item.text for item in memory.get_all(**ALICE).items] == ["a note", "a.leaflet"]
    assert len(memory.get_all(pieces=True, **ALICE).items) == 4
    inside = memory.get_all(filters={"part_of": str(outcome.id)}, **ALICE).items
    assert {item.text for item in inside} == {"one", "two"}


def test_the_same_document_again_adds_nothing(memory: Memory) -> None:
    """Also under another file name, and twice in one input."""
    [first] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    for again in (leaflet("one", "two"), leaflet("one", "two", name="renamed.leaflet")):
        [outcome] = memory.add(again, **ALICE).outcomes
        assert (outcome.event, outcome.id, outcome.version) == ("duplicate", first.id, 1)
    twice = memory.add([leaflet("x", "y"), leaflet("x", "y")], **ALICE).outcomes
    assert [outcome.event for outcome in twice] == ["added", "duplicate"]
    assert len(passages(memory)) == 4


def test_a_new_edition_replaces_only_what_changed(memory: Memory) -> None:
    """Passages that stayed keep id and version; one that is gone is found in history only."""
    [first] = memory.add(leaflet("one", "two", "three"), **ALICE).outcomes
    before = {item.text: item.id for item in memory.get_all(pieces=True, **ALICE).items}
    [second] = memory.add(leaflet("one", "2", "three"), **ALICE).outcomes
    assert (second.event, second.id, second.version) == ("updated", first.id, 2)
    assert passages(memory) == {"one": (1, 1), "2": (2, 1), "three": (3, 1)}
    after = {item.text: item.id for item in memory.get_all(pieces=True, **ALICE).items}
    assert (after["one"], after["three"]) == (before["one"], before["three"])
    assert memory.history(before["two"], **ALICE)[-1].deleted
    assert not [hit for hit in memory.search("two", **ALICE) if hit.text == "two"]


def test_a_passage_that_moved_is_cited_where_it_stands_now(memory: Memory) -> None:
    """Text that moved to another page gets a new version that says so."""
    memory.add(leaflet("one", "two"), **ALICE)
    memory.add(leaflet("zero", "one", "two"), **ALICE)
    assert passages(memory) == {"zero": (1, 1), "one": (2, 2), "two": (3, 2)}


def test_another_document_of_the_same_name_stands_beside_it(memory: Memory) -> None:
    """A name alone makes no edition: every scan of a telephone is called alike."""
    [first] = memory.add(leaflet("one", "two", name="scan.leaflet"), **ALICE).outcomes
    [second] = memory.add(leaflet("three", "four", name="scan.leaflet"), **ALICE).outcomes
    assert (second.event, second.id != first.id) == ("added", True)
    assert set(passages(memory)) == {"one", "two", "three", "four"}


def test_two_editions_in_one_input_are_both_kept(memory: Memory) -> None:
    """Nobody can say which is the later one, so neither replaces the other."""
    memory.add(leaflet("one", "two"), **ALICE)
    outcomes = memory.add([leaflet("one", "two", "3"), leaflet("one", "two", "4")], **ALICE).outcomes
    assert [outcome.event for outcome in outcomes] == ["updated", "added"]
    assert {"3", "4"} <= set(passages(memory))


def test_under_a_key_every_other_content_is_a_new_edition(memory: Memory) -> None:
    """A key names the document, whatever it holds or is called."""
    [first] = memory.add(leaflet("one"), key="manual", **ALICE).outcomes
    [second] = memory.add(leaflet("something else", name="b.leaflet"), key="manual", **ALICE).outcomes
    assert (second.event, second.id) == ("updated", first.id)
    assert set(passages(memory)) == {"something else"}
    [third] = memory.add(leaflet("something else", name="b.leaflet"), key="manual", **ALICE).outcomes
    assert third.event == "unchanged"


def test_a_text_under_the_key_of_a_document_takes_its_passages_away(memory: Memory) -> None:
    """What is found is what is under the key now, also when it was brought back from before the document."""
    id_ = memory.add("a short text", key="k", **ALICE).ids[0]
    memory.add(leaflet("zebras live in Africa", "so do lions"), key="k", **ALICE)
    assert len(passages(memory, **ALICE)) == 2
    memory.restore(id_, 1, **ALICE)
    assert passages(memory, **ALICE) == {}
    memory.restore(id_, 2, **ALICE)
    assert len(passages(memory, **ALICE)) == 2
    memory.add("another text", key="k", **ALICE)
    assert passages(memory, **ALICE) == {}
    assert [hit.text for hit in memory.search("zebras lions text", **ALICE)] == ["another text"]


def test_a_correction_of_a_passage_outlives_the_next_edition(memory: Memory) -> None:
    """What somebody put right is not put wrong again by the text that it was wrong in."""
    memory.add(leaflet("the limit is 800", "two", "three"), **ALICE)
    [passage] = [item for item in memory.get_all(pieces=True, **ALICE).items if "800" in item.text]
    memory.update(passage.id, "the limit is 600", **ALICE)
    memory.add(leaflet("preface", "the limit is 800", "two", "three"), **ALICE)
    assert passages(memory)["the limit is 600"] == (2, 3)
    assert "the limit is 800" not in passages(memory)


def test_a_passage_that_was_deleted_stays_so_until_the_document_changes(memory: Memory) -> None:
    """The same bytes with another tag do not bring it back."""
    memory.add(leaflet("one", "two"), **ALICE)
    [passage] = [item for item in memory.get_all(pieces=True, **ALICE).items if item.text == "two"]
    memory.delete(passage.id, **ALICE)
    memory.add(leaflet("one", "two"), tags=["manual"], **ALICE)
    assert passages(memory) == {"one": (1, 2)}


def test_labels_of_the_document_are_its_passages_too(memory: Memory) -> None:
    """Tags and metadata filter passages, and follow the document's changes; its title does not touch them."""
    [outcome] = memory.add(leaflet("one"), tags=["a"], metadata={"year": 2026}, **ALICE).outcomes
    [hit] = memory.search("one", tags=["a"], filters={"year": 2026, "part_of": "*"}, **ALICE)
    assert hit.text == "one"
    memory.update(str(outcome.id), tags=["b"], metadata={"year": 2027}, **ALICE)
    [hit] = memory.search("one", tags=["b"], filters={"year": 2027, "part_of": "*"}, **ALICE)
    assert (hit.text, hit.item.tags) == ("one", ("b",))
    memory.update(str(outcome.id), "another title", **ALICE)
    assert passages(memory) == {"one": (1, 2)}


def test_deleting_a_document_takes_its_passages_and_restoring_brings_them_back(memory: Memory) -> None:
    """No passage stays behind to be found."""
    [outcome] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    memory.delete(str(outcome.id), **ALICE)
    assert passages(memory) == {}
    assert not list(memory.search("one", **ALICE))
    memory.restore(str(outcome.id), 1, **ALICE)
    assert set(passages(memory)) == {"one", "two"}


def test_restoring_an_earlier_edition_brings_its_passages_back(memory: Memory) -> None:
    """In both directions, with the original."""
    [outcome] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    memory.add(leaflet("one", "2"), **ALICE)
    memory.restore(str(outcome.id), 1, **ALICE)
    assert set(passages(memory)) == {"one", "two"}
    assert memory.media(str(outcome.id), **ALICE) == b"one\ntwo"
    memory.restore(str(outcome.id), 2, **ALICE)
    assert set(passages(memory)) == {"one", "2"}


def test_an_added_document_that_was_deleted_is_whole_again(memory: Memory) -> None:
    """Adding it anew makes document and passages anew."""
    [outcome] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    memory.delete(str(outcome.id), **ALICE)
    [again] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    assert (again.event, set(passages(memory))) == ("added", {"one", "two"})


def test_erasing_a_document_erases_every_passage_it_ever_had(memory: Memory) -> None:
    """Also those of earlier editions."""
    [outcome] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    memory.add(leaflet("one", "2"), **ALICE)
    ids = [item.id for item in memory.get_all(pieces=True, **ALICE).items]
    memory.delete(str(outcome.id), erase=True, **ALICE)
    assert memory.engine.store.backend.ids(_everything()) == set()
    for id_ in ids:
        with pytest.raises(NotFound):
            memory.history(id_, **ALICE)


def _everything() -> Any:
    from memplug.values.filters import All

    return All(())


def test_another_users_document_is_another_document(memory: Memory) -> None:
    """Equal bytes of two users meet nowhere."""
    [hers] = memory.add(leaflet("one", "two"), **ALICE).outcomes
    [his] = memory.add(leaflet("one", "two"), user_id="bob").outcomes
    assert (his.event, his.id != hers.id) == ("added", True)
    memory.delete(str(his.id), erase=True, user_id="bob")
    assert set(passages(memory)) == {"one", "two"}
    assert passages(memory, user_id="bob") == {}


class _Redacts:
    """A guard that takes a word out, and refuses a passage."""

    @hookimpl
    def before_add(self, drafts: list[Draft], scope: object) -> list[Draft]:  # noqa: ARG002 - the hook's
        """Sees every draft."""
        kept = [draft for draft in drafts if "forbidden" not in draft.text]
        return [replace(draft, text=draft.text.replace("4711", "[pin]")) for draft in kept]


def test_guards_see_every_passage(tmp_path: Path) -> None:
    """A guard changes and leaves out passages as it does other drafts."""
    with Memory(tmp_path / "store", embedder="hashing", plugins=[Leaflets(), _Redacts()]) as memory:
        [outcome] = memory.add(leaflet("my pin is 4711", "forbidden words", "fine"), **ALICE).outcomes
        assert set(passages(memory)) == {"my pin is [pin]", "fine"}
        assert outcome.pieces == 2


def test_an_export_carries_documents_into_another_scope(tmp_path: Path) -> None:
    """Passages know their document there, also one with a key and several editions."""
    with Memory(tmp_path / "one", embedder="hashing", plugins=[Leaflets()]) as memory:
        memory.add(leaflet("one", "two"), **ALICE)
        memory.add(leaflet("three", "four", name="b.leaflet"), key="b", **ALICE)
        memory.add(leaflet("three", "4", name="b.leaflet"), key="b", **ALICE)
        memory.export(tmp_path / "all.zip", **ALICE)
    with Memory(tmp_path / "two", embedder="hashing", plugins=[Leaflets()]) as memory:
        report = memory.import_(tmp_path / "all.zip", user_id="bob")
        assert not report.rejected
        wholes = {item.name: item.id for item in memory.get_all(user_id="bob").items}
        assert len(wholes) == 2
        for item in memory.get_all(user_id="bob", pieces=True).items:
            assert item.part_of is None or item.part_of in wholes.values()
        [document] = [item for item in memory.get_all(user_id="bob").items if item.key == "b"]
        memory.delete(document.id, user_id="bob")
        assert set(passages(memory, user_id="bob")) == {"one", "two"}


def test_a_document_in_a_conversation_is_one_turn(memory: Memory) -> None:
    """Its passages take no place among the turns."""
    memory.add("hello", user_id="alice", run_id="monday")
    [outcome] = memory.add(leaflet("one", "two"), user_id="alice", run_id="monday").outcomes
    memory.add("bye", user_id="alice", run_id="monday")
    turns = {item.text: item.source.position for item in memory.get_all(run_id="monday", pieces=True).items}
    assert turns == {"hello": 0, "a.leaflet": 1, "one": None, "two": None, "bye": 2}
    assert outcome.pieces == 2
