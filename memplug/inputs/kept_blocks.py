"""Skills and blobs in a message's content, in the forms of MemOS and Hive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput
from memplug.inputs.piece import Block, Piece
from memplug.safety.data_url import decode_base64
from memplug.values.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memplug.values.limits import Limits

_URL = re.compile(r"\s*(?:data:|https?://)", re.IGNORECASE)
#: How the text of a `SKILL.md` begins; base64 has no hyphen.
_FRONT = re.compile(r"\ufeff?---")
_SKILL_HINT = '{"type": "skill", "name": …, "content": a URL, a data URL or base64}'
_BLOB_HINT = '{"type": "blob", "key": …, "data": base64, "content_type": …}'


def _skill(block: Block, limits: Limits) -> Piece:
    """MemOS's form: ``content`` is a URL, a data URL or base64; here also the text of a `SKILL.md`."""
    content, name = block.get("content"), _name(block)
    if isinstance(content, bytes | bytearray) and content:
        return Piece(source=Source(data=bytes(content), name=name), kind="skill")
    if not isinstance(content, str) or not content.strip():
        raise MalformedInput("the skill part has no content", hint=_SKILL_HINT)
    if _FRONT.match(content):
        return Piece(source=Source(data=content.encode("utf-8", "surrogatepass"), name=name), kind="skill")
    if _URL.match(content):
        return Piece(source=Source(url=content.strip(), name=name), kind="skill")
    return Piece(source=Source(data=decode_base64(content, limit=limits.skill_zip_bytes), name=name), kind="skill")


def _blob(block: Block, limits: Limits) -> Piece:
    """Hive's form: base64 with its type, under a key and with tags of its own."""
    data, media_type = block.get("data"), block.get("content_type")
    if not isinstance(data, str | bytes | bytearray):
        raise MalformedInput("the blob part has no data", hint=_BLOB_HINT)
    if media_type is not None and not isinstance(media_type, str):
        raise MalformedInput(f"the content_type of a blob must be text, not {type(media_type).__name__}")
    decoded = decode_base64(data, limit=limits.blob_bytes) if isinstance(data, str) else bytes(data)
    labels = {name: block[name] for name in ("key", "tags") if block.get(name) is not None}
    return Piece(source=Source(data=decoded, media_type=media_type, name=_name(block)), value=labels, kind="blob")


def _name(block: Block) -> str | None:
    name = block.get("name") or block.get("filename")
    return name if isinstance(name, str) else None


#: The readers of each form, by its type.
KEPT_READERS: Mapping[str, Callable[[Block, Limits], Piece]] = {"skill": _skill, "blob": _blob}
