"""Exports as mem0, ChatGPT and Claude write them, of people that there are not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: When the conversations began, in Unix seconds and in Claude's form.
BEGAN = 1_750_000_000.25
ROOT = "00000000-0000-4000-8000-000000000000"


def said(role: str, *parts: Any, at: Any = BEGAN, **fields: Any) -> dict[str, Any]:
    """A message of ChatGPT; texts alone, or texts and parts."""
    plain = all(isinstance(part, str) for part in parts)
    content = {"content_type": "text" if plain else "multimodal_text", "parts": list(parts)}
    author = {"role": role, "name": fields.pop("name", None), "metadata": {}}
    base = {
        "author": author,
        "create_time": at,
        "update_time": None,
        "content": content,
        "status": "finished_successfully",
    }
    return base | {"weight": 1.0, "metadata": {}, "recipient": "all"} | fields


def chat(
    id_: str,
    *messages: Mapping[str, Any] | None,
    title: Any = "Trip to Rome",
    after: Mapping[int, int] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A conversation of ChatGPT: each message follows the one before it, or the one that ``after`` says.

    The nodes are called ``<id>-n<number>``, counted from 1; a root without message stands before them.
    """
    names = [f"{id_}-n{number}" for number in range(len(messages) + 1)]
    before = {number: number - 1 for number in range(1, len(names))} | dict(after or {})
    mapping: dict[str, Any] = {names[0]: {"id": names[0], "message": None, "parent": None, "children": []}}
    for number, message in enumerate(messages, start=1):
        parent = names[before[number]]
        told = None if message is None else {"id": names[number], **message}
        mapping[names[number]] = {"id": names[number], "message": told, "parent": parent, "children": []}
        mapping[parent]["children"].append(names[number])
    found = {
        "title": title,
        "create_time": BEGAN,
        "update_time": BEGAN + 60,
        "mapping": mapping,
        "moderation_results": [],
    }
    return found | {"current_node": names[-1], "conversation_id": id_, "id": id_, "is_archived": False} | fields


def picture_part(pointer: str, **metadata: Any) -> dict[str, Any]:
    """A part of a message of ChatGPT that is a picture in the export."""
    return {
        "content_type": "image_asset_pointer",
        "asset_pointer": pointer,
        "size_bytes": 1,
        "metadata": metadata or None,
    }


def wrote(sender: str, text: str, uuid: str, *, after: str | None = None, **fields: Any) -> dict[str, Any]:
    """A message of Claude."""
    blocks = [{"type": "text", "text": text, "citations": []}] if text else []
    moment = "2025-06-15T15:06:40.250000Z"
    found = {
        "uuid": uuid,
        "text": text,
        "content": blocks,
        "sender": sender,
        "created_at": moment,
        "updated_at": moment,
    }
    return found | {"attachments": [], "files": []} | ({"parent_message_uuid": after} if after else {}) | fields


def talk(uuid: str, *messages: Mapping[str, Any], name: str = "Sourdough", **fields: Any) -> dict[str, Any]:
    """A conversation of Claude."""
    moment = "2025-06-15T15:06:40.250000Z"
    found = {"uuid": uuid, "name": name, "summary": "", "created_at": moment, "updated_at": moment}
    return found | {"account": {"uuid": "account"}, "chat_messages": list(messages)} | fields


def known(id_: str, memory: str, **fields: Any) -> dict[str, Any]:
    """A memory of mem0."""
    found = {"id": id_, "memory": memory, "hash": "d41d8cd98f00b204e9800998ecf8427e", "metadata": None}
    moment = "2025-03-01T08:00:00.000000-08:00"
    return found | {"created_at": moment, "updated_at": None, "user_id": "alex"} | fields


def written(path: Path, value: Any) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(value), "utf-8")
    return path


def zipped(path: Path, files: Mapping[str, bytes | Any], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A ZIP of files: bytes as they are, everything else as JSON."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, value in files.items():
            file.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


def told(report: Any) -> Sequence[int]:
    """Of a report how many were added, updated, unchanged and rejected."""
    return (report.added, report.updated, report.unchanged, len(report.rejected))
