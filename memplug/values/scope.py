"""Whose memories they are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypedDict

from memplug.exceptions import ScopeError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Longest scope id in characters. Hive takes keys of 512 and MemOS ids of 100; a 100 KB id was measured to
#: work in LanceDB, so this bounds cost, not correctness.
MAX_ID_LENGTH = 100_000


class ScopeIds(TypedDict, total=False):
    """The ids as keyword arguments: ``def search(self, query, **ids: Unpack[ScopeIds])``."""

    user_id: str | None
    agent_id: str | None
    run_id: str | None
    bucket: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Up to four ids that say whose memories are meant; at least one is required.

    A memory is inside a scope when it carries every id that the scope names: ``Scope(user_id="wang")`` holds
    all of Wang's memories, ``Scope(user_id="wang", run_id="monday")`` those of one conversation.

    Raises:
        ScopeError: No id at all, an empty id, an id that is not a string, is over `MAX_ID_LENGTH` characters,
            or is not valid Unicode (a lone surrogate).
    """

    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None

    def __post_init__(self) -> None:
        for name in SCOPE_FIELDS:
            value = getattr(self, name)
            if value is not None:
                _check_id(name, value)
        if not self.ids:
            raise ScopeError(
                "at least one of user_id, agent_id, run_id, bucket must be given",
                hint="memplug never means all users",
            )

    @property
    def ids(self) -> dict[str, str]:
        """The ids that are set, by name."""
        return {name: value for name in SCOPE_FIELDS if (value := getattr(self, name)) is not None}

    def admits(self, ids: Mapping[str, str | None]) -> bool:
        """Whether something that carries ``ids`` lies inside this scope."""
        return all(ids.get(name) == value for name, value in self.ids.items())

    def narrowed(self, **ids: str | None) -> Scope:
        """This scope with ids added.

        Raises:
            ScopeError: An id that is already fixed was given another value.
        """
        merged = self.ids
        for name, value in ids.items():
            if value is None:
                continue
            if merged.setdefault(name, value) != value:
                raise ScopeError(f"{name} is fixed by this scope and cannot be changed")
        return Scope(**merged)


def scope_of(ids: ScopeIds) -> Scope:
    """The scope of keyword arguments.

    Raises:
        ScopeError: No id was given, or one that cannot be used.
        TypeError: An argument has another name; it must not pass for an id that was left out.
    """
    for name in ids:
        if name not in SCOPE_FIELDS:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    return Scope(**ids)


def optional_scope(ids: ScopeIds) -> Scope | None:
    """The same; None where no id was given."""
    return scope_of(ids) if any(value is not None or name not in SCOPE_FIELDS for name, value in ids.items()) else None


#: The names of the ids, in the order in which they are written everywhere.
SCOPE_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Scope))


def _check_id(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ScopeError(f"{name} must be a string, not {type(value).__name__}")
    if not value:
        raise ScopeError(f"{name} must not be empty", hint="leave it out instead")
    if len(value) > MAX_ID_LENGTH:
        raise ScopeError(f"{name} has {len(value)} characters; at most {MAX_ID_LENGTH} are taken")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ScopeError(f"{name} is not valid Unicode") from error
