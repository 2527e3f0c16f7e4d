"""Finds the scope of a read, also where it stands inside the filters, as mem0's users write it."""

from __future__ import annotations

from typing import Any

from memplug.exceptions import ScopeError
from memplug.values.filters import All, AnyOf, Compare, Filter, Not
from memplug.values.scope import SCOPE_FIELDS, Scope, ScopeIds


def split_scope(ids: ScopeIds, filter_: Filter | None) -> tuple[Scope, Filter | None]:
    """The scope, and what is left of the filter.

    Args:
        ids: The ids given as arguments; None where left out.
        filter_: The parsed filter. Conditions ``user_id == …`` that must hold (not inside OR or NOT) count as
            ids; they can only narrow the scope, and contradict an argument only with an error.

    Raises:
        ScopeError: There is no id in either, or the two name different ones.
    """
    for name in ids:
        if name not in SCOPE_FIELDS:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    found: dict[str, Any] = dict(ids)
    rest: list[Filter] = []
    for member in _conjuncts(filter_):
        if isinstance(member, Compare) and member.field in SCOPE_FIELDS and member.operator == "eq":
            if found.get(member.field) not in (None, member.value):
                raise ScopeError(f"{member.field} is given twice, with different values")
            found[member.field] = member.value
        else:
            rest.append(member)
    return Scope(**found), joined(*rest)


def joined(*filters: Filter | None) -> Filter | None:
    """One filter that demands all of these; None where there is none."""
    members = [member for member in filters if member is not None]
    if len(members) > 1:
        return All(tuple(members))
    return members[0] if members else None


def names(filter_: Filter | None, field: str) -> bool:
    """Whether a filter says anything about a field."""
    match filter_:
        case None:
            return False
        case Compare():
            return filter_.field == field
        case Not(member):
            return names(member, field)
        case All(members) | AnyOf(members):
            return any(names(member, field) for member in members)


def _conjuncts(filter_: Filter | None) -> list[Filter]:
    if filter_ is None:
        return []
    if isinstance(filter_, All):
        return [inner for member in filter_.filters for inner in _conjuncts(member)]
    return [filter_]
