"""Words without their endings, by the script they are written in."""

from __future__ import annotations

from functools import cache, lru_cache
from threading import Lock
from typing import Protocol

from memplug.lexical.irregular import BASE_FORMS

#: One language for each script. A text's language is not guessed: a short question and the memory that answers
#: it must come out alike, and English endings do little harm to other Latin words.
_LANGUAGES = {
    "LATIN": "english",
    "CYRILLIC": "russian",
    "GREEK": "greek",
    "ARABIC": "arabic",
    "DEVANAGARI": "hindi",
    "TAMIL": "tamil",
    "ARMENIAN": "armenian",
}
#: Snowball's stemmers keep the word they are at in themselves, so two threads would mix their words.
_lock = Lock()


class Stemmer(Protocol):
    """The part of Snowball's stemmers that is used here."""

    def stemWord(self, word: str) -> str:  # noqa: N802 - Snowball's name
        """The word without its ending."""


@cache
def _stemmer(script: str) -> Stemmer | None:
    import snowballstemmer

    language = _LANGUAGES.get(script)
    return snowballstemmer.stemmer(language) if language else None


@lru_cache(maxsize=131_072)
def stem(word: str, script: str) -> str:
    """The stem of one folded word, or the word where its script has no stemmer."""
    if script == "LATIN":
        word = BASE_FORMS.get(word, word)
    with _lock:
        stemmer = _stemmer(script)
        return (stemmer.stemWord(word) if stemmer else word) or word
