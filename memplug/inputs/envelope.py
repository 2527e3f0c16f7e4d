"""What a message says around its content: who, when, and which tools were called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from memplug.exceptions import FilterError, MalformedInput
from memplug.safety.text import clean
from memplug.values.filters import moment
from memplug.values.source import ROLES

if TYPE_CHECKING:
    from datetime import datetime

    from memplug.values.source import Role

#: Other words for our roles: OpenAI's and LangChain's.
_ROLES: Mapping[str, str] = {"human": "user", "ai": "assistant", "developer": "system", "function": "tool"}
#: A dict with one of these as its type, and a content, is a message that LangChain wrote.
_TYPES = ROLES - {"document"} | _ROLES.keys()
#: Where a message may say when it was said; the first one that is there counts.
_TIMES = ("occurred_at", "chat_time", "timestamp", "created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message's frame, see the fields of the same names in `Part`.

    Args:
        message: The message as a dict, where a plugin needs it to understand the part (a tool's answer).
    """

    role: Role = "user"
    speaker: str | None = None
    occurred_at: datetime | None = None
    message: Mapping[str, Any] | None = None


def as_message(item: object) -> Mapping[str, Any] | None:
    """The item as a message dict; None where it is no message.

    Messages are dicts with a role, tool calls, or a content and no part's type; and objects with ``content`` and a
    ``role`` or ``type``, such as LangChain's.
    """
    if not isinstance(item, Mapping):
        return _from_object(item)
    if "role" in item or "tool_calls" in item:
        return cast("Mapping[str, Any]", item)
    type_ = item.get("type", "user")
    if "content" in item and isinstance(type_, str) and type_ in _TYPES:
        return {"role": type_, **item}
    return None


def _from_object(item: object) -> Mapping[str, Any] | None:
    role = getattr(item, "role", None) or getattr(item, "type", None)
    if not isinstance(role, str) or not hasattr(item, "content"):
        return None
    blocks = _content_blocks(item)
    message = {"role": role, "content": item.content if blocks is None else blocks}
    # Content blocks hold the tool calls already.
    names = ("name", "tool_call_id", "status", *_TIMES) + (("tool_calls",) if blocks is None else ())
    return message | {name: value for name in names if (value := getattr(item, name, None)) is not None}


def _content_blocks(item: object) -> object:
    """LangChain's own reading of a provider's content; None where there is none, or it cannot read it.

    langchain-core 1.7 raises a bare KeyError on ``{"type": "image", "source_type": "url"}``. Then the raw content is
    read instead, where whatever is wrong with it is said part by part.
    """
    try:
        return getattr(item, "content_blocks", None)
    except Exception:  # noqa: BLE001 - a provider's translator may raise anything; see above for what follows
        return None


def read_envelope(message: Mapping[str, Any]) -> Envelope:
    """Reads who said a message, and when.

    Raises:
        MalformedInput: An unknown role, a name that is not text, or a time that is none.
    """
    role = _role(message.get("role"))
    return Envelope(
        role=role,
        speaker=_speaker(message.get("name")) if role != "tool" else None,
        occurred_at=_occurred_at(message),
        message=message if role == "tool" else None,
    )


def _role(value: object) -> Role:
    if value is None:
        return "user"
    if isinstance(value, str):
        word = value.strip().lower().removesuffix("chunk").removesuffix("message")
        word = _ROLES.get(word, word)
        if word in ROLES:
            return cast("Role", word)
    shown = repr(value[:100]) if isinstance(value, str) else f"of type {type(value).__name__}"
    raise MalformedInput(f"unknown role {shown}", hint=f"one of {', '.join(sorted(ROLES))}")


def _speaker(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise MalformedInput(f"a message's name must be text, not {type(value).__name__}")
    return clean(value)


def _occurred_at(message: Mapping[str, Any]) -> datetime | None:
    for name in _TIMES:
        if message.get(name) is not None:
            return read_moment(message[name], name=name)
    return None


def read_moment(value: object, *, name: str) -> datetime:
    """A moment as a message writes it: ISO 8601, ``2026-11-20 18:00[:00]``, or Unix seconds; naive means UTC.

    Raises:
        MalformedInput: It is none of these.
    """
    try:
        return moment(value, name=name)
    except FilterError as error:
        raise MalformedInput(
            error.message, hint="ISO 8601 (2026-11-20T18:00:00Z), 2026-11-20 18:00, or Unix seconds, not milliseconds"
        ) from error
