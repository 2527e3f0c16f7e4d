"""Export and import."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from memplug import Memory
from memplug.exceptions import MalformedInput, UnsafeInput
from support import png

if TYPE_CHECKING:
    from pathlib import Path


def everything(memory: Memory) -> list[tuple[Any, ...]]:
    """All versions of all memories of the two users, with originals."""
    return [
        (version, memory.media(item.id) if item.media else None)
        for user in ("a", "b")
        for item in memory.get_all(user_id=user, limit=1_000)
        for version in memory.history(item.id)
    ]


@pytest.fixture
def filled(memory: Memory) -> Memory:
    """A memory with versions, pictures, conversations and a deleted item."""
    memory.add(
        [{"role": "user", "name": "Ann", "content": f"turn {n} 火锅"} for n in range(5)], user_id="a", run_id="r"
    )
    [id_] = memory.add("first", user_id="a", key="k", tags=["t"], metadata={"deep": {"er": [1, None, "x"]}}).ids
    memory.update(id_, "second")
    memory.add(png("blue"), user_id="b", description="a blue square", occurred_at="2020-02-02T02:02:02+02:00")
    memory.delete(memory.add("gone", user_id="b").ids[0])
    return memory


def opened(tmp_path: Path, name: str = "other") -> Memory:
    """Another, empty memory."""
    return Memory(tmp_path / name, embedder="hashing:256")


def test_round_trip_is_exact(filled: Memory, tmp_path: Path) -> None:
    """A whole store comes back with all versions, times, ids and originals as they were."""
    report = filled.export(tmp_path / "all.zip")
    assert (report.memories, report.versions, report.media) == (7, 8, 2)
    with opened(tmp_path) as other:
        imported = other.import_(tmp_path / "all.zip")
        assert (imported.added, imported.unchanged, imported.rejected) == (7, 0, ())
        assert everything(other) == everything(filled)
        assert other.search("火锅", user_id="a")[0].text.endswith("火锅")


def test_import_twice_changes_nothing(filled: Memory, tmp_path: Path) -> None:
    """An import that is repeated passes over what is there."""
    filled.export(tmp_path / "all.zip")
    report = filled.import_(tmp_path / "all.zip")
    assert (report.added, report.updated, report.unchanged, report.rejected) == (0, 0, 7, ())


def test_later_versions_are_brought_in(filled: Memory, tmp_path: Path) -> None:
    """A store that has the first versions gets those that came after."""
    filled.export(tmp_path / "old.zip")
    with opened(tmp_path) as other:
        other.import_(tmp_path / "old.zip")
        id_ = filled.get(key="k", user_id="a").id
        filled.update(id_, "third")
        filled.export(tmp_path / "new.zip")
        report = other.import_(tmp_path / "new.zip")
        assert (report.added, report.updated, report.unchanged) == (0, 1, 6)
        assert other.get(id_).text == "third"
        other.update(id_, "went another way")
        filled.update(id_, "fourth")
        filled.export(tmp_path / "newest.zip")
        [rejection] = other.import_(tmp_path / "newest.zip").rejected
        assert rejection.error.code == "item.conflict"
        assert other.get(id_).text == "went another way"


def test_scope_export_holds_nothing_else(filled: Memory, tmp_path: Path) -> None:
    """The archive of one scope holds no line and no picture of another."""
    filled.export(tmp_path / "a.zip", user_id="a")
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        lines = [json.loads(line) for line in file.read("memories.jsonl").splitlines()]
        assert {line["user_id"] for line in lines} == {"a"}
        assert not [name for name in file.namelist() if name.startswith("media/")]


def test_import_into_another_scope(filled: Memory, tmp_path: Path) -> None:
    """Memories imported into a scope become its own and leave the originals alone."""
    filled.export(tmp_path / "a.zip", user_id="a")
    filled.import_(tmp_path / "a.zip", user_id="c")
    assert len(filled.get_all(user_id="c")) == len(filled.get_all(user_id="a")) == 6
    assert filled.get(key="k", user_id="c").id != filled.get(key="k", user_id="a").id
    assert filled.import_(tmp_path / "a.zip", user_id="c").unchanged == 6


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """The archive with its entries as ``change`` gives them back."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name, data in change({name: old.read(name) for name in old.namelist()}):
            new.writestr(name, data)
    return target


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda entries: [*entries.items(), ("../../evil", b"x")], UnsafeInput),
        (lambda entries: [*entries.items(), ("media/short", b"x")], UnsafeInput),
        (lambda entries: [*entries.items(), *entries.items()], UnsafeInput),
        (lambda _: [("memories.jsonl", b"")], MalformedInput),
        (lambda entries: [*(entries | {"manifest.json": b"{}"}).items()], MalformedInput),
        (
            lambda entries: [*(entries | {"manifest.json": b'{"format":"memplug-archive","version":99}'}).items()],
            MalformedInput,
        ),
    ],
)
def test_hostile_archives(filled: Memory, tmp_path: Path, change: Any, error: type[Exception]) -> None:
    """An archive with strange entries is refused before anything of it is stored."""
    filled.export(tmp_path / "good.zip")
    with opened(tmp_path) as other:
        with pytest.raises(error):
            other.import_(rewritten(tmp_path / "good.zip", tmp_path / "bad.zip", change))
        assert other.engine.store.size() == 0


def test_bad_lines_are_rejected_alone(filled: Memory, tmp_path: Path) -> None:
    """A broken line, a foreign field and a forged picture are rejected; everything else is imported."""
    filled.export(tmp_path / "good.zip")

    def change(entries: dict[str, bytes]) -> list[tuple[str, bytes]]:
        lines = entries["memories.jsonl"].splitlines()
        lines.insert(0, b"{not json")
        lines.insert(1, json.dumps(json.loads(lines[-1]) | {"id": "x" * 26, "evil": 1}).encode())
        entries["memories.jsonl"] = b"\n".join(lines) + b"\n"
        return [(name, b"forged" if name.startswith("media/") else data) for name, data in entries.items()]

    with opened(tmp_path) as other:
        report = other.import_(rewritten(tmp_path / "good.zip", tmp_path / "bad.zip", change))
        assert (report.added, len(report.rejected)) == (6, 3)
        assert not other.get_all(user_id="b")


def test_json_lines(memory: Memory, tmp_path: Path) -> None:
    """Messages come in line by line, in order, with wrong lines rejected by number."""
    lines = [
        {"content": "hello", "user_id": "u", "run_id": "r", "name": "Ann", "occurred_at": "2024-05-01T10:00:00Z"},
        {"content": "hi there", "role": "assistant", "user_id": "u", "run_id": "r"},
        {"content": "no scope"},
        {"content": "typo", "user_id": "u", "usr": 1},
        {"content": "", "user_id": "u", "run_id": "r"},
        {"content": "keyed", "user_id": "u", "key": "k", "tags": ["t"]},
    ]
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "[]\n\n", encoding="utf-8")
    seen: list[tuple[int, int]] = []
    report = memory.import_(path, progress=lambda done, total, _: seen.append((done, total)))
    assert report.added == 3
    assert sorted(rejection.line for rejection in report.rejected) == [3, 4, 5, 7]
    assert seen[-1] == (6, 8)
    turns = memory.get_all(user_id="u", run_id="r")
    assert [(item.text, item.source.speaker, item.source.position) for item in turns] == [
        ("hi there", None, 1),
        ("hello", "Ann", 0),
    ]
    assert memory.get(key="k", user_id="u").tags == ("t",)
    assert memory.import_(path, user_id="someone").added == 1


def test_missing_file(memory: Memory, tmp_path: Path) -> None:
    """A file that is not there is a typed error."""
    with pytest.raises(MalformedInput):
        memory.import_(tmp_path / "nowhere.jsonl")
