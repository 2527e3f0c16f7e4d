"""The calls that change a store, each with what must come of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memplug import Memory, Scope
from memplug.exceptions import NotFound, VersionConflict
from memplug.pipelines.identity import content_id, draft_identity, keyed_id
from memplug.values.draft import Draft, Media
from memplug.values.source import Provenance
from property.contents import PICTURES, Content
from property.model import Chain, Model, Version, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must come of a call.

    Args:
        after: The store afterwards.
        touched: Ids to look at.
        result: What the call must tell (see each operation's `told`).
        error: What it must raise instead; then nothing has changed.
        current: What a `VersionConflict` must name.
    """

    after: Model
    touched: tuple[str, ...] = ()
    result: object = None
    error: type[Exception] | None = None
    current: Mapping[str, int] = field(default_factory=dict)


class Operation(ABC):
    """One call."""

    #: Whether it comes wholly or not at all; else a memory may have got some of its new versions.
    atomic = True
    #: Whether it removes media; cut off, it may leave some.
    removes = False

    @abstractmethod
    def expected(self, model: Model, now: datetime) -> Expected:
        """What must come of it."""

    @abstractmethod
    def told(self, memory: Memory) -> object:
        """Makes the call, and returns what it tells in comparable form."""

    def brought(self) -> tuple[Content, ...]:
        """What it may bring into the store's files."""
        return ()


def _refused(model: Model, id_: str) -> Expected:
    return Expected(after=model, touched=(id_,) if id_ in model.chains else (), error=NotFound)


def _conflict(model: Model, id_: str, current: int) -> Expected:
    named = {id_: current} if id_ in model.chains else {}
    return Expected(after=model, touched=tuple(named), error=VersionConflict, current=named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Operation):
    """`Memory.add` of one part or several."""

    scope: Scope
    contents: tuple[Content, ...]
    key: str | None = None
    tags: tuple[str, ...] = ()
    metadata: str = "{}"
    expires_at: datetime | None = None
    version: int | None = None

    def told(self, memory: Memory) -> object:
        """Event, id and version of each part."""
        [first, *others] = self.contents
        raw: Any = [content.raw for content in self.contents] if others else first.raw
        described = first.text if first.picture is not None and not others else None
        result = memory.add(
            raw,
            key=self.key,
            tags=list(self.tags),
            metadata=_plain(self.metadata),
            description=described or None,
            expires_at=self.expires_at,
            version=self.version,
            **self.scope.ids,  # type: ignore[arg-type] # the names are those of ScopeIds
        )
        return [(outcome.event, outcome.id, outcome.version) for outcome in result.outcomes]

    def brought(self) -> tuple[Content, ...]:
        """All parts."""
        return self.contents

    def expected(self, model: Model, now: datetime) -> Expected:
        """A new memory, a new version, or nothing where it says nothing new."""
        ids = self._places(model)
        if self.key is not None and self.version is not None:
            chain = model.chains.get(ids[0])
            current = 0 if chain is None or not chain.alive(now) else len(chain.versions)
            if current != self.version:
                return _conflict(model, ids[0], current)
        after, told = model.copy(), []
        for id_, content in zip(ids, self.contents, strict=True):
            event, version = self._decided(model.chains.get(id_), content, now)
            if version is not None:
                after.add(id_, self.scope, version)
            told.append((event, id_, len(after.chains[id_].versions)))
        return Expected(after=after, touched=tuple(ids), result=told)

    def _places(self, model: Model) -> list[str]:
        """Ids: the key's, else the first place for this content that nothing else has taken."""
        if self.key is not None:
            return [keyed_id(self.scope, self.key)]
        copies, seen = Counter(self.contents), Counter[Content]()
        ids = []
        for content in self.contents:
            number = seen[content]
            seen[content] += 1
            while _taken(model.chains.get(id_ := _place(self.scope, content, number)), content):
                number += copies[content]
            ids.append(id_)
        return ids

    def _decided(self, chain: Chain | None, content: Content, now: datetime) -> tuple[str, Version | None]:
        fresh = Version(
            content=content, key=self.key, tags=self.tags, metadata=self.metadata, expires_at=self.expires_at
        )
        if chain is None or not chain.alive(now):
            return "added", replace(fresh, anew=True)
        old = chain.last
        if self.key is None:
            merged = {**_plain(old.metadata), **_plain(fresh.metadata)}
            tags = tuple(sorted({*old.tags, *fresh.tags}))
            fresh = replace(old, tags=tags, metadata=as_json(merged), expires_at=fresh.expires_at)
        fresh = replace(fresh, item=None, anew=False)
        if fresh == replace(old, item=None, anew=False):
            return ("duplicate" if self.key is None else "unchanged"), None
        return "updated", fresh


def _plain(metadata: str) -> dict[str, Any]:
    import json

    plain: dict[str, Any] = json.loads(metadata)
    return plain


def _place(scope: Scope, content: Content, number: int) -> str:
    picture = None if content.picture is None else PICTURES[content.picture]
    media = None if picture is None else Media(data=picture, content_type="image/png")
    draft = Draft(part=0, kind=content.kind, text=content.text, media=media, source=Provenance(role="user"))
    return content_id(scope, draft_identity(draft), number)


def _taken(chain: Chain | None, content: Content) -> bool:
    return chain is not None and chain.last.content is not None and chain.last.content != content


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Operation):
    """`Memory.update`; ``tags`` and ``metadata`` None leave them."""

    id: str
    text: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: str | None = None
    version: int | None = None

    def told(self, memory: Memory) -> object:
        """The new version's number."""
        fields: dict[str, Any] = {"text": self.text} if self.text is not None else {}
        fields |= {"tags": list(self.tags)} if self.tags is not None else {}
        fields |= {"metadata": _plain(self.metadata)} if self.metadata is not None else {}
        return memory.update(self.id, **fields, version=self.version).version

    def brought(self) -> tuple[Content, ...]:
        """The new words."""
        return (Content(text=self.text or ""),)

    def expected(self, model: Model, now: datetime) -> Expected:
        """A version more."""
        chain = model.chains.get(self.id)
        if chain is None or not chain.alive(now) or chain.last.content is None:
            return _refused(model, self.id)
        if self.version is not None and self.version != len(chain.versions):
            return _conflict(model, self.id, len(chain.versions))
        old, after = chain.last, model.copy()
        content = chain.last.content if self.text is None else replace(chain.last.content, text=self.text)
        tags = old.tags if self.tags is None else self.tags
        metadata = old.metadata if self.metadata is None else self.metadata
        after.add(
            self.id, chain.scope, replace(old, content=content, tags=tags, metadata=metadata, item=None, anew=False)
        )
        return Expected(after=after, touched=(self.id,), result=len(chain.versions) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Operation):
    """`Memory.delete`."""

    id: str
    erase: bool = False
    version: int | None = None

    removes = True

    def told(self, memory: Memory) -> object:
        """Nothing."""
        return memory.delete(self.id, erase=self.erase, version=self.version)  # type: ignore[func-returns-value]

    def expected(self, model: Model, now: datetime) -> Expected:
        """A deletion more, or nothing left."""
        chain = model.chains.get(self.id)
        if chain is None or chain.last.ended(now) or (chain.last.content is None and not self.erase):
            return _refused(model, self.id)
        if self.version is not None and self.version != len(chain.versions):
            return _conflict(model, self.id, len(chain.versions))
        after = model.copy()
        if self.erase:
            del after.chains[self.id]
        else:
            after.add(self.id, chain.scope, Version(content=None))
        return Expected(after=after, touched=(self.id,))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAll(Operation):
    """`Memory.delete_all`."""

    scope: Scope
    erase: bool = False

    removes = True

    def told(self, memory: Memory) -> object:
        """How many."""
        return memory.delete_all(erase=self.erase, **self.scope.ids)

    def expected(self, model: Model, now: datetime) -> Expected:
        """A deletion more for each that is alive, or nothing left of any."""
        after = model.copy()
        ids = model.inside(self.scope)
        if not self.erase:
            ids = [id_ for id_ in ids if model.chains[id_].alive(now)]
        for id_ in ids:
            if self.erase:
                del after.chains[id_]
            else:
                after.add(id_, model.chains[id_].scope, Version(content=None))
        return Expected(after=after, touched=tuple(ids), result=len(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Operation):
    """`Memory.restore`."""

    id: str
    version: int

    def told(self, memory: Memory) -> object:
        """The new version's number."""
        return memory.restore(self.id, self.version).version

    def expected(self, model: Model, now: datetime) -> Expected:
        """The old version again, for ever where its time was up."""
        chain = model.chains.get(self.id)
        if chain is None or chain.last.ended(now) or not 0 < self.version <= len(chain.versions):
            return _refused(model, self.id)
        old = chain.versions[self.version - 1]
        if old.content is None:
            return _refused(model, self.id)
        after = model.copy()
        expires_at = None if old.ended(now) else old.expires_at
        after.add(self.id, chain.scope, replace(old, expires_at=expires_at, item=None, anew=False))
        return Expected(after=after, touched=(self.id,), result=len(chain.versions) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintain(Operation):
    """`Memory.maintain`."""

    removes = True

    def told(self, memory: Memory) -> object:
        """Nothing."""
        return memory.maintain()  # type: ignore[func-returns-value] # compared with what is expected

    def expected(self, model: Model, now: datetime) -> Expected:
        """What has expired is gone for good."""
        gone = [id_ for id_, chain in model.chains.items() if chain.last.content is not None and chain.last.ended(now)]
        after = model.copy()
        for id_ in gone:
            del after.chains[id_]
        return Expected(after=after, touched=tuple(gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Operation):
    """`Memory.import_` of an archive that the same store wrote some time before.

    Args:
        path: The archive.
        chains: What it holds.
    """

    path: Path
    chains: Mapping[str, Chain]

    atomic = False

    def told(self, memory: Memory) -> object:
        """How many were added, updated, unchanged and rejected."""
        report = memory.import_(self.path)
        return report.added, report.updated, report.unchanged, len(report.rejected)

    def brought(self) -> tuple[Content, ...]:
        """All that it holds."""
        return tuple(Model(dict(self.chains)).contents())

    def expected(self, model: Model, now: datetime) -> Expected:
        """Versions that are missing come back; what went another way or was deleted since is left."""
        del now
        after, counts = model.copy(), Counter[str]()
        for id_, chain in self.chains.items():
            what = _fate(chain, model.chains.get(id_))
            counts[what] += 1
            if what in {"added", "updated"}:
                after.chains[id_] = chain
        result = tuple(counts[name] for name in ("added", "updated", "unchanged", "rejected"))
        return Expected(after=after, touched=tuple(self.chains), result=result)


def _fate(chain: Chain, stored: Chain | None) -> str:
    if stored is None:
        return "added"
    pairs = zip(chain.versions, stored.versions, strict=False)
    if any(one.known != other.known for one, other in pairs):
        return "rejected"
    if len(stored.versions) < len(chain.versions):
        return "updated"
    gone = len(stored.versions) > len(chain.versions) and stored.last.content is None
    return "rejected" if gone else "unchanged"
