"""Values inside sentences: numbers with their units, days, names."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d")
_UNSPACED = "\u2e80-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af"
_LETTER = rf"[^\W_{_UNSPACED}]"
_TOKEN = re.compile(rf"[{_UNSPACED}]|\d+(?:[.,:/\-]\d+)*%?(?!{_LETTER})|{_LETTER}+(?:['\u2019\-]{_LETTER}+)*|[^\w\s]")
_CJK = re.compile(f"[{_UNSPACED}]")
_DAY_NAMES = """
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun today tomorrow tonight
"""
_MONTH_NAMES = """
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
"""
_DAYS, _MONTHS = frozenset(_DAY_NAMES.split()), frozenset(_MONTH_NAMES.split())
Span = tuple[int, int]


def tokens(text: str) -> list[Span]:
    """The places of a text's words, numbers and signs; each character of a script without blanks is one."""
    return [match.span() for match in _TOKEN.finditer(text)]


def kind_of(word: str) -> str:
    """What a word is as a value: ``number``, ``day``, ``month``, ``name``, ``sign``, ``cjk`` or ``word``."""
    lowered = word.lower()
    if _NUMBER.search(word):
        return "number"
    if lowered in _DAYS:
        return "day"
    if lowered in _MONTHS and word[:1].isupper():
        return "month"
    if _CJK.search(word):
        return "cjk"
    if not word[:1].isalnum():
        return "sign"
    return "name" if word[:1].isupper() else "word"


def value_like(text: str, value: str) -> Span | None:
    """The place of the part of a text that could stand where another value stands; None where there is none.

    It has as many words, of the same kinds and in the same order where that can be had, else at least one word in
    common or the first word's kind; the last such part counts, since what is new comes last in most sentences.
    """
    spans, wanted = tokens(text), [value[slice(*span)] for span in tokens(value)]
    if not spans or not wanted:
        return None
    size = min(len(wanted), len(spans))
    windows = [spans[start : start + size] for start in range(len(spans) - size, -1, -1)]
    best = max(windows, key=lambda window: _likeness([text[slice(*span)] for span in window], wanted))
    words = [text[slice(*span)] for span in best]
    if _likeness(words, wanted) <= 0:
        return None
    return best[0][0], best[-1][1]


def _likeness(words: list[str], wanted: list[str]) -> float:
    """How well a part fits a value: words in common count, kinds more, and a number never fits a word."""
    score = 0.0
    for word, like in zip(words, wanted, strict=False):
        one, other = kind_of(word), kind_of(like)
        if word.casefold() == like.casefold():
            score += 1.5
        elif one == other:
            score += 1.0
        elif "number" in {one, other} or "sign" in {one, other}:
            return -1.0
        elif {one, other} <= {"name", "word"}:
            score += 0.5
    return score


def common_cut(old: str, new: str) -> tuple[str, str]:
    """Two values without the words that both begin with: ``on Monday`` and ``on Tuesday`` are two days."""
    ones, others = [old[slice(*span)] for span in tokens(old)], [new[slice(*span)] for span in tokens(new)]
    start = 0
    while start < min(len(ones), len(others)) - 1 and ones[start].casefold() == others[start].casefold():
        start += 1
    first, second = tokens(old)[start][0], tokens(new)[start][0]
    return old[first:], new[second:]
