"""The memories that may answer a question, and what the question is about in their scope."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import TYPE_CHECKING

from memplug.lexical.analyzer import analyze, compounds, query_terms, stop_terms
from memplug.lexical.bm25 import common, count, fit
from memplug.plugins.protocols import Candidate, Question
from memplug.rankers.neighbours import REACH
from memplug.rankers.turns import conversation_of
from memplug.values.filters import All, AnyOf, Compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from memplug.lexical.bm25 import Counts, Fit
    from memplug.plugins.protocols import Embedder, Match
    from memplug.store import Store, View
    from memplug.values.filters import Filter
    from memplug.values.item import Record

#: Most memories taken for their words. A scope with fewer matches has exact statistics; beyond it the rarest words
#: still come first, and how rare they are is estimated from what came.
MATCHED = 1_000
#: Memories taken for their meaning.
NEAREST = 200
#: How many of the best by words bring their neighbours along.
SEEDS = 30
#: A word in more of the scope's memories than this says nothing about any of them.
COMMON = 0.3
#: Share of the score that meaning gets where the words find nothing.
MOST_DENSE = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What a search has to choose from.

    Args:
        question: The question as the rankers see it.
        candidates: In no order.
        confidence: How sure one can be that the scope knows an answer, 0 to 1.
    """

    question: Question
    candidates: tuple[Candidate, ...] = ()
    confidence: float = 0.0


def gather(text: str, view: View, *, store: Store, embedder: Embedder) -> Pool:
    """Collects the candidates in at most four reads: by words, how many there are, by meaning, and neighbours.

    Args:
        text: The question.
        view: The part of the scope that is asked.
        store: Where the memories are.
        embedder: What made their vectors.
    """
    terms, glued = query_terms(text), compounds(text)
    wanted = list(dict.fromkeys([*terms, *glued]))
    matched = [match.record for match in store.match(wanted, view, limit=MATCHED)] if wanted else []
    memories = store.count(view)
    counts = count(wanted, [record.terms for record in matched])
    counts = counts.without({term for term, found in counts.spread().items() if not found and term not in terms})
    names = _named(terms, matched)
    out = stop_terms() | names | common(counts.spread(), memories=memories, share=COMMON)
    near = _nearest(without(text, out), view, store=store, embedder=embedder)
    known = {record.id for record in matched}
    further = [match.record for match in near if match.record.id not in known]
    counts = counts.beside(count(counts.terms, [record.terms for record in further]))
    weighed = fit(_telling(counts, names), memories=memories)
    cosines = {match.record.id: match.score for match in near}
    candidates = _candidates([*matched, *further], weighed, cosines)
    candidates += _neighbours(candidates, view, store)
    question = Question(
        text=text,
        terms=tuple(terms),
        now=view.as_of or store.clock(),
        dense_weight=_dense_weight(weighed) if near else 0.0,
        ideal=weighed.ideal,
        speakers=_speakers(terms, candidates),
    )
    return Pool(question=question, candidates=tuple(candidates), confidence=_confidence(weighed, cosines.values()))


def without(text: str, terms: Collection[str]) -> str:
    """The text without the words whose terms are all among those given; the whole text where nothing would be left."""
    kept = [word for word in text.split() if not all(term in terms for term in analyze(word))]
    return " ".join(kept) or text


def _named(terms: Collection[str], records: Iterable[Record]) -> set[str]:
    """The question's terms that are speakers' names.

    A name says whose turn is meant, which the speaker's own turns show without holding it. As a word it would lead
    to the turns where others address them.
    """
    return {term for speaker in _speaking(records) for term in analyze(speaker)}.intersection(terms)


def _speakers(terms: Collection[str], candidates: Iterable[Candidate]) -> frozenset[str]:
    """The speakers whom the question names by at least one of their names."""
    speaking = _speaking(candidate.record for candidate in candidates)
    return frozenset(speaker for speaker in speaking if not set(terms).isdisjoint(analyze(speaker)))


def _speaking(records: Iterable[Record]) -> set[str]:
    return {speaker for record in records if (speaker := record.item.source.speaker)}


def _telling(counts: Counts, names: Collection[str]) -> Counts:
    """The counts without names, unless only names were found."""
    rest = counts.without(names)
    return rest if rest.table.any() else counts


def _nearest(text: str, view: View, *, store: Store, embedder: Embedder) -> list[Match]:
    vector = embedder.embed_query(text)
    return store.nearest(vector, view, limit=NEAREST) if vector.any() else []


def _candidates(records: Sequence[Record], weighed: Fit, cosines: Mapping[str, float]) -> list[Candidate]:
    return [
        Candidate(record=record, similarity=cosines.get(record.id), words=words)
        for record, words in zip(records, weighed.scores.tolist(), strict=True)
    ]


def _neighbours(candidates: Sequence[Candidate], view: View, store: Store) -> list[Candidate]:
    """The turns around the best by words, where they are not candidates yet: an answer may share no word."""
    known = {(key, _position(one.record)) for one in candidates if (key := conversation_of(one.record))}
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for seed in nlargest(SEEDS, candidates, key=lambda candidate: candidate.words):
        key = conversation_of(seed.record)
        if key is None or not seed.words:
            continue
        place = _position(seed.record)
        around = range(max(place - REACH, 0), place + REACH + 1)
        wanted[key[2]].update(position for position in around if (key, position) not in known)
    runs = {run_id: tuple(sorted(positions)) for run_id, positions in wanted.items() if positions}
    if not runs:
        return []
    ids = {candidate.record.id for candidate in candidates}
    records = store.select(replace(view, filter=_turns(runs, view.filter)), limit=MATCHED)
    return [Candidate(record=record, similarity=None, words=0.0) for record in records if record.id not in ids]


def _turns(runs: Mapping[str, tuple[int, ...]], asked: Filter | None) -> Filter:
    """Holds for these turns of these conversations, where the caller's own filter holds too."""
    either = AnyOf(
        tuple(
            All((Compare("run_id", "eq", run_id), Compare("position", "in", positions)))
            for run_id, positions in runs.items()
        )
    )
    return either if asked is None else All((asked, either))


def _position(record: Record) -> int:
    return record.item.source.position or 0


def _dense_weight(weighed: Fit) -> float:
    """Meaning counts the less, the more of the question's words the best memory holds.

    Receipts, codes and names are found by their words, and what a static embedding makes of them is noise: of 40
    scanned receipts 35 came first with equal weights, 38 with these, at no cost on conversations.
    """
    covered = float(weighed.scores.max(initial=0.0)) / weighed.ideal if weighed.ideal else 0.0
    return MOST_DENSE * (1 - min(covered, 1.0))


def _confidence(weighed: Fit, cosines: Iterable[float]) -> float:
    """What is left when one doubts both sides: that the nearest memory is near, and that the words occur."""
    nearness = min(max((0.0, *cosines)), 1.0)
    return 1 - (1 - nearness) * (1 - float(weighed.shares.max(initial=0.0)))
