"""Search: against the same two queries of LanceDB alone, and against itself in a store of another size."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.store_build import COLUMNS, HIT, ask_raw, built, open_ours, open_raw
from benchmarks.store_data import ASKED, DIMENSION, HEAVY, PROFILE, USERS, asked_users, user_number
from benchmarks.store_timing import Row, Subject, Times, compared, interleaved, rotated, tell
from memplug import Memory
from memplug.store import Store, View
from memplug.values.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.store_build import Built
    from benchmarks.store_data import Asked

TOP = 10
#: How often all stores are opened anew, so that every user is a stranger again; small stores are for a look only.
PASSES, SMALL = 4, 10_000
#: Users who are asked again and again, and how often each.
REGULARS, AGAIN = 5, 10
#: Users who are asked first, untimed: a process's very first queries load indexes.
WARMING = 5
#: Cosines closer than this are equal.
_CLOSE = 1e-5

SIMILAR, WARM, TYPICAL = "user of 100 items, first asked", "user of 100 items, asked again", "average user, first asked"
LARGE = "user with 5 % of all"
BACKEND, RAW, WIDE, WHOLE = "backend", "raw", "raw, all columns", "Memory.search"


@dataclass(slots=True)
class Known:
    """An embedder that has been told the vectors, so that no time goes there."""

    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    question: NDArray[np.float32] = field(default_factory=lambda: np.zeros(DIMENSION, np.float32))
    name: str = PROFILE.embedder
    dimension: int = DIMENSION

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of these texts."""
        return np.stack([self.vectors[text] for text in texts])

    def embed_query(self, _: str) -> NDArray[np.float32]:
        """The vector of the question that is asked now."""
        return self.question


@dataclass(slots=True)
class Opened:
    """The stores of one size, open."""

    store: Store
    memory: Memory
    embedder: Known
    table: Any

    def ask(self, asked: Asked) -> None:
        """The two queries through memplug's backend, in a scope."""
        search_ours(self.store, asked)

    def ask_memory(self, asked: Asked) -> None:
        """The whole search that a user sees; all that is not embedding."""
        self.embedder.question = asked.vector
        self.memory.search(asked.text, user_id=asked.user, top_k=TOP)

    def ask_raw(self, asked: Asked) -> None:
        """The two queries."""
        ask_raw(self.table, asked, TOP, HIT)

    def ask_wide(self, asked: Asked) -> None:
        """The two queries, with every column but the vector."""
        ask_raw(self.table, asked, TOP, COLUMNS)

    def subjects(self, size: int, times: dict[tuple[int, str, str], Times], case: str) -> list[Subject[Asked]]:
        """All of them, to be timed."""
        runs = {BACKEND: self.ask, RAW: self.ask_raw, WIDE: self.ask_wide, WHOLE: self.ask_memory}
        return [Subject(run=run, times=times.setdefault((size, case, name), Times())) for name, run in runs.items()]


def search_ours(store: Store, asked: Asked) -> None:
    """The two queries through memplug's backend, in a scope."""
    view = View(scope=Scope(user_id=asked.user))
    store.nearest(asked.vector, view, limit=TOP)
    store.match(asked.terms, view, limit=TOP)


def rows(work: Path, sizes: Sequence[int]) -> Iterator[Row]:
    """The lines about search."""
    stores = {size: built(work, size) for size in sizes}
    times: dict[tuple[int, str, str], Times] = {}
    for number in range(PASSES if max(sizes) >= SMALL else 1):
        tell(f"search, pass {number + 1}")
        _pass(stores, times, number)
    for size in sizes:
        yield from _beside_raw(size, times)
    if len(sizes) > 1:
        yield from _flat(min(sizes), max(sizes), times)
    for store in stores.values():
        yield _recall(store)


def _pass(stores: dict[int, Built], times: dict[tuple[int, str, str], Times], number: int) -> None:
    with ExitStack() as stack:
        opened = {size: _opened(store, stack) for size, store in stores.items()}
        cases = {SIMILAR: _asked(stores, number), WARM: _again(stores, number), TYPICAL: _others(stores, number)}
        cases[LARGE] = _heavy(stores, number)
        for size, one in opened.items():
            strangers = range(USERS - WARMING, USERS)
            warming = one.subjects(size, {}, "warming up")
            interleaved(warming, stores[size].corpus.questions(strangers, seed=number))
        for case, questions in cases.items():
            subjects = {size: one.subjects(size, times, case) for size, one in opened.items()}
            for turn in range(max(map(len, questions.values()))):
                for size in stores:
                    if turn < len(questions[size]):
                        interleaved(rotated(subjects[size], turn), questions[size][turn : turn + 1])


def _opened(store: Built, stack: ExitStack) -> Opened:
    embedder = Known()
    memory = stack.enter_context(Memory(store.ours, embedder=embedder, plugins=()))
    backend = stack.enter_context(closing(open_ours(store.ours)))
    return Opened(store=Store(backend=backend), memory=memory, embedder=embedder, table=open_raw(store.raw))


def _asked(stores: dict[int, Built], number: int) -> dict[int, list[Asked]]:
    return {size: store.corpus.questions(asked_users(size), seed=100 + number) for size, store in stores.items()}


def _again(stores: dict[int, Built], number: int) -> dict[int, list[Asked]]:
    return {
        size: store.corpus.questions(asked_users(size)[:REGULARS] * AGAIN, seed=200 + number)
        for size, store in stores.items()
    }


def _others(stores: dict[int, Built], number: int) -> dict[int, list[Asked]]:
    """Of users who have as much of the store as most."""
    strangers = np.random.default_rng(number).permutation(np.arange(ASKED, USERS - WARMING))[:ASKED]
    return {size: store.corpus.questions(strangers.tolist(), seed=number) for size, store in stores.items()}


def _heavy(stores: dict[int, Built], number: int) -> dict[int, list[Asked]]:
    return {size: store.corpus.questions([HEAVY] * AGAIN, seed=500 + number) for size, store in stores.items()}


def _beside_raw(size: int, times: dict[tuple[int, str, str], Times]) -> Iterator[Row]:
    for case in (SIMILAR, WARM, TYPICAL, LARGE):
        if not times[size, case, BACKEND].seconds:
            continue
        ours, whole = times[size, case, BACKEND], times[size, case, WHOLE]
        for named, bound in ((RAW, 1.3), (WIDE, None)):
            yield compared(f"search, {case}", size, ours, times[size, case, named], named=named, bound=bound)
        yield compared(f"`Memory.search`, {case}", size, whole, times[size, case, RAW], named=RAW)


def _flat(small: int, large: int, times: dict[tuple[int, str, str], Times]) -> Iterator[Row]:
    for name in (BACKEND, WHOLE, RAW):
        for case in (SIMILAR, WARM):
            bound = 4.0 if name == BACKEND else None
            few, many = times[small, case, name], times[large, case, name]
            yield compared(
                f"search in a larger store ({name}), {case}", large, many, few, named=f"{small:,}", bound=bound
            )


def _recall(store: Built) -> Row:
    """How many of the truly nearest memplug finds: for users of few items, of many, and of most."""
    corpus, shares = store.corpus, []
    questions = corpus.questions([*asked_users(corpus.size), *[HEAVY] * AGAIN, *range(ASKED, 2 * ASKED)], seed=300)
    with closing(open_ours(store.ours)) as backend:
        asked_store = Store(backend=backend)
        for asked in questions:
            rows = corpus.of(user_number(asked.user))
            cosines = np.sort(np.asarray(corpus.vectors[rows]) @ asked.vector)[::-1][:TOP]
            found = asked_store.nearest(asked.vector, View(scope=Scope(user_id=asked.user)), limit=TOP)
            own = [np.asarray(corpus.vectors[match.record.item.metadata["row"]]) @ asked.vector for match in found]
            shares.append(sum(float(cosine) >= cosines[-1] - _CLOSE for cosine in own) / len(cosines))
    recall = float(np.mean(shares))
    return Row(
        what=f"recall@{TOP} of `nearest`, {len(questions)} questions",
        items=corpus.size,
        ours=f"{recall:.3f}",
        other="numpy, all rows of the user: 1",
        ratio=recall,
        bound=1.0,
        at_least=True,
    )
