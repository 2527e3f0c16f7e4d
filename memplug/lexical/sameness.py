"""When two texts say the same in the same words."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from memplug.lexical.characters import UNSPACED, character, folded

#: ``1,299``, ``1'299``, ``1 299`` (with a blank that does not break) and ``12,99,000`` are one number each, and so is
#: ``1.299,50``. ``1.299`` is not touched: it is a thousand to some and little more than one to others.
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:,\d{2,3})*,\d{3}|(?:['\u2019\u00a0\u202f]\d{3})+)(?![\d]|,\d)")
_CONTINENTAL = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+),(\d+)(?![\d.,])")
#: Cents that are none.
_NO_CENTS = re.compile(r"(?<=\d)\.00(?![\d.])")
#: Punctuation that tells something wherever it stands, and what does between letters or digits only (``10:30``).
_TELLING = frozenset("&@#*/\\_§")
_INNER = frozenset(".,:'\u2019")
_QUESTIONS = re.compile(r"[?\u061f]+")


def same_words(text: str) -> str:
    """A form that two texts share where they differ only in case, punctuation, white space or the look of numbers.

    It is for comparing, not for reading. Whatever may change the meaning stays: every word in its place, every number,
    a question mark, signs, currencies, emoji.

        same_words("I owe Li $1,299.00!") == same_words("i owe Li $1299")
        same_words("I have 2 cats.") != same_words("I have 3 cats.")

    Returns:
        The form; empty where there is nothing but punctuation.
    """
    text = _NO_CENTS.sub("", _CONTINENTAL.sub(_continental, _GROUPED.sub(_ungrouped, text)))
    text = _QUESTIONS.sub(" ? ", folded(text))
    return _joined("".join(_seen(text, place) for place in range(len(text))).split())


def _ungrouped(found: re.Match[str]) -> str:
    return re.sub(r"\D", "", found[0])


def _continental(found: re.Match[str]) -> str:
    return f"{found[1].replace('.', '')}.{found[2]}"


def _seen(text: str, place: int) -> str:
    """What counts of a character: itself, or a blank."""
    char = text[place]
    category = unicodedata.category(char)
    if category == "Sc" or char == "%":
        return f" {char} "
    if category[0] in "LMN" or category in {"Sm", "So"} or char in _TELLING or char == "?":
        return char
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if char in _INNER and before.isalnum() and after.isalnum():
        # A comma between words has no blank behind it in Chinese, and with some writers.
        return char if char != "," or (before.isdigit() and after.isdigit()) else " "
    return "-" if category == "Pd" and after.isdigit() and not before.isalnum() else " "


def _joined(words: list[str]) -> str:
    """Words with blanks between them, except in scripts that have none."""
    parts = words[:1]
    for first, second in pairwise(words):
        glued = _unspaced(first[-1]) or _unspaced(second[0])
        parts += [second] if glued else [" ", second]
    return "".join(parts)


def _unspaced(char: str) -> bool:
    return not char.isascii() and character(char)[0] in UNSPACED - {"HANGUL"}
