"""mem0's memories, as `get_all` and its platform's pages give them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from memplug.exceptions import MalformedInput
from memplug.inputs.envelope import read_moment
from memplug.pipelines.foreign.entries import Entry, Finding, Piece, mapping, told, words
from memplug.pipelines.foreign.formats import MEM0
from memplug.values.source import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from memplug.values.source import Role

NAME = MEM0
_SCOPE = ("user_id", "agent_id", "run_id")
#: What has a place of its own here. All the rest is kept in the metadata, under `NAME`.
_PLACED = frozenset({*_SCOPE, "memory", "metadata", "created_at", "role", "actor_id", "categories", "expiration_date"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Mem0:
    """Reads memories."""

    def read(self, value: object, number: int) -> Iterator[Finding]:
        """The memory.

        Raises:
            MalformedInput: It is none.
        """
        found = mapping(value)
        text = found.get("memory")
        if not isinstance(text, str):
            raise MalformedInput("it is no memory of mem0: it has no text under memory")
        if (id_ := _id(found.get("id"), "id")) is None:
            raise MalformedInput("it lacks its id")
        role = words(found.get("role"))
        known: Role | None = role if role in ROLES else None  # type: ignore[assignment]  # it is one of them
        yield Entry(
            origin=f"{NAME}/{id_}",
            place=f"memory {number} ({id_:.40})",
            pieces=(Piece(name="text", content=words(text), role=known),),
            ids={name: own for name in _SCOPE if (own := _id(found.get(name), name)) is not None},
            speaker=words(found.get("actor_id")) or None,
            occurred_at=_moment(found, "created_at"),
            tags=_categories(found.get("categories")),
            metadata=_metadata(found),
            expires_at=_expires_at(found),
        )


def _id(value: object, name: str) -> str | None:
    """An id; mem0 makes texts of numbers."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MalformedInput(f"its {name} must be text")
    return str(value)


def _moment(found: Mapping[str, Any], name: str) -> datetime | None:
    value = found.get(name)
    return None if value in (None, "") else read_moment(value, name=name)


def _expires_at(found: Mapping[str, Any]) -> datetime | None:
    """A day, in mem0, on which a memory is still there."""
    value = found.get("expiration_date")
    moment = _moment(found, "expiration_date")
    whole_day = isinstance(value, str) and _DAY.fullmatch(value)
    try:
        return moment + timedelta(days=1) if moment and whole_day else moment
    except OverflowError as error:
        raise MalformedInput("its expiration_date lies behind the end of the calendar") from error


def _categories(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise MalformedInput("its categories must be a list of texts")
    return tuple(words(one) for one in value if one.strip())


def _metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    """Its own metadata as they were, and beside them what mem0 knew of it."""
    given = found.get("metadata")
    if given is not None and not isinstance(given, dict):
        raise MalformedInput("its metadata must be an object")
    own = dict(given or {})
    about = told(**{name: value for name, value in found.items() if name not in _PLACED})
    if NAME in own:
        about["metadata"] = own[NAME]
    return own | {NAME: about}
