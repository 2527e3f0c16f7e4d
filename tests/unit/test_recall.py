"""Recall on real stores: what is found, in which order, with which score, and what is refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from memplug.embedders.hashing import HashingEmbedder
from memplug.exceptions import InputTooLarge, MalformedInput, PluginError
from memplug.lexical.indexing import search_text
from memplug.pipelines import candidates
from memplug.pipelines.recall import Recall
from memplug.plugins.manager import PluginManager
from memplug.plugins.protocols import BackendRequest, Candidate, Match, Question, StoreProfile
from memplug.rankers import default_rankers
from memplug.store import Store
from memplug.values.filters import Compare
from memplug.values.item import MediaRef, MemoryItem, Record
from memplug.values.limits import Limits
from memplug.values.scope import Scope
from memplug.values.source import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memplug.values.hit import Hit

START = datetime(2026, 1, 1, tzinfo=UTC)
WANG, LI = Scope(user_id="wang"), Scope(user_id="li")


@dataclass
class Place:
    """A store that a test fills and asks."""

    store: Store
    recall: Recall
    embedder: HashingEmbedder
    number: int = 0

    def put(self, *texts: str, user_id: str = "wang", **fields: Any) -> list[str]:
        """Stores memories a second apart, in one commit, and returns their ids; with a run_id they are its turns."""
        records = [self._record(text, user_id, turn, dict(fields)) for turn, text in enumerate(texts)]
        self.store.backend.commit(records)
        return [record.id for record in records]

    def _record(self, text: str, user_id: str, turn: int, fields: dict[str, Any]) -> Record:
        self.number += 1
        position = turn if fields.get("run_id") else None
        source = Provenance(speaker=fields.pop("speaker", None), position=position)
        moment = fields.pop("created_at", START + timedelta(seconds=self.number))
        item = MemoryItem(
            id=fields.pop("id", f"m{self.number:04}"),
            kind="text",
            text=text,
            created_at=moment,
            updated_at=moment,
            user_id=user_id,
            source=source,
            **fields,
        )
        terms, words = search_text(text, speaker=source.speaker)
        vector = self.embedder.embed([words])[0]
        return Record(item=item, terms=terms, vector=vector if vector.any() else None)

    def texts(self, query: str, scope: Scope = WANG, **options: Any) -> list[str]:
        """The words of the hits, best first."""
        return [hit.text for hit in self.recall.search(query, scope=scope, **options)]


@pytest.fixture(params=["lancedb", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty store on a real LanceDB, and again in memory."""
    embedder = HashingEmbedder()
    location = str(tmp_path / "store") if request.param == "lancedb" else "memory://"
    profile = StoreProfile(embedder=embedder.name, dimension=embedder.dimension)
    backend = PluginManager().backend(request.param)(BackendRequest(location=location, profile=profile))
    store = Store(backend=backend)
    rankers = [make() for make in default_rankers().values()]
    yield Place(store, Recall(store=store, embedder=embedder, rankers=rankers), embedder)
    backend.close()


def test_a_plain_fact_is_found_first(place: Place) -> None:
    """A memory without conversation, speaker or date is found by its words, before all others."""
    place.put("I like spicy food", "My car is red", "The dentist is on Monday")
    assert place.texts("which food do I like?")[0] == "I like spicy food"


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ("我昨天在北京喝了咖啡", "咖啡"),
        ("나는 커피를 마셔요", "커피"),
        ("Rechnung INV-2024/001", "inv 2024 001"),
        ("🎉 party", "🎉"),
    ],
)
def test_every_script_is_found_through_the_real_index(place: Place, stored: str, query: str) -> None:
    """Chinese, Korean, codes and emoji are found by words alone, through the backend's own index."""
    place.put(*[f"something else number {number}" for number in range(20)], stored)
    recall = replace(place.recall, rankers=[ranker for ranker in place.recall.rankers if ranker.name == "words"])
    first, *others = recall.search(query, scope=WANG, top_k=3)
    assert first.text == stored
    assert first.score > 0
    assert not any(hit.score for hit in others)


def test_nothing_of_another_scope_is_found_or_moves_a_score(place: Place) -> None:
    """Another user's memories change neither hits nor scores, however much they speak of the same words."""
    place.put("the zebra ate an apple", "an apple pie", "a zebra crossing")
    before = [(hit.id, hit.score) for hit in place.recall.search("zebra apple", scope=WANG)]
    place.put(*[f"zebra zebra apple {number}" for number in range(60)], user_id="li")
    assert [(hit.id, hit.score) for hit in place.recall.search("zebra apple", scope=WANG)] == before


def test_an_empty_scope_has_no_hits(place: Place) -> None:
    """A question to a scope without memories gives an empty list."""
    place.put("hello", user_id="li")
    assert place.recall.search("hello", scope=WANG) == []


def test_a_word_of_one_character_is_found(place: Place) -> None:
    """A single Chinese character finds the sentence that it stands in."""
    place.put("我的猫叫小白", "今天下雨")
    assert place.texts("猫")[0] == "我的猫叫小白"


def test_punctuation_alone_finds_what_there_is_with_no_confidence(place: Place) -> None:
    """A question without any word is no error, and no hit scores above zero."""
    place.put("hello there")
    assert all(hit.score == 0 for hit in place.recall.search("?!", scope=WANG))


@pytest.mark.parametrize("query", ["", "  \n\t"])
def test_an_empty_query_is_refused(place: Place, query: str) -> None:
    """A blank query is malformed input."""
    with pytest.raises(MalformedInput, match="the query is empty"):
        place.recall.search(query, scope=WANG)


@pytest.mark.parametrize("query", [None, 5, b"x", "half \ud800"])
def test_a_query_that_is_no_text_is_refused(place: Place, query: Any) -> None:
    """Only valid text can be asked."""
    with pytest.raises(MalformedInput):
        place.recall.search(query, scope=WANG)


def test_the_length_of_a_query_is_bounded(place: Place) -> None:
    """A query at the limit is answered, one character more is refused."""
    recall = replace(place.recall, limits=Limits(query_length=5))
    assert recall.search("abcde", scope=WANG) == []
    with pytest.raises(InputTooLarge, match="6 characters"):
        recall.search("abcdef", scope=WANG)


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True, "3"])
def test_top_k_is_a_positive_whole_number(place: Place, top_k: Any) -> None:
    """Anything else is malformed input."""
    with pytest.raises(MalformedInput, match="top_k"):
        place.recall.search("x", scope=WANG, top_k=top_k)


def test_top_k_is_bounded(place: Place) -> None:
    """As many hits as the limit may be asked for, and not one more."""
    place.put(*[f"word {number}" for number in range(5)])
    recall = replace(place.recall, limits=Limits(top_k=3))
    assert len(recall.search("word", scope=WANG, top_k=3)) == 3
    with pytest.raises(InputTooLarge, match="top_k"):
        recall.search("word", scope=WANG, top_k=4)


def conversation(place: Place) -> list[Hit]:
    """A small conversation with speakers and dates, asked about one of them."""
    turns = ["Ann, did you see the exhibition?", "Yes, last Friday, it was wonderful", "Which pictures did you like?"]
    place.put(*turns, run_id="r1", speaker="Ann", occurred_at=datetime(2025, 7, 2, tzinfo=UTC))
    place.put("I bake bread", "Exhibition tickets are dear", run_id="r2", speaker="Bob")
    return place.recall.search("When did Ann see the exhibition in July 2025?", scope=WANG, explain=True)


def test_scores_order_the_hits_and_the_shares_add_up(place: Place) -> None:
    """Scores lie between 0 and 1, fall from hit to hit, and are the sums of the rankers' shares."""
    hits = conversation(place)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[0] <= 1
    assert scores[-1] >= 0
    for hit in hits:
        assert list(hit.shares) == list(default_rankers())
        assert sum(hit.shares.values()) == pytest.approx(hit.score, abs=1e-6)
    assert all(hits[0].shares[name] > 0 for name in ("words", "speaker", "dates"))


def test_shares_are_told_only_when_asked_for(place: Place) -> None:
    """Without explain a hit carries no shares."""
    place.put("a dog")
    assert place.recall.search("dog", scope=WANG)[0].shares == {}


def test_a_strange_question_scores_low(place: Place) -> None:
    """The best hit for what the scope knows scores far above the best for what it does not, so min_score can tell."""
    place.put("I like spicy food from Sichuan", "My car is a red Volvo", "The dentist is on Monday at nine")
    own = place.recall.search("when is the dentist on Monday?", scope=WANG)[0].score
    foreign = place.recall.search("explain quantum chromodynamics", scope=WANG)[0].score
    assert own > 0.8
    assert foreign < 0.4
    assert place.texts("explain quantum chromodynamics", min_score=0.5) == []


def test_min_score_keeps_what_reaches_it(place: Place) -> None:
    """A hit at the score asked for stays, one below goes."""
    place.put("dog park", "dog house by the sea", "tax office")
    hits = place.recall.search("dog park", scope=WANG)
    assert len(place.texts("dog park", min_score=hits[1].score)) == 2


def test_equal_hits_come_newest_first_then_by_id(place: Place) -> None:
    """The order of equal scores is the same at each search and on each backend."""
    place.put("same words", id="b", created_at=START)
    place.put("same words", id="a", created_at=START)
    place.put("same words", id="c", created_at=START + timedelta(days=1))
    assert [hit.id for hit in place.recall.search("same words", scope=WANG)] == ["c", "a", "b"]
    assert [hit.id for hit in place.recall.search("same words", scope=WANG, top_k=2)] == ["c", "a"]


def test_an_answer_without_a_shared_word_comes_with_its_question(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn after a strong match becomes a candidate, even if neither its words nor its vector led to it."""
    monkeypatch.setattr(candidates, "NEAREST", 1)
    place.put(*[f"filler talk {number}" for number in range(30)])
    place.put("Did you visit the observatory?", "Yup!", "Nice, tell me more", run_id="r1")
    found = place.texts("observatory visit")
    assert found[:2] == ["Did you visit the observatory?", "Yup!"]


def test_neighbours_keep_to_the_callers_filter(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour that the filter excludes stays out."""
    monkeypatch.setattr(candidates, "NEAREST", 1)
    place.put("Did you visit the observatory?", "Yup!", run_id="r1")
    assert place.texts("observatory", filter=Compare("position", "eq", 0)) == ["Did you visit the observatory?"]


def test_neighbours_keep_to_the_scope(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation of another user with the same run_id gives no neighbours."""
    monkeypatch.setattr(candidates, "NEAREST", 1)
    place.put("Did you visit the observatory?", run_id="r1")
    place.put("Secret", "Secret too", run_id="r1", user_id="li")
    assert place.texts("observatory") == ["Did you visit the observatory?"]


def test_a_search_reads_as_of_a_moment(place: Place) -> None:
    """What was added later is not found when an earlier moment is asked about."""
    place.put("the old dog", created_at=START)
    place.put("the new dog", created_at=START + timedelta(days=2))
    assert place.texts("dog", as_of=START + timedelta(days=1)) == ["the old dog"]


def test_expired_memories_are_not_found(place: Place) -> None:
    """A memory past its expiry is gone from search."""
    place.put("the dog that was", expires_at=START)
    assert place.texts("dog") == []


def test_a_hit_reads_its_original(place: Place) -> None:
    """The media of a hit are the bytes that were stored."""
    data = b"original"
    digest = "0682c5f2076f099c34cfdd15a9e063849ed437a49677e6fcc5b4198c76575be5"
    place.store.backend.put_media(digest, data)
    place.put("a blob", media=MediaRef(digest=digest, size=len(data), content_type="application/octet-stream"))
    assert place.recall.search("blob", scope=WANG)[0].media == data


@dataclass
class Odd:
    """A ranker that gives what a test wants."""

    given: Any
    name: str = "odd"
    seen: list[Sequence[float]] = field(default_factory=list)

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """The shares wanted, or the error."""
        self.seen.append(question.scores)
        if isinstance(self.given, BaseException):
            raise self.given
        return [self.given] * len(candidates) if isinstance(self.given, float) else list(self.given)


@pytest.mark.parametrize("given", [RuntimeError("boom"), [1.0] * 99, float("nan"), ["x"]])
def test_a_ranker_that_fails_costs_only_its_share(
    place: Place, caplog: pytest.LogCaptureFixture, given: object
) -> None:
    """Search goes on as if the ranker were not there, and the log says why, once."""
    place.put("a dog", "a cat")
    before = [(hit.id, hit.score) for hit in place.recall.search("dog", scope=WANG)]
    recall = replace(place.recall, rankers=[*place.recall.rankers, Odd(given)])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert [(hit.id, hit.score) for hit in recall.search("dog", scope=WANG)] == before
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "odd" in caplog.text


def test_a_failing_ranker_can_be_made_an_error(place: Place) -> None:
    """A reporter that raises ends the search with the ranker's error as its cause."""

    def strict(error: PluginError) -> None:
        raise error

    place.put("a dog")
    recall = replace(place.recall, rankers=[Odd(RuntimeError("boom"))], report=strict)
    with pytest.raises(PluginError, match=r"odd.*boom") as caught:
        recall.search("dog", scope=WANG)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_ranker_sees_what_those_before_it_gave(place: Place) -> None:
    """The chain hands on the sums so far, zeros to the first."""
    place.put("a dog")
    first, second = Odd(0.25, name="first"), Odd(0.25, name="second")
    replace(place.recall, rankers=[first, second]).search("dog", scope=WANG)
    assert [first.seen, second.seen] == [[[0.0]], [[0.25]]]


def test_a_ranker_that_pushes_down_never_makes_a_score_negative(place: Place) -> None:
    """Where all is pushed below nothing, hits have score 0 and shares of 0."""
    place.put("a dog")
    hit = replace(place.recall, rankers=[Odd(-1.0)]).search("dog", scope=WANG, explain=True)[0]
    assert hit.score == 0
    assert hit.shares == {"odd": 0}


def test_meaning_counts_less_where_the_words_fit(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dense weight falls with the part of the question that the best memory's words cover."""
    place.put("total 60.30 paid at INDAH GIFT", "we had a lovely evening", "the weather was fine")
    weights = {}
    for query in ("INDAH GIFT 60.30", "lovely weather, total gift"):
        seen = Seen()
        replace(place.recall, rankers=[seen]).search(query, scope=WANG)
        weights[query] = seen.questions[0].dense_weight
    assert 0 <= weights["INDAH GIFT 60.30"] < weights["lovely weather, total gift"] <= candidates.MOST_DENSE
    monkeypatch.setattr(HashingEmbedder, "embed_query", lambda self, _: self.embed([""])[0])
    seen = Seen()
    replace(place.recall, rankers=[seen]).search("INDAH", scope=WANG)
    assert seen.questions[0].dense_weight == 0


@dataclass
class Seen:
    """A ranker that keeps what it was asked."""

    name: str = "seen"
    questions: list[Question] = field(default_factory=list)

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Nothing for anybody."""
        self.questions.append(question)
        return [0.0] * len(candidates)


def test_a_speakers_name_is_no_word_of_the_question(place: Place) -> None:
    """What Ann said counts, not who addresses Ann."""
    place.put("I study marine biology", run_id="r1", speaker="Ann")
    place.put("Ann! Ann! How are you, Ann?", run_id="r2", speaker="Bob")
    seen = Seen()
    found = replace(place.recall, rankers=[*place.recall.rankers, seen])
    first, second = found.search("What does Ann study?", scope=WANG, explain=True)
    assert first.text == "I study marine biology"
    assert second.shares["words"] == 0
    assert seen.questions[0].speakers == {"Ann"}


def test_a_name_alone_is_still_a_word(place: Place) -> None:
    """A question of nothing but a speaker's name finds where the name is said."""
    place.put("This is Ann", "Good morning", run_id="r1", speaker="Ann")
    place.put("How are you, Ann?", "Fine weather", run_id="r2", speaker="Bob")
    hits = place.recall.search("Ann", scope=WANG, explain=True)
    assert {hit.text for hit in hits if hit.shares["words"]} == {"This is Ann", "How are you, Ann?"}


def test_words_that_ocr_ran_together_are_found(place: Place) -> None:
    """A shop's name written without blanks is found by its words."""
    place.put("SANYUSTATIONERY SHOP total 5.00", "OTHER SHOP total 7.00", "PAPER SHOP total 5.00")
    hit = place.recall.search("sanyu stationery", scope=WANG, explain=True)[0]
    assert hit.text == "SANYUSTATIONERY SHOP total 5.00"
    assert hit.shares["words"] > 0


def test_statistics_survive_a_limit_on_matches(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more memories match than are read, the best are still found and no score leaves its bounds."""
    monkeypatch.setattr(candidates, "MATCHED", 5)
    place.put(*[f"dog number {number}" for number in range(30)], "dog of the lighthouse keeper")
    hits = place.recall.search("lighthouse dog", scope=WANG, top_k=20)
    assert hits[0].text == "dog of the lighthouse keeper"
    assert all(0 <= hit.score <= 1 for hit in hits)


def test_few_reads_answer_a_question(place: Place) -> None:
    """A search asks the store at most four times, however many memories and conversations it holds."""
    for run in range(8):
        place.put(*[f"turn {run} {turn} about dogs" for turn in range(10)], run_id=f"r{run}")
    counted = Counted(backend=place.store.backend, clock=place.store.clock)
    replace(place.recall, store=counted).search("dogs turn 3", scope=WANG)
    assert counted.reads <= 4


@dataclass(slots=True)
class Counted(Store):
    """A store that counts its reads."""

    reads: int = 0

    def select(self, *args: Any, **options: Any) -> list[Record]:
        """Counts a read."""
        self.reads += 1
        return Store.select(self, *args, **options)

    def nearest(self, *args: Any, **options: Any) -> list[Match]:
        """Counts a read."""
        self.reads += 1
        return Store.nearest(self, *args, **options)

    def match(self, *args: Any, **options: Any) -> list[Match]:
        """Counts a read."""
        self.reads += 1
        return Store.match(self, *args, **options)

    def count(self, *args: Any, **options: Any) -> int:
        """Counts a read."""
        self.reads += 1
        return Store.count(self, *args, **options)
