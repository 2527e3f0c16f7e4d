"""Where input comes from: the raw form a caller hands in, and what is remembered of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from memplug.exceptions import ConfigError, MalformedInput

#: Who said it. ``web`` and ``document`` and ``tool`` words are quoted material, never the user's own.
Role = Literal["user", "assistant", "system", "tool", "document", "web"]
ROLES: frozenset[str] = frozenset(get_args(Role))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Raw input as a caller hands it in: exactly one of a path, bytes or a URL.

    Args:
        path: A local file. Read when the memory is added, never later.
        data: The bytes themselves.
        url: An ``http``, ``https`` or ``data`` URL.
        media_type: What the caller believes it is (``image/png``); what the bytes really are decides.
        name: A file name for people, without folders.
        origin: The URL that ``data`` was fetched from; set when a URL is loaded.

    Raises:
        ConfigError: None or several of path, data and url were given, or one of another type.
    """

    path: Path | None = None
    data: bytes | None = None
    url: str | None = None
    media_type: str | None = None
    name: str | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        if [self.path, self.data, self.url].count(None) != 2:  # noqa: PLR2004 - two of the three
            raise ConfigError("a Source takes exactly one of path, data, url")
        for name, kind in _SOURCE_TYPES.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise ConfigError(f"{name} of a Source must be {kind.__name__}, not {type(value).__name__}")

    @property
    def label(self) -> str:
        """The file name, as given or as the path or URL ends; empty for bare bytes and data URLs."""
        if self.name:
            return os.path.basename(self.name.replace("\\", "/"))  # noqa: PTH119 - a name, not a path
        if self.path is not None:
            return self.path.name
        if self.url is not None and not self.url.startswith("data:"):
            return self.url.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2]
        return ""


_SOURCE_TYPES: dict[str, type] = {
    "path": Path,
    "data": bytes,
    "url": str,
    "media_type": str,
    "name": str,
    "origin": str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is remembered about where a memory came from; all of it optional.

    Args:
        role: Who said it.
        speaker: The speaker's name, where one is known (``Caroline``).
        message: Opaque id shared by all memories that one message gave (its text and its pictures).
        position: The turn's place in its conversation, counted from 0 in the order of adding.
        file: File name.
        page: Page of the file, counted from 1.
        section: Heading path, JSON path or sheet and rows inside the file.
        url: Where it was fetched from, without credentials or query.
        tool_call: Id of the tool call.
        derived_from: Ids of the memories that a model or rule made this one from.
        supersedes: Ids of the memories that do not hold any more by this one; recall puts it above them.
        described: Which words at the end of the text are describers' (`memplug.pipelines.wording`); None where none.
        reason: Why it is so, in words: what shows a preference, or why this version took the place of the one before.
    """

    role: Role | None = None
    speaker: str | None = None
    message: str | None = None
    position: int | None = None
    file: str | None = None
    page: int | None = None
    section: str | None = None
    url: str | None = None
    tool_call: str | None = None
    derived_from: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    reason: str | None = None
    described: str | None = None

    def __post_init__(self) -> None:
        if self.role is not None and self.role not in ROLES:
            raise MalformedInput(f"unknown role {self.role!r}", hint=f"one of {', '.join(sorted(ROLES))}")
