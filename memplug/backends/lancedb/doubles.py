"""Rows that are there twice: nothing that memplug does writes one to a local store, but a damaged one may hold some."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

from memplug.backends.lancedb.catalog import COPY_ROWS, LARGE
from memplug.backends.lancedb.columns import READ
from memplug.backends.lancedb.removal import rewritten_recent
from memplug.backends.lancedb.rows import decoded, encoded
from memplug.backends.lancedb.where import among
from memplug.backends.shelf import closed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.backends.lancedb.session import Session
    from memplug.backends.lancedb.tier import Tier
    from memplug.values.item import Record

_CHUNK = 2_000


def doubles(role: str, tier: Tier) -> list[str]:
    """What names a row, where several have it: in `memories` the id, elsewhere one version."""
    column = "id" if role == "memories" else "row_id"
    held = Counter(tier.scan(None, [column]).column(column).to_pylist())
    return [str(name) for name, count in held.items() if count > 1]


def remove_doubles(session: Session) -> None:
    """Writes the tables anew that hold doubles. The upkeep lock must be held.

    Of several versions of an id in `memories` the lower ones go to `history` before, as in any move.
    """
    with session.writing.held():
        catalog = session.catalog()
        if twice := doubles("memories", catalog.memories):
            for start in range(0, len(twice), _CHUNK):
                lower = _lower(catalog.memories, twice[start : start + _CHUNK])
                catalog.history.merge("row_id", encoded(lower, session.profile.dimension))
            catalog.history.sync()
        fresh = {role: _written(session, role) for role in LARGE if doubles(role, catalog.tier(role))}
        if catalog.recent.doubles():
            fresh["recent"] = rewritten_recent(session)
        if fresh:
            session.replace(fresh)


def _lower(tier: Tier, ids: list[str]) -> list[Record]:
    """All versions but the highest of each id, each ended by those above it."""
    chains: dict[str, dict[int, Record]] = {}
    for record in decoded(tier.scan(among("id", ids), [*READ, "vector"])):
        chains.setdefault(record.id, {})[record.version] = record
    found = []
    for chain in chains.values():
        ordered = [chain[version] for version in sorted(chain)]
        found += [closed(record, ordered[place + 1 :]) for place, record in enumerate(ordered[:-1])]
    return found


def _written(session: Session, role: str) -> str:
    """The name of a new table with every row once."""
    catalog = session.catalog()
    name = catalog.pointer.successor(role)
    fresh = session.library.make(name, catalog.pointer.profile.dimension)
    session.library.fill(fresh, _once(role, catalog.tier(role)))
    return name


def _once(role: str, tier: Tier) -> Iterator[pa.Table]:
    """Every row once; of `memories`, the one of the highest version."""
    rows = tier.scan(None, ["id", "version"])
    highest: dict[str, int] = {}
    for id_, version in zip(rows.column("id").to_pylist(), rows.column("version").to_pylist(), strict=True):
        highest[id_] = max(version, highest.get(id_, 0))
    seen: set[str] = set()
    for batch in tier.batches(None, COPY_ROWS):
        mask = []
        for row, id_, version in zip(
            *(batch.column(name).to_pylist() for name in ("row_id", "id", "version")), strict=True
        ):
            mask.append(row not in seen and (role != "memories" or version == highest[id_]))
            seen.add(row)
        yield pa.Table.from_batches([batch]).filter(pa.array(mask, pa.bool_()))
