"""Whether what a model says was said: a lexical check of a fact against the turns that it cites.

Models invent. So nothing becomes a memory whose words are in none of the turns that it cites:

- every number must be there, however it is written (``1,299.00`` and ``1299``, ``two`` and ``2``); its own date need
  not be, since "yesterday" is one without numbers (`memplug.extraction.dating`);
- every name (what is written with a capital; at the beginning of a sentence where a verb follows) must be there, and
  the speakers' names always are; in languages that write all nouns with a capital the words below must do;
- of the other words that tell something at least half must be there by their stem, and one of them in what is new.

The words of the assistant are no support, apart from a question that the user answered next ("Do you like sushi?").
The rule is about words: it does not notice that two names or numbers changed places, and a paraphrase that shares no
word with what was said is refused. The model is told to keep to the user's words. A "not" that came or went is looked
for apart (`memplug.extraction.polarity`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from memplug.extraction.polarity import denies
from memplug.lexical.analyzer import analyze, stop_terms
from memplug.lexical.characters import UNSPACED, character, folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from memplug.values.extraction import Turn

Lack = Literal["number_unsupported", "name_unsupported", "words_unsupported"]

#: How many of a fact's telling words must have been said.
_SAID = 0.5
_NUMBER = re.compile(r"\d+(?:[.,:'\u2019]\d+)*")
#: What has cents or tenths is one number, which neither part of it is; cents that are none do not count.
_DECIMAL = re.compile(r"(?<![\d.,:])\d+(?:\.\d{1,2}|,\d\d)(?![.,:]?\d)")
_NO_CENTS = re.compile(r"(?<=\d)[.,]00?(?![.,]?\d)")
#: Words with a capital, in scripts that have such: ``Ann``, ``O'Brien``, ``IKEA``, ``Владимир``.
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")
_QUESTION = re.compile(r"[^.!?\u3002\uff01\uff1f\n]*[?\uff1f]")
_NUMBER_WORDS = (
    "zero", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
#: As said of numbers only: "one" is a pronoun, and a Chinese numeral a part of many words.
_SPOKEN_NUMBERS = {"one": 1, "a": 1, "an": 1, "once": 1, "twice": 2, "couple": 2, "dozen": 12, "hundred": 100} | {
    word: number for number, word in enumerate(_NUMBER_WORDS) if word
}
_CHINESE_NUMBERS = {sign: number for number, sign in enumerate("零一二三四五六七八九十")} | {"两": 2}
_OPENING, _ENDS = " \t\n\"'(\u201c\u2018", ".!?:;\u3002\uff01\uff1f"
#: Behind the first word of a sentence these show that it is no name: "Allergic to", "Dinner with".
_PREPOSITIONS = frozenset(
    ["to", "for", "of", "in", "on", "at", "by", "with", "and", "or", "the", "a", "an", "from", "about", "into", "as"]
)
#: What models put around what was said: whom it is about, and that it is so.
_FRAME = """
    user users person someone speaker they currently now recently formerly previously usually often always never also
    prefer prefers prefered prefering preference preferences like likes liked love loves loved enjoy enjoys enjoyed hate
    hates dislike dislikes want wants wanted need needs live lives lived living work works working plan plans planned
    planning go goes went gone going has had have having own owns use uses used visit visits visited say says said
    mention mentions mentioned know knows think thinks feel feels felt get gets got make makes made take takes took try
    tries start starts started stop stops stopped become became name named called mr mrs ms dr
    nutzer nutzerin benutzer benutzerin mag wohnt lebt heisst heißt bevorzugt arbeitet
    utilisateur utilisatrice aime préfère habite vit travaille usuario usuaria gusta prefiere vive trabaja
    utente preferisce abita gebruiker gebruikt usuário gosta prefere mora пользователь любит живет
    用户 喜欢 不喜欢 偏好 更喜欢 住在 名叫 名字 计划 打算 ユーザー 사용자
"""
#: Words that only German and its likes have, where every noun has a capital.
_NOUNS_WITH_CAPITALS = frozenset(
    [
        "der",
        "die",
        "das",
        "und",
        "ist",
        "nicht",
        "ein",
        "eine",
        "einen",
        "mit",
        "zu",
        "im",
        "hat",
        "sich",
        "vom",
        "beim",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a fact may say.

    Args:
        new: Terms of what the user said just now, in the turns that are cited.
        terms: These, and those that need no saying: of the memory that is changed, and of speakers' names.
    """

    new: frozenset[str]
    terms: frozenset[str]

    def lack(self, text: str) -> Lack | None:
        """What of a text was not said; None where it is supported."""
        if any(not self._has_number(number) for number in _numbers(text)):
            return "number_unsupported"
        if any(not self._has(word) for word in _names(text)):
            return "name_unsupported"
        told = list(_telling(text))
        said = [term for term in told if term in self.terms]
        if not said or len(said) < _SAID * len(told) or self.new.isdisjoint(said):
            return "words_unsupported"
        return None

    def _has_number(self, number: str) -> bool:
        number = _NO_CENTS.sub("", number)
        return self.terms.issuperset([_whole(number)] if _DECIMAL.fullmatch(number) else analyze(number))

    def _has(self, word: str) -> bool:
        return all(term in self.terms or term in _framing() for term in analyze(word))


def evidence(cited: Iterable[Turn], turns: Sequence[Turn], *, earlier: Iterable[str] = ()) -> Evidence:
    """What the cited turns support.

    Args:
        cited: The turns that a fact cites.
        turns: All turns in their order, to find the question that a turn answers.
        earlier: Words of the memories that it changes.
    """
    words = heard(cited, turns)
    names = [turn.speaker for turn in turns if turn.speaker]
    new = frozenset(_with_numbers(words))
    return Evidence(new=new, terms=new | frozenset(_with_numbers([*earlier, *names])))


def heard(cited: Iterable[Turn], turns: Sequence[Turn]) -> list[str]:
    """What the cited turns say: the user's own words, and the questions just before that they answer.

    Args:
        cited: They.
        turns: All turns in their order.
    """
    return [text for turn in cited for text in _heard(turn, turns)]


def _heard(turn: Turn, turns: Sequence[Turn]) -> Iterator[str]:
    if turn.role != "user":
        return
    yield turn.text
    place = next((number for number, one in enumerate(turns) if one.label == turn.label), 0)
    if place and turns[place - 1].role == "assistant":
        asked = " ".join(_QUESTION.findall(turns[place - 1].text))
        # A question that was answered with a no says that nothing in it holds.
        yield ", ".join(f"not {word}" for word in asked.split()) if denies(turn.text) else asked


def _with_numbers(texts: Iterable[str]) -> Iterator[str]:
    """The terms of texts, and of the numbers that stand in them as words."""
    for text in map(_without_cents, texts):
        yield from (_whole(number) for number in _NUMBER.findall(text) if "." in analyze(number)[-1])
        yield from analyze(_DECIMAL.sub(" ", text))
        for word in _WORD.findall(folded(text)):
            if (number := _SPOKEN_NUMBERS.get(word)) is not None:
                yield str(number)
        yield from (str(_CHINESE_NUMBERS[sign]) for sign in text if sign in _CHINESE_NUMBERS)
        yield from _words_of_numbers(text)


def _without_cents(text: str) -> str:
    return _NO_CENTS.sub("", text)


def _whole(number: str) -> str:
    """The term of a number with tenths or cents: ``3.5`` for ``3,50``."""
    return analyze(number)[-1].rstrip("0")


def _words_of_numbers(text: str) -> Iterator[str]:
    """``two`` for a ``2``: the fact may be written either way."""
    for found in _NUMBER.findall(text):
        if found.isdecimal() and len(found) <= 2 and int(found) < len(_NUMBER_WORDS):  # noqa: PLR2004 - two digits
            yield from analyze(_NUMBER_WORDS[int(found)])


def related(text: str, other: str) -> bool:
    """Whether two texts share a word, if only what both say of it ("lives in Paris", "lives in Rome")."""
    silent = stop_terms() | frozenset(analyze("user users person speaker"))
    return not (set(analyze(text)) - silent).isdisjoint(set(analyze(other)) - silent)


def _numbers(text: str) -> Iterator[str]:
    """The numbers of a text, also those that are words."""
    yield from _NUMBER.findall(text)
    for word in _WORD.findall(folded(text)):
        if word in _NUMBER_WORDS:
            yield str(_NUMBER_WORDS.index(word))


def _names(text: str) -> Iterator[str]:
    """The words of a text that are written like names."""
    found = list(_WORD.finditer(text))
    if any(folded(word[0]) in _NOUNS_WITH_CAPITALS for word in found):
        return
    for place, word in enumerate(found):
        begins = not text[: word.start()].rstrip(_OPENING) or text[: word.start()].rstrip(_OPENING)[-1] in _ENDS
        if (
            len(word[0]) > 1
            and word[0][0].isupper()
            and (not begins or _acts(found[place + 1][0] if place + 1 < len(found) else ""))
        ):
            yield word[0]


def _acts(word: str) -> bool:
    """Whether a word may be a verb, as one follows a name at the beginning of a sentence: "Bob is", "Bob runs"."""
    word = folded(word)
    verb = word.endswith(("s", "ed")) or _framing().issuperset(analyze(word) or ["?"])
    return verb and word not in _PREPOSITIONS


def _telling(text: str) -> Iterator[str]:
    """The terms of a text that say something; of scripts without blanks these are pairs of characters."""
    for term in dict.fromkeys(analyze(text)):
        if term not in _framing() and not (len(term) == 1 and character(term)[0] in UNSPACED):
            yield term


@cache
def _framing() -> frozenset[str]:
    return stop_terms() | frozenset(analyze(_FRAME))


__all__ = ["Evidence", "Lack", "evidence", "heard", "related"]
