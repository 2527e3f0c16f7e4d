"""From a text to the terms that it is found by; the same for stored words and for questions.

Words are folded (case, width, accents) and lose their endings. Scripts without blanks between words become
overlapping pairs of characters, and single characters beside them. Numbers and codes are found whole and by part:
``INV-2024/001`` gives ``inv 2024 1 inv2024001``, however the question writes what lies between.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import pairwise
from string import punctuation
from typing import TYPE_CHECKING

from memplug.lexical.characters import DIGIT, GAP, SYMBOL, UNSPACED, WORDLIKE, character, folded
from memplug.lexical.stems import stem
from memplug.lexical.stopwords import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Longest term in bytes of UTF-8. LanceDB drops a token that has as many bytes as its limit of 40, or more.
TERM_BYTES = 39
#: Most terms of a question; beyond that the longest are kept, which are the rarest as a rule.
QUERY_TERMS = 64

#: Chunks longer than this are sentences without blanks, not words that come again.
_CACHED_CHARACTERS = 48
#: Letters and digits that change oftener than this between two joiners are one opaque piece (a hash).
_PARTS = 4
#: Longer words are cut before they are stemmed and kept in memory: they are no words of any language.
_LONGEST_WORD = 100
_JOINERS = "-_.@/:+#&',"
_JOINER = re.compile(f"[{re.escape(_JOINERS)}]")
#: What may stand before or after an apostrophe and is no word of its own: she's, don't, l'hiver.
_CLITICS = frozenset(["s", "t", "d", "m", "ll", "re", "ve", "l", "j", "n", "c", "qu"])

#: A chunk's characters by class: a letter, 9 digit, u of a script without blanks, s symbol, j joiner, blank gap.
_PIECE = re.compile(r"(?P<word>[a9]+(?:j[a9]+)*)|(?P<unspaced>u+)|s")
_PART = re.compile(r"\d+|\D+")
_AMOUNT = re.compile(r"(\d{1,3}(?:[.,']\d{3})+|\d+)(?:[.,](\d{1,2}))?")
_C_LIKE = re.compile(r"(?<![^\W_])[a-z](?:\+\+|#)(?!\w)")


def analyze(text: str) -> list[str]:
    """The terms of a text, in its order, repeated as they are; without blanks, at most `TERM_BYTES` bytes each."""
    terms: list[str] = []
    for chunk in folded(text).split():
        terms += _known(chunk) if len(chunk) <= _CACHED_CHARACTERS else _terms(chunk)
    return terms


def query_terms(text: str) -> list[str]:
    """The different terms of a question that say what it is about.

    Stop words are left out, unless nothing else remains; of more than `QUERY_TERMS` terms the longest stay.
    """
    terms = list(dict.fromkeys(analyze(text)))
    terms = [term for term in terms if term not in stop_terms() and not _fragment(term)] or terms
    if len(terms) > QUERY_TERMS:
        longest = set(sorted(terms, key=len, reverse=True)[:QUERY_TERMS])
        terms = [term for term in terms if term in longest]
    return terms


def compounds(text: str) -> list[str]:
    """Neighbouring words of a question as one: ``ice cream`` is also written ``icecream``, and OCR loses blanks."""
    words = [word.strip(punctuation) for word in folded(text).split()]
    glued = [analyze(first + second) for first, second in pairwise(words) if _tells(first) and _tells(second)]
    return list(dict.fromkeys(terms[0] for terms in glued if len(terms) == 1))[:QUERY_TERMS]


def _tells(word: str) -> bool:
    """Whether it is a single plain word that is no stop word."""
    terms = analyze(word)
    return word.isalpha() and len(terms) == 1 and terms[0] not in stop_terms()


def _fragment(term: str) -> bool:
    """Whether it is a lone character of a script in which that is no word (kana, Thai): its pairs say more."""
    return len(term) == 1 and character(term)[0] in UNSPACED - WORDLIKE


@cache
def stop_terms() -> frozenset[str]:
    """The terms of words that say nothing about what a question is about."""
    return frozenset(term for word in STOP_WORDS for term in analyze(word))


@lru_cache(maxsize=65_536)
def _known(chunk: str) -> tuple[str, ...]:
    return tuple(_terms(chunk))


def _terms(chunk: str) -> Iterator[str]:
    classes, forms = _classified(chunk)
    for piece in _PIECE.finditer(classes):
        text = forms[piece.start() : piece.end()]
        if piece["word"]:
            yield from map(_cut, _word_terms(text))
        elif piece["unspaced"]:
            yield from _unspaced_terms(text)
        else:
            yield text
    yield from _C_LIKE.findall(chunk)


def _cut(term: str) -> str:
    return term if len(term) * 4 <= TERM_BYTES else term.encode()[:TERM_BYTES].decode(errors="ignore")


def _classified(chunk: str) -> tuple[str, str]:
    """The classes of the chunk's characters and their compared forms, side by side and of one length."""
    classes, forms = [], []
    for char in chunk:
        script, form = character(char)
        classes.append(_class(script, form) * len(form))
        forms.append(form)
    return "".join(classes), "".join(forms)


def _class(script: str, form: str) -> str:
    if script == GAP:
        return "j" if form in _JOINERS else " "
    if script in UNSPACED:
        return "u"
    return {DIGIT: "9", SYMBOL: "s"}.get(script, "a")


def _unspaced_terms(text: str) -> Iterator[str]:
    yield from text
    yield from (first + second for first, second in pairwise(text))


def _word_terms(text: str) -> Iterator[str]:
    """The terms of a word or code: its parts, then the whole where there are several parts."""
    if amount := _AMOUNT.fullmatch(text):
        yield from _amount_terms(*amount.groups())
        return
    segments = _JOINER.split(text.removesuffix("n't"))
    if "'" in text:
        segments = [segment for segment in segments if segment not in _CLITICS] or segments
    parts = [part for segment in segments for part in _parts(segment)]
    yield from map(_part_term, parts)
    if len(parts) > 1:
        yield _part_term("".join(segments))


def _amount_terms(whole: str, fraction: str | None) -> Iterator[str]:
    """``1.299,00`` and ``1,299.00`` are one amount, and found by ``1299`` too."""
    plain = re.sub(r"\D", "", whole)
    yield _part_term(plain)
    if fraction:
        yield _part_term(fraction)
        yield f"{plain}.{fraction}"


def _parts(segment: str) -> list[str]:
    parts = _PART.findall(segment)
    return parts if len(parts) <= _PARTS else [segment]


def _part_term(part: str) -> str:
    """Letters by their stem, ``06`` as ``6``: days and months are written both ways."""
    if part.isdigit():
        return part[1:] if len(part) == 2 and part[0] == "0" else part  # noqa: PLR2004 - two digits
    part = part[:_LONGEST_WORD]
    return stem(part, character(part[0])[0]) if part.isalpha() or not part.isascii() else part
