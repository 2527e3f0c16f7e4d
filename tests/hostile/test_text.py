"""Text that means harm, and the size of texts."""

from __future__ import annotations

import time

import pytest

from memplug.exceptions import MalformedInput
from memplug.safety.media_type import sniff
from memplug.safety.text import clean, count_tokens, more_tokens_than


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        " two  blanks ",
        "tab\tline\r\nend",
        "你好",
        "e\u0301 stays decomposed",
        "👩‍👩‍👧",
        "a\u202eb",
        "\ufeffx",
        "\x85",
    ],
)
def test_a_users_words_stay_as_they_are(text: str) -> None:
    """Nothing is normalised, stripped or re-cased, whatever the script."""
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\0b", "ab"),
        ("\x01\x02\x07\x08\x0e\x1f\x7f", ""),
        ("page one\x0cpage two", "page one\npage two"),
        ("a\x0bb\x1cc\x1dd\x1ee", "a\nb\nc\nd\ne"),
        ("\x1b[31mError\x1b[0m: no", "Error: no"),
        ("\x1b]0;title\x07", "]0;title"),
    ],
)
def test_control_characters_are_taken_out(text: str, cleaned: str) -> None:
    """NUL and other controls go, page breaks become line ends, terminal colours go whole."""
    assert clean(text) == cleaned


@pytest.mark.parametrize("text", ["\ud83d", "a\udc00b", "\udc00\ud800", "ok \udcff"])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    """Text that cannot be written as UTF-8 is malformed, and the error says why."""
    with pytest.raises(MalformedInput, match="surrogate"):
        clean(text)


def test_a_split_surrogate_pair_is_joined() -> None:
    """Text from UTF-16 whose halves stand side by side is the character that was meant."""
    assert clean("smile \ud83d\ude00") == "smile 😀"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("words", 2),
        ("I am Wang, and I like spicy food.", 11),
        ("你好世界", 3),
        (" " * 80, 10),
        ("a" * 4000, 1000),
        ("\ud800" * 4, 3),
    ],
)
def test_tokens_follow_the_documented_rule(text: str, tokens: int) -> None:
    """One token per four bytes of a word, rounded up, and at least one per eight bytes of the whole."""
    assert count_tokens(text) == tokens


@pytest.mark.parametrize("text", ["a " * 50, "你好 " * 50, " " * 1000, "x" * 1000])
def test_a_limit_is_met_exactly(text: str) -> None:
    """A text of n tokens is within n and over n - 1."""
    tokens = count_tokens(text)
    assert not more_tokens_than(text, tokens)
    assert more_tokens_than(text, tokens - 1)


@pytest.mark.parametrize("text", ["The quick brown fox. ", "我喜欢吃辣的食物。", "a ", "\0\x1b[0m", "𐍈 "])
def test_large_texts_are_counted_and_cleaned_quickly(text: str) -> None:
    """Four megabytes of any script take under four tenths of a second of CPU each (10 MB/s)."""
    large = text * (4_000_000 // len(text.encode()))
    for work in (count_tokens, clean):
        started = time.process_time()
        work(large)
        assert time.process_time() - started < 0.4


@pytest.mark.parametrize("unit", [b"<!---->", b"<?xml?>", b"<!--", b"<!DOCTYPE svg>", b"\n\t "])
def test_sniffing_a_head_made_to_confuse_takes_no_time(unit: bytes) -> None:
    """A head full of comments or declarations has no exponential reading."""
    started = time.process_time()
    assert sniff(unit * 1000) is None
    assert time.process_time() - started < 0.05
