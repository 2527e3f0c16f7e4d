"""Versions of records held in memory, with the reads that a backend answers from them."""

from __future__ import annotations

import math
import re
from bisect import insort
from collections import Counter
from dataclasses import replace
from heapq import nlargest
from typing import TYPE_CHECKING

import numpy as np

from memplug.plugins.protocols import Match
from memplug.values.filters import All, Compare
from memplug.values.predicate import predicate
from memplug.values.scope import SCOPE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from memplug.values.filters import Filter
    from memplug.values.item import Record

#: Lucene's usual constants of BM25: how fast repetition saturates, and how much length counts.
K1, B = 1.2, 0.75
#: Terms are separated as LanceDB does it: a blank of another script is part of its term.
_TERM = re.compile(r"[^ \t\n\r\f]+")


class Shelf:
    """Versions of records by id. Not safe to use from several threads: its owner holds a lock.

    Attributes:
        tops: The highest version of each id.
    """

    def __init__(self) -> None:
        self.tops: dict[str, int] = {}
        self._versions: dict[str, list[Record]] = {}
        self._scopes: dict[tuple[str, str], Counter[str]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._versions.values()))

    def put(self, records: Iterable[Record]) -> None:
        """Adds versions; one that is here already is passed over."""
        for record in records:
            chain = self._versions.setdefault(record.id, [])
            if any(known.version == record.version for known in chain):
                continue
            insort(chain, record, key=_version)
            self.tops[record.id] = chain[-1].version
            for place in _places(record):
                self._scopes.setdefault(place, Counter())[record.id] += 1

    def drop(self, id_: str, versions: Iterable[int] | None = None) -> None:
        """Removes some versions of an id, or all of them."""
        chain = self._versions.pop(id_, [])
        wanted = None if versions is None else set(versions)
        kept = [record for record in chain if wanted is not None and record.version not in wanted]
        for record in chain:
            if record not in kept:
                self._unplace(record)
        self.tops.pop(id_, None)
        if kept:
            self._versions[id_] = kept
            self.tops[id_] = kept[-1].version

    def _unplace(self, record: Record) -> None:
        for place in _places(record):
            ids = self._scopes[place]
            ids[record.id] -= 1
            if not ids[record.id]:
                del ids[record.id]
            if not ids:
                del self._scopes[place]

    def everything(self) -> list[Record]:
        """All versions of all ids."""
        return [record for chain in self._versions.values() for record in chain]

    def ids(self, where: Filter) -> set[str]:
        """The ids with a version, deletions included, that satisfies a filter."""
        holds = predicate(where)
        return {id_ for id_ in self._candidates(where) if any(holds(one.item) for one in self._versions[id_])}

    def references(self, digests: Iterable[str]) -> set[str]:
        """Those of the digests that some version names."""
        named = {digest for chain in self._versions.values() for one in chain for digest in one.item.digests}
        return named.intersection(digests)

    def latest(self, id_: str) -> Record | None:
        """The highest version, deletions included."""
        chain = self._versions.get(id_)
        return chain[-1] if chain else None

    def versions(self, id_: str) -> list[Record]:
        """All versions of one id, oldest first."""
        return list(self._versions.get(id_, ()))

    def starts(self) -> dict[str, list[tuple[int, datetime]]]:
        """Of each id all versions, each with the moment since which it holds."""
        return {id_: [(one.version, one.item.valid_from) for one in chain] for id_, chain in self._versions.items()}

    def tops_at(self, as_of: datetime | None) -> dict[str, int]:
        """The version of each id that was the highest at a moment; ids that did not exist yet are left out."""
        if as_of is None:
            return dict(self.tops)
        return {id_: record.version for id_ in self._versions if (record := self._at(id_, as_of)) is not None}

    def _at(self, id_: str, as_of: datetime | None) -> Record | None:
        chain = self._versions.get(id_, ())
        return next((record for record in reversed(chain) if as_of is None or record.item.valid_from <= as_of), None)

    def current(self, where: Filter, as_of: datetime | None) -> list[Record]:
        """The records that were current at a moment (None: now) and satisfy a filter."""
        found = [record for id_ in self._candidates(where) if (record := self._at(id_, as_of)) is not None]
        holds = predicate(where)
        found = [record for record in found if not record.item.deleted and holds(record.item)]
        return found if as_of is None else [self._closed(record) for record in found]

    def _closed(self, record: Record) -> Record:
        """The record with ``valid_to``, where a later version is here."""
        return closed(record, [other for other in self._versions[record.id] if other.version > record.version])

    def _candidates(self, where: Filter) -> Iterable[str]:
        """The ids that may satisfy a filter: those that carry its scope ids in some version, or all."""
        places = [self._scopes.get(place, Counter()) for place in required(where)]
        if not places:
            return self._versions
        places.sort(key=len)
        return [id_ for id_ in places[0] if all(id_ in other for other in places[1:])]


def _version(record: Record) -> int:
    return record.version


def _places(record: Record) -> list[tuple[str, str]]:
    return [(name, value) for name, value in record.item.ids.items() if value is not None]


def required(where: Filter) -> Iterator[tuple[str, str]]:
    """The scope ids that every match must carry."""
    match where:
        case Compare(field, "eq", str(value)) if field in SCOPE_FIELDS:
            yield field, value
        case All(filters):
            for member in filters:
                yield from required(member)


def closed(record: Record, later: Sequence[Record]) -> Record:
    """The record with ``valid_to`` from the versions after it: the earliest, should a clock have run backwards."""
    if not later:
        return record
    return replace(record, item=replace(record.item, valid_to=min(other.item.valid_from for other in later)))


def opened(record: Record) -> Record:
    """The record as the current version of its id, which nothing has ended."""
    return record if record.item.valid_to is None else replace(record, item=replace(record.item, valid_to=None))


def chained(records: Sequence[Record]) -> list[Record]:
    """All versions of one id as `Backend.versions` gives them, from any order, each with ``valid_to``."""
    chain = sorted(records, key=_version)
    ends = [*(record.item.valid_from for record in chain[1:]), None]
    # Not strict: an empty chain has no end either.
    return [replace(record, item=replace(record.item, valid_to=end)) for record, end in zip(chain, ends, strict=False)]


def newest_first(records: Iterable[Record], after: tuple[datetime, str] | None, limit: int) -> list[Record]:
    """One page of a listing: ``created_at`` falling, then ``id`` falling."""
    found = [record for record in records if after is None or place_of(record) < after]
    return sorted(found, key=place_of, reverse=True)[:limit]


def place_of(record: Record) -> tuple[datetime, str]:
    """A record's place in a listing."""
    return record.item.created_at, record.id


def nearest(vector: NDArray[np.float32], records: Iterable[Record]) -> list[Match]:
    """The cosine of every record that has a vector, in no order. A query of zeros finds nothing."""
    held = [(record, record.vector) for record in records if record.vector is not None]
    if not held or not vector.any():
        return []
    # The square of a large number is infinite in 32 bits.
    matrix, query = np.stack([found for _, found in held]).astype(np.float64), vector.astype(np.float64)
    scores = (matrix @ query) / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(query))
    return [Match(record=record, score=float(score)) for (record, _), score in zip(held, scores, strict=True)]


def matching(terms: Sequence[str], records: Sequence[Record]) -> list[Match]:
    """BM25 among the records given, of those that share a term, in no order."""
    wanted = set(terms)
    # Most records hold none: looking for a term in a text costs a tenth of taking the text apart.
    some = [record for record in records if any(term in record.terms for term in wanted)]
    hits = [(record, counts) for record in some if (counts := _counts(record, wanted))]
    average = sum(map(_length, records)) / max(len(records), 1)
    spread = Counter(word for _, counts in hits for word in counts)
    weights = {word: math.log(1 + (len(records) - n + 0.5) / (n + 0.5)) for word, n in spread.items()}
    return [Match(record=record, score=_bm25(counts, weights, _length(record) / average)) for record, counts in hits]


def _counts(record: Record, wanted: set[str]) -> Counter[str]:
    return Counter(word for word in _TERM.findall(record.terms) if word in wanted)


def _length(record: Record) -> int:
    """How many terms there are, as far as one blank separates them."""
    return record.terms.count(" ") + 1


def _bm25(counts: Counter[str], weights: dict[str, float], length: float) -> float:
    damped = K1 * (1 - B + B * length)
    return sum(weights[word] * n * (K1 + 1) / (n + damped) for word, n in counts.items())


def best(found: Iterable[Match], limit: int) -> list[Match]:
    """The matches with the highest score, best first; equal ones newest first, so that the order is stable."""
    return nlargest(limit, found, key=lambda match: (match.score, place_of(match.record)))


def light(record: Record) -> Record:
    """The record without its vector."""
    return record if record.vector is None else replace(record, vector=None)
