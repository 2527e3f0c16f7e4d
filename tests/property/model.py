"""What a store must hold: a dictionary from id to versions, and what may be seen of it when."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from memplug import MemoryItem, Scope
    from property.contents import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What one version must be.

    Args:
        content: What it says; None for a deletion.
        key, tags, expires_at: As in `MemoryItem`.
        metadata: As JSON, in which 1 and true differ.
        anew: Whether the memory counts as made with this version.
        item: The version as the store gave it first; it must never be another again.
    """

    content: Content | None
    key: str | None = None
    tags: tuple[str, ...] = ()
    metadata: str = "{}"
    expires_at: datetime | None = None
    anew: bool = False
    item: MemoryItem | None = None

    def ended(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def known(self) -> MemoryItem:
        """The item, of a version that was seen."""
        assert self.item is not None
        return self.item


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """All versions of one memory, oldest first."""

    scope: Scope
    versions: tuple[Version, ...]

    @property
    def last(self) -> Version:
        """The current version, or the deletion."""
        return self.versions[-1]

    def alive(self, now: datetime) -> bool:
        """Whether reads show it."""
        return self.last.content is not None and not self.last.ended(now)

    def followed(self, version: Version) -> Chain:
        """The chain with one version more."""
        return replace(self, versions=(*self.versions, version))

    def at(self, moment: datetime, now: datetime) -> Version | None:
        """The version that a read of a past moment shows."""
        begun = [version for version in self.versions if version.known.valid_from <= moment]
        if not begun or begun[-1].content is None or begun[-1].ended(max(now, moment)):
            return None
        return begun[-1]


@dataclass(slots=True)
class Model:
    """The memories of a store by id."""

    chains: dict[str, Chain] = field(default_factory=dict)

    def copy(self) -> Model:
        """Another model that can be changed alone."""
        return Model(dict(self.chains))

    def add(self, id_: str, scope: Scope, version: Version) -> None:
        """Appends a version."""
        chain = self.chains.get(id_)
        self.chains[id_] = Chain(scope=scope, versions=(version,)) if chain is None else chain.followed(version)

    def inside(self, scope: Scope) -> list[str]:
        """The ids of a scope's memories, whether or not they are alive."""
        return [id_ for id_, chain in self.chains.items() if scope.admits(chain.scope.ids)]

    def current(self, scope: Scope, now: datetime) -> list[MemoryItem]:
        """What a listing of a scope shows, in its order."""
        items = [self.chains[id_].last.known for id_ in self.inside(scope) if self.chains[id_].alive(now)]
        return sorted(items, key=lambda item: (item.created_at, item.id), reverse=True)

    def past(self, scope: Scope, moment: datetime, now: datetime) -> set[tuple[str, int]]:
        """Ids and versions that a read of a past moment shows."""
        found = ((id_, self.chains[id_].at(moment, now)) for id_ in self.inside(scope))
        return {(id_, version.known.version) for id_, version in found if version is not None}

    def digests(self) -> set[str]:
        """The media that some version names."""
        return {digest for content in self.contents() for digest in content.media}

    def markers(self) -> set[str]:
        """The markers of all contents that some version holds."""
        return {marker for content in self.contents() for marker in content.markers}

    def contents(self) -> Iterator[Content]:
        """What all versions say, except deletions."""
        for chain in self.chains.values():
            yield from (version.content for version in chain.versions if version.content is not None)


def as_json(metadata: Mapping[str, Any]) -> str:
    """Metadata as a text in which 1 and true differ."""
    return json.dumps(dict(metadata), sort_keys=True)


def learned(chain: Chain, items: list[MemoryItem]) -> Chain:
    """The chain with what the store holds of it, which must be just what the chain says.

    Raises:
        AssertionError: The store holds something else.
    """
    assert [item.version for item in items] == list(range(1, len(chain.versions) + 1))
    ends = [item.valid_from for item in items[1:]]
    assert [item.valid_to for item in items] == [*ends, None]
    for number, (version, item) in enumerate(zip(chain.versions, items, strict=True)):
        _check(chain.scope, version, item, items[number - 1] if number else None)
    seen = zip(chain.versions, items, strict=True)
    return replace(chain, versions=tuple(replace(one, item=replace(item, valid_to=None)) for one, item in seen))


def _check(scope: Scope, version: Version, item: MemoryItem, before: MemoryItem | None) -> None:
    content = version.content
    assert item.deleted is (content is None)
    assert (item.text, item.key, item.tags) == (content.text if content else "", version.key, version.tags)
    assert (as_json(item.metadata), item.expires_at) == (version.metadata, version.expires_at)
    assert set(item.digests) == (content.media if content else set())
    assert {name: value for name, value in item.ids.items() if value is not None} == scope.ids
    assert item.status == "ready"
    assert item.created_at == (item.updated_at if version.anew or before is None else before.created_at)
    assert before is None or item.updated_at > before.updated_at
    if content is not None:
        assert item.kind == content.kind
    if version.item is not None:
        assert replace(item, valid_to=None) == version.item, "a version that was there has changed"
