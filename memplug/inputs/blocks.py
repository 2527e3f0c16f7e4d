"""One item of a message's content, in any of the forms that chat libraries write: what it holds and what it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput, UnsupportedInput
from memplug.inputs.file_blocks import FILE_READERS
from memplug.inputs.kept_blocks import KEPT_READERS
from memplug.inputs.piece import Block, Piece
from memplug.safety.data_url import decode_base64, is_image_url
from memplug.safety.sizes import image_too_large
from memplug.values.skill_draft import SkillDraft
from memplug.values.source import Source

if TYPE_CHECKING:
    from memplug.values.limits import Limits


def read_item(item: object, limits: Limits) -> Piece:
    """The piece that one item of a content list is.

    A ``str`` is text, never a path or a URL to fetch, except that a ``data:image/…;base64,`` URL is its picture.

    Raises:
        UnsupportedInput: Nothing is known of objects of this type.
        MalformedInput: A dict lacks what its type needs.
    """
    match item:
        case str():
            return _picture(Source(url=item)) if is_image_url(item) else Piece(text=item)
        case Source() | SkillDraft():
            return _source(item)
        case bytes() | bytearray() | memoryview():
            return Piece(source=Source(data=bytes(item)))
        case os.PathLike():
            return Piece(source=Source(path=Path(os.fsdecode(item))))
        case Mapping():
            return read_block(item, limits)
    if is_picture(item):
        return Piece(value=item, kind="image")
    raise UnsupportedInput(
        f"nothing is known of objects of type {type(item).__name__}",
        hint="str, Path, bytes, PIL image, Source, message or part dict",
    )


def _source(item: Source | SkillDraft) -> Piece:
    return Piece(source=item) if isinstance(item, Source) else Piece(source=item.source, value=item, kind="skill")


def is_picture(value: object) -> bool:
    """Whether it is a PIL image; where PIL was never imported, nothing is."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def read_block(block: Block, limits: Limits) -> Piece:
    """The piece that a part dict (``{"type": …}``) is.

    Types that no part of memplug itself reads keep the dict as `Piece.value` and say what they are in `Piece.kind`, so
    that a plugin can take them and a refusal can name them.

    Raises:
        MalformedInput: It lacks a type, or what its type needs.
        UnsupportedInput: It names a file at a provider instead of holding one.
    """
    type_ = block.get("type")
    if type_ is None and isinstance(block.get("feedback_content"), str):
        return Piece(text=block["feedback_content"], kind="feedback")  # MemOS's request, as it stands
    if not isinstance(type_, str) or not type_:
        raise MalformedInput(
            f"a dict needs role and content, or type; this one has {_names(block)}",
            hint='{"role": "user", "content": …} or {"type": "text", "text": …}',
        )
    read = _READERS.get(type_)
    return read(block, limits) if read else Piece(value=block, kind=_KINDS.get(type_, type_))


def _names(block: Block) -> str:
    return ", ".join(sorted(str(name) for name in block)[:8]) or "nothing"


def _picture(source: Source) -> Piece:
    return Piece(source=source, kind="image")


def _text(block: Block, limits: Limits) -> Piece:  # noqa: ARG001 - readers share one shape
    text = block.get("text")
    if not isinstance(text, str):
        raise MalformedInput(f"a {block['type']} part needs its text as a string, not {type(text).__name__}")
    return Piece(text=text)


def _feedback(block: Block, limits: Limits) -> Piece:
    return replace(_text(block, limits), kind="feedback")


def _image_url(block: Block, limits: Limits) -> Piece:
    """OpenAI's two forms, and mem0's: the URL itself, or a dict around it."""
    given = block.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    return _image({**block, "url": url}, limits)


def _image(block: Block, limits: Limits) -> Piece:
    """LangChain's block (``url``, ``base64`` or ``file_id``) and Anthropic's (``source``)."""
    source = block.get("source")
    if isinstance(source, Mapping):
        return _image({**source, "type": block["type"], "source": None}, limits)
    encoded = block.get("base64") or block.get("data")
    if isinstance(encoded, str) and encoded:
        return _sourced(block, data=_decoded(encoded, limits))
    if isinstance(encoded, bytes | bytearray) and encoded:
        return _sourced(block, data=bytes(encoded))
    url = block.get("url")
    if isinstance(url, str) and url.strip():
        return _sourced(block, url=url.strip())
    if block.get("file_id"):
        raise UnsupportedInput(
            "a file_id names a picture that lies at its provider, not here", hint="pass its url or base64"
        )
    raise MalformedInput(f"the {block['type']} part has no url", hint='{"image_url": {"url": "https://…"}}')


def _decoded(encoded: str, limits: Limits) -> bytes:
    try:
        return decode_base64(encoded, limit=limits.image_bytes)
    except InputTooLarge as error:
        raise image_too_large(limits) from error


def _sourced(block: Block, *, data: bytes | None = None, url: str | None = None) -> Piece:
    """A picture, with what its block says of its bytes."""
    media_type = block.get("mime_type") or block.get("media_type")
    name = block.get("name") or block.get("filename")
    return _picture(
        Source(
            data=data,
            url=url,
            media_type=media_type if isinstance(media_type, str) else None,
            name=name if isinstance(name, str) else None,
        )
    )


def _wrapped(block: Block, limits: Limits) -> Piece:
    """LangChain's wrapper around a block of a form that it does not know; ours may."""
    inner = block.get("value")
    if not isinstance(inner, Mapping) or inner.get("type") == "non_standard":
        return Piece(value=block, kind="non_standard")
    return read_block(inner, limits)


_READERS: Mapping[str, Callable[[Block, Limits], Piece]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "feedback": _feedback,
    "image_url": _image_url,
    "input_image": _image_url,
    "image": _image,
    "non_standard": _wrapped,
    **FILE_READERS,
    **KEPT_READERS,
}

#: What the types that plugins take are, in memplug's words.
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        ("tool_call", "tool_use", "function", "function_call", "server_tool_call", "invalid_tool_call"), "tool_call"
    ),
    **dict.fromkeys(("tool_result", "function_call_output", "server_tool_result"), "tool_call"),
    **dict.fromkeys(("audio", "input_audio", "audio_url"), "audio"),
    **dict.fromkeys(("video", "video_url"), "video"),
}
