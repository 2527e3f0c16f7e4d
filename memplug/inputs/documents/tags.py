"""Takes markup apart into tags and text, in one pass whatever it looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Comments, declarations and elements whose content is no text. What is not closed goes to the end, as in browsers.
_NO_TEXT = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[|\]\]>|<[!?][^>]*(?:>|\Z)"
    r"|<(script|style|template|svg|iframe|object|canvas|audio|video|select|datalist)\b[^>]*(?:(?<=/)>|>.*?(?:</\1\s*>|\Z)|\Z)",
    re.IGNORECASE | re.DOTALL,
)
# Possessive, so that a tag that is none fails at once.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/<>]{0,60})((?:[^<>"']++|"[^"]*"|'[^']*')*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]{1,40})(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+)))?""")
_NAME = re.compile(r"/?([a-zA-Z][^\s/<>]{0,60})")
_TAG_START = re.compile(r"</?[a-zA-Z]")
#: Digits of a numeric character reference; no character has more.
_LONG_NUMBER = re.compile(r"&#(?:[xX][0-9a-fA-F]{7,}|[0-9]{8,});?")
#: An attribute's value is looked at as far as this; embedded pictures go on.
_VALUE = 2_000
#: Attributes of one tag that are looked at: from the first characters of it.
_ATTRIBUTES = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A run of text, or a tag.

    Args:
        text: The text, decoded; empty for a tag.
        name: The tag's name in lower case; empty for a text.
        closing: Whether it closes its element.
        attributes: By name, in lower case, decoded.
    """

    text: str = ""
    name: str = ""
    closing: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def tokens(markup: str) -> Iterator[Token]:
    """The texts and tags of markup, in order. What looks like a tag and is none is text."""
    markup = _NO_TEXT.sub(" ", markup)
    at, close = 0, -1
    while start := _TAG_START.search(markup, at):
        if close < start.start():
            # Looked for once for all tags before it: behind the last one there is no tag.
            close = markup.find(">", start.start())
            if close < 0:
                break
        if start.start() > at:
            yield Token(text=decoded(markup[at : start.start()]))
        at, token = _tag(markup, start.start(), close)
        yield token
    if at < len(markup):
        yield Token(text=decoded(markup[at:]))


def _tag(markup: str, at: int, close: int) -> tuple[int, Token]:
    """The tag that begins here, or else its first character as text; and where the next token begins."""
    found = _TAG.match(markup, at)
    if found is None:
        inner = markup[at + 1 : min(close, at + 1 + _ATTRIBUTES)]
        name = _NAME.match(inner)
        if name is None or "<" in inner:
            return at + 1, Token(text="<")
        return close + 1, Token(name=name[1].lower(), closing=inner.startswith("/"))
    said = dict(_attributes(found[3][:_ATTRIBUTES])) if found[3] and not found[1] else {}
    return found.end(), Token(name=found[2].lower(), closing=bool(found[1]), attributes=said)


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for found in _ATTRIBUTE.finditer(text):
        value = found[2] or found[3] or found[4] or ""
        yield found[1].lower(), decoded(value[:_VALUE])


def decoded(text: str) -> str:
    """Text with its character references decoded."""
    return unescape(_LONG_NUMBER.sub("\ufffd", text)) if "&" in text else text
