"""ChatGPT's exports."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exports import BEGAN, chat, picture_part, said, told, written, zipped
from memplug import Memory
from memplug.exceptions import ScopeError
from support import png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memplug.values.item import MemoryItem

OLD, NEW = "file-AbC123", "file_00000000deadbeef"
EDITED = "messages on branches that were edited away; all branches can be asked for"
MISSING = "files that the export names and does not hold"


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory."""
    with Memory("memory://", embedder="hashing:64") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write conversations."""
    return tmp_path / "conversations.json"


def turns(memory: Memory, run: str, user: str = "alex") -> list[MemoryItem]:
    """A conversation in its order."""
    items = memory.get_all(user_id=user, run_id=run, limit=1_000)
    return sorted(items, key=lambda item: (item.source.position or 0, item.kind, item.text))


def test_each_message_is_a_turn_of_its_conversation(memory: Memory, path: Path) -> None:
    """With role, moment, place and title; and it is found."""
    one = chat(
        "c1",
        said("system", ""),
        said("user", "Where to eat in Rome?", at=BEGAN),
        said("assistant", "In Testaccio.", at=BEGAN + 5, metadata={"model_slug": "gpt-5"}),
    )
    report = memory.import_(written(path, [one, chat("c2", said("user", "Hello"), title="")]), user_id="alex")
    assert (told(report), report.format) == ((3, 0, 0, 0), "chatgpt")
    question, answer = turns(memory, "c1")
    assert (question.text, question.source.role, question.source.position) == ("Where to eat in Rome?", "user", 0)
    assert (answer.text, answer.source.role, answer.source.position) == ("In Testaccio.", "assistant", 1)
    assert question.occurred_at == datetime.fromtimestamp(BEGAN, UTC)
    expected = {"imported_from": "chatgpt", "title": "Trip to Rome", "message_id": "c1-n3", "model": "gpt-5"}
    assert answer.metadata == expected
    assert memory.search("Testaccio", user_id="alex")[0].id == answer.id
    assert "title" not in turns(memory, "c2")[0].metadata


def test_the_branch_that_was_seen_last_is_taken(memory: Memory, path: Path) -> None:
    """What was edited away is counted and not lost: asked for, it comes in too, marked, at its place."""
    messages = [said("user", "to Rome"), said("assistant", "nice"), said("user", "to Paris"), said("assistant", "oh")]
    written(path, [chat("c1", *messages, after={3: 0})])
    report = memory.import_(path, user_id="alex")
    assert [item.text for item in turns(memory, "c1")] == ["to Paris", "oh"]
    assert (told(report), report.left_out) == ((2, 0, 0, 0), {EDITED: 2})
    report = memory.import_(path, user_id="alex", branches="all")
    assert (told(report), report.left_out) == ((2, 0, 2, 0), {})
    found = [(item.text, item.source.position, item.metadata.get("branch")) for item in turns(memory, "c1")]
    assert found == [("to Paris", 0, None), ("to Rome", 0, "edited"), ("nice", 1, "edited"), ("oh", 1, None)]


def test_a_conversation_without_a_current_node_ends_where_it_was_last_continued(memory: Memory, path: Path) -> None:
    """By the time of the last message of each branch."""
    messages = [said("user", "q"), said("assistant", "new", at=BEGAN + 9), said("assistant", "old", at=BEGAN + 1)]
    memory.import_(written(path, [chat("c1", *messages, after={3: 1}, current_node=None)]), user_id="alex")
    assert [item.text for item in turns(memory, "c1")] == ["q", "new"]


def test_pictures_come_with_their_messages(memory: Memory, tmp_path: Path) -> None:
    """By the ids of old and of new exports, under the name that people know, found by what was said or asked for."""
    one = chat(
        "c1",
        said("user", "my bicycle", picture_part(f"file-service://{OLD}"), metadata={"attachments": [{"id": OLD}]}),
        said("tool", picture_part(f"sediment://{NEW}", dalle={"prompt": "a red gate"}), name="dalle.text2im"),
    )
    export = {
        "chat.html": b"<html>",
        f"{OLD}-IMG_1.png": png("red"),
        f"dalle-generations/{NEW}-x.dat": png("blue"),
        "conversation_asset_file_names.json": {f"{NEW}-x.dat": "gate.png"},
        "conversations-000.json": [one],
        "conversations-001.json": [chat("c2", said("user", "Hello"))],
    }
    report = memory.import_(zipped(tmp_path / "export.zip", export), user_id="alex")
    assert told(report) == (4, 0, 0, 0)
    photo, words, drawn = turns(memory, "c1")
    assert memory.media(photo.id) == png("red")
    assert photo.source.message == words.source.message is not None
    assert (photo.kind, photo.text, photo.source.position) == ("image", "my bicycle", 0)
    assert (drawn.text, drawn.source.role, drawn.metadata["tool"]) == ("a red gate", "tool", "dalle.text2im")
    assert drawn.media is not None
    assert drawn.media.name == "gate.png"
    assert memory.import_(tmp_path / "export.zip", user_id="alex").unchanged == 4


def test_an_unpacked_export_is_the_same_export(memory: Memory, tmp_path: Path) -> None:
    """A folder; what lies outside of it is not looked at, and links in it lead nowhere."""
    folder = tmp_path / "export"
    folder.mkdir()
    (tmp_path / f"{OLD}.png").write_bytes(png())
    (folder / f"{OLD}.png").symlink_to(tmp_path / f"{OLD}.png")
    (folder / f"{NEW}.png").write_bytes(png("blue"))
    parts = [picture_part(f"file-service://{OLD}"), picture_part(f"sediment://{NEW}")]
    written(folder / "conversations.json", [chat("c1", said("user", "look", *parts))])
    report = memory.import_(folder, user_id="alex")
    assert (told(report), report.left_out) == ((2, 0, 0, 0), {MISSING: 1})


def test_a_file_that_nobody_takes_is_rejected_by_name(memory: Memory, tmp_path: Path) -> None:
    """Its message comes in all the same."""
    audio = {"content_type": "audio_asset_pointer", "asset_pointer": f"sediment://{NEW}", "format": "wav"}
    spoken = {"content_type": "audio_transcription", "text": "call my sister", "direction": "in"}
    export = {f"{NEW}.wav": b"RIFF\0\0\0\0WAVEfmt ", "conversations.json": [chat("c1", said("user", spoken, audio))]}
    report = memory.import_(zipped(tmp_path / "x.zip", export), user_id="alex")
    assert [item.text for item in turns(memory, "c1")] == ["call my sister"]
    [rejected] = report.rejected
    assert (rejected.line, rejected.error.code) == (1, "input.unsupported")
    assert rejected.where == f"conversation 1 'Trip to Rome', message 1, {NEW}"


def content(type_: str, **fields: Any) -> dict[str, Any]:
    """Content of another type than text."""
    return {"content_type": type_} | fields


@pytest.mark.parametrize(
    ("message", "role", "text"),
    [
        (said("assistant", content=content("code", language="python", text="print(1)")), "assistant", "print(1)"),
        (said("tool", content=content("execution_output", text="1")), "tool", "1"),
        (said("tool", content=content("tether_browsing_display", result="found", summary=None)), "tool", "found"),
        (said("tool", content=content("tether_quote", url="u", domain="d", text="t", title="T")), "web", "T\nt"),
        (said("tool", content=content("system_error", name="x", text="failed")), "tool", "failed"),
        (said("system", "Speak plainly."), "system", "Speak plainly."),
        (said("user", "cited \ue200cite\ue202turn0search1\ue201here"), "user", "cited here"),
        (said("user", "cut \ud83d"), "user", "cut \ufffd"),
        (said("user", {"text": "a part"}), "user", "a part"),
    ],
)
def test_what_tools_and_systems_said_keeps_its_role(
    memory: Memory, path: Path, message: dict[str, Any], role: str, text: str
) -> None:
    """So that nobody takes it for the user's own words."""
    report = memory.import_(written(path, [chat("c1", message)]), user_id="alex")
    [item] = turns(memory, "c1")
    assert (told(report), item.source.role, item.text) == ((1, 0, 0, 0), role, text)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (said("assistant", content=content("thoughts", thoughts=[{"content": "hm"}])), "the model's own reasoning"),
        (said("assistant", content=content("reasoning_recap", content="8 s")), "the model's own reasoning"),
        (
            said("user", content=content("user_editable_context", user_profile="x")),
            "custom instructions, repeated per conversation",
        ),
        (
            said("system", "x", metadata={"is_visually_hidden_from_conversation": True}),
            "messages that the user never saw",
        ),
        (said("assistant", ""), "messages without content"),
        (said("user", picture_part("sediment://file_gone")), MISSING),
    ],
)
def test_what_is_left_out_is_counted(memory: Memory, path: Path, message: dict[str, Any], what: str) -> None:
    """In words, and the turns around it keep their places."""
    report = memory.import_(written(path, [chat("c1", said("user", "a"), message, said("user", "b"))]), user_id="alex")
    assert (told(report), report.left_out) == ((2, 0, 0, 0), {what: 1})
    assert [item.text for item in turns(memory, "c1")] == ["a", "b"]


def test_what_must_not_be_remembered_is_not(memory: Memory, path: Path) -> None:
    """A conversation that its user marked so is left out, and counted."""
    report = memory.import_(written(path, [chat("c1", said("user", "a"), is_do_not_remember=True)]), user_id="alex")
    assert report.added == 0
    assert report.left_out == {"conversations that their user marked as not to be remembered": 1}


def test_a_later_export_brings_what_is_new(memory: Memory, path: Path) -> None:
    """New turns and conversations are added, a new title is a new version, all else is unchanged."""
    first = [said("user", "one"), said("assistant", "two")]
    memory.import_(written(path, [chat("c1", *first), chat("c2", said("user", "x"))]), user_id="alex")
    later = [
        chat("c3", said("user", "y")),
        chat("c1", *first, said("user", "three")),
        chat("c2", said("user", "x"), title="New"),
    ]
    report = memory.import_(written(path, later), user_id="alex")
    assert told(report) == (2, 1, 2, 0)
    assert [(item.text, item.source.position) for item in turns(memory, "c1")] == [("one", 0), ("two", 1), ("three", 2)]
    assert [item.metadata["title"] for item in turns(memory, "c2")] == ["New"]
    assert told(memory.import_(path, user_id="alex")) == (0, 0, 5, 0)


def test_what_was_done_here_meanwhile_stays(memory: Memory, path: Path) -> None:
    """A correction is not undone by importing again, nor is a deletion; news from there are a new version."""
    written(path, [chat("c1", said("user", "limit 800"), said("user", "secret"), said("user", "same"))])
    memory.import_(path, user_id="alex")
    limit, secret, _ = turns(memory, "c1")
    memory.update(limit.id, "limit 600")
    memory.delete(secret.id)
    report = memory.import_(path, user_id="alex")
    assert (told(report), list(report.left_out.values())) == ((0, 0, 2, 0), [1])
    assert [item.text for item in turns(memory, "c1")] == ["limit 600", "same"]
    written(path, [chat("c1", said("user", "limit 500"), said("user", "secret"), said("user", "same"))])
    assert told(memory.import_(path, user_id="alex")) == (0, 1, 1, 0)
    assert [item.text for item in memory.history(limit.id)] == ["limit 800", "limit 600", "limit 500"]


def test_whose_conversations_they_are_must_be_said(memory: Memory, path: Path) -> None:
    """And the run is the conversation's, so that it cannot be said."""
    written(path, [chat("c1", said("user", "x"))])
    with pytest.raises(ScopeError, match="user_id"):
        memory.import_(path)
    with pytest.raises(ScopeError, match="run of its own"):
        memory.import_(path, user_id="alex", run_id="r")
    assert memory.import_(path, user_id="alex", agent_id="a").added == 1
    assert memory.import_(path, user_id="bea").added == 1
    assert [item.text for item in memory.get_all(user_id="alex", agent_id="a", run_id="c1")] == ["x"]


def test_one_conversation_alone_and_several_lines_of_them(memory: Memory, path: Path) -> None:
    """A file with one conversation, and one with a conversation on each line."""
    one, two = (chat(id_, said("user", id_)) for id_ in ("c1", "c2"))
    assert memory.import_(written(path, one), user_id="alex").added == 1
    path.write_text(json.dumps(one) + "\n" + json.dumps(two) + "\n", "utf-8")
    assert told(memory.import_(path, user_id="alex")) == (1, 0, 1, 0)
