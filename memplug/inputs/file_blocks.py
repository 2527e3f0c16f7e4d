"""Files in a message's content, in the forms of OpenAI, MemOS, mem0, LangChain and Anthropic."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput, UnsupportedInput
from memplug.inputs.piece import Block, Piece
from memplug.safety.data_url import decode_base64
from memplug.safety.text import clean
from memplug.values.source import Source

if TYPE_CHECKING:
    from memplug.values.limits import Limits

#: A URL begins with its scheme; base64 has no colon.
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:")
#: Under which names the forms hold a file: where it may be a URL, a data URL or base64, and where only one of them.
_ANY = ("file_data", "content")
_URLS = ("url", "file_url")
_BYTES = ("base64", "data")
_NAMES = ("filename", "file_name", "name", "title")
_TYPES = ("mime_type", "media_type", "content_type", "format")
#: What mem0's forms are for.
_MEM0_TYPES: Mapping[str, str] = {"pdf_url": "application/pdf", "txt_url": "text/plain", "mdx_url": "text/mdx"}
_HINT = "a URL, a data URL or base64; a local file as Path"


def _file(block: Block, limits: Limits) -> Piece:
    """OpenAI's and MemOS's ``{"file": {"file_data": …, "filename": …}}``, and LangChain's flat form.

    What it is, its bytes say: people send pictures like that, too.
    """
    inner = block.get("file")
    fields = {**block, **inner, "file": None} if isinstance(inner, Mapping) else block
    return _piece(fields, limits, kind=None)


def _file_url(block: Block, limits: Limits) -> Piece:
    given = block.get("file_url")
    return _piece({**block, "file_url": None, **given} if isinstance(given, Mapping) else block, limits, kind=None)


def _mem0(block: Block, limits: Limits) -> Piece:
    """``{"pdf_url": {"url": …}}``, where the URL may be bare base64 for text and MDX."""
    given = block.get(block["type"])
    url = given.get("url") if isinstance(given, Mapping) else given
    fields = {"media_type": _MEM0_TYPES[block["type"]], **block, "file_data": url}
    return _piece(fields, limits, kind="document")


def _document(block: Block, limits: Limits) -> Piece:
    """Anthropic's ``source`` of five kinds, and MemOS's ``content``."""
    source = block.get("source")
    if not isinstance(source, Mapping):
        return _piece(block, limits, kind="document")
    told = {name: block[name] for name in ("title", "name", "context") if name in block}
    if source.get("type") == "text":
        return _piece(
            {"media_type": "text/plain", **source, **told, "text": source.get("data")}, limits, kind="document"
        )
    if source.get("type") == "content":
        return _piece({**told, "text": _texts(source.get("content"))}, limits, kind="document")
    return _piece({**source, **told}, limits, kind="document")


def _plain(block: Block, limits: Limits) -> Piece:
    """LangChain's ``text-plain``."""
    return _piece({"mime_type": "text/plain", **block}, limits, kind="document")


def _texts(content: object) -> object:
    """The words of Anthropic's content blocks."""
    if not isinstance(content, list | tuple):
        return content
    texts = [block.get("text") if isinstance(block, Mapping) else block for block in content]
    if not all(isinstance(text, str) for text in texts):
        raise UnsupportedInput(
            "a document of several blocks may hold texts only", hint="send its pictures as parts of the message"
        )
    return "\n\n".join(map(str, texts))


def _piece(fields: Block, limits: Limits, *, kind: str | None) -> Piece:
    """The file in the fields of a form.

    Raises:
        UnsupportedInput: They only name a file that lies at a provider.
        MalformedInput: There is no file in them, or its base64 is damaged.
        InputTooLarge: Its base64 holds more than is taken from one file.
    """
    context = fields.get("context")
    return Piece(source=_source(fields, limits), kind=kind, context=clean(context) if isinstance(context, str) else "")


def _source(fields: Block, limits: Limits) -> Source:
    said = {"name": _said(fields, _NAMES), "media_type": _said(fields, _TYPES)}
    if isinstance(text := fields.get("text"), str) and text:
        return Source(data=clean(text).encode(), **{"media_type": None, **said})
    for name in (*_ANY, *_BYTES, *_URLS):
        given = fields.get(name)
        if isinstance(given, bytes | bytearray) and given:
            return Source(data=bytes(given), **said)
        if isinstance(given, str) and given.strip():
            if name in _URLS or (name in _ANY and _SCHEME.match(given)):
                return Source(url=given.strip(), **said)
            return Source(data=_decoded(given, name, limits), **said)
    if fields.get("file_id"):
        raise UnsupportedInput("a file_id names a file that lies at its provider, not here", hint=f"pass {_HINT}")
    raise MalformedInput(f"the {fields.get('type', 'document')} part has no file in it", hint=_HINT)


def _decoded(encoded: str, name: str, limits: Limits) -> bytes:
    try:
        return decode_base64(encoded.strip(), limit=limits.file_bytes)
    except MalformedInput as error:
        raise MalformedInput(f"{name}: {error.message}", hint=_HINT) from error


def _said(fields: Block, names: tuple[str, ...]) -> Any:
    """What a form says under one of the names, also in the dicts where LangChain keeps what it does not know."""
    extras = [fields.get(name) for name in ("extras", "metadata")]
    for place in (fields, *(extra for extra in extras if isinstance(extra, Mapping))):
        for name in names:
            value = place.get(name)
            if isinstance(value, str) and value.strip() and (name != "format" or "/" in value):
                return value.strip()
    return None


#: The readers of each form, by its type.
FILE_READERS: Mapping[str, Callable[[Block, Limits], Piece]] = {
    "file": _file,
    "input_file": _file,
    "file_url": _file_url,
    "document": _document,
    "text-plain": _plain,
    **dict.fromkeys(_MEM0_TYPES, _mem0),
}
