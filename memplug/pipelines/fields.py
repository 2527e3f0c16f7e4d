"""Readers of JSON values that somebody else wrote: each gives a value of the right type, or says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from memplug.exceptions import MalformedInput
from memplug.safety.labels import check_moment

#: Takes a value and its name.
Reader = Callable[[object, str], Any]

#: The largest whole number that a position, a page or a side in pixels can be.
LARGEST = 2**31 - 1
_WORD_LENGTH = 255
_SHOWN = 8


def read_object(value: object, name: str, readers: Mapping[str, Reader], required: frozenset[str]) -> dict[str, Any]:
    """The members of a JSON object, each by its reader; those that are not there are left out.

    Raises:
        MalformedInput: It is no object, or a member is unknown, missing or of the wrong form.
    """
    if not isinstance(value, dict):
        raise MalformedInput(f"{name} must be a JSON object, not {_type(value)}")
    if unknown := sorted(set(value) - set(readers)):
        raise MalformedInput(f"{name} has unknown fields: {', '.join(field[:40] for field in unknown[:_SHOWN])}")
    if lacking := sorted(required - set(value)):
        raise MalformedInput(f"{name} lacks {', '.join(lacking)}")
    return {field: readers[field](member, field) for field, member in value.items()}


def text(value: object, name: str) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise MalformedInput(f"{name} must be text, not {_type(value)}")
    return value


def word(value: object, name: str) -> str:
    """A short name that a program gives: a kind, a MIME type."""
    found = text(value, name)
    if not found.strip() or not found.isprintable() or len(found) > _WORD_LENGTH:
        raise MalformedInput(f"{name} must be 1 to {_WORD_LENGTH} printable characters")
    return found


def texts(value: object, name: str) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list):
        raise MalformedInput(f"{name} must be a list of texts, not {_type(value)}")
    return tuple(text(member, f"a member of {name}") for member in value)


def mapping(value: object, name: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise MalformedInput(f"{name} must be a JSON object, not {_type(value)}")
    return value


def flag(value: object, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise MalformedInput(f"{name} must be true or false, not {_type(value)}")
    return value


def moment(value: object, name: str) -> Any:
    """A moment as ISO 8601 text, as aware UTC."""
    return check_moment(text(value, name), name=name)


def whole(lowest: int, highest: int = LARGEST) -> Reader:
    """A reader of whole numbers within bounds."""

    def read(value: object, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise MalformedInput(f"{name} must be a whole number, not {_type(value)}")
        if not lowest <= value <= highest:
            raise MalformedInput(f"{name} must be {lowest} to {highest}")
        return value

    return read


def shaped(pattern: str, words: str) -> Reader:
    """A reader of texts that match a pattern as a whole; ``words`` say to people what that means."""
    form = re.compile(pattern)

    def read(value: object, name: str) -> str:
        found = text(value, name)
        if not form.fullmatch(found):
            raise MalformedInput(f"{name} must be {words}")
        return found

    return read


def one_of(*values: str) -> Reader:
    """A reader of texts that are one of a few."""

    def read(value: object, name: str) -> str:
        found = text(value, name)
        if found not in values:
            raise MalformedInput(f"{name} must be one of {', '.join(values)}")
        return found

    return read


def optional(reader: Reader) -> Reader:
    """A reader that also takes null."""

    def read(value: object, name: str) -> Any:
        return None if value is None else reader(value, name)

    return read


def either(*kinds: type) -> Reader:
    """A reader of values of some JSON types, which it leaves as they are."""

    def read(value: object, name: str) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise MalformedInput(f"{name} cannot be {_type(value)}")
        return value

    return read


_TYPES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _type(value: object) -> str:
    """What JSON calls it."""
    return _TYPES.get(type(value), type(value).__name__)
