"""Holds a store against the model."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import lancedb

from memplug import Memory, Scope
from memplug.exceptions import NotFound
from memplug.store import View
from memplug.values.filters import All
from property.contents import PICTURES, RUNS, USERS, digest_of
from property.model import Chain, Model, learned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from memplug import MemoryItem

SCOPES = (*(Scope(user_id=user) for user in USERS), *(Scope(run_id=run) for run in RUNS if run))
_ORIGINALS = {digest_of(data): data for data in PICTURES}
_EVERY = 1_000


def learn(memory: Memory, model: Model, ids: Iterable[str]) -> None:
    """Takes over what the store holds of these ids, after it was found to be what the model says."""
    for id_ in ids:
        found = stored(memory, id_)
        if id_ in model.chains:
            model.chains[id_] = learned(model.chains[id_], found)
        else:
            assert found == []


def stored(memory: Memory, id_: str) -> list[MemoryItem]:
    """All versions of a memory, whoever may see them."""
    return [record.item for record in memory.engine.store.backend.versions(id_)]


def agrees(memory: Memory, model: Model, ids: Iterable[str]) -> bool:
    """Whether the store is as this model says, of these ids."""
    try:
        learn(memory, model.copy(), ids)
    except AssertionError:
        return False
    return True


def begun(memory: Memory, before: Model, after: Model, ids: Iterable[str]) -> Model:
    """The model of a call that may have come in part: of each memory a number of its new versions."""
    between = before.copy()
    for id_ in ids:
        count = len(stored(memory, id_))
        least = len(before.chains[id_].versions) if id_ in before.chains else 0
        chain = after.chains.get(id_)
        if chain is None or count <= least:
            continue
        assert count <= len(chain.versions)
        between.chains[id_] = Chain(scope=chain.scope, versions=chain.versions[:count])
    learn(memory, between, ids)
    return between


def check_lists(memory: Memory, model: Model, now: datetime, page: int) -> None:
    """Listings of each user and conversation are the model's, page by page, and counts agree."""
    for scope in SCOPES:
        expected = model.current(scope, now)
        listed: list[MemoryItem] = []
        cursor = None
        while True:
            found = memory.get_all(limit=page, cursor=cursor, **scope.ids)  # type: ignore[arg-type] # names of ScopeIds
            listed += found.items
            cursor = found.cursor
            if cursor is None:
                break
        assert listed == expected
        assert memory.engine.store.count(View(scope=scope)) == len(expected)


def check_search(memory: Memory, model: Model, now: datetime, scope: Scope, query: str) -> None:
    """Hits lie inside the scope, are current, come once, and an exact match is among the first."""
    current = {item.id: item for item in model.current(scope, now)}
    hits = list(memory.search(query, top_k=_EVERY, **scope.ids))  # type: ignore[arg-type] # names of ScopeIds
    assert len({hit.id for hit in hits}) == len(hits)
    for hit in hits:
        assert hit.item == current[hit.id]
    exact = {item.id for item in current.values() if item.text == query}
    first = [hit.id for hit in hits[: len(exact)]]
    assert set(first) == exact


def check_past(memory: Memory, model: Model, moment: datetime, now: datetime) -> None:
    """Reads of a past moment show what held then."""
    for scope in SCOPES[:3]:
        records = memory.engine.store.select(View(scope=scope, as_of=moment), limit=_EVERY)
        assert {(record.id, record.version) for record in records} == model.past(scope, moment, now)
        assert memory.engine.store.count(View(scope=scope, as_of=moment)) == len(records)
        for record in records:
            known = model.chains[record.id].versions
            assert record.item.text == known[record.version - 1].known.text
            later = known[record.version :]
            assert record.item.valid_to == (later[0].known.valid_from if later else None)
        found = memory.search("likes tea", top_k=_EVERY, as_of=moment, **scope.ids)  # type: ignore[arg-type] # same
        assert {hit.id for hit in found} <= {record.id for record in records}


def check_everything(memory: Memory, model: Model, now: datetime) -> None:
    """Every version of every memory, every original, and nothing beside them."""
    backend = memory.engine.store.backend
    assert backend.ids(All(())) == model.chains.keys()
    learn(memory, model, list(model.chains))
    for id_, chain in model.chains.items():
        if chain.last.ended(now):
            _check_hidden(memory, id_)
            continue
        assert len(memory.history(id_)) == len(chain.versions)
        if chain.last.content is None:
            continue
        item = memory.get(id_, **chain.scope.ids)
        assert item == chain.last.known
        if item.key is not None:
            assert memory.get(key=item.key, **chain.scope.ids).id == id_
        if item.media is not None:
            assert memory.media(id_) == _ORIGINALS[item.media.digest]
            memory.open_media(id_, thumbnail=True).close()


def _check_hidden(memory: Memory, id_: str) -> None:
    for read in (memory.get, memory.history, memory.media):
        try:
            read(id_)
        except NotFound:
            continue
        raise AssertionError(f"{read.__name__} shows a memory that has expired")


def check_foreign(memory: Memory, id_: str, owner: Scope) -> None:
    """A memory's id opens nothing for another user."""
    other = next(user for user in USERS if user != owner.user_id)
    calls = (memory.get, memory.history, memory.media, memory.delete)
    for call in calls:
        try:
            call(id_, user_id=other)
        except NotFound:
            continue
        raise AssertionError(f"{call.__name__} let {other!r} at a memory of {owner.user_id!r}")


def check_media(memory: Memory, model: Model, orphans: set[str]) -> None:
    """Media is what versions name; beside it only what a call that was cut off may have left."""
    kept = set(memory.engine.store.backend.list_media())
    assert model.digests() <= kept <= model.digests() | orphans


def check_gone(folder: Path, markers: Iterable[str]) -> None:
    """No file under the folder holds a marker, as it is or in any version of any table."""
    raw = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    assert [marker for marker in markers if marker.encode() in raw] == []


def dump(folder: Path) -> str:
    """Every row of every version of every table of a LanceDB store."""
    connection = lancedb.connect(str(folder / "tables"))
    found = ""
    for name in (path.stem for path in (folder / "tables").glob("*.lance")):
        table = connection.open_table(name)
        for version in table.list_versions():
            table.checkout(version["version"])
            found += str(table.search().limit(10_000).to_list())
    return found


def descriptors() -> list[str]:
    """What files this process has open; nothing where the system does not tell."""
    gc.collect()
    found = []
    for path in Path("/proc/self/fd").glob("*"):
        try:
            found.append(str(path.readlink()))
        except FileNotFoundError:  # the one for this listing
            continue
    return sorted(found)
