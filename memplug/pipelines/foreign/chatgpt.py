"""ChatGPT's conversations.

Each is a tree: ``mapping`` holds nodes with a ``message`` and a ``parent`` (exports of 2026 leave ``children`` out),
and ``current_node`` ends the branch that its user saw last. Pictures lie beside the conversations, under ids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputRejected, MalformedInput, UnsupportedInput
from memplug.inputs.envelope import read_moment
from memplug.pipelines.foreign.entries import (
    EDITED,
    EMPTY,
    HIDDEN,
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
from memplug.pipelines.foreign.formats import CHATGPT
from memplug.pipelines.foreign.tree import depths, last_leaf, path_to
from memplug.values.source import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memplug.pipelines.foreign.assets import Assets
    from memplug.values.source import Role

NAME = CHATGPT
_LEFT_OUT = {
    **dict.fromkeys(("thoughts", "reasoning_recap"), REASONING),
    **dict.fromkeys(
        ("user_editable_context", "model_editable_context"), "custom instructions, repeated per conversation"
    ),
}
_FORGET = "conversations that their user marked as not to be remembered"
#: Marks in the text that the application shows as a footnote sign, and that name nothing outside of it.
_CITATION = re.compile("\ue200(?:file)?cite\ue202[^\ue200\ue201]*\ue201")
#: Where the parts of spoken messages name their files.
_POINTERS = ("audio_asset_pointer", "video_container_asset_pointer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatGPT:
    """Reads conversations.

    Args:
        assets: The export's files.
        all_branches: Whether messages that were edited away are taken too.
    """

    assets: Assets
    all_branches: bool = False

    def read(self, value: object, number: int) -> Iterator[Finding]:
        """What a conversation holds, oldest first.

        Raises:
            MalformedInput: It is no conversation, or one that goes round in a circle.
        """
        chat = _Chat.of(value, number)
        if chat.value.get("is_do_not_remember") is True:
            yield LeftOut(what=_FORGET)
            return
        chosen, edited = chat.branches()
        taken = [*chosen, *edited] if self.all_branches else chosen
        if edited and not self.all_branches:
            yield LeftOut(what=EDITED, count=len(edited))
        place = chat.positions(frozenset(taken))
        away = frozenset(edited)
        first = True
        for name in taken:
            for found in self._message(chat, name, place[name], edited=name in away, first=first):
                first = first and not isinstance(found, Entry)
                yield found

    def _message(self, chat: _Chat, name: str, position: int, *, edited: bool, first: bool) -> Iterator[Finding]:
        message = chat.message(name)
        place = f"{chat.place}, message {position + 1}"
        try:
            if why := _why_left_out(message):
                yield LeftOut(what=why)
                return
            found = _Message(message, self.assets).pieces()
            yield from (one for one in found if isinstance(one, LeftOut))
            if pieces := tuple(one for one in found if isinstance(one, Piece)):
                time = message.get("create_time")
                yield Entry(
                    origin=f"{NAME}/{chat.id}/{name}",
                    place=place,
                    pieces=pieces,
                    ids={"run_id": chat.id},
                    occurred_at=None if time is None else read_moment(time, name="create_time"),
                    position=position,
                    context=chat.title if first else "",
                    metadata=_metadata(chat, name, message) | told(branch="edited" if edited else None),
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
    nodes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, value: object, number: int) -> _Chat:
        found = mapping(value)
        nodes = found.get("mapping")
        if not isinstance(nodes, dict):
            raise MalformedInput("it is no conversation of ChatGPT: it has no mapping")
        if not all(isinstance(node, dict) for node in nodes.values()):
            raise MalformedInput("its mapping holds something that is no object")
        return cls(
            value=found,
            number=number,
            id=named(found, "conversation_id", "id"),
            title=words(found.get("title")).strip(),
            nodes=nodes,
        )

    @property
    def place(self) -> str:
        return f"conversation {self.number} {self.title!r:.60}"

    def message(self, name: str) -> Mapping[str, Any]:
        return mapping(self.nodes[name].get("message"))

    def branches(self) -> tuple[list[str], list[str]]:
        """The messages of the branch that was current last, and those of all others that somebody said or saw."""
        parents = {name: words(node.get("parent")) or None for name, node in self.nodes.items()}
        current = words(self.value.get("current_node"))
        leaf = current if current in parents else last_leaf(parents, self._times())
        if leaf is None:
            if parents:
                raise MalformedInput("its messages follow each other in a circle")
            return [], []
        path = path_to(leaf, parents)
        on_path = set(path)
        place = depths(parents, frozenset(parents))
        rest = sorted((name for name in place if name not in on_path), key=lambda name: place[name])
        if len(place) < len(parents):
            raise MalformedInput("its messages follow each other in a circle")
        there = [name for name in rest if self.nodes[name].get("message") is not None]
        said = [name for name in there if not _why_left_out(self.message(name))]
        return [name for name in path if self.nodes[name].get("message") is not None], said

    def positions(self, taken: frozenset[str]) -> dict[str, int]:
        """The place of each message on its branch."""
        parents = {name: words(node.get("parent")) or None for name, node in self.nodes.items()}
        return depths(parents, frozenset(name for name in taken if not _why_left_out(self.message(name))))

    def _times(self) -> dict[str, float]:
        found = {name: self.message(name).get("create_time") for name in self.nodes}
        return {name: float(time) for name, time in found.items() if isinstance(time, int | float)}


def _why_left_out(message: Mapping[str, Any]) -> str | None:
    metadata, content = mapping(message.get("metadata")), mapping(message.get("content"))
    if why := _LEFT_OUT.get(words(content.get("content_type"))):
        return why
    hidden = metadata.get("is_visually_hidden_from_conversation") is True
    return HIDDEN if hidden else EMPTY if _is_blank(message, content) else None


def _is_blank(message: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    """Whether a message holds nothing at all, as those at the beginning of each conversation do."""
    parts = content.get("parts")
    said = [one for one in members(parts) if not isinstance(one, str) or one.strip()]
    only_parts = not any(words(content.get(name)).strip() for name in ("text", "result", "url"))
    return isinstance(parts, list) and not said and only_parts and not _attachments(message)


def _attachments(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [mapping(one) for one in members(mapping(message.get("metadata")).get("attachments"))]


def _metadata(chat: _Chat, name: str, message: Mapping[str, Any]) -> dict[str, Any]:
    metadata = mapping(message.get("metadata"))
    author = mapping(message.get("author"))
    recipient = words(message.get("recipient"))
    return told(
        imported_from=NAME,
        title=chat.title,
        message_id=name,
        model=words(metadata.get("model_slug")),
        tool=words(author.get("name")),
        to_tool=recipient if recipient != "all" else "",
        project=words(chat.value.get("conversation_template_id")) or words(chat.value.get("gizmo_id")),
        attachments=[label for one in _attachments(message) if (label := words(one.get("name")))],
    )


class _Message:
    """One message on its way to pieces."""

    def __init__(self, message: Mapping[str, Any], assets: Assets) -> None:
        self._message = message
        self._content = mapping(message.get("content"))
        self._assets = assets
        self._role = _role(words(mapping(message.get("author")).get("role")))
        self._texts: list[str] = []
        self._files: dict[str, Piece] = {}
        self._missing = 0
        self._others: list[LeftOut] = []

    def pieces(self) -> list[Piece | LeftOut]:
        """Its text as one piece, and each of its files.

        Raises:
            UnsupportedInput: It is of a form that nothing is known of.
        """
        type_ = words(self._content.get("content_type")) or "text"
        self._read(type_)
        for attachment in _attachments(self._message):
            self._file(words(attachment.get("id")))
        text = _CITATION.sub("", "\n".join(one for one in self._texts if one.strip()))
        found: list[Piece | LeftOut] = []
        if text.strip():
            url = words(self._content.get("url")) or None if type_ == "tether_quote" else None
            role: Role = "web" if type_ == "tether_quote" else self._role
            found.append(Piece(name="text", content=text, role=role, url=url))
        found += self._files.values()
        return found + self._others + ([LeftOut(what=MISSING, count=self._missing)] if self._missing else [])

    def _read(self, type_: str) -> None:
        content = self._content
        if isinstance(content.get("parts"), list):
            for part in content["parts"]:
                self._part(part)
        elif type_ == "tether_browsing_display":
            self._texts += [words(content.get("summary")), words(content.get("result"))]
        elif isinstance(content.get("text"), str):
            self._texts += [words(content.get("title")), words(content["text"])]
        else:
            raise UnsupportedInput(f"nothing is known of content of the type {type_!r:.60}")

    def _part(self, part: object) -> None:
        if isinstance(part, str):
            self._texts.append(words(part))
            return
        found = mapping(part)
        metadata = mapping(found.get("metadata"))
        prompt = words(mapping(metadata.get("dalle")).get("prompt")) or None
        pointers = [words(found.get("asset_pointer"))]
        pointers += [words(mapping(found.get(name)).get("asset_pointer")) for name in _POINTERS]
        pointers += [words(mapping(one).get("asset_pointer")) for one in members(found.get("frames_asset_pointers"))]
        for pointer in filter(None, pointers):
            self._file(pointer, description=prompt)
        if isinstance(found.get("text"), str):
            self._texts.append(words(found["text"]))
        elif not any(pointers):
            self._others.append(LeftOut(what=f"parts of the type {words(found.get('content_type'))!r:.60}"))

    def _file(self, pointer: str, *, description: str | None = None) -> None:
        asset = self._assets.find(pointer)
        if asset is None:
            self._missing += 1
        elif asset.entry not in self._files:
            self._files[asset.entry] = Piece(
                name=pointer.rpartition("://")[2],
                content=asset.read,
                size=asset.size,
                role=self._role,
                description=description,
            )


def _role(value: str) -> Role:
    if value in ROLES:
        return value  # type: ignore[return-value]  # it is one of them
    raise MalformedInput(f"nobody is known by the role {value!r:.60}")
