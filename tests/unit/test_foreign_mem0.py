"""mem0's memories."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exports import known, told, written
from memplug import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory."""
    with Memory("memory://", embedder="hashing:64") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write memories."""
    return tmp_path / "mem0.json"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda items: items,
        lambda items: {"results": items},
        lambda items: {"results": items, "relations": []},
        lambda items: {"count": 2, "next": None, "previous": None, "results": items},
        lambda items: "".join(json.dumps(item) + "\n" for item in items),
        lambda items: "\ufeff" + json.dumps({"results": items}, indent=2),
        lambda items: json.dumps({"results": items[:1]}) + json.dumps({"results": items[1:]}),
    ],
    ids=["list", "v1.1", "graph", "page", "lines", "indented", "two pages"],
)
def test_every_form_of_get_all(memory: Memory, path: Path, wrap: Any) -> None:
    """A plain list, an object around it, the platform's pages, and one memory per line."""
    value = wrap([known("1", "likes tea"), known("2", "lives in Rome")])
    path = path if not isinstance(value, str) else path.with_suffix(".txt")
    _ = path.write_text(value, "utf-8") if isinstance(value, str) else written(path, value)
    report = memory.import_(path)
    assert (told(report), report.left_out, report.format) == ((2, 0, 0, 0), {}, "mem0")
    assert {item.text for item in memory.get_all(user_id="alex")} == {"likes tea", "lives in Rome"}


def test_what_mem0_knew_is_kept(memory: Memory, path: Path) -> None:
    """Text, times, speaker, tags, scopes, metadata as they were, and everything else under its own name."""
    one = known(
        "9a",
        "likes tea",
        metadata={"team": "sales", "deep": {"er": [1, None]}},
        updated_at="2025-03-02T08:00:00Z",
        agent_id="waiter",
        run_id="r1",
        app_id="shop",
        actor_id="Alex",
        role="user",
        categories=["food", "drinks"],
        expiration_date="2099-01-01",
        score=None,
    )
    memory.import_(written(path, {"results": [one]}))
    [item] = memory.get_all(user_id="alex", agent_id="waiter", run_id="r1")
    assert (item.text, item.tags, item.source.role, item.source.speaker) == (
        "likes tea",
        ("drinks", "food"),
        "user",
        "Alex",
    )
    assert item.occurred_at == datetime(2025, 3, 1, 16, tzinfo=UTC)
    assert item.expires_at == datetime(2099, 1, 2, tzinfo=UTC)
    about = {"id": "9a", "hash": one["hash"], "updated_at": "2025-03-02T08:00:00Z", "app_id": "shop"}
    assert item.metadata == {"team": "sales", "deep": {"er": [1, None]}, "mem0": about}
    assert item.source.position is None
    assert [hit.id for hit in memory.search("tea", user_id="alex", filters={"team": "sales"})] == [item.id]


def test_nothing_is_said_by_nobody(memory: Memory, path: Path) -> None:
    """A fact that mem0 drew out of a conversation has no role; its own entry of ours in the metadata is kept."""
    memory.import_(written(path, [known("1", "likes tea", metadata={"mem0": "mine"}, categories=None)]))
    [item] = memory.get_all(user_id="alex")
    assert (item.source.role, item.source.speaker, item.tags) == (None, None, ())
    assert item.metadata["mem0"]["metadata"] == "mine"


def test_ids_of_the_call_take_the_place_of_the_memories_own(memory: Memory, path: Path) -> None:
    """Only those that are named; and a memory that says not whose it is needs one."""
    memories = [known("1", "a", run_id="r"), known("2", "b", user_id=None), known("3", "c", user_id=None, agent_id=7)]
    report = memory.import_(written(path, memories))
    assert (told(report), [one.error.code for one in report.rejected]) == ((2, 0, 0, 1), ["scope.invalid"])
    assert [item.text for item in memory.get_all(agent_id="7")] == ["c"]
    assert told(memory.import_(path, user_id="bea")) == (3, 0, 0, 0)
    assert {(item.text, item.run_id) for item in memory.get_all(user_id="bea")} == {
        ("a", "r"),
        ("b", None),
        ("c", None),
    }
    assert {item.text for item in memory.get_all(user_id="alex")} == {"a"}


def test_a_page_of_several_says_so(memory: Memory, path: Path) -> None:
    """What stands on the other pages is counted, and so are relations, which have no place here."""
    page = {"count": 250, "next": "https://api.mem0.ai/?page=2", "previous": None, "results": [known("1", "a")]}
    report = memory.import_(written(path, page | {"relations": [{"source": "a"}, {"source": "b"}]}))
    assert report.left_out == {
        "memories on the other pages of the list; import those too": 249,
        "'relations' beside the memories": 2,
    }


def test_a_later_list_brings_what_is_new_or_changed(memory: Memory, path: Path) -> None:
    """By mem0's ids; a text that changed is a new version."""
    memory.import_(written(path, [known("1", "likes tea"), known("2", "x")]))
    report = memory.import_(
        written(path, {"results": [known("3", "new"), known("1", "likes coffee"), known("2", "x")]})
    )
    assert told(report) == (1, 1, 1, 0)
    [item] = [one for one in memory.get_all(user_id="alex") if one.text == "likes coffee"]
    assert [one.text for one in memory.history(item.id)] == ["likes tea", "likes coffee"]


def test_what_has_expired_there_is_not_added_again_and_again(memory: Memory, path: Path) -> None:
    """It comes in expired, so that nobody sees it, and is known the next time."""
    written(path, [known("1", "old", expiration_date="2020-01-01")])
    assert [told(memory.import_(path)) for _ in range(2)] == [(1, 0, 0, 0), (0, 0, 1, 0)]
    assert len(memory.get_all(user_id="alex")) == 0


def test_the_same_memory_twice_in_a_file(memory: Memory, path: Path) -> None:
    """Pages that overlap: the second time it is unchanged, or a new version."""
    report = memory.import_(written(path, [known("1", "a"), known("1", "a"), known("1", "b")]))
    assert told(report) == (1, 1, 1, 0)
