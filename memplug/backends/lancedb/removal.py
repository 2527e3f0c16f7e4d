"""Removing memories with every byte of them: tables that hold them are written anew without them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from lancedb.expr import col, lit

from memplug.backends.lancedb.catalog import COPY_ROWS, LARGE
from memplug.backends.lancedb.columns import micros
from memplug.backends.lancedb.folder import REBUILD
from memplug.backends.lancedb.owed import owe, owed, settle
from memplug.backends.lancedb.reads import references
from memplug.backends.lancedb.where import among
from memplug.exceptions import MemplugError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from memplug.backends.lancedb.catalog import Catalog
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier

_log = logging.getLogger("memplug.backends.lancedb")
_CHUNK = 5_000
_MEDIA = ("digest", "thumbnail")


def erase(session: Session, ids: Sequence[str]) -> None:
    """Removes every version of these ids. Afterwards no file of a table holds anything of them.

    Their media stays for `release`, and is noted, so that `finish` removes it where nobody comes to call that.

    `recent` is always written anew, since a commit that was cut off may still lie in its files. The other tables are
    where they hold a row of these ids, which `memories` does for every id that was ever moved there; there is
    no other way for their content to get into a file.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return
    with session.upkeep.held(), session.writing.held():
        # An unfinished rebuild holds copies of them, and its tables are called as the ones that are made here.
        session.folder.drop(REBUILD)
        owe(session.folder, session.again(lambda: _digests(session.catalog(), wanted)))
        try:
            session.again(lambda: _rewrite(session, wanted))
        except BaseException:
            tidy_up(session)
            raise


def _rewrite(session: Session, wanted: list[str]) -> None:
    catalog = session.catalog()
    due = [role for role in LARGE if _is_due(session, catalog.tier(role), wanted)]
    fresh = {role: _rewritten(session, catalog, role, wanted) for role in due}
    session.replace(fresh | {"recent": rewritten_recent(session, without=wanted)})
    catalog = session.catalog()
    for role in set(LARGE) - set(due):
        # A writer that was killed may have left files that no version names.
        catalog.tier(role).compact(alone=True)
    if session.durable:
        # Names that came back after a power cut would be gone at the next opening only.
        session.folder.sync_tables()


def release(session: Session, digests: Iterable[str]) -> set[str]:
    """Removes those of the digests that no version of any record names, and returns them."""
    wanted = set(digests)
    with session.writing.held():
        named = session.read(lambda catalog: references(catalog, sorted(wanted)))
        gone = {digest for digest in wanted - named if session.media.holds(digest)}
        session.writing.check()
        session.media.remove(sorted(gone))
        settle(session.folder, wanted)
    return gone


def finish(session: Session) -> None:
    """Removes the media of an erasure that was cut off before it came to that."""
    if left := owed(session.folder):
        release(session, left)


def tidy_up(session: Session) -> None:
    """Gives back the room of half-made tables: on a full disk they would keep everybody from writing."""
    try:
        session.remove_leftovers()
    except MemplugError as error:
        _log.warning("half-made tables could not be removed: %s", error)


def remove_expired(session: Session, now: datetime) -> None:
    """Removes memories whose current version has expired, the upkeep lock being held. `recent` is not looked at."""
    with session.writing.held():
        catalog = session.catalog()
        expr = (col("expires_at") <= lit(micros(now))) & (col("deleted") == lit(False))  # noqa: FBT003
        gone = set(catalog.memories.scan(expr, ["id"]).column("id").to_pylist())
        gone -= catalog.overlay.tops(gone).keys()
        if gone:
            erase(session, sorted(gone))
            finish(session)


def _digests(catalog: Catalog, ids: list[str]) -> set[str]:
    """What the versions of these ids name as original or thumbnail."""
    found = {digest for id_ in ids for record in catalog.overlay.versions(id_) for digest in record.item.digests}
    for tier in (catalog.memories, catalog.history):
        for start in range(0, len(ids), _CHUNK):
            rows = tier.scan(among("id", ids[start : start + _CHUNK]), _MEDIA)
            found.update(*(rows.column(name).to_pylist() for name in _MEDIA))
    return found - {""}


def _is_due(session: Session, tier: Tier, ids: list[str]) -> bool:
    """Whether a table has to be written anew: also where no other way is safe to be rid of what no version names."""
    return not session.folder.exclusive or _holds(tier, ids)


def _holds(tier: Tier, ids: list[str]) -> bool:
    return any(tier.count(among("id", ids[start : start + _CHUNK])) for start in range(0, len(ids), _CHUNK))


def _rewritten(session: Session, catalog: Catalog, role: str, ids: list[str]) -> str:
    """The name of a new table with everything but these ids."""
    name = catalog.pointer.successor(role)
    fresh = session.library.make(name, catalog.pointer.profile.dimension)
    session.library.fill(fresh, _survivors(catalog.tier(role), set(ids)))
    return name


def rewritten_recent(session: Session, without: Iterable[str] = ()) -> str:
    """The name of what is to keep single commits from now on: all that are there but those of some ids."""
    catalog = session.catalog()
    name, gone = catalog.pointer.successor("recent"), set(without)
    fresh = session.library.make_recent(name, catalog.pointer.profile.dimension)
    fresh.write([record for record in catalog.overlay.everything() if record.id not in gone])
    fresh.finish()
    return name


def _survivors(tier: Tier, ids: set[str]) -> Iterator[pa.Table]:
    """Filtered here rather than by an expression, which 100,000 ids would make too large."""
    kept: list[Any] = []
    size = 0
    for batch in tier.batches(None, COPY_ROWS):
        mask = pa.array([id_ not in ids for id_ in batch.column("id").to_pylist()], pa.bool_())
        kept.append(pa.Table.from_batches([batch]).filter(mask))
        size += kept[-1].num_rows
        if size >= COPY_ROWS * 10:
            yield pa.concat_tables(kept)
            kept, size = [], 0
    if kept:
        yield pa.concat_tables(kept)
