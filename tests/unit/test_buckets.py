"""Knowledge bases beside a user's memories, and shared buckets as their owners and members use them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from memplug import AsyncMemory, Memory
from memplug.exceptions import AccessDenied, InputTooLarge, MalformedInput, MemplugError, NotFound, ScopeError
from memplug.values.source import Source
from skills import RETURNS
from support import Clock, png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDBOOK = """# Handbook

## Returns

Refunds for opened parcels take ten working days.

## Offices

The office in Oslo closes at five.
"""


@pytest.fixture(params=["lancedb", "memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """An empty store of each backend."""
    location = str(tmp_path / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, embedder="hashing", clock=Clock()) as opened:
        yield opened


@pytest.fixture
def team(memory: Memory) -> Memory:
    """A store with Olga's bucket, which Wang may read and Li add to."""
    memory.buckets.create("team", owner="olga", title="The team", description="What we know")
    memory.buckets.share("team", "wang", "viewer", by="olga")
    memory.buckets.share("team", "li", "contributor", by="olga")
    return memory


# -- knowledge bases


def test_a_knowledge_base_is_searched_beside_the_users_memories(memory: Memory) -> None:
    """One ranked list, each hit says where it is from; what was not named is not looked into."""
    memory.add(Source(data=HANDBOOK.encode(), name="handbook.md"), bucket="kb_rules")
    memory.add("Refunds: ask Ann first.", user_id="wang")
    memory.add("Refunds of another kind.", bucket="kb_other")
    memory.add("Refunds of somebody else.", user_id="li")
    hits = memory.search("how long do refunds take?", user_id="wang", buckets=["kb_rules"])
    assert hits[0].text == "Refunds for opened parcels take ten working days."
    assert (hits[0].item.bucket, hits[0].citation) == ("kb_rules", "handbook.md, § Handbook › Returns")  # noqa: RUF001
    assert {hit.item.bucket for hit in hits} == {None, "kb_rules"}
    assert {hit.item.bucket for hit in memory.search("refunds", user_id="wang")} == {None}
    both = memory.search("refunds", user_id="wang", buckets=["kb_rules", "kb_other", "kb_rules"])
    assert len({hit.id for hit in both}) == len(both)
    assert {hit.item.bucket for hit in both} == {None, "kb_rules", "kb_other"}


def test_a_knowledge_base_lists_documents_and_skills_and_lets_them_go(memory: Memory) -> None:
    """A document goes with its passages, a skill with its files; the rest stays."""
    [document] = memory.add(Source(data=HANDBOOK.encode(), name="handbook.md"), bucket="kb").outcomes
    [skill] = memory.add(Source(data=RETURNS.encode(), name="SKILL.md"), bucket="kb").outcomes
    memory.add("my own", user_id="wang")
    assert [(item.id, item.kind) for item in memory.get_all(bucket="kb")] == [
        (skill.id, "skill"),
        (document.id, "document"),
    ]
    assert memory.skill("Customer Return Processing", bucket="kb").name == "Customer Return Processing"
    memory.delete(str(document.id), bucket="kb")
    assert [item.kind for item in memory.get_all(bucket="kb", pieces=True)] == ["skill"]
    assert not memory.search("refunds for opened parcels", user_id="wang", buckets=["kb"], kinds=["document"])
    memory.delete(str(skill.id), bucket="kb", erase=True)
    assert not memory.get_all(bucket="kb", pieces=True)
    assert not list(memory.search("return", user_id="wang", buckets=["kb"], kinds=["skill"]))


#: Twenty memories that have some words of the questions, and answer none of them.
POOR = [
    f"Office note {number}: the team met and talked about software and limits of room {number}." for number in range(20)
]


@pytest.mark.parametrize("good", ["bucket", "user"])
def test_where_an_answer_lies_does_not_move_it(memory: Memory, good: str) -> None:
    """A good answer comes before poor ones of the other place, whichever that is, with the same score."""
    rich: dict[str, Any] = {"bucket": "kb"} if good == "bucket" else {"user_id": "wang"}
    poor: dict[str, Any] = {"user_id": "wang"} if good == "bucket" else {"bucket": "kb"}
    answer = "The purchase limit for office software is 600 yuan."
    memory.add([*POOR], **poor)
    memory.add([answer, "The kitchen is on the third floor."], **rich)
    hits = memory.search("What is the purchase limit for office software?", user_id="wang", buckets=["kb"])
    assert hits[0].text == answer
    assert hits[0].score > 1.2 * hits[1].score
    # As if all of it lay in one place.
    memory.add([*POOR, answer, "The kitchen is on the third floor."], user_id="one")
    alone = memory.search("What is the purchase limit for office software?", user_id="one")
    assert [(hit.text, round(hit.score, 6)) for hit in hits[:1]] == [
        (hit.text, round(hit.score, 6)) for hit in alone[:1]
    ]


def test_what_lies_in_both_places_counts_once(memory: Memory) -> None:
    """A user's own words in a bucket are found once, and weigh as they do in the bucket alone."""
    memory.add([*POOR, "The purchase limit is 600 yuan."], user_id="wang", bucket="kb")
    question = "what is the purchase limit?"
    alone = memory.search(question, bucket="kb")
    for ids in ({"user_id": "wang"}, {"user_id": "wang", "bucket": "kb"}, {"bucket": "kb"}):
        hits = memory.search(question, buckets=["kb"], **ids)  # type: ignore[arg-type] # scope words
        assert [(hit.id, hit.score) for hit in hits] == [(hit.id, hit.score) for hit in alone]


def test_a_weak_place_does_not_lift_its_best(memory: Memory) -> None:
    """The best of a place that knows nothing stays behind the second best of one that does."""
    memory.add(["Dinner at Golden Dragon cost 84 euros.", "Dinner at Luigi's cost 40 euros."], user_id="wang")
    memory.add(["The printer costs nothing.", "Lunch is at noon."], bucket="kb")
    hits = memory.search("what did dinner cost?", user_id="wang", buckets=["kb"])
    assert {hit.item.bucket for hit in hits[:2]} == {None}


def test_a_view_reaches_the_buckets_that_it_was_given(memory: Memory) -> None:
    """Its searches look into them by themselves; it names no other, for no verb."""
    memory.add("The limit is 800 yuan.", bucket="kb_rules")
    memory.add("The limit is 800 yuan.", bucket="kb_other")
    view = memory.scoped(user_id="wang", buckets=["kb_rules"])
    assert [hit.item.bucket for hit in view.search("limit")] == ["kb_rules"]
    assert not view.search("limit", buckets=[])
    result = view.feedback("The limit is 600 yuan, not 800 yuan.", buckets=["kb_rules"])
    assert result.event == "corrected"
    view.undo(result, buckets=["kb_rules"])
    for call in (view.search, view.feedback):
        with pytest.raises(ScopeError, match="none of this view's"):
            call("The limit is 600 yuan, not 800 yuan.", buckets=["kb_other"])
    with pytest.raises(ScopeError):
        view.scoped(buckets=["kb_other"])
    assert {item.text for item in memory.get_all(bucket="kb_rules")} == {"The limit is 800 yuan."}


@pytest.mark.parametrize("buckets", ["kb", [7], [""], [None], 7, ["x"] * 101])
def test_what_names_no_buckets(memory: Memory, buckets: Any) -> None:
    """Anything but a list of ids is a typed error."""
    with pytest.raises(MemplugError):
        memory.search("x", user_id="wang", buckets=buckets)


# -- shared buckets


def test_a_shared_bucket_has_members_with_roles(team: Memory) -> None:
    """Everybody's role can be read; each member finds the bucket in their list, with the role that they have now."""
    bucket = team.buckets.get("team", by="wang")
    assert (bucket.id, bucket.owner, bucket.title, bucket.description) == ("team", "olga", "The team", "What we know")
    assert bucket.roles == {"li": "contributor", "olga": "owner", "wang": "viewer"}
    assert team.buckets.share("team", "wang", "editor", by="olga").roles["wang"] == "editor"
    team.buckets.create("another", owner="wang")
    assert [one.id for one in team.buckets.list("wang")] == ["another", "team"]
    assert [one.id for one in team.buckets.list("li")] == ["team"]
    assert not team.buckets.list("nobody")


def test_a_member_sees_what_others_added_and_whose_it_is(team: Memory) -> None:
    """Pictures included: by search, by list and by id."""
    [id_] = team.add(png(), description="the whiteboard of monday", user_id="li", bucket="team").ids
    [hit] = team.search("whiteboard", user_id="wang", buckets=["team"])
    assert (hit.id, hit.item.user_id, hit.item.bucket, hit.media) == (id_, "li", "team", png())
    assert team.media(str(id_), user_id="wang", bucket="team") == png()
    assert [item.user_id for item in team.get_all(user_id="wang", bucket="team")] == ["li"]
    team.add("said by Olga", user_id="olga", bucket="team")
    by_li = team.get_all(user_id="wang", bucket="team", filters={"user_id": {"in": ["li"]}})
    assert [item.id for item in by_li] == [id_]


def test_two_members_may_add_the_same(team: Memory) -> None:
    """Each has their own, also under one key; neither writes over the other's."""
    team.buckets.share("team", "wang", "editor", by="olga")
    for name in ("li", "wang"):
        team.add("The door code is 4711.", key="door", user_id=name, bucket="team")
        team.add(Source(data=HANDBOOK.encode(), name="handbook.md"), user_id=name, bucket="team")
    assert len(team.get_all(bucket="team")) == 4
    assert team.get(key="door", user_id="wang", bucket="team").user_id == "wang"
    assert team.get(key="door", user_id="olga", bucket="team").user_id == "wang"


@pytest.mark.parametrize("who", ["li", "wang", "stranger"])
def test_only_the_owner_shares_and_deletes(team: Memory, who: str) -> None:
    """A member is told so; for others there is no such bucket. Nothing changed."""
    error: type[MemplugError] = NotFound if who == "stranger" else AccessDenied
    for call in (
        lambda: team.buckets.share("team", who, "editor", by=who),
        lambda: team.buckets.share("team", "eve", "viewer", by=who),
        lambda: team.buckets.unshare("team", "li" if who == "wang" else "wang", by=who),
        lambda: team.buckets.delete("team", by=who),
        lambda: team.buckets.delete("team", by=who, erase=True),
    ):
        with pytest.raises(error) as caught:
            call()
        assert type(caught.value) is error
    assert team.buckets.get("team").roles == {"li": "contributor", "olga": "owner", "wang": "viewer"}


def test_who_may_leave(team: Memory) -> None:
    """Anybody but the owner, and leaving twice is no error."""
    assert team.buckets.unshare("team", "wang", by="wang").roles == {"li": "contributor", "olga": "owner"}
    assert not team.buckets.list("wang")
    team.buckets.unshare("team", "wang", by="olga")
    with pytest.raises(MalformedInput):
        team.buckets.unshare("team", "olga", by="olga")
    with pytest.raises(MalformedInput):
        team.buckets.share("team", "olga", "viewer", by="olga")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"id": ""}, ScopeError),
        ({"id": 7}, ScopeError),
        ({"owner": None}, MemplugError),
        ({"owner": "x" * 513}, InputTooLarge),
        ({"id": "x" * 513}, InputTooLarge),
        ({"title": 7}, MalformedInput),
        ({"description": "x" * 65_000}, InputTooLarge),
        ({"title": "\ud800"}, MalformedInput),
    ],
    ids=str,
)
def test_words_that_cannot_be(memory: Memory, words: dict[str, Any], error: type[MemplugError]) -> None:
    """What is no id, no title or no role is a typed error, and nothing is registered."""
    with pytest.raises(error):
        memory.buckets.create(**{"id": "b", "owner": "olga"} | words)
    memory.buckets.create("x" * 512, owner="o" * 512)
    with pytest.raises(NotFound):
        memory.buckets.get("b")
    for role in ("owner", "admin", "", None):
        with pytest.raises(MalformedInput):
            memory.buckets.share("x" * 512, "wang", role, by="o" * 512)  # type: ignore[arg-type] # the wrong word


def test_an_id_is_given_once(team: Memory) -> None:
    """Not again, nor over what others put there; one's own comes along, and the program may adopt the rest."""
    with pytest.raises(ScopeError, match="taken"):
        team.buckets.create("team", owner="olga")
    team.add("mine", user_id="olga", bucket="mine")
    team.buckets.create("mine", owner="olga")
    for number, ids in enumerate(({"user_id": "ann"}, {}, {"agent_id": "bot"})):
        name = f"private{number}"
        [id_] = team.add("secret", bucket=name, **ids).ids  # type: ignore[arg-type] # scope words
        team.delete(str(id_))
        with pytest.raises(ScopeError, match="others have memories"):
            team.buckets.create(name, owner="mallory")
        team.restore(str(id_), 1)
        assert team.search("secret", user_id="x", buckets=[name])
        team.buckets.create(name, owner="olga", adopt=True)
        assert not team.search("secret", user_id="x", buckets=[name])
        assert team.search("secret", user_id="olga", buckets=[name])
    assert not team.get_all(user_id="ann")


def test_a_deleted_bucket_is_gone_for_all(team: Memory) -> None:
    """Its memories are deleted, nobody has a role, the past is shut too, and its id stays taken until it is erased."""
    [id_] = team.add("the plan", user_id="li", bucket="team").ids
    then = team.get(str(id_)).valid_from
    assert team.buckets.delete("team", by="olga") == 1
    for user in ("olga", "li", "wang"):
        assert not team.buckets.list(user)
        for as_of in (None, then):
            assert not team.search("plan", user_id=user, buckets=["team"], as_of=as_of)
        with pytest.raises(AccessDenied):
            team.add("x", user_id=user, bucket="team")
    with pytest.raises(NotFound):
        team.restore(str(id_), 1, user_id="li")
    assert team.buckets.delete("team", by="olga") == 0
    with pytest.raises(ScopeError, match="taken"):
        team.buckets.create("team", owner="eve")
    with pytest.raises(NotFound):
        team.buckets.delete("team", by="li", erase=True)
    assert team.buckets.delete("team", by="olga", erase=True) == 1
    assert team.buckets.create("team", owner="eve").roles == {"eve": "owner"}
    with pytest.raises(NotFound):
        team.history(str(id_))


def test_roles_hold_after_maintenance_and_reopening(tmp_path: Path) -> None:
    """They are in the store as memories are: checked by the doctor, and there for another process."""
    with Memory(tmp_path, embedder="hashing") as memory:
        memory.buckets.create("team", owner="olga", title="The team")
        memory.buckets.share("team", "wang", "viewer", by="olga")
        memory.add("the plan", user_id="olga", bucket="team")
        memory.maintain()
        assert memory.doctor().ok
        with Memory(tmp_path) as other:
            memory.buckets.unshare("team", "wang", by="olga")
            assert not other.search("plan", user_id="wang", buckets=["team"])
            other.buckets.share("team", "wang", "viewer", by="olga")
        assert memory.search("plan", user_id="wang", buckets=["team"])
    with Memory(tmp_path, read_only=True) as memory:
        assert memory.buckets.get("team").roles == {"olga": "owner", "wang": "viewer"}
        with pytest.raises(MemplugError):
            memory.buckets.share("team", "eve", "viewer", by="olga")


def test_changes_at_the_same_moment_are_all_there(memory: Memory) -> None:
    """Eight threads that share, of which two create: one bucket, and everybody's role."""
    memory.buckets.create("team", owner="olga")
    errors: list[MemplugError] = []

    def share(number: int) -> None:
        memory.buckets.share("team", f"user{number}", "viewer", by="olga")
        try:
            memory.buckets.create("raced", owner=f"user{number}")
        except ScopeError as error:
            errors.append(error)

    threads = [threading.Thread(target=share, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.buckets.get("team").roles) == 9
    assert len(errors) == 7
    assert len(memory.buckets.get("raced").roles) == 1


def test_the_async_face(tmp_path: Path) -> None:
    """Buckets and what lies beside a scope can be awaited too."""

    async def program() -> list[str]:
        async with await AsyncMemory.open(tmp_path, embedder="hashing") as memory:
            await memory.buckets.create("team", owner="olga")
            await memory.add("the plan", user_id="olga", bucket="team")
            await memory.buckets.share("team", "wang", "viewer", by="olga")
            view = memory.scoped(user_id="wang", buckets=["team"])
            hits = await view.search("plan")
            assert [one.id for one in await memory.buckets.list("wang")] == ["team"]
            return [hit.text for hit in hits]

    assert asyncio.run(program()) == ["the plan"]
