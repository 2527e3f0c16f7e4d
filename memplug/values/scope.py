"""Whose memories they are."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, TypedDict

from memplug.exceptions import ScopeError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Longest scope id in characters. Hive takes keys of 512 and MemOS ids of 100; a 100 KB id was measured to
#: work in LanceDB, so this bounds cost, not correctness.
MAX_ID_LENGTH = 100_000
#: Ids that begin so name places that memplug keeps for itself (`ReservedScope`), and nobody's scope.
RESERVED = "memplug:"


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

    In a shared bucket, which somebody registered (`memplug.rights`), the user is who acts there, and others'
    memories are in the scope too.

    Args:
        acting: Who asks for a bucket beside their own scope (`beside`); no id that a memory carries.

    Raises:
        ScopeError: No id at all, an empty id, an id that is not a string, is over `MAX_ID_LENGTH` characters,
            is not valid Unicode (a lone surrogate), or begins with `RESERVED`.
    """

    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None
    acting: str | None = field(default=None, compare=False, repr=False)

    #: Whether its ids may be of the places that memplug keeps for itself.
    reserved: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in SCOPE_FIELDS:
            value = getattr(self, name)
            if value is not None:
                _check_id(name, value)
                if value.startswith(RESERVED) and not self.reserved:
                    raise ScopeError(f"{name} begins with {RESERVED!r}, which memplug keeps for itself")
        if not self.ids:
            raise ScopeError(
                "at least one of user_id, agent_id, run_id, bucket must be given",
                hint="memplug never means all users",
            )

    @property
    def ids(self) -> dict[str, str]:
        """The ids that are set, by name."""
        return {name: value for name in SCOPE_FIELDS if (value := getattr(self, name)) is not None}

    @property
    def actor(self) -> str | None:
        """Who asks; None where it is the program itself."""
        return self.user_id if self.acting is None else self.acting

    def beside(self, bucket: str) -> Scope:
        """A whole bucket, asked for by whoever asks for this scope."""
        return Scope(bucket=bucket, acting=self.actor)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedScope(Scope):
    """A place for what memplug itself has to remember. No caller's words make one, so no scope of theirs names it."""

    reserved: ClassVar[bool] = True


def scope_of_item(ids: Mapping[str, str | None]) -> Scope:
    """The scope that a stored memory lies in exactly; it may be memplug's own."""
    given = {name: value for name, value in ids.items() if value is not None}
    return (ReservedScope if is_reserved(ids) else Scope)(**given)


def is_reserved(ids: Mapping[str, str | None]) -> bool:
    """Whether something that carries these ids is memplug's own."""
    return any(value is not None and value.startswith(RESERVED) for value in ids.values())


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
SCOPE_FIELDS: tuple[str, ...] = tuple(one.name for one in fields(Scope) if one.compare)


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
