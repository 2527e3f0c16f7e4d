"""A shared bucket: who may do what in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: What somebody may do in a shared bucket; each role may do all that those before it may.
#:
#: ``viewer``: read. ``contributor``: also add, and change or delete what they added. ``editor``: also change and delete
#: what others added. ``owner``: also share the bucket and delete it.
Role = Literal["viewer", "contributor", "editor", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)


def suffices(role: Role | None, need: Role) -> bool:
    """Whether a role may do what another one may; None is no role at all."""
    return role is not None and ROLES.index(role) >= ROLES.index(need)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket that is registered as shared.

    Args:
        id: What callers name as ``bucket``.
        owner: The user who owns it.
        title: What to call it in a list.
        description: What it is for.
        roles: Everybody's role, the owner's included, by user id.
        created_at: When it was registered.
    """

    id: str
    owner: str
    created_at: datetime
    title: str = ""
    description: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
