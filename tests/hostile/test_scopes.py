"""Hostile scope ids: whatever a user calls itself, it sees its own memories and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memplug import Memory
from memplug.exceptions import NotFound, ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
from typing import Any

#: What was measured to break filters made of strings, and relatives of it.
HOSTILE = (
    "x' OR user_id = 'bob",
    "' OR '1'='1",
    "'; DROP TABLE memories; --",
    "bob'--",
    '" OR ""="',
    "bob\\",
    "\\'",
    "%",
    "_ob",
    "bob%",
    "*",
    "bob\x00",
    "\x00",
    "bob\n",
    "bob ",
    " bob",
    "BOB",
    "bo\u0301b",
    "\u202ebob",
    "b\u200bob",
    "🦊",
    "用户",
    "bob" * 33_000,
)


@pytest.fixture(scope="module", params=["lancedb", "memory"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A store in which Bob and all hostile users have one memory each."""
    location = str(tmp_path_factory.mktemp("scopes") / "store") if request.param == "lancedb" else "memory://"
    with Memory(location, embedder="hashing:64") as memory:
        memory.add("the secret of bob", user_id="bob", agent_id="bob", run_id="bob", bucket="bob")
        for number, name in enumerate(HOSTILE):
            memory.add(f"the secret of number {number}", user_id=name, agent_id=name, run_id=name, bucket=name)
        yield memory


@pytest.mark.parametrize("field", ["user_id", "agent_id", "run_id", "bucket"])
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_sees_its_own_only(shared: Memory, number: int, field: str) -> None:
    """A hostile id finds exactly its own memory by search, list and filter."""
    ids: dict[str, Any] = {field: HOSTILE[number]}
    own = f"the secret of number {number}"
    assert [hit.text for hit in shared.search("secret", **ids)] == [own]
    assert [item.text for item in shared.get_all(**ids)] == [own]
    assert [hit.text for hit in shared.search("secret", filters={field: {"eq": HOSTILE[number]}})] == [own]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_filters_cannot_reach_out(shared: Memory, number: int) -> None:
    """A hostile value in a filter is a value, never a piece of a query."""
    value = HOSTILE[number]
    for filters in ({"key": value}, {"tags": {"contains": value}}, {"speaker": {"in": [value]}}, {"note": value}):
        assert not shared.search("secret", user_id="bob", filters=filters)
    assert len(shared.search("secret", user_id="bob", filters={"NOT": [{"key": value}]})) == 1


def test_a_star_is_no_user(shared: Memory) -> None:
    """In a filter, ``*`` means "is set": that names nobody, so it is no scope."""
    with pytest.raises(ScopeError):
        shared.search("secret", filters={"user_id": "*"})


@pytest.mark.parametrize("name", ["", 7, b"bob", "\ud800", "x" * 100_001, ["bob"]])
def test_ids_that_cannot_be(shared: Memory, name: object) -> None:
    """An id that is empty, no text, no Unicode or endless is a typed error for every verb."""
    for call in (
        lambda: shared.add("x", user_id=name),  # type: ignore[arg-type] # the wrong type is the point
        lambda: shared.search("x", user_id=name),  # type: ignore[arg-type] # the wrong type is the point
        lambda: shared.get_all(user_id=name),  # type: ignore[arg-type] # the wrong type is the point
        lambda: shared.delete_all(user_id=name),  # type: ignore[arg-type] # the wrong type is the point
    ):
        with pytest.raises(ScopeError):
            call()


def test_ids_of_memories_do_not_cross(shared: Memory) -> None:
    """The id of somebody's memory is of no use to anybody else."""
    [item] = shared.get_all(user_id="bob")
    for name in HOSTILE:
        with pytest.raises(NotFound):
            shared.get(item.id, user_id=name)


def test_deleting_stays_inside(tmp_path: Path) -> None:
    """`delete_all` of a hostile user deletes nothing of others, also when erasing."""
    for erase in (False, True):
        with Memory(tmp_path / str(erase), embedder="hashing:64") as memory:
            memory.add("the secret of bob", user_id="bob")
            for name in HOSTILE[:9]:
                memory.add("own", user_id=name)
                assert memory.delete_all(user_id=name, erase=erase) == 1
            assert len(memory.get_all(user_id="bob")) == 1
