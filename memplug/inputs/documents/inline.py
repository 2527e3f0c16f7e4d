"""Marks inside a line of Markdown: which of them are no words."""

from __future__ import annotations

import re

#: Tags that may stand inside a line; ``List<String>`` is none.
_TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|br|center|cite|code|del|dfn|div|em|font|i|img|ins|kbd|mark|p|picture|q|s|samp|small|source"
    r"|span|strike|strong|sub|summary|sup|tt|u|var|wbr|details)\b[^<>]{0,2000}>",
    re.IGNORECASE,
)
_CODE = re.compile(r"(`[^`\n]+`)")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->|\{/\*.*?\*/\}", re.DOTALL)
#: A component of MDX, and what its attributes say to a reader.
_COMPONENT = re.compile(r"</?(?:[A-Z][\w.]*(?:\s[^<>]{0,4000})?/?|\s*)>")
_SAID = re.compile(
    r"""\b(?:title|label|alt|summary|description|caption|heading|name)\s*=\s*\{?\s*["'`]([^"'`]{1,1000})["'`]"""
)
#: A picture or file written into a link.
_EMBEDDED = re.compile(r"\(\s*data:[^\s()]*\s*\)|<data:[^\s<>]*>")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_ANCHOR = re.compile(r" ?\{#[\w:.-]*\}$")
_EMPHASIS = re.compile(r"\*\*|__|~~|`")
_STAR = re.compile(r"(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")


def without_markup(text: str, *, jsx: bool) -> str:
    """A text without comments, tags and embedded files; emphasis and links stay as they are written."""
    text = _without_comments(text)
    if "data:" in text:
        text = _EMBEDDED.sub("()", text)
    if "<" in text:
        text = "".join(piece if piece.startswith("`") else _without_tags(piece, jsx=jsx) for piece in _CODE.split(text))
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def _without_tags(text: str, *, jsx: bool) -> str:
    text = _TAG.sub("", _BREAK.sub("\n", text))
    return _COMPONENT.sub(lambda found: " ".join(_SAID.findall(found[0])), text) if jsx else text


def _without_comments(text: str) -> str:
    """Cut behind the last end first, so that beginnings without an end are not looked for one by one."""
    end = max(text.rfind("-->"), text.rfind("*/}")) + 3
    return _COMMENT.sub("", text[:end]) + text[end:] if end > 2 else text  # noqa: PLR2004 - none was found


def heading_words(text: str) -> str:
    """A heading without any marks, since it is shown in paths: ``## **Limits** {#limits}`` is "Limits"."""
    text = _LINK.sub(r"\1", _TAG.sub("", _without_comments(" ".join(text.split()))))
    return _STAR.sub("", _EMPHASIS.sub("", _ANCHOR.sub("", text))).strip()
