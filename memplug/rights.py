"""Who may do what in shared buckets: what `memplug.store` asks before it shows or changes anything in one.

A bucket that is shared is registered: a record for itself, and one for each user who has or had a role in it, all in a
place that no scope can name. A bucket that nobody registered is a word of the scope and nothing else.

The rules, of which every call that names a user asks:

- A user without a role finds a shared bucket empty, and what lies in it missing, also what they once added themselves;
  so nobody learns what is not theirs, nor whether there is anything.
- A scope of a user and a shared bucket holds all of the bucket, whoever added it. What is added to it is the user's.
- Who sees something and may not do what they ask for is told so, by `AccessDenied`. So is who adds without a role,
  since nothing may be lost silently.
- A call that names no user is the program's own, and may do everything.

Rights are those of the present moment, also where a search asks for the past.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from memplug.exceptions import AccessDenied
from memplug.plugins.protocols import Selection
from memplug.values.bucket import ROLES, Role, suffices
from memplug.values.filters import All, AnyOf, Compare, Filter, Not
from memplug.values.scope import RESERVED, Scope, is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from memplug.plugins.protocols import Backend
    from memplug.values.item import MemoryItem, Record

#: Where buckets are registered.
REGISTER = RESERVED + "buckets"
_PAGE = 1_000


def marked(id_: str) -> str:
    """A user's or bucket's id as the register writes it, so that no scope of theirs reaches what is written there."""
    return RESERVED + id_


def registered(item: MemoryItem) -> str:
    """The id of the bucket that a record of the register is about."""
    return str(item.bucket).removeprefix(RESERVED)


def member(item: MemoryItem) -> str | None:
    """The user whom a record of the register is about; None where it is about the bucket itself."""
    return None if item.agent_id is None else item.agent_id.removeprefix(RESERVED)


def role_in(item: MemoryItem) -> Role | None:
    """The role that a record of the register gives. One that cannot be read gives none."""
    role = item.metadata.get("role")
    return cast("Role", role) if role in ROLES else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The memories that a caller reaches with a scope.

    Args:
        scope: What they carry.
        hidden: Shared buckets that they must not lie in.
    """

    scope: Scope
    hidden: tuple[str, ...] = ()

    def admits(self, item: MemoryItem) -> bool:
        """Whether a memory is among them."""
        return self.scope.admits(item.ids) and item.bucket not in self.hidden

    @property
    def filter(self) -> All:
        """The same as a filter, the ids first."""
        ids: list[Filter] = [Compare(name, "eq", value) for name, value in self.scope.ids.items()]
        return All((*ids, Not(Compare("bucket", "in", self.hidden)))) if self.hidden else All(tuple(ids))


def apart(reaches: Sequence[Reach]) -> tuple[Reach, ...]:
    """The same memories, each reached once: what a user added to a whole bucket lies in the user's own scope too."""
    whole = {reach.scope.bucket: reach for reach in reaches if set(reach.scope.ids) == {"bucket"}}
    hidden = tuple(bucket for bucket in whole if bucket is not None)
    rest = [reach for reach in reaches if reach.scope.bucket not in whole]
    beside = [replace(one, hidden=(*one.hidden, *hidden)) if one.scope.bucket is None else one for one in rest]
    return (*beside, *whole.values())


@dataclass(slots=True)
class Rights:
    """Reads the register.

    Args:
        backend: Where it is.
    """

    backend: Backend
    #: Whether any bucket was ever seen to be registered; until then one look answers for all users.
    _begun: bool = field(default=False, init=False)

    def reach(self, scope: Scope, *, change: bool = False) -> Reach | None:
        """What a scope reaches, to read or to change; None where that is nothing.

        Raises:
            AccessDenied: The user may read the bucket that is to be changed, and not change it.
        """
        actor, bucket = scope.actor, scope.bucket
        if actor is None:
            return Reach(scope=scope)
        if bucket is None:
            return Reach(scope=scope, hidden=self._lacking(actor, "contributor" if change else "viewer"))
        standing = self._standing(bucket, actor)
        if standing is None:
            return Reach(scope=scope)
        if standing.role is None:
            return None
        whole = replace(scope, user_id=None, acting=actor)
        if not change or suffices(standing.role, "editor"):
            return Reach(scope=whole)
        check_role(standing.role, "contributor", actor, bucket)
        return Reach(scope=replace(whole, user_id=actor))

    def sees(self, item: MemoryItem, scope: Scope | None) -> bool:
        """Whether who asks for a scope may see a memory."""
        if scope is None:
            return not is_reserved(item.ids)
        if scope.actor is None or item.bucket is None:
            return scope.admits(item.ids)
        standing = self._standing(item.bucket, scope.actor)
        if standing is None:
            return scope.admits(item.ids)
        whole = scope if scope.bucket is None else replace(scope, user_id=None, acting=scope.actor)
        return standing.role is not None and whole.admits(item.ids)

    def check_change(self, item: MemoryItem, scope: Scope | None) -> None:
        """Refuses a change of a memory that who asks for a scope may see.

        Raises:
            AccessDenied: It lies in a shared bucket, where the user's role does not suffice.
        """
        if scope is None or scope.actor is None or item.bucket is None:
            return
        need: Role = "contributor" if item.user_id == scope.actor else "editor"
        if (standing := self._standing(item.bucket, scope.actor)) is not None:
            check_role(standing.role, need, scope.actor, item.bucket)

    def check_add(self, scope: Scope) -> None:
        """Refuses what is added to a shared bucket by somebody who may not.

        Raises:
            AccessDenied: The user is neither contributor nor more.
        """
        if scope.actor is None or scope.bucket is None:
            return
        if (standing := self._standing(scope.bucket, scope.actor)) is not None:
            check_role(standing.role, "contributor", scope.actor, scope.bucket)

    def _standing(self, bucket: str, user: str) -> _Standing | None:
        """How somebody stands to a bucket; None where it is not registered."""
        about = AnyOf((Compare("agent_id", "set", value=False), Compare("agent_id", "eq", marked(user))))
        found = list(self.entries(bucket=bucket, filter_=about))
        if not found:
            return None
        roles = [role_in(record.item) for record in found if record.item.agent_id is not None]
        return _Standing(role=roles[0] if roles else None)

    def _lacking(self, user: str, need: Role) -> tuple[str, ...]:
        """The shared buckets in which a user has or had a role, and now none that suffices."""
        if not self._begun:
            # Held in memory for all users together; looking for each alone would cost each of them a query.
            anything = Selection(where=All((Compare("run_id", "eq", REGISTER),)), limit=1)
            self._begun = bool(self.backend.select(anything))
        if not self._begun:
            return ()
        found = self.entries(user=user)
        return tuple(sorted(registered(one.item) for one in found if not suffices(role_in(one.item), need)))

    def entries(
        self, *, bucket: str | None = None, user: str | None = None, filter_: Filter | None = None
    ) -> Iterator[Record]:
        """The register's records about a bucket, about a user, or about both."""
        ids: dict[str, Any] = {"run_id": REGISTER}
        ids |= {"bucket": marked(bucket)} if bucket is not None else {}
        ids |= {"agent_id": marked(user)} if user is not None else {}
        where = All((*(Compare(name, "eq", value) for name, value in ids.items()), *([filter_] if filter_ else ())))
        after: tuple[datetime, str] | None = None
        while page := self.backend.select(Selection(where=where, limit=_PAGE, after=after)):
            yield from page
            if len(page) < _PAGE:
                return
            after = (page[-1].item.created_at, page[-1].id)


@dataclass(frozen=True, slots=True)
class _Standing:
    """The role that somebody has in a registered bucket."""

    role: Role | None


def check_role(role: Role | None, need: Role, user: str, bucket: str) -> None:
    """Refuses what a role does not allow.

    Raises:
        AccessDenied: It does not.
    """
    if not suffices(role, need):
        has = f"is only {role} of" if role else "has no role in"
        raise AccessDenied(
            f"user {user!r:.100} {has} the shared bucket {bucket!r:.100}, and this takes {need}",
            hint="its owner can share it",
        )
