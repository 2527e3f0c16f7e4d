"""Any text as a label of a namespace, and back.

LangGraph refuses labels that are empty or hold a dot, so an e-mail address is none as it is; ``langgraph`` is no first
label, and ``*`` is a wildcard where namespaces are listed. What marks an escape is ``~``, since deepagents takes no
``%`` in a label.
"""

from __future__ import annotations

import re

_EMPTY = "~empty"
#: What is written otherwise; the mark of an escape too, so that the way back is clear.
_ESCAPES = {"~": "~7E", ".": "~2E", "\x00": "~00", "*": "~2A"}
_PLAIN = {escape: sign for sign, escape in _ESCAPES.items()}
_SIGN, _ESCAPE = re.compile(r"[~.\x00*]"), re.compile(r"~(?:7E|2E|00|2A|6C)")
_RESERVED = "langgraph"


def encode_label(text: str) -> str:
    """A label for any text, each for one text only: ``wang@example.com`` becomes ``wang@example~2Ecom``.

    What LangGraph takes as it is stays as it is, apart from ``~`` and ``*``.
    """
    if text == _RESERVED:
        return "~6C" + text[1:]
    return _SIGN.sub(lambda found: _ESCAPES[found[0]], text) or _EMPTY


def decode_label(label: str) -> str:
    """The text that `encode_label` made a label of."""
    if label == _EMPTY:
        return ""
    return _ESCAPE.sub(lambda found: _PLAIN.get(found[0], "l"), label)
