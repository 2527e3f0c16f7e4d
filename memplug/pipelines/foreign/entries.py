"""What was said or known elsewhere, on its way to becoming memories here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memplug.exceptions import InputRejected, MalformedInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from memplug.values.source import Role, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of an entry: it becomes a memory of its own.

    Args:
        name: Tells the pieces of one entry apart; the same in each export.
        content: A text; or what reads a file of the export, which may raise `InputRejected`.
        size: Bytes of that file, as far as they are known.
        role: Who said it.
        description: Words that go with a file, such as the prompt that a picture was drawn after.
        file, url, tool_call: See `Provenance`.
    """

    name: str
    content: str | Callable[[], Source]
    role: Role | None
    size: int = 0
    description: str | None = None
    file: str | None = None
    url: str | None = None
    tool_call: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of a conversation, or one memory.

    Args:
        origin: What it is called where it comes from; the same in each export, and of nothing else there.
        place: Where it stands in the export, in words for people.
        pieces: In their order.
        ids: The scope ids that it brings.
        speaker, occurred_at: See `Part`.
        position: The turn's place in its conversation.
        context: More words that its texts are found by.
        tags, metadata, expires_at: See `MemoryItem`.
    """

    origin: str
    place: str
    pieces: tuple[Piece, ...]
    ids: Mapping[str, str]
    speaker: str | None = None
    occurred_at: datetime | None = None
    position: int | None = None
    context: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that is not taken in on purpose.

    Args:
        what: What it is, in words that fit all of its kind.
        count: How many of them.
    """

    what: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Something that cannot be read.

    Args:
        number: Of the conversation or memory, counted from 1.
        place: Where it stands, in words for people.
        error: What is wrong with it.
    """

    number: int
    place: str
    error: InputRejected


#: What a reader makes of an export.
Finding = Entry | LeftOut | Wrong

REASONING = "the model's own reasoning"
HIDDEN = "messages that the user never saw"
EMPTY = "messages without content"
EDITED = "messages on branches that were edited away; all branches can be asked for"
MISSING = "files that the export names and does not hold"


def words(value: object) -> str:
    """A text as it can be stored; empty for what is none.

    Titles and messages are cut by programs, also in the middle of an emoji: half a surrogate pair becomes U+FFFD.
    """
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if not value.isascii() else value


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; empty for what is none."""
    return value if isinstance(value, dict) else {}


def members(value: object) -> list[Any]:
    """A JSON list; empty for what is none."""
    return value if isinstance(value, list) else []


def named(value: Mapping[str, Any], *names: str) -> str:
    """The first of some members that is a text with something in it.

    Raises:
        MalformedInput: There is none.
    """
    for name in names:
        if found := words(value.get(name)).strip():
            return found
    raise MalformedInput(f"it lacks its {names[0]}")


def told(**values: object) -> dict[str, Any]:
    """Metadata of what there is something to tell of."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
