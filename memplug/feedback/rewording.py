"""Puts a correction into the words of a memory, and leaves everything else in it as it was."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.feedback.values import kind_of, tokens
from memplug.lexical.analyzer import analyze

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from memplug.feedback.claim import Claim

_SENTENCE = re.compile(r"[^.!?。\uff01\uff1f\n]*(?:[.](?=\S)[^.!?。\uff01\uff1f\n]*)*[.!?。\uff01\uff1f\n]*")
_UNSPACED = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\u3040-\u30ff]")
#: Words of a value that a restatement may put in another's place.
_LONGEST_VALUE = 6
#: Words that say nothing of what a correction is about. The stop words of search are those of many languages
#: together, and would take the meeting out of an English sentence.
_FUNCTION_WORDS = """
    a an the of for to in on at by from with and or but is are was were be been am isn't i i'm my me we our us you your
    it its he his she her they their this that these those there here now currently has have had do does did
    not no more please as so then also just 的 了 是 在 我 你 他 她 它 我们 把 将 请
"""
_EMPTY = frozenset(analyze(_FUNCTION_WORDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewording:
    """What a correction makes of a text.

    Args:
        text: The whole text afterwards; empty where all of it is to be forgotten.
        fit: Share of the correction's subject that the place in the text has, 0 to 1.
    """

    text: str
    fit: float


def reworded(text: str, claim: Claim) -> Rewording | None:
    """The text with the correction in it; None where it says nothing that the correction is about.

    Only sentences that fit the subject best are changed, so that of two limits in one text the right one is.
    """
    parts = list(_sentences(text))
    made = [(place, _in_sentence(part, claim), _fit(part, text, claim)) for place, part in enumerate(parts)]
    changed = [(place, new, fit) for place, new, fit in made if new is not None]
    if not changed:
        return None
    best = max(fit for _, _, fit in changed)
    for place, new, fit in changed:
        if fit == best:
            parts[place] = new
    return Rewording(text="".join(parts).strip(), fit=best)


def subject_terms(claim: Claim) -> list[str]:
    """The words that a correction is about, analysed."""
    if not claim.about:
        return []
    values = set(analyze(f"{claim.old} {claim.new}")) if claim.action != "forget" else set()
    return [term for term in dict.fromkeys(analyze(claim.about)) if term not in values and term not in _EMPTY]


def _sentences(text: str) -> Iterator[str]:
    """The sentences with what separates them; joined they are the text."""
    place = 0
    while place < len(text):
        found = _SENTENCE.match(text, place)
        end = max(found.end() if found else place, place + 1)
        yield text[place:end]
        place = end


def _fit(sentence: str, text: str, claim: Claim) -> float:
    """How much of the subject a sentence has; what stands elsewhere in the text counts half."""
    wanted = subject_terms(claim)
    if not wanted:
        return 0.0
    here, around = set(analyze(sentence)), set(analyze(text))
    return sum(1.0 if term in here else 0.5 if term in around else 0.0 for term in wanted) / len(wanted)


def _in_sentence(sentence: str, claim: Claim) -> str | None:
    match claim.action:
        case "replace":
            return _replaced(sentence, claim.old, claim.new)
        case "restate":
            return _restated(sentence, claim)
        case "forget":
            wanted = subject_terms(claim)
            held = set(analyze(sentence))
            return "" if wanted and held.intersection(wanted) else None


def _replaced(sentence: str, old: str, new: str) -> str | None:
    """One value instead of another, as a whole; where only its number or name is there, that."""
    for one, other in ((old, new), _core(old, new)):
        if one and other and (pattern := _whole(one)).search(sentence):
            return pattern.sub(other.replace("\\", r"\\"), sentence)
    return None


def _core(old: str, new: str) -> tuple[str, str]:
    """What differs between two values: ``800`` and ``600`` of ``800 yuan`` and ``600 yuan``."""
    ones, others = ([text[slice(*span)] for span in tokens(text)] for text in (old, new))
    if len(ones) != len(others):
        return "", ""
    different = [(one, other) for one, other in zip(ones, others, strict=True) if one.casefold() != other.casefold()]
    return different[0] if len(different) == 1 else ("", "")


def _whole(words: str) -> re.Pattern[str]:
    """Finds words as whole ones, however they are spaced and written."""
    inner = r"\s+".join(re.escape(word) for word in words.split())
    # A number may touch its unit in scripts without blanks, on either side, but no other number.
    start, end = (_edge(words[0], before=True), _edge(words[-1], before=False))
    return re.compile(start + inner + end, re.IGNORECASE)


def _edge(sign: str, *, before: bool) -> str:
    """What must not stand beside a value that begins or ends with this sign."""
    if _UNSPACED.match(sign):
        return ""
    if sign.isdigit():
        return r"(?<![\dA-Za-z_])(?<!\d[.,])" if before else r"(?![\dA-Za-z_])(?![.,]\d)"
    return r"(?<!\w)" if before else r"(?!\w)"


def _restated(sentence: str, claim: Claim) -> str | None:
    """The sentence with the new value in the place of the one that stands there, where it is clear which that is."""
    wanted = subject_terms(claim)
    if not wanted or not set(wanted) <= set(analyze(sentence)):
        return None
    ones = [sentence[slice(*span)] for span in tokens(sentence)]
    others = [claim.statement[slice(*span)] for span in tokens(claim.statement)]
    folded = [[word.casefold() for word in words] for words in (ones, others)]
    steps = difflib.SequenceMatcher(None, folded[0], folded[1], autojunk=False).get_opcodes()
    swaps = [(a, b, c, d) for tag, a, b, c, d in steps if tag == "replace"]
    fresh = [claim.new[slice(*span)].casefold() for span in tokens(claim.new)]
    for start, end, first, last in swaps:
        told = folded[1][first:last]
        small = max(end - start, last - first) <= _LONGEST_VALUE
        # What goes on behind the old value stays: "in Paris with Eve" becomes "in Rome with Eve".
        until = min(end, start + last - first)
        if small and _lies_in(told, fresh) and _comparable(ones[start:until], others[first:last]):
            spans = tokens(sentence)
            value = claim.statement[tokens(claim.statement)[first][0] : tokens(claim.statement)[last - 1][1]]
            return sentence[: spans[start][0]] + value + sentence[spans[until - 1][1] :]
    return None


def _lies_in(words: Collection[str], value: Collection[str]) -> bool:
    return bool(words) and set(words) <= set(value)


def _comparable(ones: list[str], others: list[str]) -> bool:
    """Whether one value can stand for the other: a number for a number, words for words."""
    numbers = [any(kind_of(word) == "number" for word in words) for words in (ones, others)]
    return numbers[0] is numbers[1]
