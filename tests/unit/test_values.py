"""The values: what they refuse, and the shapes that callers rely on."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import memplug.values
from memplug.exceptions import ConfigError, EmbedderMismatch, MalformedInput, PluginError, ScopeError, VersionConflict
from memplug.values.draft import Draft
from memplug.values.hit import Hit, SearchResult
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.outcome import AddResult, Outcome
from memplug.values.scope import MAX_ID_LENGTH, Scope
from memplug.values.source import Provenance, Source

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
ITEM = MemoryItem(id="m1", kind="text", text="hello", created_at=NOW, updated_at=NOW, user_id="wang")


def values() -> list[type]:
    """Every dataclass of `memplug.values`."""
    found = []
    for module in pkgutil.iter_modules(memplug.values.__path__, "memplug.values."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found += [one for _, one in members if dataclasses.is_dataclass(one) and one.__module__ == module.name]
    return found


@pytest.mark.parametrize("value", values(), ids=lambda value: value.__name__)
def test_a_value_never_changes(value: Any) -> None:
    """Every value is frozen and has no room for anything else."""
    assert value.__dataclass_params__.frozen
    assert "__slots__" in value.__dict__


@pytest.mark.parametrize("value", [ITEM, Draft(part=0, kind="text"), Hit(item=ITEM, score=0.5), Scope(user_id="a")])
def test_a_value_can_be_copied_and_sent_to_another_process(value: Any) -> None:
    """Values go through queues and caches; `asdict` gives plain data."""
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own bytes
    assert copy.deepcopy(value) == value
    assert isinstance(dataclasses.asdict(value), dict)


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"user_id": ""},
        {"user_id": 5},
        {"user_id": ["a"]},
        {"user_id": "a\ud800"},
        {"user_id": "x" * (MAX_ID_LENGTH + 1)},
        {"user_id": "a", "bucket": ""},
    ],
)
def test_a_scope_that_cannot_be_used_is_refused(ids: Any) -> None:
    """No ids never means everybody."""
    with pytest.raises(ScopeError):
        Scope(**ids)


@pytest.mark.parametrize("user_id", ["x" * MAX_ID_LENGTH, "a' OR 1=1 --", "我", "a\x00b", " ", "*"])
def test_a_scope_id_is_any_text(user_id: str) -> None:
    """What looks like a query or a pattern is a name like any other."""
    scope = Scope(user_id=user_id)
    assert scope.ids == {"user_id": user_id}
    assert scope.admits({"user_id": user_id, "run_id": "r"})
    assert not scope.admits({"user_id": "wang"})
    assert not scope.admits({"user_id": None})
    assert not scope.admits({})


def test_a_scope_holds_what_carries_all_of_its_ids() -> None:
    """More ids mean fewer memories."""
    scope = Scope(user_id="wang", run_id="monday")
    assert scope.admits({"user_id": "wang", "run_id": "monday", "agent_id": "a", "bucket": None})
    assert not scope.admits({"user_id": "wang", "run_id": None})


def test_a_scope_is_narrowed_and_never_moved() -> None:
    """A bound view can add ids, and give the same ones again, but not others."""
    scope = Scope(user_id="wang")
    assert scope.narrowed(run_id="monday", user_id="wang", bucket=None) == Scope(user_id="wang", run_id="monday")
    assert scope.narrowed() == scope
    with pytest.raises(ScopeError, match="user_id is fixed"):
        scope.narrowed(user_id="li")


@pytest.mark.parametrize(
    "given",
    [{}, {"data": b"", "url": "http://a"}, {"data": b"", "path": Path("a")}, {"data": b"", "path": Path(), "url": "u"}],
)
def test_a_source_is_exactly_one_thing(given: Any) -> None:
    """None or several of path, bytes and URL are a mistake of the program."""
    with pytest.raises(ConfigError, match="exactly one"):
        Source(**given)


@pytest.mark.parametrize(
    ("source", "label"),
    [
        (Source(path=Path("/a/b.png")), "b.png"),
        (Source(data=b""), ""),
        (Source(data=b"", name="../../etc/passwd"), "passwd"),
        (Source(data=b"", name="C:\\fakepath\\a.png"), "a.png"),
        (Source(url="https://user:pw@a.org/x/y.png?token=1#f"), "y.png"),
        (Source(url="data:image/png;base64,AAAA"), ""),
        (Source(path=Path("/a/b.png"), name="c.png"), "c.png"),
    ],
)
def test_a_source_is_called_by_its_file_name(source: Source, label: str) -> None:
    """No folder, no query and no token ever gets into the name."""
    assert source.label == label


def test_an_unknown_role_is_refused() -> None:
    """A slip in a role is not stored as a new one."""
    assert Provenance(role="tool").role == "tool"
    with pytest.raises(MalformedInput, match="unknown role 'usr'"):
        Provenance(role="usr")  # type: ignore[arg-type] # the point of the test


def test_a_memory_reads_as_mem0s_dict() -> None:
    """Code that moved from mem0 finds its keys, and only ids that are set."""
    shown = dict(ITEM)
    assert shown == {
        "id": "m1",
        "memory": "hello",
        "metadata": {},
        "created_at": "2026-11-20T18:00:00+00:00",
        "updated_at": "2026-11-20T18:00:00+00:00",
        "user_id": "wang",
    }
    assert (len(ITEM), ITEM["memory"], ITEM.get("nothing")) == (6, "hello", None)
    with pytest.raises(KeyError):
        ITEM["text"]


def test_search_results_read_both_ways() -> None:
    """A list of hits for us, `results` for mem0's users; nothing found is false."""
    hits = tuple(Hit(item=ITEM, score=score) for score in (0.9, 0.5))
    result = SearchResult(hits=hits, query="q")
    assert (list(result), result[0], result[-1], list(result[:1])) == (list(hits), hits[0], hits[1], [hits[0]])
    assert [entry["score"] for entry in result["results"]] == [0.9, 0.5]
    assert not SearchResult()
    with pytest.raises(KeyError):
        result["result"]
    with pytest.raises(IndexError):
        result[2]


def test_a_hit_explains_itself_only_when_asked() -> None:
    """mem0's `score_details` is there with the shares, and only then."""
    assert "score_details" not in Hit(item=ITEM, score=0.5)
    assert Hit(item=ITEM, score=0.5, shares={"words": 0.5})["score_details"] == {"words": 0.5}
    assert Hit(item=ITEM, score=0.5).media is None
    assert Hit(item=ITEM, score=0.5).image is None


def test_an_add_says_what_became_of_each_part() -> None:
    """Ids in order, rejections apart, and mem0's words for events."""
    error = MalformedInput("no")
    result = AddResult(
        outcomes=(
            Outcome(event="added", id="a", text="x"),
            Outcome(event="rejected", part=1, error=error),
            Outcome(event="duplicate", part=2, id="b"),
        )
    )
    assert result.ids == ("a", "b")
    assert [one.part for one in result.rejected] == [1]
    assert [one["event"] for one in result["results"]] == ["ADD", "ERROR", "NONE"]
    assert result["results"][1]["error"] == "no"
    assert "error" not in result["results"][0]


def test_a_memory_is_called_by_the_best_it_has() -> None:
    """Words, else the file's name, else the key, else the id."""
    media = MediaRef(digest="d", size=1, content_type="image/png", name="a.png")
    assert dataclasses.replace(ITEM, media=media).name == "hello"
    assert dataclasses.replace(ITEM, text="", media=media, key="k").name == "a.png"
    assert dataclasses.replace(ITEM, text="", key="k").name == "k"
    assert dataclasses.replace(ITEM, text="").name == "m1"


def test_a_record_is_named_by_its_memory() -> None:
    """A record has the id, version and begin of what it holds."""
    record = Record(item=dataclasses.replace(ITEM, version=3))
    assert (record.id, record.version, record.item.valid_from) == ("m1", 3, NOW)


def test_errors_carry_what_a_program_needs() -> None:
    """Message, hint and details are apart, and survive being raised."""
    conflict = VersionConflict("changed", current={"m1": 4}, hint="read it again")
    assert (conflict.message, str(conflict), conflict.current) == ("changed", "changed (read it again)", {"m1": 4})
    broken = PluginError("failed", plugin="p", hook="h", retryable=True)
    assert (broken.plugin, broken.hook, broken.retryable, broken.hint) == ("p", "h", True, None)
    assert "memplug reindex" in str(EmbedderMismatch("other embedder"))
