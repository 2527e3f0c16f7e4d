"""Claude's exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exports import ROOT, talk, told, written, wrote, zipped
from memplug import Memory
from support import png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.values.item import MemoryItem

EDITED = "messages on branches that were edited away; all branches can be asked for"
MISSING = "files that the export names and does not hold"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory."""
    with Memory("memory://", embedder="hashing:64") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write conversations."""
    return tmp_path / "conversations.json"


def turns(memory: Memory, run: str | None = None) -> list[MemoryItem]:
    """A conversation in its order."""
    items = memory.get_all(user_id="alex", run_id=run)
    return sorted(items, key=lambda item: (item.source.position or 0, item.text))


def test_each_message_is_a_turn_of_its_conversation(memory: Memory, path: Path) -> None:
    """In old exports, whose messages name no parent, in the order of the list."""
    written(path, [talk("t1", wrote("human", "How long does dough rest?", "a"), wrote("assistant", "A night.", "b"))])
    report = memory.import_(path, user_id="alex")
    assert (told(report), report.format) == ((2, 0, 0, 0), "claude")
    question, answer = turns(memory, "t1")
    assert (question.source.role, answer.source.role, answer.source.position) == ("user", "assistant", 1)
    assert answer.metadata == {"imported_from": "claude", "title": "Sourdough", "message_id": "b"}
    assert question.occurred_at is not None
    assert question.occurred_at.isoformat() == "2025-06-15T15:06:40.250000+00:00"
    assert told(memory.import_(path, user_id="alex")) == (0, 0, 2, 0)


def test_edited_branches(memory: Memory, path: Path) -> None:
    """The branch that was continued last is taken, or the one that the export calls current; the other is counted."""
    messages = [
        wrote("human", "q", "a", after=ROOT),
        wrote("assistant", "first", "b", after="a", created_at="2025-06-16T00:00:00Z"),
        wrote("assistant", "second", "c", after="a", created_at="2025-06-15T00:00:00Z"),
    ]
    report = memory.import_(written(path, [talk("t1", *messages)]), user_id="alex")
    assert ([item.text for item in turns(memory, "t1")], report.left_out) == (["q", "first"], {EDITED: 1})
    memory.import_(written(path, [talk("t2", *messages, current_leaf_message_uuid="c")]), user_id="alex")
    assert [item.text for item in turns(memory, "t2")] == ["q", "second"]
    report = memory.import_(path, user_id="alex", branches="all")
    assert (told(report), report.left_out) == ((1, 0, 2, 0), {})


def test_blocks_are_read_by_what_they_are(memory: Memory, path: Path) -> None:
    """Text is text, an artifact is what was written, tools keep their role, and reasoning is left out."""
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Here it is."},
        {"type": "tool_use", "id": "call", "name": "artifacts", "input": {"title": "Plan", "content": "1. Feed it."}},
        {"type": "tool_use", "name": "web_search", "input": {"query": "flour"}},
        {"type": "tool_result", "tool_use_id": "call", "content": [{"type": "text", "text": "OK"}]},
        {
            "type": "tool_result",
            "name": "web_search",
            "content": [{"type": "knowledge", "title": "T", "url": "u", "text": "rye"}],
        },
        {"type": "tool_result", "content": []},
        {"type": "token_budget"},
        {"type": "hologram"},
    ]
    placeholder = "Here it is.\n```\nThis block is not supported on your current device yet.\n```"
    message = wrote("assistant", placeholder, "a", content=blocks)
    report = memory.import_(written(path, [talk("t1", message)]), user_id="alex")
    assert report.left_out == {
        "the model's own reasoning": 1,
        "answers of tools without words": 1,
        "parts of the type 'hologram'": 1,
    }
    found = {item.text: (item.source.role, item.source.tool_call) for item in turns(memory, "t1")}
    assert found == {
        "Here it is.": ("assistant", None),
        "Plan\n1. Feed it.": ("assistant", "call"),
        'web_search {"query": "flour"}': ("assistant", None),
        "OK": ("tool", "call"),
        "T\nu\nrye": ("tool", None),
    }
    assert len({item.source.message for item in turns(memory, "t1")}) == 1


def test_attachments_and_files(memory: Memory, tmp_path: Path) -> None:
    """The text of an attachment is a document's; a file that is in the export is taken, one that is only named told."""
    message = wrote(
        "human",
        "",
        "a",
        attachments=[
            {"file_name": "notes.txt", "extracted_content": "feed at noon"},
            {"file_name": "", "extracted_content": ""},
        ],
        files=[{"file_name": "loaf.png", "file_uuid": UUID}, {"file_name": "gone.png", "file_uuid": "x"}],
    )
    export = {"conversations.json": [talk("t1", message)], f"files/{UUID}.png": png(), "users.json": [{"uuid": "u"}]}
    report = memory.import_(zipped(tmp_path / "batch-0000.zip", export), user_id="alex")
    assert (told(report), report.left_out) == ((2, 0, 0, 0), {MISSING: 2})
    text, picture = sorted(turns(memory, "t1"), key=lambda item: item.kind, reverse=True)
    assert (text.text, text.source.role, text.source.file) == ("feed at noon", "document", "notes.txt")
    assert (memory.media(picture.id), picture.source.file) == (png(), "loaf.png")
    assert picture.metadata["attachments"] == ["notes.txt", "loaf.png", "gone.png"]


def test_projects_and_memories(memory: Memory, tmp_path: Path) -> None:
    """Knowledge of projects, and what Claude remembered, are the user's in no conversation."""
    docs = [{"uuid": "d", "filename": "flour.md", "content": "rye", "created_at": "2025-01-01T00:00:00Z"}]
    project = {"uuid": "p", "name": "Bakery", "description": "", "prompt_template": "Be brief.", "docs": docs}
    export = {
        "conversations.json": [talk("t1", wrote("human", "x", "a"))],
        "projects.json": [project],
        "memories.json": [{"conversations_memory": "Bakes.", "project_memories": {"p": "Rye."}, "account_uuid": "u"}],
    }
    report = memory.import_(zipped(tmp_path / "x.zip", export), user_id="alex")
    assert told(report) == (5, 0, 0, 0)
    found = {item.text: (item.source.role, item.source.file, item.run_id) for item in turns(memory)}
    assert found == {
        "x": ("user", None, "t1"),
        "Be brief.": ("user", None, None),
        "rye": ("document", "flour.md", None),
        "Bakes.": ("assistant", None, None),
        "Rye.": ("assistant", None, None),
    }
    assert told(memory.import_(tmp_path / "x.zip", user_id="alex")) == (0, 0, 5, 0)


def test_one_file_for_each_project(memory: Memory, tmp_path: Path) -> None:
    """As newer exports have it."""
    export = {
        "conversations.json": [talk("t1", wrote("human", "x", "a"))],
        "projects/p.json": {"uuid": "p", "name": "B", "docs": [{"uuid": "d", "filename": "f", "content": "rye"}]},
    }
    assert memory.import_(zipped(tmp_path / "x.zip", export), user_id="alex").added == 2
