"""Which of the text formats a text has."""

from __future__ import annotations

import re

from memplug.inputs.documents.decoding import peek
from memplug.safety.media_type import sniff

#: How much of a text is looked at.
_HEAD = 65_536
_XML = re.compile(r"\s*<\?xml\b|\s*<(?:rss|feed|svg|urlset|opml|plist)\b", re.IGNORECASE)
_HTML = re.compile(
    r"\s*(?:<!--.{0,2000}?-->\s*)?+<(?:head|body|div|p|table|h[1-6]|ul|article|section|span)\b[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
#: An array or an object, by its first two tokens: ``[INFO]`` and ``{name}`` are none.
_JSON = re.compile(
    r'\s*(?:\{\s*(?:"(?:[^"\\\n]|\\.){0,200}"\s*:|\})|\[\s*(?:["{\[\]]|-?\d[\d.eE+-]*\s*[,\]]|(?:true|false|null)\s*[,\]]))'
)
_JSON_LINE = re.compile(r'\{\s*"(?:[^"\\\n]|\\.){0,200}"\s*:[^\n]*\}\s*')
_MARKDOWN = re.compile(r"^#{1,6} \S[^\n]*\n\s*\n|^(?:```|~~~)\w*\s*$|^\|?(?:\s*:?-{3,}:?\s*\|)+", re.MULTILINE)
#: Formats whose text looks like any other: what is said of a file decides.
_SAID = frozenset({"md", "mdx", "csv", "tsv", "json", "jsonl", "xml", "html", "txt"})
_TABLE_LINES = 3


def guess(data: bytes, said: str | None) -> str:
    """The format of a text.

    A page and a feed say themselves what they are. For the others it counts what is said of them, and what they look
    like where nothing is.

    Args:
        data: The whole text.
        said: The format that it is said to have; one that is no text, or None, says nothing.
    """
    head = peek(data[:_HEAD]).replace("\r\n", "\n")
    kind = sniff(head.encode("utf-8", "replace"))
    if kind is not None and kind.content_type == "text/html":
        return "html"
    if said in _SAID and said != "xml":
        return _contradicted(head, said) or said
    return _looks(head) if said is None or said not in _SAID else "xml"


def _contradicted(head: str, said: str) -> str | None:
    """What a text is that is plainly something else than is said."""
    return "xml" if said not in {"html", "txt"} and head.lstrip().startswith("<?xml") else None


def _looks(head: str) -> str:
    """What a text looks like of which nothing is known."""
    if _XML.match(head):
        return "xml"
    if _HTML.match(head):
        return "html"
    lines = [line for line in head.split("\n", 50)[:50] if line.strip()]
    if len(lines) > 1 and all(_JSON_LINE.fullmatch(line) for line in lines[:2]):
        return "jsonl"
    if _JSON.match(head):
        return "json"
    if not head.startswith("#!") and _MARKDOWN.search(head):
        return "md"
    return "tsv" if _tabbed(lines) else "txt"


def _tabbed(lines: list[str]) -> bool:
    """Whether each line has the same columns between tabs. Commas prove nothing, since prose has them too."""
    tabs = {line.count("\t") for line in lines[:-1]}
    return len(lines) > _TABLE_LINES and len(tabs) == 1 and tabs != {0}
