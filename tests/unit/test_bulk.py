"""Import of JSON Lines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from memplug import Memory
from memplug.exceptions import MalformedInput
from memplug.pipelines import bulk
from memplug.pipelines.bulk import LineImporter


def written(path: Path, *lines: Any) -> Path:
    """A file of lines: texts as they are, everything else as JSON."""
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines), "utf-8")
    return path


def each(name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """One field with each of some values."""
    return [{name: value} for value in values]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write lines."""
    return tmp_path / "lines.jsonl"


def test_json_lines(memory: Memory, path: Path) -> None:
    """Messages come in line by line, in order, with wrong lines rejected by number."""
    lines = [
        {"content": "hello", "user_id": "u", "run_id": "r", "name": "Ann", "occurred_at": "2024-05-01T10:00:00Z"},
        {"content": "hi there", "role": "assistant", "user_id": "u", "run_id": "r"},
        {"content": "no scope"},
        {"content": "typo", "user_id": "u", "usr": 1},
        {"content": "", "user_id": "u", "run_id": "r"},
        {"content": "keyed", "user_id": "u", "key": "k", "tags": ["t"]},
        "[]",
        "",
    ]
    written(path, *lines)
    seen: list[tuple[int, int]] = []
    report = memory.import_(path, progress=lambda done, total, _: seen.append((done, total)))
    assert report.added == 3
    assert [rejection.line for rejection in report.rejected] == [3, 4, 5, 7]
    assert seen[-1] == (6, 8)
    turns = memory.get_all(user_id="u", run_id="r")
    assert [(item.text, item.source.speaker, item.source.position) for item in turns] == [
        ("hi there", None, 1),
        ("hello", "Ann", 0),
    ]
    assert memory.get(key="k", user_id="u").tags == ("t",)


def test_a_line_cannot_leave_the_scope_of_the_call(memory: Memory, path: Path) -> None:
    """A line that names another user is rejected; one that narrows the scope, or names the same, comes in."""
    lines = [
        {"content": "theirs", "user_id": "victim"},
        {"content": "narrower", "run_id": "r"},
        {"content": "same", "user_id": "u"},
        {"content": "plain"},
    ]
    report = memory.import_(written(path, *lines), user_id="u")
    assert (report.added, [(one.line, one.error.code) for one in report.rejected]) == (3, [(1, "scope.invalid")])
    assert len(memory.get_all(user_id="u")) == 3
    assert len(memory.get_all(user_id="victim")) == 0
    assert [item.text for item in memory.get_all(run_id="r")] == ["narrower"]


@pytest.mark.parametrize(
    "bad",
    [
        *each("description", [5, []]),
        *each("kind", [5, []]),
        *each("content_type", [5, []]),
        *each("key", [5, []]),
        *each("role", [5, []]),
        *each("name", [5, []]),
        *each("tags", ["food", [1], 5, {}]),
        *each("metadata", [[], "x", 5]),
        *each("content", [5, True, 1.5]),
        *each("occurred_at", [True, [], "yesterday", 1e300]),
        *each("expires_at", [{}]),
        *each("tool_calls", ["x"]),
        *each("user_id", [5, [1], {}, ""]),
        {"x" * 10_000: 1},
    ],
    ids=lambda bad: str(bad)[:40],
)
def test_a_field_of_another_type_rejects_its_line_alone(memory: Memory, path: Path, bad: dict[str, Any]) -> None:
    """The lines before and behind it come in, and the error is short."""
    good = [{"content": f"good {n}", "user_id": "u", "run_id": "r"} for n in range(2)]
    report = memory.import_(written(path, good[0], {"content": "bad", "user_id": "u", "run_id": "r"} | bad, good[1]))
    assert (report.added, [one.line for one in report.rejected]) == (2, [2])
    assert report.rejected[0].error.code in {"input.malformed", "input.unsupported", "scope.invalid"}
    assert len(str(report.rejected[0].error)) < 300


def test_null_means_not_given(memory: Memory, path: Path) -> None:
    """Programs write null where they have nothing to say."""
    names = ("key", "kind", "tags", "metadata", "description", "expires_at", "name", "tool_calls", "run_id", "role")
    report = memory.import_(written(path, {"content": "x", "user_id": "u"} | dict.fromkeys(names)))
    assert (report.added, report.rejected) == (1, ())


@pytest.mark.parametrize("overlong", [601, 1_300, 5_000])
def test_an_overlong_line_is_rejected_once(
    memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch, overlong: int
) -> None:
    """Its tail is no line of its own, whatever it says, and the lines behind it keep their numbers."""
    monkeypatch.setattr(bulk, "_LINE_BYTES", 600)
    smuggled = json.dumps({"content": "smuggled", "user_id": "u"})
    fits = {"content": "x" * 562, "user_id": "u"}
    assert len(json.dumps(fits)) == 600 - 7
    report = memory.import_(
        written(path, "x" * (overlong - len(smuggled)) + smuggled, json.dumps(fits) + " " * 7, "{", " " * 900)
    )
    assert [(one.line, one.error.code) for one in report.rejected] == [
        (1, "input.too_large"),
        (3, "input.malformed"),
        (4, "input.too_large"),
    ]
    assert [item.text for item in memory.get_all(user_id="u")] == ["x" * 562]


def test_a_byte_order_mark_is_no_part_of_the_first_line(memory: Memory, path: Path) -> None:
    """Some editors begin every file with one; a last line needs no line end."""
    path.write_bytes(b'\xef\xbb\xbf{"content": "x", "user_id": "u"}\n{"content": "y", "user_id": "u"}')
    seen: list[int] = []
    report = memory.import_(path, progress=lambda _, total, __: seen.append(total))
    assert (report.added, report.rejected, seen) == (2, (), [2])


def test_a_line_of_several_parts_stands_alone(memory: Memory, path: Path) -> None:
    """What is wrong in or behind it is told by its own number, not by that of a neighbour."""
    broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    lines: list[dict[str, Any]] = [
        {"content": "first"},
        {"content": "calling", "role": "assistant", "tool_calls": [{"type": "function"}, 5]},
        {"content": [{"type": "text", "text": "look"}, broken]},
        {"content": {"type": "text", "text": "a part of its own"}},
        {"content": ""},
        {"content": "last"},
    ]
    report = memory.import_(written(path, *({**one, "user_id": "u", "run_id": "r"} for one in lines)))
    assert {2, 3, 5} == {one.line for one in report.rejected}
    assert {"first", "calling", "look", "a part of its own", "last"} <= {
        item.text for item in memory.get_all(user_id="u")
    }


def test_what_is_no_file_is_refused(memory: Memory, tmp_path: Path) -> None:
    """A folder, a pipe (which can be read only once) and nothing at all."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe", "nowhere"):
        with pytest.raises(MalformedInput):
            LineImporter(memory.engine.ingest).load(tmp_path / name, None, None)
