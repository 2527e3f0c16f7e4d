"""Which system a file comes from: told by what stands in it, since everybody calls it ``conversations.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput
from memplug.pipelines.foreign.bundle import OneFile
from memplug.pipelines.foreign.formats import CHATGPT, CLAUDE, MEM0
from memplug.values.limits import MIB

if TYPE_CHECKING:
    from memplug.pipelines.foreign.bundle import Bundle

#: The entry that only memplug's own archives have.
ARCHIVE_LINES = "memories.jsonl"

#: As much of a file as is looked at: a conversation's names stand before its messages, behind a summary at most.
_HEAD = MIB
#: A text that does not end is one token too, or each quote in it would be tried as the beginning of another.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"(?P<name>[ \t\r\n]*+:)?|\\?\Z)|[\[\]{}]', re.DOTALL)
_CONVERSATIONS = re.compile(r"conversations([-_]\d+)?\.json", re.IGNORECASE)
#: What else of Claude's exports is taken in: the last name, or its folder in exports with one file for each project.
_BESIDE = re.compile(r"(.*/)?(projects\.json|memories\.json|(projects|memories)/[^/]+\.json)", re.IGNORECASE)
_JSON = re.compile(r".+\.json", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the beginning of a JSON file looks like.

    Args:
        listed: Whether it is an array.
        names: The names in its first object.
    """

    listed: bool
    names: frozenset[str]

    @property
    def format(self) -> str | None:
        """The system that writes files of this shape."""
        if "mapping" in self.names:
            return CHATGPT
        if self.names & {"chat_messages", "conversations_memory"} or {"uuid", "docs"} <= self.names:
            return CLAUDE
        if {"id", "memory"} <= self.names or (not self.listed and "results" in self.names):
            return MEM0
        return None

    @property
    def whole(self) -> bool:
        """Whether an object at the top is itself a conversation or memory, and not one around a list of them."""
        return not self.listed and "results" not in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """An export.

    Args:
        format: Whose.
        files: The JSON files to read, in order, with their shapes.
    """

    format: str
    files: tuple[tuple[str, Shape], ...]


def recognised(bundle: Bundle, format_: str | None) -> Recognised | None:
    """What an export is; None for a single file that is none, and so may be JSON Lines.

    Args:
        bundle: Its files.
        format_: What the caller says it is.

    Raises:
        MalformedInput: It is a ZIP or a folder, and there is no export in it; or not of the format that was said.
    """
    names = list(bundle.sizes) if isinstance(bundle, OneFile) else _candidates(bundle)
    shapes = [(name, shape_of(bundle, name)) for name in names]
    formats = {shape.format for _, shape in shapes} - {None}
    found = format_ or min((one for one in formats if one), default=None)
    if found is None:
        if isinstance(bundle, OneFile):
            return None
        raise _unknown(bundle)
    files = tuple(
        one for one in shapes if one[1].format == found or (one[1].format is None and _may_be(bundle, one[0]))
    )
    if format_ is not None and formats and format_ not in formats:
        raise MalformedInput(
            f"{bundle.name!r} is no export of {format_}, but of {min(one for one in formats if one)}",
            hint="leave the format out, and it is found out",
        )
    if len(formats) > 1 and format_ is None:
        raise MalformedInput(
            f"{bundle.name!r} holds exports of {' and '.join(sorted(one for one in formats if one))}",
            hint="name the format that is meant",
        )
    return Recognised(format=found, files=files)


def shape_of(bundle: Bundle, name: str) -> Shape:
    """How a file begins.

    Raises:
        MalformedInput, UnsafeInput: It cannot be read.
    """
    with bundle.opened(name) as file:
        return _shape(file.read(_HEAD))


def _shape(head: bytes) -> Shape:
    """The names in the first object: the one at the top, or the first member of the array there."""
    names: set[str] = set()
    opened = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    listed = opened == b"["
    wanted, depth = 1 + listed, 0
    for token in _TOKEN.finditer(head):
        first = token[0][:1]
        if first in (b"{", b"["):
            depth += 1
        elif first in (b"}", b"]"):
            depth -= 1
            if depth < wanted:
                break
        elif token["name"] and depth == wanted:
            names.add(token[0].partition(b'"')[2].rpartition(b'"')[0].decode(errors="replace"))
    return Shape(listed=listed, names=frozenset(names))


def _may_be(bundle: Bundle, name: str) -> bool:
    """Whether a file is read that does not look like anything, such as an empty list, so that what is wrong is told."""
    return isinstance(bundle, OneFile) or _CONVERSATIONS.fullmatch(PurePosixPath(name).name) is not None


def _candidates(bundle: Bundle) -> list[str]:
    """The files that may hold something, conversations first; in a bundle without any, all that are JSON."""
    conversations = bundle.matching(_CONVERSATIONS)
    beside = sorted(name for name in bundle.sizes if _BESIDE.fullmatch(name))
    return [*conversations, *beside] or bundle.matching(_JSON)


def _unknown(bundle: Bundle) -> MalformedInput:
    inner = [name for name in bundle.sizes if name.lower().endswith(".zip")]
    return MalformedInput(
        f"{bundle.name!r} holds no archive of memplug and no export that it knows",
        hint=f"it holds other ZIP files: import {inner[0]!r:.80} by itself" if inner else "mem0, ChatGPT, Claude",
    )
