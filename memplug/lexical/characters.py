"""What a single character is: its script, and the form in which it is compared."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

#: Letters that Unicode does not take apart although people type them without their stroke or ligature, and
#: Arabic and Persian letters that are written for one another.
_SPELLINGS = {
    "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ё": "е",  # noqa: RUF001 - that is the point
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ئ": "ي", "ک": "ك", "ة": "ه", "ؤ": "و", "ـ": "",  # noqa: RUF001 - the same
}  # fmt: skip

#: Invisible characters inside words: soft hyphen, zero-width joiners and spaces, byte order mark, variation
#: selectors; and the skin tones of emoji, which nobody searches by.
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400)]
)
_PUNCTUATION = {0x2019: "'", 0x02BC: "'", 0x2010: "-", 0x2011: "-"}
_CLEANING = _INVISIBLE | _PUNCTUATION

#: First words of character names that are not yet a script's name.
_NAMES = {"CJK": "HAN", "IDEOGRAPHIC": "HAN", "HIRAGANA": "KANA", "KATAKANA": "KANA"}

#: Marks that writers leave out; elsewhere (Hindi, Thai) a mark is a vowel and stays.
_OPTIONAL_MARKS = ("COMBINING", "ARABIC", "HEBREW", "SYRIAC")
_NUKTA = "\N{DEVANAGARI SIGN NUKTA}"

#: Scripts written without blanks between words, or with endings glued on where a stemmer is no help (Korean).
UNSPACED = frozenset({"HAN", "KANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "BOPOMOFO", "REGIONAL"})
#: Of these, the ones where a single character is often a word.
WORDLIKE = frozenset({"HAN", "HANGUL"})
DIGIT = "DIGIT"
SYMBOL = "SYMBOL"
#: What lies between words.
GAP = ""


def folded(text: str) -> str:
    """The text in compatibility form, without case and invisible characters."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold().translate(_CLEANING))


@lru_cache(maxsize=65_536)
def character(char: str) -> tuple[str, str]:
    """The script and the compared form of one character of `folded` text.

    Returns:
        ``(script, form)``. The script is `DIGIT`, `SYMBOL` for emoji and pictures, `GAP`, or the first word of
        the character's Unicode name (``LATIN``); the form is empty where the character is left out.
    """
    category = unicodedata.category(char)
    if category == "Nd":
        return DIGIT, str(unicodedata.digit(char))
    name = unicodedata.name(char, "OTHER").split(" ")[0].split("-")[0]
    if category == "So":
        return name if name == "REGIONAL" else SYMBOL, char
    if category[0] not in "LMN":
        return GAP, char
    script = _NAMES.get(name, name)
    return script, _form(char, script, category)


def _form(char: str, script: str, category: str) -> str:
    if category[0] == "M":
        return "" if script in _OPTIONAL_MARKS or char == _NUKTA else char
    if char in _SPELLINGS:
        return _SPELLINGS[char]
    if script in {"LATIN", "GREEK"}:
        return "".join(part for part in unicodedata.normalize("NFD", char) if unicodedata.category(part)[0] != "M")
    return char
