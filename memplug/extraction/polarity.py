"""Whether a fact says the opposite of what was said: "I do not like tea" is no reason for "The user likes tea".

A rule about words, made to be silent where it is not sure: it looks at the word that a negation stands before ("do not
*like*", "no *cats*", 不*喜欢*), and objects where a fact has no negation and that word was only said with one, or where
a fact puts one before a word that was said without any.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.lexical.analyzer import analyze, stop_terms
from memplug.lexical.characters import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CLAUSE = re.compile(
    r"[.,;:!?\n\u2013\u2014]|\s-\s|[\u3002\uff0c\uff01\uff1f\uff1b]|\b(?:but|aber|sondern|pero|sino|mais|ma|mas)\b|但"
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_NEGATIONS = frozenset(
    """
    not never no cannot neither nor dont doesnt didnt isnt arent wasnt werent wont cant couldnt havent hasnt hadnt
    nicht kein keine keinen keinem keiner nie niemals non pas jamais nunca tampoco nao não не нет никогда нельзя
    niet geen nooit mai
    """.split()  # noqa: SIM905 - a table of words
)
#: Behind a negation these are no part of what it denies ("no longer", "not really"); behind "not" these deny nothing.
_BETWEEN = frozenset(
    "longer more really very quite much that ever yet even always just think believe mehr me te le lo la mi se".split()  # noqa: SIM905
)
_NO_DENIAL = frozenset(["only", "just", "merely", "nur", "solo", "seulement"])
#: How many words behind a negation are looked at.
_NEAR = 4
#: Words that deny without a negation, or that say what only might be. Where one stands, nothing is judged.
_TURNING = re.compile(
    r"\b(?:(?:stop|quit|giv|ceas|avoid|hate|hating|dislik|refus|fail|lack|former|want|wish|plan|hope|hoping|intend"
    r"|dream|try|tries|tried)\w*|gave|without|except|instead|rather|used to|anymore|unable|hardly|rarely|seldom|free"
    r"|off|lost|ended|sold|left|would|will|if|whether|until|first time|ohne|möchte|würde|sans|sin|voudrait|quiere"
    r"|хочет)\b|想|希望|打算|停|戒|讨厌|如果",
    re.IGNORECASE,
)
_DENIED_HAN = re.compile(r"(?:不|没有?|未|無|别)(?:是|会|能|想|要|太|很|再|怎么)*([\u4e00-\u9fff]{2})")
_DENIAL = re.compile(r"\s*(?:no|nope|nah|never|not|nein|non|niet|nej|não|нет|不|没有?|いいえ)(?![^\W_])", re.IGNORECASE)


def denies(text: str) -> bool:
    """Whether an answer begins with a no."""
    return _DENIAL.match(text) is not None


def reverses(fact: str, said: Iterable[str]) -> bool:
    """Whether a fact affirms what was denied, or denies what was affirmed.

    Args:
        fact: What is to be remembered.
        said: What it rests on.
    """
    told = " ".join(said)
    fact_plain, fact_denied = _terms(fact)
    said_plain, said_denied = _terms(told)
    if not fact_denied:
        return not _TURNING.search(fact) and not fact_plain.isdisjoint(said_denied - said_plain)
    return not said_denied and not _TURNING.search(told) and not fact_denied.isdisjoint(said_plain)


def _terms(text: str) -> tuple[set[str], set[str]]:
    """The terms that stand in a text without a negation, and those that one stands before."""
    plain, denied = set(), set()
    for clause in _CLAUSE.split(folded(text)):
        gone = set(_denied(clause))
        denied |= gone
        plain |= set(analyze(clause)) - gone
    return plain - stop_terms(), denied


def _denied(clause: str) -> Iterator[str]:
    for found in _DENIED_HAN.finditer(clause):
        yield from analyze(found[1])
    words = _WORD.findall(clause)
    for place, word in enumerate(words):
        if word not in _NEGATIONS and not word.endswith(("n't", "n\u2019t")):
            continue
        behind = words[place + 1 : place + 1 + _NEAR]
        # "No peanuts, I am allergic" asks for something, and denies nothing.
        asks = word == "no" and not place and behind[:1] and behind[0] not in _BETWEEN
        if asks or (behind and behind[0] in _NO_DENIAL):
            continue
        telling = (one for one in behind if one not in _BETWEEN and not stop_terms().issuperset(analyze(one)))
        yield from analyze(next(telling, ""))


__all__ = ["denies", "reverses"]
