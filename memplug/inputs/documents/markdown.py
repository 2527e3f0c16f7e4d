"""Markdown and MDX: headings, paragraphs, lists, tables, code and front matter, in the words that are written.

An own reader of blocks, and not markdown-it: what is wanted is where each block begins and ends, so emphasis and links
may stay as they are written, and this takes a quarter of its time and a tenth of its memory.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memplug.exceptions import MalformedInput
from memplug.inputs.documents.decoding import decode
from memplug.inputs.documents.gathering import Gatherer
from memplug.inputs.documents.html import gather as gather_html
from memplug.inputs.documents.inline import heading_words, without_markup
from memplug.inputs.documents.rows import row_text
from memplug.safety.front_matter import read_front_matter, split_front_matter
from memplug.safety.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.inputs.documents.reading import BlockKind, Reading
    from memplug.safety.front_matter import Value
    from memplug.values.limits import Limits

_QUOTE = re.compile(r" {0,3}(?:> ?)+")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^`]*)$")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*+\1){2,}+[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*+\|?[ \t]*$")
_PIPE = re.compile(r"(?<!\\)\|")
_HTML_BLOCK = re.compile(
    r" {0,3}</?(?:p|div|section|article|main|header|footer|aside|nav|details|summary|table|thead|tbody|tr|td|th|ul|ol"
    r"|li|dl|dt|dd|h[1-6]|center|figure|figcaption|blockquote|pre|script|style|iframe|hr|picture|video|form)\b",
    re.IGNORECASE,
)
_MODULE = re.compile(r"(?:import\s.*|export\s+(?:const|let|var|default|function|class|async|\{|\*).*)")
_COMMENT_END = "-->"


def read(data: bytes, limits: Limits, *, jsx: bool = False) -> Reading:
    """The blocks of a Markdown text.

    Args:
        data: The text.
        limits: ``document_characters``, and ``document_cells`` for its tables.
        jsx: Whether it is MDX: its imports and components are left out, and the text inside them stays.

    Raises:
        InputTooLarge: It has more characters or cells than are taken.
    """
    decoded = decode(data)
    gatherer = Gatherer(limits)
    gatherer.warn(decoded.warning)
    front, body = split_front_matter(clean(decoded.text))
    if front is not None:
        _take_front(front, gatherer)
    _Blocks(body.split("\n"), gatherer, jsx=jsx).read()
    return gatherer.reading()


def _take_front(front: str, gatherer: Gatherer) -> None:
    """Takes what the front matter says as words; as it is written, where it is no YAML."""
    try:
        said = read_front_matter(front)
    except MalformedInput as error:
        gatherer.warn(error.message)
        gatherer.add("paragraph", front, section="front matter")
        return
    title = said.get("title")
    gatherer.title = title if isinstance(title, str) else ""
    gatherer.add("paragraph", "\n".join(_said(said)), section="front matter")


def _said(value: dict[str, Value], path: str = "") -> Iterator[str]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _said(inner, f"{path}{name}.")
        else:
            words = inner if isinstance(inner, str) else ", ".join(_flat(inner))
            if words.strip():
                yield f"{path}{name}: {words}"


def _flat(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _said(value)
    else:
        for one in value:
            yield from _flat(one)


class _Blocks:
    """The lines of a text on their way into blocks."""

    def __init__(self, lines: list[str], gatherer: Gatherer, *, jsx: bool) -> None:
        self._lines = lines
        self._gatherer = gatherer
        self._jsx = jsx
        self._at = 0
        self._paragraph: list[str] = []
        self._kind: BlockKind = "paragraph"
        self._last_comment_end = max((n for n, line in enumerate(lines) if _COMMENT_END in line), default=-1)

    def read(self) -> None:
        """Goes through all lines. Each of the steps takes the line that it knows, and those that belong to it."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            quoted = _QUOTE.match(line)
            text = line[quoted.end() :] if quoted else line
            if not text.strip():
                self._end()
                self._at += 1
            elif not (
                self._fence(text, quoted=bool(quoted))
                or self._comment(text)
                or (self._jsx and self._module(text))
                or self._heading(text, quoted=bool(quoted))
                or self._underline(text)
                or self._table(text)
                or self._html(text)
                or self._indented(text)
            ):
                self._words(text)
        self._end()

    def _end(self) -> None:
        """Takes the paragraph or item that was open."""
        if self._paragraph:
            self._gatherer.add(self._kind, without_markup("\n".join(self._paragraph), jsx=self._jsx))
        self._paragraph, self._kind = [], "paragraph"

    def _fence(self, text: str, *, quoted: bool) -> bool:
        fence = _FENCE.match(text)
        if fence is None:
            return False
        self._end()
        self._at += 1
        indent = len(text) - len(text.lstrip())
        closing = re.compile(rf"[ \t]*{re.escape(fence[1][0])}{{{len(fence[1])},}}[ \t]*$")
        code = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            mark = _QUOTE.match(line) if quoted else None
            line = line[mark.end() :] if mark else line
            self._at += 1
            if closing.match(line):
                break
            code.append(line[indent:] if not line[:indent].strip() else line)
        self._gatherer.add("code", "\n".join(code))
        return True

    def _comment(self, text: str) -> bool:
        """Passes over a comment of its own lines; one without an end is text."""
        if not text.lstrip().startswith("<!--") or self._at > self._last_comment_end:
            return False
        self._end()
        while _COMMENT_END not in self._lines[self._at]:
            self._at += 1
        rest = self._lines[self._at].partition(_COMMENT_END)[2]
        self._at += 1
        if rest.strip():
            self._at -= 1
            self._lines[self._at] = rest
        return True

    def _module(self, text: str) -> bool:
        """Passes over MDX's imports and exports, up to the next blank line."""
        if self._paragraph or not _MODULE.match(text):
            return False
        while self._at < len(self._lines) and self._lines[self._at].strip():
            self._at += 1
        return True

    def _heading(self, text: str, *, quoted: bool) -> bool:
        found = _HEADING.match(text)
        if found is None:
            return False
        self._end()
        self._at += 1
        words = text[found.end() :].strip()
        bare = words.rstrip("#")
        words = heading_words(bare if not bare or bare[-1:].isspace() else words)
        if quoted:
            self._gatherer.add("paragraph", words)
        else:
            self._gatherer.heading(words, len(found[1]))
        return True

    def _underline(self, text: str) -> bool:
        """A line of ``===`` or ``---`` makes a heading of the one line before it; alone it is a rule."""
        found = _UNDERLINE.match(text)
        if found and len(self._paragraph) == 1 and self._kind == "paragraph":
            words, self._paragraph = heading_words(self._paragraph[0]), []
            self._gatherer.heading(words, 1 if found[1][0] == "=" else 2)
        elif not _RULE.match(text):
            return False
        self._end()
        self._at += 1
        return True

    def _table(self, text: str) -> bool:
        following = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
        if "|" not in text or "-" not in following or not _DELIMITERS.match(following) or "|" not in following:
            return False
        self._end()
        names = [heading_words(name) for name in _cells(text)]
        self._gatherer.cells(len(names))
        self._at += 2
        rows = 0
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            cells = [without_markup(cell, jsx=self._jsx) for cell in _cells(self._lines[self._at])]
            self._gatherer.cells(len(cells))
            self._gatherer.add("row", row_text(names, cells))
            self._at += 1
            rows += 1
        if not rows:
            self._gatherer.add("row", ", ".join(name for name in names if name))
        return True

    def _html(self, text: str) -> bool:
        """Takes the lines of an HTML block, up to the next blank one, as what they show."""
        if self._paragraph or not _HTML_BLOCK.match(text):
            return False
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].strip():
            self._at += 1
        gather_html("\n".join(self._lines[start : self._at]), self._gatherer)
        return True

    def _indented(self, text: str) -> bool:
        """Takes lines that are set in by four blanks as code, except in a list, where they go on with it."""
        if self._paragraph or not text.startswith(("    ", "\t")) or _ITEM.match(text) or self._is_in_list():
            return False
        code = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and not line.startswith(("    ", "\t")):
                break
            code.append(line[1:] if line.startswith("\t") else line[4:])
            self._at += 1
        self._gatherer.add("code", "\n".join(code))
        return True

    def _is_in_list(self) -> bool:
        return self._gatherer.last == "item"

    def _words(self, text: str) -> None:
        """Takes a line of a paragraph, or one that begins an item."""
        if _ITEM.match(text) and (self._kind == "item" or not self._paragraph or not text.lstrip()[0].isdecimal()):
            self._end()
            self._kind = "item"
        elif not self._paragraph and text[:1].isspace() and self._is_in_list():
            self._kind = "item"
        self._paragraph.append(text.rstrip())
        self._at += 1


def _cells(line: str) -> list[str]:
    line = line.strip()
    line = line.removeprefix("|")
    line = line[:-1] if line.endswith("|") and not line.endswith("\\|") else line
    return [cell.strip().replace("\\|", "|") for cell in _PIPE.split(line)]
