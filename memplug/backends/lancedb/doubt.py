"""What can slip through where a lock is a lease, and how it is put right.

A writer that is paused while a commit of its is under way cannot be stopped: the commit may land after others have
taken the lock over. Whoever lost a lease so looks what became of it (`settle`) before it says that anything was
written. Who dies instead leaves at worst a version twice, of which reads show one, and maintenance removes the other
(`doubles`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from memplug.backends.lancedb.rows import decoded, row_id
from memplug.backends.lancedb.where import among
from memplug.exceptions import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from memplug.backends.lancedb.recent_table import RecentTable
    from memplug.backends.lancedb.remote_tier import RemoteTier
    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier
    from memplug.values.item import Record

_CHUNK = 2_000


def settle(session: Session, rows: pa.Table) -> None:
    """Finds out whether an append is in the store, the write lock having been taken anew after it.

    Where somebody else wrote one of the versions too, this append is taken back whole: they may have been told
    already that theirs is written.

    Raises:
        StoreBusy: Nothing was written.
    """
    session.folder.stale()
    catalog = session.catalog()
    written = {row_id(record): record for record in decoded(rows)}
    ours: list[tuple[Tier, list[int]]] = []
    beaten = False
    for tier in (cast("RecentTable", catalog.recent).tier, catalog.memories, catalog.history):
        found = list(_found(tier, list(written)))
        ours.append((tier, [place for place, record in found if _same(record, written[row_id(record)])]))
        beaten |= len(ours[-1][1]) < len(found)
    if not beaten and any(places for _, places in ours):
        return
    for tier, places in ours if beaten else ():
        if places:
            cast("RemoteTier", tier).delete_places(places)
    raise StoreBusy(
        "this process was paused, or cut off from the store, while it wrote, and others went on; nothing was written",
        hint="try again",
    )


def _found(tier: Tier, wanted: Sequence[str]) -> Iterator[tuple[int, Record]]:
    for start in range(0, len(wanted), _CHUNK):
        rows = cast("RemoteTier", tier).placed(among("row_id", wanted[start : start + _CHUNK]))
        yield from zip(rows.column("_rowid").to_pylist(), decoded(rows), strict=True)


def _same(found: Record, written: Record) -> bool:
    """Whether a row is the one that was written; since then it may have been ended by a later version."""
    item = replace(found.item, valid_to=None)
    return (item, found.terms, found.identity) == (written.item, written.terms, written.identity)
