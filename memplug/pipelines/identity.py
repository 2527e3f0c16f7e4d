"""When two inputs are the same memory.

Ids are derived, not drawn: the same content added again to the same scope, also by a retry after a crash or by
another process, arrives at the same id and is found to be there already.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from memplug.lexical.sameness import same_words
from memplug.values.extraction import FACT_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from memplug.values.draft import Draft
    from memplug.values.item import MemoryItem
    from memplug.values.scope import Scope
    from memplug.values.source import Provenance

#: Bytes of an id: 128 bits make a collision among 10^12 memories about as likely as 10^-15.
_ID_BYTES = 16


def media_digest(data: bytes) -> str:
    """SHA-256 of an original, as it names the file: 64 lowercase hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def draft_identity(draft: Draft) -> str:
    """Names the content of a draft; what describers saw in it is not part of that, since it may differ each time."""
    digest = media_digest(draft.media.data) if draft.media else None
    return _identity(draft.kind, draft.text, digest, draft.source, draft.occurred_at)


def item_identity(item: MemoryItem) -> str:
    """Names the content of a memory."""
    digest = item.media.digest if item.media else None
    return _identity(item.kind, item.text, digest, item.source, item.occurred_at)


def keyed_id(scope: Scope, key: str) -> str:
    """The id of the memory that a caller's key names inside exactly this scope."""
    return _digest([scope.ids, "key", key])


def content_id(scope: Scope, identity: str, occurrence: int) -> str:
    """The id of the n-th memory with this content in exactly this scope.

    ``occurrence`` tells apart a turn that one conversation holds several times ("Bye!"), and content that came
    back after its first memory was changed into something else.

    The other way round, content that a memory was changed *into* is no duplicate of it when it is added: a correction
    is said about one memory, and what somebody says in a conversation stays a turn of its own, with its own time and
    place. Who wants one memory that both lead to gives it a key. (To know it, each `add` would have to search the
    scope for its words, which costs more than the `add` itself.)
    """
    return _digest([scope.ids, "content", identity, occurrence])


def imported_id(scope: Scope, original: str) -> str:
    """The id that a memory from another scope gets when a scope imports it as its own; the same each time."""
    return _digest([scope.ids, "imported", original])


def piece_id(whole: str, piece: Draft, occurrence: int) -> str:
    """The id of a piece of a memory: the n-th one with these words in it, in every edition."""
    return _digest(["piece", whole, piece.kind, piece.text, occurrence])


def _identity(kind: str, text: str, digest: str | None, source: Provenance, occurred_at: datetime | None) -> str:
    """Who said which words when, and with which original.

    Tags, metadata and expiry are said *about* the content and are not part of it. Two people saying "yes" in
    one conversation are two memories; so is the same sentence said at two stated times.

    What was drawn from turns is no event of its own, but what somebody made of them, each time in other words: the same
    fact is one memory, however it is punctuated and whenever it was said; and so is the same event of one day.
    """
    when = occurred_at.isoformat() if occurred_at else None
    if source.derived_from and kind in FACT_KINDS:
        text = same_words(text) or text
        when = occurred_at.date().isoformat() if occurred_at and kind == "event" else None
    return _digest([kind, text, digest, source.role, source.speaker, source.tool_call, when])


def _digest(parts: Sequence[object]) -> str:
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=_ID_BYTES).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()
