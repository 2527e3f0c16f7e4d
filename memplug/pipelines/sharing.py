"""Shared buckets: registering them, giving roles and taking them away. What the roles allow is in `memplug.rights`.

Each change writes the record of the bucket too, so that two at the same moment cannot miss each other. Their versions
are the bucket's history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from memplug.exceptions import InputTooLarge, MalformedInput, NotFound, ScopeError
from memplug.pipelines.identity import keyed_id
from memplug.pipelines.indexing import index
from memplug.pipelines.versions import following
from memplug.rights import REGISTER, check_role, marked, member, registered, role_in
from memplug.safety.labels import check_metadata
from memplug.safety.text import clean
from memplug.values.bucket import ROLES, Bucket, Role
from memplug.values.item import MemoryItem, Record
from memplug.values.scope import ReservedScope, Scope, scope_of_item

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from memplug.pipelines.editing import Editor
    from memplug.pipelines.versions import Contention
    from memplug.plugins.protocols import Embedder
    from memplug.store import Store
    from memplug.values.limits import Limits

#: Kinds of the register's records, which are their keys as well: about a bucket, about a user in it.
BUCKET, MEMBER = "bucket", "member"
#: What the words of a record say of somebody who has no role any more. Each must have some, to be carried by archives.
_NOBODY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The shared buckets of a store.

    Args:
        store: Where they are registered.
        editor: Deletes what lies in a bucket that is deleted.
        embedder: Of the store, which has a vector for every record.
        contention: Tries again where two change one bucket.
        limits: ``key_length`` for its id, title and users, ``metadata_bytes`` for its description.
    """

    store: Store
    editor: Editor
    embedder: Embedder
    contention: Contention
    limits: Limits

    def create(
        self,
        id: str,  # noqa: A002 - the word that callers know
        *,
        owner: str,
        title: str = "",
        description: str = "",
        adopt: bool = False,
    ) -> Bucket:
        """Registers a bucket as shared. From then on only those reach it to whom its owner gives a role.

        Args:
            id: What callers name as ``bucket``.
            owner: The user who owns it.
            title: What to call it.
            description: What it is for.
            adopt: Also take over what others put into a bucket of that name before. They lose it from sight until the
                owner gives them a role; so that is for the program to decide, and never for a user.

        Raises:
            ScopeError: The id is taken, also by a bucket that was deleted but not erased; or others' memories lie
                under it, and ``adopt`` was not given.
            MalformedInput, InputTooLarge: A word is empty, no text, or too long.
        """
        self._check_ids(id, owner)
        about = {"title": self._words("title", title), "description": self._words("description", description)}

        def attempt() -> Bucket:
            if self._current(id, None) is not None:
                raise ScopeError(f"the bucket id {id!r:.100} is taken")
            others = self.store.authors(Scope(bucket=id)) - {owner}
            if others and not adopt:
                raise ScopeError(
                    f"others have memories in the bucket {id!r:.100} already", hint="choose another id, or adopt them"
                )
            now = self.store.clock()
            former = [_entry(id, user, None, now) for user in others if user is not None]
            self._commit([_bucket(id, about, now), _entry(id, owner, "owner", now), *former])
            return self.get(id)

        return self.contention.settled(attempt)

    def get(self, id: str, *, by: str | None = None) -> Bucket:  # noqa: A002 - the word that callers know
        """A bucket with everybody's role.

        Args:
            id: The bucket's id.
            by: Who asks; without a role in it, there is none for them.

        Raises:
            NotFound: There is no such shared bucket, or it was deleted.
        """
        self._check_ids(id, *([by] if by is not None else []))
        return self._entries(id, by, closed=False)[0]

    def list(self, user: str) -> tuple[Bucket, ...]:
        """The shared buckets in which a user has a role, by id."""
        self._check_ids(user)
        entries = self.store.rights.entries(user=user)
        ids = sorted(registered(one.item) for one in entries if role_in(one.item) is not None)
        found = [self._current(id_, user) for id_ in ids]
        return tuple(bucket for bucket, closed, _ in filter(None, found) if not closed)

    def share(self, id: str, user: str, role: Role, *, by: str) -> Bucket:  # noqa: A002 - the word that callers know
        """Gives a user a role in a bucket, instead of the one that they had.

        Raises:
            NotFound: There is no such bucket for ``by``.
            AccessDenied: ``by`` is not its owner.
            MalformedInput: There is no such role to give, or ``user`` is the owner.
        """
        if role not in ROLES or role == "owner":
            raise MalformedInput(f"a role to give is one of {', '.join(ROLES[:-1])}, not {role!r:.100}")
        return self._changed(id, user, role, by, partial(check_role, need="owner", user=by, bucket=id))

    def unshare(self, id: str, user: str, *, by: str) -> Bucket:  # noqa: A002 - the word that callers know
        """Takes a user's role away; what they added stays. Anybody may leave, except the owner.

        Raises:
            NotFound: There is no such bucket for ``by``.
            AccessDenied: ``by`` is neither its owner nor the user.
            MalformedInput: ``user`` is the owner.
        """

        def check(role: Role | None) -> None:
            if by != user:
                check_role(role, "owner", by, id)

        return self._changed(id, user, None, by, check)

    def delete(self, id: str, *, by: str, erase: bool = False) -> int:  # noqa: A002 - the word that callers know
        """Deletes a bucket with all that lies in it, and returns how many memories that were.

        Deleted, nobody has a role in it any more, and its id stays taken: what lay in it could be asked for in the past
        otherwise. Erased, its id is free. One that was cut off is finished by calling it again, and its owner can still
        erase what was deleted.

        Args:
            id: The bucket's id.
            by: Who asks: its owner.
            erase: Also remove everything from disk, for good.

        Raises:
            NotFound: There is no such bucket for ``by``.
            AccessDenied: ``by`` is not its owner.
        """
        self._check_ids(id, by)
        scope = Scope(bucket=id)

        def close() -> None:
            entries = self._entries(id, by, closed=True)[1]
            check_role(_role_once(entries, by), "owner", by, id)
            now = self.store.clock()
            self._commit([_next(one, _without_role(one), now) for one in entries])

        self.contention.settled(close)
        deleted = self.editor.delete_all(scope, erase=erase)
        if erase:
            deleted += self.editor.delete_all(scope, erase=True)  # what came while it was closed
            self.store.backend.erase([one.id for one in self.store.rights.entries(bucket=id)])
        return deleted

    def _changed(self, id_: str, user: str, role: Role | None, by: str, check: Callable[[Role | None], None]) -> Bucket:
        self._check_ids(id_, user, by)

        def attempt() -> Bucket:
            bucket, entries = self._entries(id_, by, closed=False)
            check(bucket.roles.get(by))
            if user == bucket.owner:
                raise MalformedInput("the owner's role cannot be changed", hint="delete the bucket instead")
            if bucket.roles.get(user) == role:
                return bucket
            now = self.store.clock()
            before = next((one for one in entries if member(one.item) == user), None)
            after = _entry(id_, user, role, now)
            about = next(one for one in entries if member(one.item) is None)
            self._commit([_next(about, about, now), _next(before, after, now) if before else after])
            return self.get(id_)

        return self.contention.settled(attempt)

    def _entries(self, id_: str, by: str | None, *, closed: bool) -> tuple[Bucket, Sequence[Record]]:
        found = self._current(id_, by)
        if found is None or (found[1] and not closed):
            raise NotFound(f"there is no shared bucket {id_!r:.100} here")
        return found[0], found[2]

    def _current(self, id_: str, by: str | None) -> tuple[Bucket, bool, Sequence[Record]] | None:
        """A bucket, whether it is closed, and its entries; None where there is none, or none for who asks."""
        entries = list(self.store.rights.entries(bucket=id_))
        about = next((one.item for one in entries if member(one.item) is None), None)
        if about is None:
            return None
        people = {str(member(one.item)): one.item for one in entries if member(one.item) is not None}
        roles = {user: role for user, item in sorted(people.items()) if (role := role_in(item)) is not None}
        owner = next((user for user, item in people.items() if item.metadata.get("owner")), "")
        if by is not None and by not in roles and by != owner:
            return None
        bucket = Bucket(
            id=id_,
            owner=owner,
            title=str(about.metadata.get("title", "")),
            description=str(about.metadata.get("description", "")),
            roles=roles,
            created_at=about.created_at,
        )
        return bucket, owner not in roles, entries

    def _commit(self, records: Sequence[Record]) -> None:
        self.store.commit(index(records, self.embedder), {})

    def _check_ids(self, *ids: str) -> None:
        """Refuses what is no id of a user or a bucket."""
        for id_ in ids:
            Scope(bucket=id_)
            if len(id_) > self.limits.key_length:
                raise InputTooLarge(f"ids in shared buckets have at most {self.limits.key_length} characters")

    def _words(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise MalformedInput(f"the {name} must be text, not {type(value).__name__}")
        words = clean(value)
        check_metadata({name: words}, self.limits)
        return words


def check_entry(records: Sequence[Record]) -> None:
    """Refuses what an archive brings for a place that memplug keeps for itself, unless it is of the register's form.

    Raises:
        ScopeError: It is not.
    """
    for record in records:
        item = record.item
        kind = BUCKET if item.agent_id is None else MEMBER
        ids = {"run_id": REGISTER, "bucket": marked(registered(item)), "user_id": None}
        ids["agent_id"] = marked(str(member(item))) if kind == MEMBER else None
        plain = (item.kind, item.key, item.media, item.expires_at, item.part_of, item.deleted)
        named = item.ids == ids and item.id == keyed_id(scope_of_item(item.ids), kind)
        known = kind == BUCKET or (item.metadata.get("role") is None or role_in(item) is not None)
        if not named or not known or plain != (kind, kind, None, None, None, False):
            raise ScopeError(f"memory {item.id!r} lies in a place that memplug keeps for itself")


def _place(id_: str, user: str | None) -> Scope:
    return ReservedScope(run_id=REGISTER, bucket=marked(id_), agent_id=None if user is None else marked(user))


def _record(scope: Scope, kind: str, text: str, metadata: Mapping[str, Any], now: datetime) -> Record:
    ids: dict[str, Any] = scope.ids
    id_ = keyed_id(scope, kind)
    item = MemoryItem(id=id_, kind=kind, key=kind, text=text, metadata=metadata, created_at=now, updated_at=now, **ids)
    return Record(item=item)


def _bucket(id_: str, about: Mapping[str, str], now: datetime) -> Record:
    return _record(_place(id_, None), BUCKET, about["title"].strip() or BUCKET, about, now)


def _entry(id_: str, user: str, role: Role | None, now: datetime) -> Record:
    return _record(_place(id_, user), MEMBER, role or _NOBODY, {"role": role, "owner": role == "owner"}, now)


def _next(before: Record, after: Record, now: datetime) -> Record:
    return following(after, before, now)


def _without_role(entry: Record) -> Record:
    """The entry of a bucket that is closed; it still says who its owner was."""
    if member(entry.item) is None:
        return entry
    item = replace(entry.item, text=_NOBODY, metadata=dict(entry.item.metadata) | {"role": None})
    return replace(entry, item=item)


def _role_once(entries: Sequence[Record], user: str) -> Role | None:
    """The role of a user, also of the owner of a bucket that is closed."""
    for one in entries:
        if member(one.item) == user:
            return "owner" if one.item.metadata.get("owner") else role_in(one.item)
    return None


__all__ = ["Buckets", "check_entry"]
