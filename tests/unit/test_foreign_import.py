"""Imports of other systems' exports: what a file is, an import that is cut off, guards, and how much is in memory."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import memplug
from archives import line, write_archive
from exports import chat, known, said, talk, told, written, wrote, zipped
from memplug import Memory
from memplug.exceptions import ConfigError, InputRejected, MalformedInput
from memplug.pipelines.foreign import importing, splitting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memplug.values.draft import Draft

CHAT = chat("c1", said("user", "from ChatGPT"))
TALK = talk("t1", wrote("human", "from Claude", "a"))
FACT = known("1", "from mem0")


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory."""
    with Memory("memory://", embedder="hashing:64") as opened:
        yield opened


def guarding(before_add: Callable[..., Any]) -> Memory:
    """A memory with one guard."""
    plugin = types.ModuleType("guard_of_a_test")
    plugin.before_add = memplug.hookimpl(before_add)  # type: ignore[attr-defined]  # that is how plugins are made
    return Memory("memory://", embedder="hashing:64", plugins=[plugin])


def texts(memory: Memory, user: str = "alex") -> set[str]:
    """What a user has."""
    return {item.text for item in memory.get_all(user_id=user, limit=1_000)}


# -- what a file is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "format_"), [([CHAT], "chatgpt"), ([TALK], "claude"), ([FACT], "mem0"), ({"results": [FACT]}, "mem0")]
)
@pytest.mark.parametrize("name", ["conversations.json", "other.txt", "memories.jsonl"])
def test_a_file_is_known_by_what_stands_in_it(
    memory: Memory, tmp_path: Path, value: Any, format_: Any, name: str
) -> None:
    """Whatever it is called; and it is the same when its format is named."""
    path = written(tmp_path / name, value)
    assert memory.import_(path, user_id="alex").format == format_
    assert told(memory.import_(path, user_id="alex", format=format_)) == (0, 0, 1, 0)


def test_archives_and_lines_are_still_themselves(memory: Memory, tmp_path: Path) -> None:
    """A ZIP of memplug's own, and a line for each message; each also by its name."""
    archive = write_archive(tmp_path / "x.zip", [line("one")])
    lines = written(tmp_path / "lines.txt", {"content": "hello", "user_id": "u", "metadata": {"mapping": 1}})
    for format_ in (None, "memplug"):
        assert memory.import_(archive, format=format_).format == "memplug"
    for format_ in (None, "jsonl"):
        assert memory.import_(lines, format=format_).format == "jsonl"  # type: ignore[arg-type]
    assert texts(memory, "u") == {"one", "hello"}


def test_a_file_that_is_something_else_than_was_said(memory: Memory, tmp_path: Path) -> None:
    """Names what it is; nothing is stored."""
    path = written(tmp_path / "x.json", [CHAT])
    with pytest.raises(MalformedInput, match="no export of claude, but of chatgpt"):
        memory.import_(path, user_id="alex", format="claude")
    with pytest.raises(ConfigError, match="one of memplug, jsonl, mem0, chatgpt, claude"):
        memory.import_(path, user_id="alex", format="gemini")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="branches"):
        memory.import_(path, user_id="alex", branches="some")  # type: ignore[arg-type]
    with pytest.raises(MalformedInput, match="not a ZIP"):
        memory.import_(path, format="memplug")
    assert memory.engine.store.size() == 0


def test_a_bundle_without_an_export(memory: Memory, tmp_path: Path) -> None:
    """A ZIP or folder of other things is refused, with a hint where the export is packed once more inside."""
    inner = zipped(tmp_path / "inner.zip", {"conversations.json": [CHAT]}).read_bytes()
    for files, words in (({"a.txt": b"x"}, "mem0"), ({"deep/inner.zip": inner}, "deep/inner.zip"), ({}, "mem0")):
        with pytest.raises(MalformedInput, match=words):
            memory.import_(zipped(tmp_path / "x.zip", files), user_id="alex")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MalformedInput, match="no export"):
        memory.import_(tmp_path / "empty", user_id="alex")
    mixed = {"conversations-000.json": [CHAT], "conversations-001.json": [TALK]}
    with pytest.raises(MalformedInput, match="chatgpt and claude"):
        memory.import_(zipped(tmp_path / "x.zip", mixed), user_id="alex")
    assert memory.import_(tmp_path / "x.zip", user_id="alex", format="claude").added == 1


def test_what_is_no_file_is_refused(memory: Memory, tmp_path: Path) -> None:
    """Nothing at all, and a pipe, which can be read only once."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("nowhere", "pipe"):
        with pytest.raises(MalformedInput, match=name):
            memory.import_(tmp_path / name, user_id="alex")


def test_a_repacked_export(memory: Memory, tmp_path: Path) -> None:
    """In a folder of its own, with the notes that macOS packs beside it; in both spellings of numbered files."""
    files = {
        "export/conversations-000.json": [CHAT],
        "__MACOSX/export/._conversations-000.json": b"\0\5",
        "export/conversations_001.json": [chat("c2", said("user", "two"))],
    }
    assert told(memory.import_(zipped(tmp_path / "x.zip", files), user_id="alex")) == (2, 0, 0, 0)


# -- an import that is cut off ----------------------------------------------------------------------------------


class Cut(Exception):
    """The import ends here."""


@pytest.mark.parametrize("after", range(1, 8))
def test_an_import_that_was_cut_off_is_taken_up(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Wherever it ended: what is there is passed over, and in the end everything is there once."""
    monkeypatch.setattr(importing, "_BATCH", 2)
    chats = [chat(f"c{n}", said("user", f"q{n}"), said("assistant", f"a{n}")) for n in range(6)]
    path = written(tmp_path / "conversations.json", chats)
    seen = 0

    def advance(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            raise Cut

    if after <= len(chats):
        with pytest.raises(Cut):
            memory.import_(path, user_id="alex", progress=advance)
    before = len(texts(memory))
    assert before <= 2 * after
    report = memory.import_(path, user_id="alex", progress=advance)
    assert told(report) == (12 - before, 0, before, 0)
    assert memory.engine.store.size() == 12


def test_conversations_share_commits(memory: Memory, tmp_path: Path) -> None:
    """Many short ones are stored together, each in its own run with its own places."""
    chats = [chat(f"c{n}", said("user", "same words"), said("assistant", "yes")) for n in range(30)]
    assert memory.import_(written(tmp_path / "x.json", chats), user_id="alex").added == 60
    moments = {item.created_at.replace(microsecond=0) for item in memory.get_all(user_id="alex", limit=100)}
    assert len(moments) <= 2
    for n in range(30):
        found = memory.get_all(user_id="alex", run_id=f"c{n}")
        assert sorted((item.source.position, item.text) for item in found) == [(0, "same words"), (1, "yes")]


def test_progress_is_told_in_bytes(memory: Memory, tmp_path: Path) -> None:
    """Up to all of them."""
    seen: list[tuple[int, int, str]] = []
    path = written(tmp_path / "x.json", [CHAT, chat("c2", said("user", "two"))])
    memory.import_(path, user_id="alex", progress=lambda *told: seen.append(told))
    size = path.stat().st_size
    assert seen[-1] == (size, size, "importing")


def test_turns_that_are_added_afterwards_go_on_behind_the_imported_ones(memory: Memory, tmp_path: Path) -> None:
    """A conversation that moved in can be continued."""
    path = written(tmp_path / "x.json", [chat("c1", said("user", "one"), said("assistant", "two"))])
    memory.import_(path, user_id="alex")
    [id_] = memory.add("three", user_id="alex", run_id="c1").ids
    assert memory.get(id_).source.position == 2
    assert told(memory.import_(path, user_id="alex")) == (0, 0, 2, 0)


# -- guards -----------------------------------------------------------------------------------------------------


def test_a_guard_that_refuses_costs_only_what_it_refuses(tmp_path: Path) -> None:
    """By its place in the export, whether it raises or leaves out."""

    def before_add(drafts: list[Draft], scope: object) -> list[Draft]:  # noqa: ARG001 - the hook's names
        if any("SECRET" in draft.text for draft in drafts):
            raise InputRejected("not here")
        return [draft for draft in drafts if "quiet" not in draft.text]

    messages = [said("user", "one"), said("user", "a SECRET"), said("user", "quiet"), said("user", "two")]
    path = written(tmp_path / "x.json", [chat("c1", *messages), chat("c2", said("user", "three"))])
    with guarding(before_add) as memory:
        report = memory.import_(path, user_id="alex")
        assert texts(memory) == {"one", "two", "three"}
        places = [(one.where.rpartition(", ")[2], one.error.code) for one in report.rejected]
        assert places == [("message 2", "input.rejected"), ("message 3", "input.rejected")]


def test_redaction_reaches_imports(tmp_path: Path) -> None:
    """A guard's words are stored instead, and a second import finds them the same."""

    def before_add(drafts: list[Draft], scope: object) -> list[Draft]:  # noqa: ARG001 - the hook's names
        return [replace(draft, text=draft.text.replace("SECRET", "***")) for draft in drafts]

    path = written(tmp_path / "x.json", [chat("c1", said("user", "a SECRET"))])
    with guarding(before_add) as memory:
        assert [told(memory.import_(path, user_id="alex")) for _ in range(2)] == [(1, 0, 0, 0), (0, 0, 1, 0)]
        assert texts(memory) == {"a ***"}


# -- taking large files apart -----------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A file that is made while it is read: an array of equal members."""

    def __init__(self, member: bytes, count: int) -> None:
        self._member, self._left, self._rest = member, count, b"["

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        while len(self._rest) < size and self._left:
            self._left -= 1
            self._rest += self._member + (b"," if self._left else b"]")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def test_a_large_file_is_never_whole_in_memory() -> None:
    """Of 15 MB of conversations there are a few in memory at a time."""
    member = json.dumps(chat("c1", *[said("user", "word " * 100) for _ in range(100)])).encode()
    count = 15_000_000 // len(member)
    tracemalloc.start()
    try:
        found = sum(len(one.data) == len(member) for one in splitting.Splitter(Endless(member, count)))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == count
    assert peak < 6_000_000


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_members_are_found_wherever_a_read_ends(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Inside of texts, escapes and brackets."""
    monkeypatch.setattr(splitting, "_BLOCK", block)
    values = [{"a": 'x"]}\\', "b": [1, {"c": '\\"}'}]}, [], {"d": "火锅 \u2028"}, {"e": {}}]
    for text in (json.dumps(values), json.dumps(values, indent=1, ensure_ascii=False)):
        assert [one.value() for one in splitting.Splitter(io.BytesIO(text.encode()))] == values
    page = json.dumps({"x": {"y": [1]}, "results": values, "s": "[{", "more": [{}]})
    found = [(one.member, one.number, one.value()) for one in splitting.Splitter(io.BytesIO(page.encode()))]
    assert found == [*(("results", n, value) for n, value in enumerate(values, start=1)), ("more", 1, {})]
