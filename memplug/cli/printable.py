"""Takes from a text its power over a terminal.

Text in a memory comes from anywhere: a web page, a tool, another user. A terminal obeys what it is shown: it moves
the cursor, sets its title, hides or reorders what follows. So whatever is shown goes through here first.
"""

from __future__ import annotations

import re

#: Controls (C0, C1, DEL), line separators, marks that reorder or hide text, and halves of characters. Joiners
#: (U+200C, U+200D) stay: Persian and emoji are written with them.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
#: Where Python's own escapes become longer.
_LATIN, _PLANE = 0xFF, 0xFFFF


def printable(text: str, *, lines: bool = False) -> str:
    """The text with everything that a terminal would obey written out as an escape.

    Args:
        text: Any text.
        lines: Keep line breaks and tabs; otherwise all white space is one blank, so that the result is one line.
    """
    if not lines:
        return written_out(" ".join(text.split()))
    return "\n".join(written_out(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n"))


def written_out(text: str) -> str:
    """The text with every unsafe character as an escape; blanks and everything else stay."""
    return UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= _LATIN:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _PLANE else f"\\U{code:08x}"
