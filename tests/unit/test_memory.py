"""The verbs of `Memory`, on every backend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from PIL import Image

from memplug import Memory, Scope
from memplug.exceptions import (
    ConfigError,
    FilterError,
    InputTooLarge,
    InvalidImageError,
    MalformedInput,
    NotFound,
    ScopeError,
    VersionConflict,
)
from support import Clock, png

if TYPE_CHECKING:
    from pathlib import Path


def texts(memory: Memory, **ids: Any) -> list[str]:
    """The words of all memories in a scope, newest first."""
    return [item.text for item in memory.get_all(**ids)]


class TestAdd:
    """What `add` promises."""

    def test_text_is_found_at_once(self, memory: Memory) -> None:
        """A text is found right after it was added, word for word as it was written."""
        result = memory.add("I am Wang, and I like spicy food.", user_id="wang")
        [hit] = memory.search("spicy food", user_id="wang")
        assert hit.text == "I am Wang, and I like spicy food."
        assert result.ids == (hit.id,)
        assert [outcome.event for outcome in result.outcomes] == ["added"]

    def test_mem0_shape(self, memory: Memory) -> None:
        """Results answer the way mem0's do, for code that moved from there."""
        result = memory.add([{"role": "user", "content": "Hi, my name is Alice."}], user_id="alice")
        assert result["results"][0]["memory"] == "Hi, my name is Alice."
        assert result["results"][0]["event"] == "ADD"
        [found] = memory.search("name", filters={"user_id": "alice"})["results"]
        assert found["id"] == result["results"][0]["id"]
        assert found["user_id"] == "alice"
        assert 0 < found["score"] <= 1
        [listed] = memory.get_all(user_id="alice")["results"]
        assert listed["memory"] == "Hi, my name is Alice."

    def test_needs_a_scope(self, memory: Memory) -> None:
        """A call without any scope id is an error, never 'all users'."""
        with pytest.raises(ScopeError):
            memory.add("x")
        with pytest.raises(ScopeError):
            memory.search("x")
        with pytest.raises(ScopeError):
            memory.get_all()
        with pytest.raises(ScopeError):
            memory.delete_all()

    def test_same_content_twice_is_one_memory(self, memory: Memory) -> None:
        """Adding the same again stores nothing and names the memory that holds it."""
        first = memory.add("tea, not coffee", user_id="u")
        again = memory.add("tea, not coffee", user_id="u")
        assert again.ids == first.ids
        assert [outcome.event for outcome in again.outcomes] == ["duplicate"]
        assert texts(memory, user_id="u") == ["tea, not coffee"]

    def test_same_content_with_new_labels_loses_none(self, memory: Memory) -> None:
        """The same words with another tag or metadata keep both, as a new version."""
        memory.add("tea", user_id="u", tags=["drink"], metadata={"a": 1})
        result = memory.add("tea", user_id="u", tags=["hot"], metadata={"b": 2})
        assert [outcome.event for outcome in result.outcomes] == ["updated"]
        [item] = memory.get_all(user_id="u")
        assert item.tags == ("drink", "hot")
        assert dict(item.metadata) == {"a": 1, "b": 2}

    def test_turns_that_repeat_are_kept(self, memory: Memory) -> None:
        """A turn that occurs twice in one conversation is two memories, and a retry of both adds nothing."""
        turns = [{"role": "user", "content": text} for text in ("Bye!", "One more thing", "Bye!")]
        assert [o.event for o in memory.add(turns, user_id="u", run_id="r").outcomes] == ["added"] * 3
        assert [o.event for o in memory.add(turns, user_id="u", run_id="r").outcomes] == ["duplicate"] * 3
        assert texts(memory, user_id="u") == ["Bye!", "One more thing", "Bye!"]

    def test_turns_stay_in_order(self, memory: Memory) -> None:
        """Turns of one conversation are numbered in the order of adding, over several calls."""
        memory.add(
            [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}], user_id="u", run_id="r"
        )
        memory.add({"role": "user", "content": "three"}, user_id="u", run_id="r")
        listed = [(item.source.position, item.source.role, item.text) for item in memory.get_all(user_id="u")]
        assert listed == [(2, "user", "three"), (1, "assistant", "two"), (0, "user", "one")]

    def test_position_goes_on_after_reopening(self, tmp_path: Path) -> None:
        """A conversation that goes on in another process keeps counting."""
        for number in range(3):
            with Memory(tmp_path, embedder="hashing:64") as memory:
                memory.add(f"turn {number}", user_id="u", run_id="r")
        with Memory(tmp_path) as memory:
            assert [item.source.position for item in memory.get_all(user_id="u")] == [2, 1, 0]

    def test_key_upsert_keeps_the_id(self, memory: Memory) -> None:
        """Adding under the same key makes a new version of the same memory."""
        first = memory.add("port 8080", user_id="u", key="project/port")
        second = memory.add("port 9090", user_id="u", key="project/port")
        third = memory.add("port 9090", user_id="u", key="project/port")
        assert first.ids == second.ids == third.ids
        assert [r.outcomes[0].event for r in (first, second, third)] == ["added", "updated", "unchanged"]
        assert memory.get(key="project/port", user_id="u").text == "port 9090"
        assert [item.text for item in memory.history(first.ids[0])] == ["port 8080", "port 9090"]

    def test_same_key_in_other_scopes_is_another_memory(self, memory: Memory) -> None:
        """A key is unique inside its scope only."""
        ours = memory.add("ours", user_id="a", key="k")
        theirs = memory.add("theirs", user_id="b", key="k")
        assert ours.ids != theirs.ids
        assert memory.get(key="k", user_id="a").text == "ours"

    def test_version_check(self, memory: Memory) -> None:
        """An expected version that is not current is a conflict that names the current one; nothing changes."""
        [id_] = memory.add("v1", user_id="u", key="k", version=0).ids
        memory.add("v2", user_id="u", key="k", version=1)
        with pytest.raises(VersionConflict) as caught:
            memory.add("lost", user_id="u", key="k", version=1)
        assert caught.value.current == {id_: 2}
        assert memory.get(id_).text == "v2"

    def test_bad_part_takes_no_good_one_with_it(self, memory: Memory) -> None:
        """A message with a broken picture keeps its text, and the outcome says what happened to the picture."""
        broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        result = memory.add(
            [{"role": "user", "content": [{"type": "text", "text": "my receipt A-77"}, broken]}], user_id="u"
        )
        assert [outcome.event for outcome in result.outcomes] == ["added", "rejected"]
        assert isinstance(result.outcomes[1].error, InvalidImageError)
        assert texts(memory, user_id="u") == ["my receipt A-77"]

    def test_all_parts_bad_raises_the_first_error(self, memory: Memory) -> None:
        """When nothing could be stored the error is raised, with all outcomes in it."""
        with pytest.raises(InvalidImageError) as caught:
            memory.add(b"not an image", user_id="u", content_type="image/png")
        assert str(caught.value) == "Unsupported format. Allowed: PNG, JPEG, WebP, GIF"
        assert caught.value.result is not None
        assert [outcome.event for outcome in caught.value.result.outcomes] == ["rejected"]

    def test_text_over_the_limit_stores_nothing(self, memory: Memory) -> None:
        """A request with more text than the limit is one error, and nothing of it is stored."""
        with pytest.raises(InputTooLarge):
            memory.add(["fine", "word " * 60_000], user_id="u")
        assert texts(memory, user_id="u") == []

    def test_key_with_several_parts_is_an_error(self, memory: Memory) -> None:
        """One key cannot name several memories."""
        with pytest.raises(MalformedInput, match="several parts"):
            memory.add(["a", "b"], user_id="u", key="k")

    @pytest.mark.parametrize("metadata", [{1: "x"}, {"x": float("nan")}, {"x": object()}, [], "text"])
    def test_bad_metadata(self, memory: Memory, metadata: Any) -> None:
        """Metadata that is no JSON object is refused with a typed error."""
        with pytest.raises(MalformedInput):
            memory.add("x", user_id="u", metadata=metadata)

    def test_infer_without_extractor(self, memory: Memory) -> None:
        """Insisting on extraction where nothing extracts is a clear error."""
        with pytest.raises(ConfigError, match="extractor"):
            memory.add("x", user_id="u", infer=True)


class TestImages:
    """Pictures as memories."""

    def test_described_picture(self, memory: Memory) -> None:
        """A picture is found by the user's words and comes back byte for byte."""
        data = png()
        [id_] = memory.add(data, user_id="u", description="dinner with Li").ids
        [hit] = memory.search("dinner", user_id="u")
        assert (hit.id, hit.kind) == (id_, "image")
        assert hit.media == data
        assert memory.media(id_) == data
        assert hit.image is not None
        assert hit.image.size == (40, 30)

    def test_picture_is_tied_to_its_message(self, memory: Memory) -> None:
        """Text and picture of one message are both found by the text, and share the message."""
        content = [
            {"type": "text", "text": "my favourite ramen shop"},
            {"type": "image_url", "image_url": {"url": _data_url(png())}},
        ]
        memory.add([{"role": "user", "content": content}], user_id="u", run_id="r")
        items = {hit.kind: hit.item for hit in memory.search("ramen", user_id="u")}
        assert set(items) == {"text", "image"}
        assert items["text"].source.message == items["image"].source.message is not None
        assert items["text"].source.position == items["image"].source.position == 0

    def test_picture_without_words(self, memory: Memory, tmp_path: Path) -> None:
        """A picture that nobody described is listed, found by its file name, and has a thumbnail."""
        path = tmp_path / "holiday-lisbon.png"
        path.write_bytes(png(size=(800, 600)))
        [id_] = memory.add(path, user_id="u").ids
        [hit] = memory.search("lisbon", user_id="u")
        assert hit.id == id_
        assert hit.item.name == "holiday-lisbon.png"
        with memory.open_media(id_, thumbnail=True) as file, Image.open(file) as picture:
            assert max(picture.size) == 256

    def test_media_of_a_text(self, memory: Memory) -> None:
        """A text has no original to give."""
        [id_] = memory.add("just words", user_id="u").ids
        with pytest.raises(NotFound):
            memory.media(id_)


class TestSearch:
    """What `search` promises."""

    def test_other_scopes_are_never_seen(self, memory: Memory) -> None:
        """A search sees its own scope only, by every id."""
        memory.add("alice's secret", user_id="alice", run_id="1")
        memory.add("bob's secret", user_id="bob", run_id="1")
        assert [hit.text for hit in memory.search("secret", user_id="alice")] == ["alice's secret"]
        assert [hit.text for hit in memory.search("secret", user_id="bob", run_id="1")] == ["bob's secret"]
        assert len(memory.search("secret", run_id="1")) == 2
        assert len(memory.search("secret", user_id="alice", run_id="2")) == 0

    def test_kinds_tags_filters(self, memory: Memory) -> None:
        """Kinds, tags and filters narrow together."""
        memory.add("ramen in Paris", user_id="u", tags=["food", "paris"], metadata={"price": 12})
        memory.add("ramen in Rome", user_id="u", tags=["food"], metadata={"price": 20})
        memory.add(png(), user_id="u", description="ramen picture")

        def found(**wanted: Any) -> set[str]:
            return {hit.text for hit in memory.search("ramen", user_id="u", **wanted)}

        assert found(kinds=["image"]) == {"ramen picture"}
        assert found(tags=["food", "paris"]) == {"ramen in Paris"}
        assert found(filters={"price": {"gt": 12}}) == {"ramen in Rome"}
        assert found(filters={"OR": [{"price": 12}, {"kind": "image"}]}) == {"ramen in Paris", "ramen picture"}
        assert found(filters={"AND": [{"kind": "text"}, {"NOT": [{"price": 20}]}]}) == {"ramen in Paris"}
        assert found(filters={"price": "*"}) == {"ramen in Paris", "ramen in Rome"}

    def test_unknown_operator(self, memory: Memory) -> None:
        """An operator that does not exist is an error, not a filter that is dropped."""
        with pytest.raises(FilterError, match="near"):
            memory.search("x", user_id="u", filters={"place": {"near": 3}})

    def test_filter_cannot_leave_the_scope(self, memory: Memory) -> None:
        """A filter on another user contradicts the scope; inside OR it only narrows."""
        memory.add("bob's", user_id="bob")
        with pytest.raises(ScopeError):
            memory.search("x", user_id="alice", filters={"user_id": "bob"})
        assert not memory.search("bob", user_id="alice", filters={"OR": [{"user_id": "bob"}, {"kind": "text"}]})

    def test_chinese(self, memory: Memory) -> None:
        """Chinese text is found by a Chinese word and by a single character."""
        memory.add("我喜欢吃辣的食物，特别是四川火锅。", user_id="u")  # noqa: RUF001 - Chinese punctuation
        memory.add("明天去北京出差。", user_id="u")
        assert memory.search("火锅", user_id="u")[0].text.startswith("我喜欢")
        assert memory.search("辣", user_id="u")[0].text.startswith("我喜欢")
        assert memory.search("北京", user_id="u")[0].text.startswith("明天")

    def test_explain_sums_up(self, memory: Memory) -> None:
        """The shares of the rankers add up to the score."""
        memory.add(["I like tea", "I like coffee", "I hate rain"], user_id="u")
        for hit in memory.search("do I like tea?", user_id="u", explain=True):
            assert hit.shares
            assert sum(hit.shares.values()) == pytest.approx(hit.score, abs=1e-6)

    def test_min_score_and_top_k(self, memory: Memory) -> None:
        """`top_k` bounds the number and `min_score` the quality; the best come first."""
        memory.add([f"note {number} about tea" for number in range(20)], user_id="u")
        hits = memory.search("tea", user_id="u", top_k=5)
        assert len(hits) == 5
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert not memory.search("tea", user_id="u", min_score=1.01)

    @pytest.mark.parametrize("wrong", [{"top_k": 0}, {"top_k": 1_001}, {"query": ""}, {"query": "  \n"}])
    def test_bad_arguments(self, memory: Memory, wrong: dict[str, Any]) -> None:
        """An empty query or a number out of range is a typed error."""
        with pytest.raises((MalformedInput, InputTooLarge)):
            memory.search(**({"query": "x"} | wrong), user_id="u")


class TestVersions:
    """Updates, deletions and time travel."""

    def test_update(self, memory: Memory) -> None:
        """An update wins at once, and the old words are history."""
        [id_] = memory.add("the limit is 800 yuan", user_id="u", tags=["rule"]).ids
        item = memory.update(id_, "the limit is 600 yuan", user_id="u")
        assert (item.version, item.tags) == (2, ("rule",))
        assert [hit.text for hit in memory.search("limit", user_id="u")] == ["the limit is 600 yuan"]
        assert not [hit for hit in memory.search("800", user_id="u") if "800" in hit.text]
        old, new = memory.history(id_)
        assert old.valid_to == new.valid_from == new.updated_at
        assert new.valid_to is None
        assert old.created_at == new.created_at

    def test_update_keeps_what_is_not_named(self, memory: Memory, clock: Clock) -> None:
        """Only named fields change; None takes a value away."""
        [id_] = memory.add("x", user_id="u", metadata={"a": 1}, expires_at=clock.advance() + timedelta(days=1)).ids
        assert memory.update(id_, metadata={"b": 2}).expires_at is not None
        item = memory.update(id_, expires_at=None)
        assert (dict(item.metadata), item.expires_at, item.text) == ({"b": 2}, None, "x")

    def test_text_called_keep_can_be_stored(self, memory: Memory) -> None:
        """No word is special as a new text."""
        [id_] = memory.add("x", user_id="u").ids
        assert memory.update(id_, "keep").text == "keep"

    def test_foreign_id_is_not_found(self, memory: Memory) -> None:
        """With a scope, verbs by id find nothing of others, and say the same as for an id that never was."""
        [id_] = memory.add("mine", user_id="a").ids
        for call in (
            lambda: memory.get(id_, user_id="b"),
            lambda: memory.update(id_, "x", user_id="b"),
            lambda: memory.delete(id_, user_id="b"),
            lambda: memory.delete(id_, user_id="b", erase=True),
            lambda: memory.history(id_, user_id="b"),
            lambda: memory.restore(id_, 1, user_id="b"),
            lambda: memory.media(id_, user_id="b"),
        ):
            with pytest.raises(NotFound):
                call()
        assert memory.get(id_, user_id="a").text == "mine"

    def test_delete_and_restore(self, memory: Memory) -> None:
        """A deleted memory is gone from every read, kept in history, and comes back by restore."""
        [id_] = memory.add("to be deleted", user_id="u", key="k").ids
        memory.delete(id_, user_id="u")
        assert not memory.search("deleted", user_id="u")
        assert texts(memory, user_id="u") == []
        with pytest.raises(NotFound):
            memory.get(id_)
        with pytest.raises(NotFound):
            memory.get(key="k", user_id="u")
        gone = memory.history(id_)[-1]
        assert (gone.deleted, gone.text) == (True, "")
        memory.restore(id_, 1, user_id="u")
        assert memory.get(key="k", user_id="u").text == "to be deleted"
        with pytest.raises(NotFound):
            memory.restore(id_, 2)

    def test_added_again_after_deletion(self, memory: Memory) -> None:
        """The same content can be remembered again after it was deleted."""
        [id_] = memory.add("again", user_id="u").ids
        memory.delete(id_)
        result = memory.add("again", user_id="u")
        assert [outcome.event for outcome in result.outcomes] == ["added"]
        assert texts(memory, user_id="u") == ["again"]

    def test_changed_content_can_be_said_again(self, memory: Memory) -> None:
        """What a memory said before it was changed can be added anew, without undoing the change."""
        [id_] = memory.add("I live in Berlin", user_id="u").ids
        memory.update(id_, "I live in Munich")
        assert memory.add("I live in Berlin", user_id="u").outcomes[0].event == "added"
        assert memory.add("I live in Berlin", user_id="u").outcomes[0].event == "duplicate"
        assert sorted(texts(memory, user_id="u")) == ["I live in Berlin", "I live in Munich"]

    def test_as_of(self, memory: Memory, clock: Clock) -> None:
        """A search as of a moment sees what was current then."""
        [id_] = memory.add("the code is alpha", user_id="u").ids
        before = clock.advance(minutes=1)
        clock.advance(minutes=1)
        memory.update(id_, "the code is beta")
        between = clock.advance(minutes=1)
        memory.delete(id_)
        assert [hit.text for hit in memory.search("code", user_id="u", as_of=before)] == ["the code is alpha"]
        assert [hit.text for hit in memory.search("code", user_id="u", as_of=between.isoformat())] == [
            "the code is beta"
        ]
        assert not memory.search("code", user_id="u")
        assert not memory.search("code", user_id="u", as_of=datetime(2020, 1, 1, tzinfo=UTC))

    def test_expiry(self, memory: Memory, clock: Clock) -> None:
        """From its expiry on, a memory is gone from every read."""
        [id_] = memory.add("parking ticket", user_id="u", key="p", expires_at=clock.advance() + timedelta(hours=1)).ids
        assert memory.search("parking", user_id="u")
        clock.advance(hours=2)
        assert not memory.search("parking", user_id="u")
        assert texts(memory, user_id="u") == []
        with pytest.raises(NotFound):
            memory.get(id_)
        with pytest.raises(NotFound):
            memory.get(key="p", user_id="u")
        with pytest.raises(NotFound):
            memory.update(id_, "x")

    def test_delete_all(self, memory: Memory) -> None:
        """Everything of a scope goes, and nothing of another."""
        memory.add([f"mine {number}" for number in range(30)], user_id="a")
        memory.add("theirs", user_id="b")
        assert memory.delete_all(user_id="a") == 30
        assert texts(memory, user_id="a") == []
        assert texts(memory, user_id="b") == ["theirs"]

    def test_erase(self, memory: Memory) -> None:
        """Erasure leaves no history and no original; media that another memory shows stays."""
        data = png()
        [mine] = memory.add(data, user_id="a", description="mine").ids
        [theirs] = memory.add(data, user_id="b", description="theirs").ids
        memory.delete(mine, user_id="a", erase=True)
        with pytest.raises(NotFound):
            memory.history(mine)
        assert memory.media(theirs) == data
        memory.delete(theirs, erase=True)
        assert list(memory.engine.store.backend.list_media()) == []

    def test_erase_all_takes_what_was_deleted_before(self, memory: Memory) -> None:
        """Erasing a scope also erases memories that were only hidden."""
        [id_] = memory.add("hidden", user_id="a").ids
        memory.add("shown", user_id="a")
        memory.delete(id_)
        assert memory.delete_all(user_id="a", erase=True) == 2
        with pytest.raises(NotFound):
            memory.history(id_)

    def test_update_with_nothing(self, memory: Memory) -> None:
        """An update that names nothing is an error."""
        [id_] = memory.add("x", user_id="u").ids
        with pytest.raises(ConfigError):
            memory.update(id_)


class TestListing:
    """`get` and `get_all`."""

    def test_pages(self, memory: Memory) -> None:
        """Pages go through all memories once, newest first."""
        memory.add([f"note {number}" for number in range(25)], user_id="u")
        seen: list[str] = []
        cursor = None
        while True:
            page = memory.get_all(user_id="u", limit=10, cursor=cursor)
            seen += [item.text for item in page]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == [f"note {number}" for number in reversed(range(25))]

    @pytest.mark.parametrize("cursor", ["", "garbage", "W10=", "ZZZZ"])
    def test_bad_cursor(self, memory: Memory, cursor: str) -> None:
        """A cursor that no page gave is a typed error."""
        with pytest.raises(MalformedInput):
            memory.get_all(user_id="u", cursor=cursor)

    def test_get_takes_one_name(self, memory: Memory) -> None:
        """`get` takes an id or a key, not both and not none."""
        with pytest.raises(ConfigError):
            memory.get()
        with pytest.raises(ConfigError):
            memory.get("id", key="k", user_id="u")


class TestScoped:
    """Bound views."""

    def test_fills_its_ids_in(self, memory: Memory) -> None:
        """A scoped memory adds and finds inside its scope without naming it."""
        wang = memory.scoped(user_id="wang")
        wang.add("I like spicy food", run_id="monday")
        assert [hit.text for hit in wang.search("food")] == ["I like spicy food"]
        assert not memory.scoped(user_id="li").search("food")

    def test_cannot_be_left(self, memory: Memory) -> None:
        """No argument, filter or id gets out of the scope."""
        [id_] = memory.add("li's secret", user_id="li").ids
        wang = memory.scoped(user_id="wang")
        with pytest.raises(ScopeError):
            wang.search("secret", user_id="li")
        with pytest.raises(ScopeError):
            wang.get_all(filters={"user_id": "li"})
        with pytest.raises(NotFound):
            wang.get(id_)
        with pytest.raises(ScopeError):
            wang.scoped(user_id="li")

    def test_scope_admits(self) -> None:
        """A scope holds what carries all its ids."""
        scope = Scope(user_id="a", run_id="1")
        assert scope.admits({"user_id": "a", "run_id": "1", "agent_id": "x"})
        assert not scope.admits({"user_id": "a", "run_id": None})


def _data_url(data: bytes) -> str:
    import base64

    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize("place", ["memory://", "folder"])
def test_what_is_handed_out_is_the_callers(tmp_path: Path, place: str) -> None:
    """Changing the metadata of an item that a read returned changes nothing in the store, now or after a move."""
    given = {"team": {"name": "sales"}}
    with Memory(place if "://" in place else tmp_path / place) as memory:
        id_ = memory.add("The limit is 600 yuan.", user_id="wang", metadata=given).ids[0]
        for _ in range(2):
            reads = [
                memory.search("limit", user_id="wang")[0].item,
                memory.search("limit", user_id="wang")[0].item,
                memory.get(id_),
                memory.get_all(user_id="wang")[0],
                memory.history(id_)[-1],
            ]
            for item in reads:
                assert item.metadata == given
                cast("dict[str, Any]", item.metadata)["team"]["name"] = "nobody"
                cast("dict[str, Any]", item.metadata)["more"] = 1
            memory.maintain()
        assert memory.update(id_, "The limit is 700 yuan.").metadata == given
