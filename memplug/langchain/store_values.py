"""The values of a store: what JSON can hold, given back as it was put, and the words that they are found by."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langgraph.store.base import get_text_at_path

from memplug.exceptions import InputTooLarge, MalformedInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memplug.values.limits import Limits

#: The path that means the value as a whole.
WHOLE = "$"


class ValueRefused(MalformedInput, TypeError, ValueError):
    """A value holds something that JSON has no form for; the message says where."""


def checked_value(value: object, limits: Limits) -> tuple[dict[str, Any], str]:
    """A copy of a value as it will come back, and its JSON text.

    Raises:
        ValueRefused: It is no mapping, or holds what JSON cannot: bytes, a date, NaN, a key that is no text, half a
            character. Pictures and files belong into `Memory.add`; a value then holds their id.
        InputTooLarge: It is nested too deeply, or its text is over ``limits.blob_bytes``.
    """
    if not isinstance(value, Mapping):
        raise ValueRefused(f"a value must be a mapping, not {type(value).__name__}")
    copy: dict[str, Any] = _copied(value, WHOLE, limits.document_depth)
    try:
        text = json.dumps(copy, ensure_ascii=False)
    except ValueError as error:
        raise ValueRefused(f"a value cannot be written as JSON: {error}") from error
    if len(text) > limits.blob_bytes or len(text.encode()) > limits.blob_bytes:
        raise InputTooLarge(f"a value has over {limits.blob_bytes:,} bytes as JSON")
    return copy, text


def _copied(value: object, path: str, levels: int) -> Any:
    if levels < 0:
        raise InputTooLarge("a value is nested too deeply")
    match value:
        case None | bool() | int():
            return value
        case str():
            return _text(value, path)
        case float() if math.isfinite(value):
            return value
        case Mapping():
            return {_name(key, path): _copied(member, f"{path}.{key}", levels - 1) for key, member in value.items()}
        case list() | tuple():
            return [_copied(member, f"{path}[{number}]", levels - 1) for number, member in enumerate(value)]
    shown = repr(value) if isinstance(value, float) else f"a {type(value).__name__}"
    raise ValueRefused(
        f"a value must be JSON, and {path:.200} is {shown}",
        hint="keep bytes with Memory.add(data, ...), and their id in the value" if isinstance(value, bytes) else None,
    )


def _name(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ValueRefused(f"a value must be JSON, and {path:.200} has a key that is a {type(key).__name__}")
    return _text(key, path)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueRefused(f"a value must be JSON, and {path:.200} is not valid Unicode") from error
    return value


def depth(value: object) -> int:
    """How many containers a value has inside each other, itself included."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if members is None else 1 + max(map(depth, members), default=0)


def texts_at(value: dict[str, Any], paths: Sequence[str]) -> list[tuple[str, str]]:
    """The texts at some paths, each with its path, as LangGraph's own stores take them for embedding."""
    found = [(path, text) for path in paths for text in get_text_at_path(value, path)]
    return [(path, text) for path, text in found if text.strip()]


def words_at(value: dict[str, Any], paths: Sequence[str]) -> str:
    """The texts at some paths in one, for people and for recall: a line for each, the whole value without its JSON."""
    lines: list[str] = []
    for path in paths:
        lines += _lines(value, "") if path == WHOLE else get_text_at_path(value, path)
    return "\n".join(line for line in lines if line.strip())


def _lines(value: object, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _lines(member, key)
    elif isinstance(value, list):
        for member in value:
            yield from _lines(member, name)
    elif value is not None and value != "":
        shown = value if isinstance(value, str) else json.dumps(value)
        yield f"{name}: {shown}" if name.strip() else shown
