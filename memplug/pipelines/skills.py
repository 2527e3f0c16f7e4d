"""Finds a remembered skill by its name."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from memplug.exceptions import NotFound
from memplug.pipelines.identity import imported_id
from memplug.skills.manifest import plain_name, skill_origin
from memplug.skills.package import near
from memplug.skills.skill import skill_of
from memplug.store import View
from memplug.values.filters import Compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from memplug.skills.skill import Skill
    from memplug.store import Store
    from memplug.values.item import MemoryItem
    from memplug.values.limits import Limits
    from memplug.values.scope import Scope

_KIND, _PAGE = "skill", 500


def find_skill(store: Store, name: str, scope: Scope, *, limits: Limits, version: int | None = None) -> Skill:
    """The skill of that name: the one of exactly this scope, else the newest inside it.

    Raises:
        NotFound: There is none, or none of that version; the hint names some that there are.
        InputRejected: An import brought an original that is no skill.
    """
    item = _current(store, plain_name(str(name)), scope)
    if version is not None:
        item = _earlier(store, item, version, scope)
    if item.media is None:
        raise NotFound(f"the skill {name!r:.100} has no original")
    with closing(store.backend.open_media(item.media.digest)) as file:
        return skill_of(item.handed_out(), file.read(), limits)


def _current(store: Store, name: str, scope: Scope) -> MemoryItem:
    try:
        item = store.get(imported_id(scope, skill_origin(name)), scope).item
    except NotFound:
        pass
    else:
        return item
    others: dict[str, None] = {}
    for item in _skills(store, scope):
        if (other := _name(item)) == name:
            return item
        others.setdefault(other)
    hint = f"there are: {near(name, others)}" if others else "none was added here"
    raise NotFound(f"there is no skill {name!r:.100} here", hint=hint)


def _skills(store: Store, scope: Scope) -> Iterator[MemoryItem]:
    view = View(scope=scope, filter=Compare("kind", "eq", _KIND))
    after: tuple[datetime, str] | None = None
    while records := store.select(view, limit=_PAGE, after=after):
        yield from (record.item for record in records)
        after = (records[-1].item.created_at, records[-1].id)


def _name(item: MemoryItem) -> str:
    """A skill's name without its original: as it was noted, unless the caller's own metadata stands there."""
    about = item.metadata.get("skill")
    noted = about.get("name") if isinstance(about, dict) else None
    return noted if isinstance(noted, str) else item.text.partition(": ")[0]


def _earlier(store: Store, item: MemoryItem, version: int, scope: Scope) -> MemoryItem:
    for record in store.history(item.id, scope):
        if record.version == version and not record.item.deleted:
            return record.item
    raise NotFound(f"the skill {_name(item)!r:.100} has no version {version}", hint=f"it is at version {item.version}")
