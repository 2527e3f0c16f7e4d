"""How much of the evidence each way of recalling finds, side by side on the same stores.

    python tests/benchmarks/recall.py [--store lancedb|memory] [--embedder wordllama] [--receipts receipts.json]
                                      [--levers] [--categories]

Every part of a corpus is one user in one common store. Intervals are 95 % bootstrap intervals over questions.
``receipts.json`` is what ``receipts.py --texts`` writes; without it the receipts are left out.
"""

from __future__ import annotations

# ruff: noqa: T201 - it prints its tables
import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from memplug.lexical import query_terms
from memplug.lexical.indexing import search_text
from memplug.pipelines import candidates
from memplug.pipelines.recall import Recall
from memplug.plugins.manager import PluginManager
from memplug.plugins.protocols import BackendRequest, Candidate, Embedder, Question, Ranker, StoreProfile
from memplug.rankers import default_rankers
from memplug.store import Store, View
from memplug.values.item import MemoryItem, Record
from memplug.values.scope import Scope
from memplug.values.source import Provenance

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.corpora import data_folder, gallery, locomo, receipts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from benchmarks.corpora import Asked, Corpus, Turn

#: A way of recalling: the ids of the best memories for a question of a user.
System = Callable[[str, Scope], list[str]]
DEPTH = 50
_START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(corpora: Sequence[Corpus], store: Store, embedder: Embedder) -> None:
    """Stores every turn the way `Memory.add` does, one user for each part of the corpus."""
    for corpus in corpora:
        texts = [search_text(turn.text, speaker=turn.speaker) for turn in corpus.turns]
        vectors = embedder.embed([text for _, text in texts])
        store.backend.commit(
            [
                Record(item=_item(turn, corpus, number), terms=terms, vector=vector if vector.any() else None)
                for number, (turn, (terms, _), vector) in enumerate(zip(corpus.turns, texts, vectors, strict=True))
            ]
        )


def _item(turn: Turn, corpus: Corpus, number: int) -> MemoryItem:
    created = _START + timedelta(seconds=number)
    return MemoryItem(
        id=f"{corpus.name}/{turn.id}",
        kind="text",
        text=turn.text,
        created_at=created,
        updated_at=created,
        user_id=corpus.name,
        run_id=turn.run_id,
        occurred_at=turn.occurred_at,
        source=Provenance(speaker=turn.speaker, position=turn.position),
    )


@dataclass(slots=True)
class Result:
    """What one system did with all questions of a corpus."""

    ranks: list[list[int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, asked: Asked, found: Sequence[str], seconds: float) -> None:
        """Notes at which places the evidence was found."""
        self.ranks.append([place for place, id_ in enumerate(found) if id_.partition("/")[2] in asked.evidence])
        self.sizes.append(len(asked.evidence))
        self.categories.append(asked.category)
        self.seconds.append(seconds)

    def recall(self, depth: int) -> list[float]:
        """The share of the evidence among the first ``depth`` hits, for each question."""
        found = (sum(rank < depth for rank in ranks) for ranks in self.ranks)
        return [number / size for number, size in zip(found, self.sizes, strict=True)]

    def reciprocal(self) -> list[float]:
        """One by the place of the first evidence, for each question."""
        return [1 / (ranks[0] + 1) if ranks else 0.0 for ranks in self.ranks]


def measure(system: System, corpora: Sequence[Corpus]) -> Result:
    """Asks every question."""
    result = Result()
    for corpus in corpora:
        scope = Scope(user_id=corpus.name)
        for asked in corpus.asked:
            started = time.perf_counter()
            found = system(asked.text, scope)
            result.add(asked, found, time.perf_counter() - started)
    return result


@dataclass(frozen=True, slots=True)
class Fixed:
    """A ranker that does not see how sharp the two sides are."""

    ranker: Ranker
    dense_weight: float

    @property
    def name(self) -> str:
        """The ranker's own name."""
        return self.ranker.name

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """The ranker's own shares, at a fixed weight."""
        return self.ranker.score(replace(question, dense_weight=self.dense_weight), candidates)


@dataclass(frozen=True, slots=True)
class Systems:
    """Ways of recalling from one store."""

    store: Store
    embedder: Embedder

    def dense(self, query: str, scope: Scope) -> list[str]:
        """The nearest by the whole question's vector."""
        vector = self.embedder.embed_query(query)
        return [match.record.id for match in self.store.nearest(vector, View(scope=scope), limit=DEPTH)]

    def lexical(self, query: str, scope: Scope) -> list[str]:
        """The best by the backend's own full-text score."""
        return [match.record.id for match in self.store.match(query_terms(query), View(scope=scope), limit=DEPTH)]

    def reciprocal(self, query: str, scope: Scope) -> list[str]:
        """Reciprocal rank fusion of the two, with the usual constant 60, as LanceDB's hybrid search does by default."""
        scores: defaultdict[str, float] = defaultdict(float)
        for found in (self.dense(query, scope), self.lexical(query, scope)):
            for place, id_ in enumerate(found):
                scores[id_] += 1 / (60 + place)
        return sorted(scores, key=lambda id_: -scores[id_])

    def ours(self, rankers: Sequence[Ranker]) -> System:
        """Recall with these rankers."""
        recall = Recall(store=self.store, embedder=self.embedder, rankers=rankers)
        return lambda query, scope: [hit.id for hit in recall.search(query, scope=scope, top_k=DEPTH)]


def compared(systems: Systems, *, levers: bool) -> list[tuple[str, System, AbstractContextManager[object]]]:
    """The systems by name, each with what has to be changed while it runs."""
    rankers = [make() for make in default_rankers().values()]
    rows: list[tuple[str, System, AbstractContextManager[object]]] = [
        ("dense only", systems.dense, nullcontext()),
        ("backend's full text only", systems.lexical, nullcontext()),
        ("reciprocal rank fusion", systems.reciprocal, nullcontext()),
        ("words only (BM25 in scope)", systems.ours([rankers[1]]), nullcontext()),
        ("meaning and words", systems.ours(rankers[:2]), nullcontext()),
        ("memplug", systems.ours(rankers), nullcontext()),
    ]
    unnamed: AbstractContextManager[object] = patch.object(candidates, "_named", lambda *_: set[str]())
    if levers:
        for left_out in rankers:
            kept = [ranker for ranker in rankers if ranker is not left_out]
            rows.append((f"  without {left_out.name}", systems.ours(kept), nullcontext()))
        fixed = [Fixed(ranker, 0.5) for ranker in rankers]
        rows.append(("  equal weights", systems.ours(fixed), nullcontext()))
        rows.append(("  names are words", systems.ours(rankers), unnamed))
        rows.append(("  whole question embedded", systems.ours(rankers), patch.object(candidates, "without", _whole)))
    return rows


def _whole(text: str, _: object) -> str:
    return text


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean."""
    numbers = np.asarray(values)
    drawn = np.random.default_rng(0).integers(0, len(numbers), (1_000, len(numbers)))
    low, high = np.quantile(numbers[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def line(name: str, result: Result) -> str:
    """One row of the table."""
    at_ten = result.recall(10)
    low, high = interval(at_ten)
    first = statistics.mean(bool(ranks and ranks[0] == 0) for ranks in result.ranks)
    return (
        f"{name:28} {statistics.mean(at_ten):.3f} [{low:.2f}, {high:.2f}]  {statistics.mean(result.recall(5)):.3f}  "
        f"{statistics.mean(result.reciprocal()):.3f}  {first:.3f}  {statistics.median(result.seconds) * 1000:6.1f}"
    )


def by_category(result: Result) -> str:
    """Recall@10 of each kind of question."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for category, value in zip(result.categories, result.recall(10), strict=True):
        found[category].append(value)
    return ", ".join(f"{name} {statistics.mean(values):.3f} ({len(values)})" for name, values in sorted(found.items()))


def unrelated(corpora: Sequence[Corpus], others: Sequence[Corpus], recall: Recall) -> str:
    """The best hit's score for questions about the scope and for questions about somebody else's life."""
    own, foreign = [], []
    for corpus in corpora:
        scope = Scope(user_id=corpus.name)
        own += [_best(recall, asked.text, scope) for asked in corpus.asked]
        foreign += [_best(recall, asked.text, scope) for other in others for asked in other.asked[::10]]
    apart = float(np.mean(np.asarray(own)[:, None] > np.asarray(foreign)[None]))
    return (
        f"best score: own questions {_spread(own)}, foreign ones {_spread(foreign)}; "
        f"an own question scores higher than a foreign one in {apart:.3f} of all pairs"
    )


def _best(recall: Recall, query: str, scope: Scope) -> float:
    hits = recall.search(query, scope=scope, top_k=1)
    return hits[0].score if hits else 0.0


def _spread(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def open_store(kind: str, folder: str, embedder: Embedder, plugins: PluginManager) -> Store:
    """A new store."""
    location = folder if kind == "lancedb" else "memory://"
    profile = StoreProfile(embedder=embedder.name, dimension=embedder.dimension)
    return Store(backend=plugins.backend(kind)(BackendRequest(location=location, profile=profile)))


def main() -> None:
    """Prints one table for each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["lancedb", "memory"], default="lancedb")
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--receipts", type=Path, help="recognised text of the receipts, as JSON")
    parser.add_argument("--levers", action="store_true", help="also leave out each lever in turn")
    parser.add_argument("--categories", action="store_true", help="also show each kind of question")
    options = parser.parse_args()
    plugins = PluginManager()
    embedder = plugins.embedder(options.embedder)
    sets = {"LoCoMo": locomo(data_folder()), "Mem-Gallery": gallery(data_folder())}
    if options.receipts:
        sets["receipts"] = receipts(data_folder(), options.receipts)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(options.store, folder, embedder, plugins)
        for corpora in sets.values():
            fill(corpora, store, embedder)
        store.backend.maintain()
        for name, corpora in sets.items():
            others = [corpus for key, parts in sets.items() if key != name for corpus in parts]
            report(name, corpora, others, Systems(store, embedder), options)
        store.backend.close()


def report(
    name: str, corpora: Sequence[Corpus], others: Sequence[Corpus], systems: Systems, options: argparse.Namespace
) -> None:
    """Prints the table of one kind of data."""
    questions = sum(len(corpus.asked) for corpus in corpora)
    print(f"\n{name}: {questions} questions, {sum(len(corpus.turns) for corpus in corpora)} memories")
    print(f"{'':28} recall@10            @5     MRR    first  ms (median)")
    for title, system, changed in compared(systems, levers=options.levers):
        with changed:
            result = measure(system, corpora)
        print(line(title, result), flush=True)
        if title == "memplug" and options.categories:
            print(f"    {by_category(result)}")
    rankers = [make() for make in default_rankers().values()]
    print(unrelated(corpora, others, Recall(store=systems.store, embedder=systems.embedder, rankers=rankers)))


if __name__ == "__main__":
    main()
