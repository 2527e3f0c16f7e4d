"""What of a memory is searched: by words, and by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.lexical.analyzer import analyze

if TYPE_CHECKING:
    from collections.abc import Sequence


def search_text(
    item_text: str,
    *,
    context: str = "",
    speaker: str | None = None,
    key: str | None = None,
    tags: Sequence[str] = (),
    name: str = "",
) -> tuple[str, str]:
    """What a memory is found by.

    Labels are found word for word and stay out of the embedding, where they would pull all memories of one tag
    together; only a memory without any words of its own is embedded by them. A speaker's name is no word of what
    he says: measured, it finds nothing more (recall@10 0.806 with it, 0.802 without) and makes a question that
    names somebody read half a conversation. It counts where there are no other words.

    Args:
        item_text: The memory's words.
        context: More words to find it by, such as the text sent along with a picture.
        speaker: Who said it.
        key, tags: What the caller called it.
        name: File name.

    Returns:
        ``(terms, text)``: the analysed terms, separated by blanks, for `Record.terms`; the text to embed, blank
        where there is nothing to embed.
    """
    words = [part for part in (item_text, context) if part.strip()]
    labels = [part for part in (name, key, *tags, None if words else speaker) if part and part.strip()]
    terms = [term for part in (*words, *labels) for term in analyze(part)]
    return " ".join(terms), "\n".join(words or labels)
