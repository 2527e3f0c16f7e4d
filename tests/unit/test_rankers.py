"""Each ranker gives the share that it promises."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from subprocess import run

import pytest

from memplug.lexical import analyze
from memplug.plugins.protocols import Candidate, Question
from memplug.rankers import default_rankers
from memplug.rankers.conversation import Conversation
from memplug.rankers.corrections import Corrections
from memplug.rankers.dates import Dates
from memplug.rankers.meaning import Meaning
from memplug.rankers.neighbours import Neighbours
from memplug.rankers.periods import Period, asks_when, periods
from memplug.rankers.speaker import Speaker
from memplug.rankers.words import Words
from memplug.values.item import MemoryItem, Record
from memplug.values.source import Provenance

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def candidate(
    words: float = 0.0,
    similarity: float | None = None,
    *,
    text: str = "",
    run_id: str | None = None,
    position: int | None = None,
    speaker: str | None = None,
    occurred_at: datetime | None = None,
) -> Candidate:
    """A memory with what the searches found of it."""
    item = MemoryItem(
        id="m",
        kind="text",
        text=text,
        created_at=NOW,
        updated_at=NOW,
        user_id="u",
        run_id=run_id,
        occurred_at=occurred_at,
        source=Provenance(speaker=speaker, position=position),
    )
    return Candidate(record=Record(item=item, terms=" ".join(analyze(text))), similarity=similarity, words=words)


def question(text: str = "q", **fields: object) -> Question:
    """A question at `NOW`."""
    return Question(text=text, terms=("q",), now=NOW, **fields)  # type: ignore[arg-type]  # a test names them rightly


def turns(*words: float, run_id: str = "r") -> list[Candidate]:
    """The turns of a conversation by their lexical scores."""
    return [candidate(score, run_id=run_id, position=position) for position, score in enumerate(words)]


def test_meaning_is_a_part_of_the_nearest() -> None:
    """The nearest candidate gets the whole dense weight, others their part of it, what is unlike or unknown nothing."""
    found = [candidate(similarity=cosine) for cosine in (0.8, 0.4, 0.2, -0.3, None)]
    assert Meaning().score(question(dense_weight=0.4), found) == pytest.approx([0.4, 0.2, 0.1, 0, 0])


def test_meaning_of_a_single_candidate_counts() -> None:
    """Where there is nothing to compare with, one candidate is the nearest, however far; without vector it is not."""
    assert Meaning().score(question(dense_weight=0.5), [candidate(similarity=0.3)]) == [0.5]
    assert Meaning().score(question(), [candidate()]) == [0]


def test_words_run_from_nothing_to_the_best() -> None:
    """The best by words gets what the dense weight leaves, one without a shared word nothing."""
    found = [candidate(score) for score in (6.0, 3.0, 0.0)]
    assert Words().score(question(dense_weight=0.4), found) == pytest.approx([0.6, 0.3, 0])
    assert Words().score(question(), [candidate(0.0)]) == [0]


def test_a_correction_stands_above_all_that_it_took_the_place_of() -> None:
    """Also along a chain of corrections and in a circle; what nothing is found of gains nothing."""

    def named(id_: str, *older: str) -> Candidate:
        item = MemoryItem(
            id=id_, kind="fact", text="", created_at=NOW, updated_at=NOW, source=Provenance(supersedes=older)
        )
        return Candidate(record=Record(item=item), similarity=None, words=0.0)

    found = [named("a"), named("b", "a", "gone"), named("c", "b"), named("d", "e"), named("e", "d"), named("f", "g")]
    scores = [0.9, 0.2, 0.3, 0.5, 0.4, 0.1]
    shares = Corrections().score(question(scores=scores), [*found, named("g")][:6])
    a, b, c, *_, f = [score + share for score, share in zip(scores, shares, strict=True)]
    assert a == 0.9 < b < c < 0.9001
    assert f == 0.1
    assert max(shares[3:5]) < 0.2
    assert Corrections().score(question(scores=scores[:1]), found[:1]) == [0.0]


@pytest.mark.parametrize("ranker", [Meaning, Words, Neighbours, Conversation, Speaker, Dates])
def test_a_weight_scales_the_share(ranker: type[Meaning]) -> None:
    """A ranker's weight doubles its share, and zero switches it off."""
    asked = question("in March 2026", scores=[1.0] * 3, speakers=frozenset({"Ann"}))
    found = [
        candidate(score, 0.3 * score, run_id="r", position=place, speaker="Ann", occurred_at=NOW)
        for place, score in enumerate((1.0, 2.0, 0.5))
    ]
    usual = ranker(weight=0.5).score(asked, found)
    assert any(usual)
    assert ranker(weight=1.0).score(asked, found) == pytest.approx([2 * share for share in usual])
    assert not any(ranker(weight=0.0).score(asked, found))


@pytest.mark.parametrize("name", list(default_rankers()))
def test_every_ranker_bears_its_registered_name_and_takes_no_candidates(name: str) -> None:
    """A default ranker is called as it is registered, and an empty search is no error."""
    ranker = default_rankers()[name]()
    assert ranker.name == name
    assert list(ranker.score(question("when?"), [])) == []


def test_a_turn_gains_from_what_was_said_around_it() -> None:
    """The turn after a match gains most, the one before less, one beyond reach nothing, the match itself nothing."""
    shares = Neighbours().score(question(dense_weight=0.0), turns(0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0))
    assert shares[6] > shares[7] > shares[9] > 0
    assert shares[6] > shares[4] > shares[3] > 0
    assert shares[0] == shares[10] == shares[5] == 0


def test_a_first_turn_is_not_worse_off_for_having_one_side() -> None:
    """At the start of a conversation the neighbours that are there count for those that cannot be."""
    shares = Neighbours(before=0.3, after=0.3).score(question(dense_weight=0.0), turns(9, 9, 9, 9, 9, 9, 9, 9, 9))
    assert shares[0] == pytest.approx(shares[4])


@pytest.mark.parametrize("words", [(9, 0), (0, 9), (9, 0, 0), (0, 0, 9)])
def test_a_short_conversation_does_not_turn_round(words: tuple[int, ...]) -> None:
    """However few turns there are, none gets as much from a match as the match itself."""
    shares = Neighbours().score(question(dense_weight=0.0), turns(*words))
    assert 0 < max(shares) <= 0.75


def test_neighbours_are_of_the_same_conversation() -> None:
    """Turns of another conversation, and memories that are no turns, are nobody's neighbours."""
    found = [*turns(9, 0), *turns(0, 0, run_id="other"), candidate(position=1), candidate(run_id="r")]
    shares = Neighbours().score(question(), found)
    assert shares[1] > 0
    assert not any(shares[2:])


def test_turns_far_apart_are_no_neighbours() -> None:
    """Where the turns between are no candidates, the next candidate is not taken for a neighbour."""
    far = [candidate(9.0, run_id="r", position=9), candidate(run_id="r", position=3)]
    assert Neighbours().score(question(), far) == [0, 0]


def test_two_memories_of_one_turn_share_its_place() -> None:
    """The text and the picture of one message gain alike from the turn before."""
    picture = candidate(run_id="r", position=1)
    shares = Neighbours().score(question(), [*turns(9, 0), picture])
    assert shares[1] == shares[2] > 0


def test_the_conversation_that_speaks_of_it_most_gains_most() -> None:
    """Every turn of the conversation with the most matches gains the whole weight."""
    found = [*turns(4, 4, 0), *turns(4, 0, run_id="other"), candidate(9.0)]
    shares = Conversation(weight=1.0).score(question(dense_weight=0.0), found)
    assert shares == pytest.approx([1, 1, 1, 0.5, 0.5, 0])


def test_a_named_speakers_own_turns_gain_a_part_of_their_score() -> None:
    """What the named speaker said gains by how relevant it is already; others' turns gain nothing."""
    found = [candidate(speaker="Ann"), candidate(speaker="Ann"), candidate(speaker="Bob"), candidate()]
    asked = question(scores=[0.8, 0.0, 0.8, 0.8], speakers=frozenset({"Ann"}))
    assert Speaker(weight=0.5).score(asked, found) == pytest.approx([0.4, 0, 0, 0])


def test_memories_of_the_time_named_gain() -> None:
    """A question about July prefers what happened in July, by as much as it is relevant."""
    july, may = datetime(2025, 7, 9, tzinfo=UTC), datetime(2025, 5, 9, tzinfo=UTC)
    found = [candidate(occurred_at=july), candidate(occurred_at=may)]
    asked = question("what did we bake in July 2025?", scores=[0.5, 0.5])
    assert Dates().score(asked, found) == pytest.approx([0.5, 0])


def test_a_memory_without_a_date_happened_when_it_was_told() -> None:
    """Where nobody said when it happened, the day of telling counts."""
    assert Dates().score(question("what did I say today?", scores=[1.0]), [candidate()]) == [1]


def test_a_question_for_a_time_prefers_turns_that_tell_one() -> None:
    """Asked when, a turn with a weekday or year gains; asked what, it does not."""
    found = [candidate(text="We met last Friday"), candidate(text="Since 2019 it is mine"), candidate(text="A dog")]
    scores = [1.0, 1.0, 1.0]
    assert Dates(telling=0.3).score(question("When did they meet?", scores=scores), found) == pytest.approx(
        [0.3, 0.3, 0]
    )
    assert not any(Dates().score(question("What did they eat?", scores=scores), found))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("in July 2024", [Period(year=2024, month=7)]),
        ("early-June", [Period(month=6)]),
        ("on 8 May, 2023", [Period(year=2023, month=5, day=8)]),
        ("August 3rd", [Period(month=8, day=3)]),
        ("on 2024-06-06", [Period(year=2024, month=6, day=6)]),
        ("back in 2022", [Period(year=2022)]),
        ("between March 2024 and June 2024", [Period(year=2024, month=3), Period(year=2024, month=6)]),
        ("yesterday", [Period(year=2026, month=3, day=3)]),
        ("last month", [Period(year=2026, month=2)]),
        ("this year", [Period(year=2026)]),
        ("may I march there?", []),
        ("room 2024/7, price 1999.50", []),
        ("", []),
    ],
)
def test_times_are_read_from_a_question(text: str, named: list[Period]) -> None:
    """Months, days, years and words like yesterday are times; verbs and other numbers are none."""
    assert periods(text, NOW) == named


def test_last_week_has_seven_days() -> None:
    """Last week runs from Monday to Sunday."""
    found = periods("last week", NOW)
    assert [found[0].day, found[-1].day, len(found)] == [23, 1, 7]


def test_a_day_is_half_met_by_its_month() -> None:
    """People tell of a day afterwards: its month fits by half, another month not at all, a bare year by half."""
    day = Period(year=2024, month=6, day=6)
    moments = [datetime(2024, 6, 6, tzinfo=UTC), datetime(2024, 6, 20, tzinfo=UTC), datetime(2024, 7, 6, tzinfo=UTC)]
    assert [day.nearness(moment) for moment in moments] == [1, 0.5, 0]
    assert Period(year=2024).nearness(moments[0]) == 0.5


@pytest.mark.parametrize("text", ["When was it?", "What year did he go?", "how long ago", "Which date?"])
def test_questions_for_a_time_are_recognised(text: str) -> None:
    """When, how long and which day ask for a time."""
    assert asks_when(text)


def test_naming_the_rankers_loads_none_of_them() -> None:
    """The list of rankers costs no numpy before one is made."""
    code = "import sys, memplug.rankers as r; r.default_rankers(); sys.exit('numpy' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
