"""Words of all scripts: what is stored and what is asked come out alike."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplug.lexical import analyze, query_terms
from memplug.lexical.analyzer import QUERY_TERMS, TERM_BYTES, compounds
from memplug.lexical.bm25 import common, count, fit, rarity
from memplug.lexical.indexing import search_text

#: Stored text, a query that must find it.
FOUND = [
    ("She bought two wolves", "buy wolf"),
    ("The children were running home", "child runs"),
    ("Don't forget Caroline's party", "Caroline party"),
    ("Das Mädchen heißt Jörg Müller", "madchen heisst muller"),
    ("STRASSENBAHN Straße", "strasse"),
    ("Grüße aus Köln", "KÖLN"),
    ("J'ai mangé une crème brûlée à l'hôtel", "creme brulee hotel"),
    ("Le café est fermé", "CAFÉ"),
    ("El niño comió piñas", "nino piña"),
    ("Łódź, Ærø i Þingvellir", "lodz aero thingvellir"),
    ("Я люблю собак и книги", "собаками книга"),
    ("Ещё раз про ёлку", "еще елка"),
    ("Ο καφές στην Αθήνα", "ΚΑΦΈΣ αθηνα"),
    ("قرأت كِتَابًا عن أحمد", "الكتاب احمد"),
    ("می‌خواهم یک کتاب", "كتاب میخواهم"),
    ("אני אוהב שָׁלוֹם", "שלום"),
    ("मुझे लड़कियों की किताबें पसंद हैं", "लड़की किताब"),
    ("எனக்கு புத்தகங்கள் பிடிக்கும்", "புத்தகம்"),
    ("我昨天在北京喝了咖啡", "咖啡"),
    ("我昨天在北京喝了咖啡", "喝"),
    ("我的猫叫小白", "猫在哪里"),
    ("東京でコーヒーを飲みました", "コーヒー"),
    ("東京でコーヒーを飲みました", "東京"),
    ("ﾃｽﾄ　ＡＢＣ", "テスト abc"),
    ("커피를 좋아해요", "커피"),
    ("나는 커피 좋아", "커피를"),
    ("ฉันชอบกาแฟร้อน", "กาแฟ"),
    ("IŞIK ılık İSTANBUL", "ışık ilik istanbul"),
    ("so happy 🎉👍🏽", "👍"),
    ("our family 👨‍👩‍👧", "👧"),
    ("from 🇩🇪 to 🇫🇷", "🇫🇷"),
    ("total 60.30 RM", "60.30"),
    ("total 60.30 RM", "60"),
    ("Betrag: 1.299,00 €", "1,299.00"),
    ("Betrag: 1.299,00 €", "1299"),
    ("invoice INV-2024/001 paid", "inv2024001"),
    ("invoice INV-2024/001 paid", "INV 2024"),
    ("seat A-77", "A77"),
    ("seat A77", "A-77"),
    ("write to anna.k@example.com now", "anna.k@example.com"),
    ("write to anna.k@example.com now", "anna"),
    ("on 06/03/2018 in March", "6/3/2018"),
    ("written in C++ and C#", "c++"),
    ("an ice-cream by e-mail", "icecream email"),
    ("my iPhone15 broke", "iphone 15"),
    ("٣٥ كتابا", "35"),
    ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
]


@pytest.mark.parametrize(("stored", "asked"), FOUND)
def test_a_question_in_any_script_finds_all_its_words(stored: str, asked: str) -> None:
    """Every word of a question is found however case, accents, endings and what lies between differ."""
    terms = set(analyze(stored))
    for word in asked.split():
        assert terms.intersection(query_terms(word)), word


@pytest.mark.parametrize(
    ("one", "other"),
    [("60.30", "603.0"), ("A-77", "A-78"), ("北京", "东京"), ("🇩🇪", "🇪🇩"), ("й", "и"), ("दिन", "दीन"), ("c++", "c#")],
)
def test_different_words_stay_different(one: str, other: str) -> None:
    """Folding never makes one of two words that differ in meaning."""
    assert set(analyze(one)) != set(analyze(other))


@given(st.text(max_size=300))
def test_terms_suit_every_index(text: str) -> None:
    """No term is empty, holds a blank, or is as long as the length at which LanceDB drops tokens."""
    for term in analyze(text):
        assert term
        assert term.split() == [term]
        assert len(term.encode("utf-8", "surrogatepass")) <= TERM_BYTES


@given(st.text(max_size=300))
def test_a_question_holds_only_terms_that_are_stored(text: str) -> None:
    """A text asked for word for word shares every one of its query terms."""
    assert set(query_terms(text)) <= set(analyze(text))


def test_analysis_is_the_same_again_and_from_every_thread() -> None:
    """Eight threads that share the stemmers, which keep state, all get the right stems."""
    texts = [f"running{number} собаками{number} books{number} hopefulness{number}x" for number in range(300)]
    texts += [" ".join(f"{stem}{end}" for end in ("ing", "ed", "s")) for stem in ("walk", "jump", "climb") * 20]
    results: list[list[list[str]]] = []

    def work() -> None:
        results.append([analyze(text) for text in texts])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == results[0] for result in results)
    assert results[0][-1] == ["climb"] * 3


def test_stop_words_go_unless_nothing_else_is_left() -> None:
    """A question keeps what it is about, and a question of stop words only keeps them all."""
    assert query_terms("What is the name of my dog?") == ["name", "dog"]
    assert query_terms("wie heißt mein Hund") == ["heisst", "hund"]
    assert query_terms("who are you") == ["who", "are", "you"]


def test_a_question_has_a_bounded_number_of_terms() -> None:
    """Of a very long question the longest words stay, in their order and once each."""
    terms = query_terms(" ".join(f"word{'x' * (number % 7)}{chr(97 + number % 26)}" for number in range(500)) * 3)
    assert len(terms) <= QUERY_TERMS
    assert len(set(terms)) == len(terms)


def test_words_are_also_asked_for_as_one() -> None:
    """A question for ice cream also asks for icecream, but glues no stop words, numbers or characters."""
    assert compounds("the Ice cream, Shop in 2020 main-road") == ["icecream", "creamshop"]
    assert compounds("我 猫") == []


def test_no_term_is_as_long_as_what_lancedb_drops() -> None:
    """A long word or code is cut, at a whole character, below 40 bytes, and alike when asked for."""
    for word in ("x" * 200, "достопримечательность" * 5, "ключ" + "7" * 60, "a-1-" * 30, "பு" * 50):
        terms = analyze(word)
        assert terms
        assert all(len(term.encode()) < 40 for term in terms)


@pytest.mark.parametrize("word", ["x", "1", "字", "a1", "a-", "1.", "'", "é", "🎉"])
def test_a_megabyte_without_a_blank_is_analysed_in_time(word: str) -> None:
    """No input makes analysis slower than its length, whatever it repeats."""
    started = time.process_time()
    analyze(word * 200_000)
    assert time.process_time() - started < 10


def test_old_accents_and_leading_zeros_do_not_matter() -> None:
    """Polytonic Greek is found by plain Greek, and the sixth by 06."""
    assert analyze("Ἀθῆναι") == analyze("αθηναι")
    assert analyze("06") == analyze("6") == ["6"]
    assert analyze("007") == ["007"]


def test_a_hash_stays_in_one_piece() -> None:
    """Letters and digits that change all the time are no words, so they are not taken apart."""
    assert len(analyze("9f86d081884c7d659a2feaa0c55ad015")) == 1


def test_half_a_character_is_no_error() -> None:
    """Text that is no valid Unicode is analysed as far as it is."""
    assert analyze("dog \ud800 cat") == ["dog", "cat"]


def test_a_memory_is_found_by_its_labels_but_embedded_by_its_words() -> None:
    """Key, tags and file name are terms; where there are no words, they and the speaker are embedded."""
    terms, text = search_text("likes tea", context="at noon", speaker="Bob", key="k1", tags=("food",), name="a.png")
    assert {"like", "tea", "noon", "k1", "food", "png"} <= set(terms.split())
    assert "bob" not in terms
    assert text == "likes tea\nat noon"
    assert search_text("", speaker="Bob") == ("bob", "Bob")
    assert search_text("", name="beach.png") == ("beach png beachpng", "beach.png")
    assert search_text(" ") == ("", "")


def test_the_rarest_word_weighs_most() -> None:
    """Of two memories with one word each, that with the rarer word scores higher."""
    texts = ["dog park", "dog street", "dog lake", "cat lake"]
    weighed = fit(count(["dog", "cat"], texts), memories=100)
    assert weighed.scores[3] > weighed.scores[0] > 0
    assert rarity(1, 100) > rarity(3, 100)


def test_longer_memories_and_repetition_count_less_and_less() -> None:
    """A word among many others counts less than one among few, and a second occurrence less than the first."""
    texts = ["dog", "dog " + "walk " * 40, "dog dog", "cat"]
    short, long, twice, none = fit(count(["dog"], texts), memories=50).scores
    assert long < short < twice < 2 * short
    assert none == 0


def test_scores_follow_the_formula() -> None:
    """The score is BM25 as published, with the scope's own number of memories."""
    weighed = fit(count(["dog"], ["dog park", "big dog house here", "cat here"]), memories=40)
    idf = np.log(1 + (40 - 2 + 0.5) / (2 + 0.5))
    length = 2 / (8 / 3)
    assert weighed.scores[0] == pytest.approx(idf * 2.2 / (1 + 1.2 * (0.5 + 0.5 * length)))
    assert weighed.ideal == pytest.approx(idf * 2.2)


def test_unknown_words_make_the_share_smaller_but_not_the_ideal() -> None:
    """A memory holds all of a question's words only where the scope knows all of them."""
    known = fit(count(["dog"], ["dog"]), memories=30)
    half = fit(count(["dog", "zebra"], ["dog"]), memories=30)
    assert known.shares[0] == 1
    assert 0 < half.shares[0] < 0.5
    assert half.ideal == known.ideal


def test_nothing_found_is_no_error() -> None:
    """Counting without memories, and without words, gives empty results."""
    assert fit(count(["dog"], []), memories=0).scores.shape == (0,)
    empty = fit(count([], ["dog"]), memories=1)
    assert empty.scores.tolist() == [0]
    assert empty.ideal == 0


def test_common_words_are_those_of_many_memories() -> None:
    """A word is common by its share of the scope, and never in a scope too small to tell."""
    assert common({"the": 40, "dog": 20}, memories=100, share=0.3) == {"the"}
    assert common({"dog": 2}, memories=2, share=0.3) == set()
