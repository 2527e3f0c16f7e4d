"""Reads over both tiers.

The order is always `recent` (in memory), then `memories`, then `history`. Rows only ever move in that direction, and
are written to the next table before they leave the one before; so whatever moves meanwhile is seen at least once, and
the highest version of an id wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lancedb.expr import col, lit

from memplug.backends.lancedb.columns import KEYS, READ, micros
from memplug.backends.lancedb.rows import decoded
from memplug.backends.lancedb.where import among, both, literal, native, storable
from memplug.backends.shelf import best, chained, light, matching, nearest, newest_first
from memplug.plugins.protocols import Match, Selection
from memplug.values.filters import matches
from memplug.values.predicate import predicate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from memplug.backends.lancedb.cache import Held
    from memplug.backends.lancedb.catalog import Catalog
    from memplug.backends.lancedb.overlay import Layer
    from memplug.backends.lancedb.tier import Tier
    from memplug.backends.lancedb.where import Native
    from memplug.values.filters import Filter
    from memplug.values.item import Record

#: Rows asked for beyond the limit, so that a few hidden ones do not cost a second query.
_SLACK = 8
#: By how much a query grows that too few rows of survived.
_GROWTH = 4
_CHUNK = 5_000

#: Asks one table for so many rows.
Fetch = "Callable[[Tier, Any, int], pa.Table]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One read: which rows, and what `recent` says about them."""

    where: Filter
    as_of: datetime | None
    layer: Layer
    native: Native

    @classmethod
    def of(cls, catalog: Catalog, where: Filter, as_of: datetime | None) -> Question:
        """Looks at `recent` first: everything else is read later, and judged by what it said."""
        return cls(where=where, as_of=as_of, layer=catalog.overlay.layer(where, as_of), native=native(where))

    def tiers(self, catalog: Catalog) -> tuple[Tier, ...]:
        """The tables to ask: older versions matter only to time travel."""
        return (catalog.memories,) if self.as_of is None else (catalog.memories, catalog.history)

    def expr(self) -> Any:
        """The rows that can be meant."""
        alive = col("deleted") == lit(False)  # noqa: FBT003 - a literal of the expression language
        if self.as_of is None:
            return both(self.native.expr, alive)
        when = lit(micros(self.as_of))
        return both(self.native.expr, alive, col("updated_at") <= when, col("valid_to") > when)

    def kept(self, held: Held) -> list[int]:
        """The places of the rows of a held scope that count."""
        holds, hides = predicate(self.where), self.layer.hides
        return [
            place
            for place, record in enumerate(held.records)
            if record.version > hides.get(record.id, 0) and holds(record.item)
        ]

    def keeps(self, record: Record) -> bool:
        """Whether a row that was found counts."""
        if record.version <= self.layer.hides.get(record.id, 0):
            return False
        return self.native.exact or matches(self.where, record.item)

    def ended(self, record: Record) -> Record:
        """A row that was found, with the moment that a later version in `recent` ended it."""
        end = min((start for version, start in self.layer.starts(record.id) if version > record.version), default=None)
        known = record.item.valid_to
        if end is None or (known is not None and known <= end):
            return record
        return replace(record, item=replace(record.item, valid_to=end))


def latest(catalog: Catalog, ids: Sequence[str], *, whole: bool) -> dict[str, Record] | None:
    """See `Backend.latest`.

    Args:
        catalog: The tables.
        ids: The ids.
        whole: Whether the tables may be asked; else None where they have to be.
    """
    found = catalog.overlay.latest(ids) if ids else {}
    missing = catalog.known.possible([id_ for id_ in dict.fromkeys(ids) if id_ not in found], bring=whole)
    if missing and not whole:
        return None
    for start in range(0, len(missing), _CHUNK):
        rows = catalog.memories.scan(among("id", missing[start : start + _CHUNK]), [*READ, "vector"])
        found |= {record.id: record for record in _distinct(decoded(rows))}
    return found


def versions(catalog: Catalog, id_: str) -> list[Record]:
    """See `Backend.versions`."""
    found = {record.version: record for record in catalog.overlay.versions(id_)}
    # What has older versions in `history` is in `memories`, or still in `recent`.
    there = catalog.known.possible([id_], bring=True)
    for tier in (catalog.memories, catalog.history) if there else ():
        for record in decoded(tier.scan(among("id", [id_]), [*READ, "vector"])):
            found.setdefault(record.version, record)
    return chained(list(found.values()))


def select(catalog: Catalog, selection: Selection) -> list[Record]:
    """See `Backend.select`."""
    question = Question.of(catalog, selection.where, selection.as_of)
    if (held := _held(catalog, selection)) is not None:
        kept = [held.records[place] for place in question.kept(held)]
        page = newest_first(_distinct([*question.layer.found, *kept]), selection.after, selection.limit)
        return [light(record) for record in page]
    behind = _behind(selection.after)

    def fetch(tier: Tier, expr: Any, limit: int) -> pa.Table:
        return tier.newest(both(expr, behind), _columns(selection), limit)

    found = [record for record, _ in _asked(catalog, question, fetch, selection.limit)]
    page = newest_first(_distinct([*question.layer.found, *found]), selection.after, selection.limit)
    return page if selection.vectors else [light(record) for record in page]


def near(catalog: Catalog, vector: NDArray[np.float32], selection: Selection) -> list[Match]:
    """See `Backend.nearest`."""
    if not vector.any():
        return []
    question = Question.of(catalog, selection.where, selection.as_of)
    if (held := _held(catalog, selection)) is not None:
        inside = held.nearest(vector, question.kept(held), selection.limit)
        return _ranked([*nearest(vector, question.layer.found), *inside], selection)

    def fetch(tier: Tier, expr: Any, limit: int) -> pa.Table:
        return tier.near(vector, expr, _columns(selection), limit)

    found = [Match(record=record, score=1 - far) for record, far in _asked(catalog, question, fetch, selection.limit)]
    return _ranked([*nearest(vector, question.layer.found), *found], selection)


def match(catalog: Catalog, terms: Sequence[str], selection: Selection) -> list[Match]:
    """See `Backend.match`."""
    terms = [term for term in dict.fromkeys(terms) if storable(term)]
    if not terms:
        return []
    question = Question.of(catalog, selection.where, selection.as_of)
    if (held := _held(catalog, selection)) is not None:
        kept = [held.records[place] for place in question.kept(held)]
        return _ranked(matching(terms, _distinct([*question.layer.found, *kept])), selection)

    def fetch(tier: Tier, expr: Any, limit: int) -> pa.Table:
        return tier.words(terms, expr, _columns(selection), limit)

    found = [Match(record=record, score=score) for record, score in _asked(catalog, question, fetch, selection.limit)]
    return _ranked([*matching(terms, question.layer.found), *found], selection)


def count(catalog: Catalog, where: Filter, as_of: datetime | None) -> int:
    """See `Backend.count`."""
    question = Question.of(catalog, where, as_of)
    here = len(question.layer.found)
    if as_of is None and (held := catalog.cache.held(where, wanted=0)) is not None:
        return here + len({held.records[place].id for place in question.kept(held)})
    if not question.native.exact:
        # Row by row in Python; of the columns only the vectors are left out.
        records = [record for tier in question.tiers(catalog) for record in decoded(tier.scan(question.expr()))]
        return here + len({record.id for record in records if question.keeps(record)})
    if as_of is not None:
        return here + len(_kept_ids(catalog, question))
    return here + catalog.memories.count(question.expr()) - _hidden(catalog, question)


def ids(catalog: Catalog, where: Filter) -> set[str]:
    """See `Backend.ids`."""
    found = catalog.overlay.ids(where)
    asked = native(where)
    for tier in (catalog.memories, catalog.history):
        if asked.exact:
            found |= set(tier.scan(asked.expr, ["id"]).column("id").to_pylist())
        else:
            found |= {record.id for record in decoded(tier.scan(asked.expr)) if matches(where, record.item)}
    return found


def references(catalog: Catalog, digests: Sequence[str]) -> set[str]:
    """See `Backend.references`."""
    found = catalog.overlay.references(digests)
    for tier in (catalog.memories, catalog.history):
        for column in ("digest", "thumbnail"):
            for start in range(0, len(digests), _CHUNK):
                expr = among(column, digests[start : start + _CHUNK])
                found |= set(tier.scan(expr, [column]).column(column).to_pylist())
    return found


def _held(catalog: Catalog, selection: Selection) -> Held | None:
    """The scope in memory, where it can answer: it holds what is current, without vectors."""
    if selection.as_of is not None or selection.vectors:
        return None
    return catalog.cache.held(selection.where, wanted=selection.limit)


def _kept_ids(catalog: Catalog, question: Question) -> set[str]:
    hides = question.layer.hides
    kept: set[str] = set()
    for tier in question.tiers(catalog):
        rows = tier.scan(question.expr(), KEYS)
        pairs = zip(rows.column("id").to_pylist(), rows.column("version").to_pylist(), strict=True)
        kept |= {id_ for id_, version in pairs if version > hides.get(id_, 0)}
    return kept


def _hidden(catalog: Catalog, question: Question) -> int:
    """How many rows of `memories` that the filter finds are superseded in `recent`.

    A first version there can be in `memories` only as the same row, halfway through a move; so it counts only where
    it was found. What a later version hides may have looked different, so all of these count.
    """
    first = {record.id for record in question.layer.found if record.version == 1}
    ids = [id_ for id_, version in question.layer.hides.items() if version > 1 or id_ in first]
    chunks = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
    return sum(catalog.memories.count(both(among("id", chunk), question.expr())) for chunk in chunks)


def _asked(catalog: Catalog, question: Question, fetch: Any, limit: int) -> list[tuple[Record, float]]:
    """The rows of the large tables that count, at least the first ``limit`` of each."""
    return [pair for tier in question.tiers(catalog) for pair in _filled(tier, question, fetch, limit)]


def _filled(tier: Tier, question: Question, fetch: Any, limit: int) -> list[tuple[Record, float]]:
    """Asks for more rows until ``limit`` of them count, or there are no more."""
    wanted = limit + min(len(question.layer.hides), _SLACK)
    expr = question.expr()
    while True:
        rows = fetch(tier, expr, wanted)
        scores = _scores(rows)
        found = zip(decoded(rows), scores, strict=True)
        pairs = [(question.ended(record), score) for record, score in found if question.keeps(record)]
        if len(pairs) >= limit or rows.num_rows < wanted:
            return pairs
        wanted *= _GROWTH


def _scores(rows: pa.Table) -> list[float]:
    for name in ("_distance", "_score"):
        if name in rows.column_names:
            return list(rows.column(name).to_pylist())
    return [0.0] * rows.num_rows


def _columns(selection: Selection) -> list[str]:
    return [*READ, "vector"] if selection.vectors else list(READ)


def _behind(after: tuple[datetime, str] | None) -> Any:
    if after is None:
        return None
    when, id_ = lit(micros(after[0])), literal(_bound(after[1]))
    created = col("created_at")
    return (created < when) | ((created == when) & (col("id") < id_))


def _bound(id_: str) -> str:
    """The text below which the same stored ids lie: none holds half a character, which LanceDB cannot take."""
    place = next((place for place, sign in enumerate(id_) if not storable(sign)), None)
    return id_ if place is None else f"{id_[:place]}\ue000"


def _distinct(records: Iterable[Record]) -> list[Record]:
    """One record per id: the highest version."""
    highest: dict[str, Record] = {}
    for record in records:
        known = highest.get(record.id)
        if known is None or record.version > known.version:
            highest[record.id] = record
    return list(highest.values())


def _ranked(found: list[Match], selection: Selection) -> list[Match]:
    kept = {id(record) for record in _distinct(match.record for match in found)}
    ranked = best((match for match in found if id(match.record) in kept), selection.limit)
    return ranked if selection.vectors else [replace(match, record=light(match.record)) for match in ranked]
