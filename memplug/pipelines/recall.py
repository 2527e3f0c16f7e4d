"""From a question to hits: analyse, gather candidates, let each ranker give its share, order."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from memplug.exceptions import InputTooLarge, MalformedInput, PluginError
from memplug.pipelines.candidates import gather
from memplug.pipelines.recalled import Recalled
from memplug.plugins.isolation import attempt, described
from memplug.store import View
from memplug.values.hit import Hit
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from memplug.pipelines.candidates import Pool
    from memplug.plugins.protocols import Embedder, Question, Ranker
    from memplug.store import Store
    from memplug.values.filters import Filter
    from memplug.values.scope import Scope

log = logging.getLogger("memplug.recall")

#: Scores closer than this are equal; sums of floats differ in their last digits by the order of adding.
_DIGITS = 12


@dataclass(slots=True, kw_only=True)
class Recall:
    """Finds memories.

    Args:
        store: Where they are.
        embedder: What made their vectors.
        rankers: Give the shares of the score, in this order.
        limits: The bounds on a query and on how many hits it may ask for.
        report: Told of a ranker that failed, which then gives no share; by default it is logged once. May raise.
    """

    store: Store
    embedder: Embedder
    rankers: Sequence[Ranker]
    limits: Limits = field(default_factory=Limits)
    report: Callable[[PluginError], None] | None = None
    #: What this one found; a copy begins anew.
    recalled: Recalled = field(init=False, repr=False)
    _reported: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        self.recalled = Recalled(store=self.store)

    def search(
        self,
        query: str,
        *,
        scope: Scope,
        buckets: Sequence[str] = (),
        top_k: int = 10,
        filter: Filter | None = None,  # noqa: A002 - the word that every caller knows
        min_score: float | None = None,
        as_of: datetime | None = None,
        explain: bool = False,
    ) -> list[Hit]:
        """The memories that answer a question best, best first; equal ones newest first, then by id.

        Args:
            query: The question, or any words.
            scope: Whose memories.
            buckets: Whole buckets to look into as well. All is one search: what is rare and what is near is judged
                among all of it, so that hits of one place and another can be compared.
            top_k: Most hits to return.
            filter: What else must hold of a hit.
            min_score: Leaves out hits with a lower score.
            as_of: Search what was current at that moment.
            explain: Fill `Hit.shares`.

        Raises:
            MalformedInput: The query is empty, or ``top_k`` is no positive number.
            InputTooLarge: The query or ``top_k`` is over its limit.
        """
        self._check(query, top_k)
        if min_score is not None and (not isinstance(min_score, int | float) or isinstance(min_score, bool)):
            raise MalformedInput(f"min_score must be a number, not {type(min_score).__name__}")
        beside = tuple(scope.beside(bucket) for bucket in buckets)
        view = self.store.bound(View(scope=scope, filter=filter, as_of=as_of, beside=beside))
        pool = gather(query, view, store=self.store, embedder=self.embedder)
        shares = self._shares(pool)
        totals = np.round(shares.sum(axis=0), _DIGITS)
        shares *= _scale(totals, pool.confidence)
        hits = [self._hit(pool, index, shares[:, index], explain=explain) for index in _best(pool, totals, top_k)]
        hits = [hit for hit in hits if min_score is None or hit.score >= min_score]
        self.recalled.told((hit.item for hit in hits), scope)
        return hits

    def _check(self, query: object, top_k: object) -> None:
        if not isinstance(query, str):
            raise MalformedInput(f"the query must be text, not {type(query).__name__}")
        if not query.strip():
            raise MalformedInput("the query is empty")
        if len(query) > self.limits.query_length:
            raise InputTooLarge(f"the query has {len(query)} characters; at most {self.limits.query_length} are taken")
        if not query.isascii() and any("\ud800" <= char <= "\udfff" for char in query):
            raise MalformedInput("the query is not valid Unicode")
        if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1:
            raise MalformedInput(f"top_k must be a positive whole number, not {top_k!r}")
        if top_k > self.limits.top_k:
            raise InputTooLarge(f"top_k is {top_k}; at most {self.limits.top_k} hits are given")

    def _shares(self, pool: Pool) -> NDArray[np.float64]:
        """What each ranker gives each candidate: float64 of shape ``(rankers, candidates)``."""
        shares = np.zeros((len(self.rankers), len(pool.candidates)))
        for row, ranker in enumerate(self.rankers):
            question = replace(pool.question, scores=shares.sum(axis=0).tolist())
            given = attempt(lambda: _given(ranker, question, pool))  # noqa: B023 - called at once
            if given.result is not None:
                shares[row] = given.result
            elif given.error is not None:
                self._failed(ranker, given.error)
        return shares

    def _failed(self, ranker: Ranker, error: BaseException) -> None:
        name = str(getattr(ranker, "name", type(ranker).__name__))
        failure = PluginError(f"the ranker {name!r} failed: {described(error)}", plugin=name, hook="score")
        failure.__cause__ = error
        if self.report is not None:
            self.report(failure)
        elif name not in self._reported:
            self._reported.add(name)
            log.warning("%s; it gives no share", failure)

    def _hit(self, pool: Pool, index: int, shares: NDArray[np.float64], *, explain: bool) -> Hit:
        score = float(np.clip(shares.sum(), 0.0, 1.0))
        told: dict[str, float] = {}
        if explain:
            for ranker, share in zip(self.rankers, shares.tolist(), strict=True):
                told[ranker.name] = told.get(ranker.name, 0.0) + (share if score else 0.0)
        return Hit(item=pool.candidates[index].record.item.handed_out(), score=score, shares=told, _load=self._load)

    def _load(self, digest: str) -> bytes:
        with self.store.backend.open_media(digest) as file:
            return file.read()


def _given(ranker: Ranker, question: Question, pool: Pool) -> NDArray[np.float64]:
    """The shares of one ranker, checked, since it may be anybody's.

    Raises:
        ValueError: There is not one finite number for each candidate.
    """
    shares = np.asarray(ranker.score(question, pool.candidates), np.float64)
    if shares.shape != (len(pool.candidates),) or not np.isfinite(shares).all():
        raise ValueError("it must give one finite number for each candidate")
    return shares


def _scale(totals: NDArray[np.float64], confidence: float) -> float:
    """The factor that gives the best candidate the confidence as its score, and the others their part of it."""
    best = float(totals.max(initial=0.0))
    return confidence / best if best > 0 else 0.0


def _best(pool: Pool, totals: NDArray[np.float64], top_k: int) -> list[int]:
    """The indices of the best candidates, best first; equal ones newest first, then by id."""
    if top_k < len(totals):
        worst = np.partition(totals, -top_k)[-top_k]
        indices = np.flatnonzero(totals >= worst).tolist()
    else:
        indices = list(range(len(totals)))

    def place(index: int) -> tuple[float, float, str]:
        item = pool.candidates[index].record.item
        return -totals[index], -item.created_at.timestamp(), item.id

    return sorted(indices, key=place)[:top_k]
