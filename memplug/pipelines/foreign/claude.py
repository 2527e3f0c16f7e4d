"""Claude's conversations, and what stands beside them: the knowledge of projects, and what Claude remembered itself.

A message says the same twice, as ``content`` blocks and as flat ``text``; the blocks are read, since the text puts a
placeholder where a tool was used. Newer exports name each message's parent, so that edited branches can be told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputRejected, MalformedInput
from memplug.inputs.envelope import read_moment
from memplug.pipelines.foreign.entries import (
    EDITED,
    EMPTY,
    MISSING,
    REASONING,
    Entry,
    Finding,
    LeftOut,
    Piece,
    Wrong,
    mapping,
    members,
    named,
    told,
    words,
)
from memplug.pipelines.foreign.formats import CLAUDE
from memplug.pipelines.foreign.tree import depths, last_leaf, path_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from memplug.pipelines.foreign.assets import Assets
    from memplug.values.source import Role

NAME = CLAUDE
_ROLES: Mapping[str, Role] = {"human": "user", "user": "user", "assistant": "assistant", "system": "system"}
_REASONING = frozenset({"thinking", "redacted_thinking"})
#: Blocks that say something about the application, not in the conversation.
_NOTES = frozenset({"token_budget", "flag", "start_of_turn", "end_of_turn"})
_NO_WORDS = "answers of tools without words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claude:
    """Reads conversations, projects and memories.

    Args:
        assets: The export's files.
        all_branches: Whether messages that were edited away are taken too.
    """

    assets: Assets
    all_branches: bool = False

    def read(self, value: object, number: int) -> Iterator[Finding]:
        """What a conversation, a project or a list of memories holds.

        Raises:
            MalformedInput: It is none of these, or a conversation that goes round in a circle.
        """
        found = mapping(value)
        if isinstance(found.get("chat_messages"), list):
            yield from self._conversation(found, number)
        elif "docs" in found or "prompt_template" in found:
            yield from _project(found, number)
        elif "conversations_memory" in found or "project_memories" in found:
            yield from _memories(found, number)
        else:
            raise MalformedInput("it is no conversation of Claude: it has no chat_messages")

    def _conversation(self, found: Mapping[str, Any], number: int) -> Iterator[Finding]:
        chat = _Chat.of(found, number)
        chosen, edited = chat.branches()
        if edited and not self.all_branches:
            yield LeftOut(what=EDITED, count=len(edited))
        taken = [*chosen, *edited] if self.all_branches else chosen
        places = depths(chat.parents, frozenset(taken))
        away = frozenset(edited)
        for name in taken:
            first = name == taken[0]
            yield from self._message(chat, name, places[name], edited=name in away, first=first)

    def _message(self, chat: _Chat, name: str, position: int, *, edited: bool, first: bool) -> Iterator[Finding]:
        message = chat.messages[name]
        place = f"{chat.place}, message {position + 1}"
        try:
            found = _Message(message, self.assets).pieces()
            yield from (one for one in found if isinstance(one, LeftOut))
            if pieces := tuple(one for one in found if isinstance(one, Piece)):
                labels = [label for one in _files(message) if (label := words(one.get("file_name")))]
                yield Entry(
                    origin=f"{NAME}/{chat.id}/{name}",
                    place=place,
                    pieces=pieces,
                    ids={"run_id": chat.id},
                    occurred_at=_moment(message),
                    position=position,
                    context=chat.title if first else "",
                    metadata=told(
                        imported_from=NAME,
                        title=chat.title,
                        message_id=name,
                        attachments=labels,
                        branch="edited" if edited else None,
                    ),
                )
            elif not found:
                yield LeftOut(what=EMPTY)
        except InputRejected as error:
            yield Wrong(number=chat.number, place=place, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chat:
    value: Mapping[str, Any]
    number: int
    id: str
    title: str
    messages: Mapping[str, Mapping[str, Any]]
    parents: Mapping[str, str | None]

    @classmethod
    def of(cls, value: Mapping[str, Any], number: int) -> _Chat:
        listed = [mapping(one) for one in value["chat_messages"]]
        messages = {words(one.get("uuid")) or f"#{place}": one for place, one in enumerate(listed)}
        if len(messages) != len(listed):
            raise MalformedInput("two of its messages have one uuid, so one of them would be lost")
        names = list(messages)
        if any(isinstance(one.get("parent_message_uuid"), str) for one in listed):
            parents: dict[str, str | None] = {
                name: words(one.get("parent_message_uuid")) or None for name, one in messages.items()
            }
        else:
            parents = dict(zip(names, [None, *names], strict=False))
        return cls(
            value=value,
            number=number,
            id=named(value, "uuid"),
            title=words(value.get("name")).strip(),
            messages=messages,
            parents=parents,
        )

    @property
    def place(self) -> str:
        return f"conversation {self.number} {self.title!r:.60}"

    def branches(self) -> tuple[list[str], list[str]]:
        """The messages of the branch that was current last, and those of all others."""
        if not self.messages:
            return [], []
        current = words(self.value.get("current_leaf_message_uuid"))
        leaf = current if current in self.messages else last_leaf(self.parents, self._times())
        everything = depths(self.parents, frozenset(self.parents))
        if leaf is None or len(everything) < len(self.parents):
            raise MalformedInput("its messages follow each other in a circle")
        path = path_to(leaf, self.parents)
        on_path = set(path)
        return path, sorted((name for name in everything if name not in on_path), key=lambda name: everything[name])

    def _times(self) -> dict[str, float]:
        found = {}
        for name, message in self.messages.items():
            try:
                moment = _moment(message)
            except MalformedInput:
                continue  # It is rejected by itself, where it is read.
            found[name] = moment.timestamp() if moment else 0.0
        return found


def _moment(value: Mapping[str, Any]) -> datetime | None:
    time = value.get("created_at")
    return None if time is None else read_moment(time, name="created_at")


def _files(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Attachments, whose text the export holds, and files, of which it mostly holds the names."""
    names = ("attachments", "files", "files_v2")
    return [mapping(one) for name in names for one in members(message.get(name))]


class _Message:
    """One message on its way to pieces."""

    def __init__(self, message: Mapping[str, Any], assets: Assets) -> None:
        sender = words(message.get("sender"))
        if sender not in _ROLES:
            raise MalformedInput(f"nobody is known by the name {sender!r:.60}")
        self._role = _ROLES[sender]
        self._message = message
        self._assets = assets
        self._found: list[Piece | LeftOut] = []

    def pieces(self) -> list[Piece | LeftOut]:
        """Its text as one piece, then each use of a tool, attachment and file."""
        blocks = [mapping(one) for one in members(self._message.get("content"))]
        said = [words(one.get("text")) for one in blocks if one.get("type") == "text"]
        text = "\n".join(one for one in said if one.strip())
        if not blocks:
            text = words(self._message.get("text"))
        if text.strip():
            self._found.append(Piece(name="text", content=text, role=self._role))
        for place, block in enumerate(blocks):
            self._block(block, f"block {place}")
        for place, one in enumerate(members(self._message.get("attachments"))):
            self._attachment(mapping(one), f"attachment {place}")
        self._stored()
        return self._found

    def _block(self, block: Mapping[str, Any], name: str) -> None:
        type_ = words(block.get("type"))
        if type_ == "text" or type_ in _NOTES:
            return
        if type_ in _REASONING:
            self._found.append(LeftOut(what=REASONING))
        elif type_ == "tool_use":
            call = words(block.get("id")) or None
            self._found.append(Piece(name=name, content=_call(block), role=self._role, tool_call=call))
        elif type_ == "tool_result":
            self._answer(block, name)
        else:
            self._found.append(LeftOut(what=f"parts of the type {type_!r:.60}"))

    def _answer(self, block: Mapping[str, Any], name: str) -> None:
        content = block.get("content")
        texts = [_spoken(mapping(one)) for one in members(content)] if isinstance(content, list) else [words(content)]
        text = "\n".join(one for one in texts if one.strip())
        if not text:
            self._found.append(LeftOut(what=_NO_WORDS))
            return
        call = words(block.get("tool_use_id")) or None
        self._found.append(Piece(name=name, content=text, role="tool", tool_call=call))

    def _attachment(self, attachment: Mapping[str, Any], name: str) -> None:
        text = words(attachment.get("extracted_content"))
        label = words(attachment.get("file_name")) or None
        if text.strip():
            self._found.append(Piece(name=name, content=text, role="document", file=label))
        else:
            self._found.append(LeftOut(what=MISSING))

    def _stored(self) -> None:
        """Files that the export holds itself, each once, however often it is named."""
        seen: set[str] = set()
        for one in _files({**self._message, "attachments": []}):
            id_ = words(one.get("file_uuid")) or words(one.get("uuid")) or words(one.get("file_name"))
            if id_ in seen:
                continue
            seen.add(id_)
            asset = self._assets.find(id_)
            if asset is None:
                self._found.append(LeftOut(what=MISSING))
            else:
                label = words(one.get("file_name")) or None
                self._found.append(
                    Piece(name=f"file {id_}", content=asset.read, size=asset.size, role=self._role, file=label)
                )


def _call(block: Mapping[str, Any]) -> str:
    """A call in words: what it wrote, where it is an artifact; else the tool's name and what it was given."""
    given = mapping(block.get("input"))
    content = words(given.get("content"))
    if content.strip():
        return "\n".join(part for part in (words(given.get("title")), content) if part)
    return f"{words(block.get('name'))} {words(json.dumps(dict(given), ensure_ascii=False))}".strip()


def _spoken(part: Mapping[str, Any]) -> str:
    return "\n".join(found for name in ("title", "url", "text") if (found := words(part.get(name))).strip())


def _project(found: Mapping[str, Any], number: int) -> Iterator[Finding]:
    """The knowledge of a project, which belongs to no conversation."""
    id_, title = named(found, "uuid"), words(found.get("name")).strip()
    place = f"project {number} {title!r:.60}"
    about = told(imported_from=NAME, project=title)
    said = {name: words(found.get(name)) for name in ("description", "prompt_template")}
    for name, text in said.items():
        if text.strip():
            piece = Piece(name="text", content=text, role="user")
            yield Entry(
                origin=f"{NAME}/project/{id_}/{name}", place=f"{place}, {name}", pieces=(piece,), ids={}, metadata=about
            )
    for count, one in enumerate(members(found.get("docs")), start=1):
        doc = mapping(one)
        where = f"{place}, document {count}"
        text, label = words(doc.get("content")), words(doc.get("filename")) or None
        if not text.strip():
            yield LeftOut(what=MISSING)
            continue
        try:
            yield Entry(
                origin=f"{NAME}/project/{id_}/{words(doc.get('uuid')) or label or count}",
                place=where,
                pieces=(Piece(name="text", content=text, role="document", file=label),),
                ids={},
                occurred_at=_moment(doc),
                metadata=about,
            )
        except InputRejected as error:
            yield Wrong(number=number, place=where, error=error)


def _memories(found: Mapping[str, Any], number: int) -> Iterator[Finding]:
    """What Claude remembered by itself: one text about its user, and one for each project."""
    known = {"": words(found.get("conversations_memory"))}
    known |= {name: words(text) for name, text in mapping(found.get("project_memories")).items()}
    for name, text in known.items():
        if text.strip():
            yield Entry(
                origin=f"{NAME}/memory/{words(found.get('account_uuid'))}/{name}",
                place=f"memories {number}" + (f" of project {name!r:.60}" if name else ""),
                pieces=(Piece(name="text", content=text, role="assistant"),),
                ids={},
                metadata=told(imported_from=NAME, project_id=words(name)),
            )
