"""What is recalled for a question, as content of a message."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

from memplug.langchain.messages import last_question, standing_in, words_in
from memplug.langchain.pictures import is_picture, picture_block
from memplug.pipelines.packing import packed
from memplug.safety.quoting import QUOTING_RULE
from memplug.scoped import ScopedMemory
from memplug.values.context import Context
from memplug.values.hit import Hit
from memplug.values.limits import Limits

HEADING = "From long-term memory, as far as it seems to belong to what the user says next. " + QUOTING_RULE
#: How many more hits are asked for than wanted, for each message of the conversation: its own come up as well, and are
#: left out. And how many at most.
_EACH, _MOST = 3, 100
#: Most pictures that a model is shown at once: each costs as much as a page of text.
_PICTURES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalling:
    """How memories are recalled for a model.

    Args:
        limits: The memory's.
        top_k: Most memories at a time.
        budget_tokens: Most tokens of their text.
        kinds, tags, filters, min_score: Which of them; as the arguments of `Memory.search`.
        secret: What makes the codes of quotations, so that nobody outside can know one.
    """

    limits: Limits
    top_k: int
    budget_tokens: int
    kinds: Collection[str] | None = None
    tags: Collection[str] | None = None
    filters: Mapping[str, Any] | None = None
    min_score: float | None = None
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    def recalled(self, view: ScopedMemory, messages: Sequence[BaseMessage], conversation: str | None) -> Context:
        """What belongs to the last thing that the user said and does not stand in the conversation.

        For the same question it is the same text to the letter, however often an agent asks while it works on it, as
        long as the memories are the same: what a model was sent before can be cached.

        Args:
            view: Where to look.
            messages: The conversation.
            conversation: Its id.

        Raises:
            MemplugError: See `Memory.search`.
        """
        at = last_question(messages)
        said = words_in(messages[at])[: self.limits.query_length] if at is not None else ""
        if at is None or not said.strip():
            return Context(text="")
        found = view.search(
            said,
            top_k=min(self.top_k + _EACH * len(messages), max(self.top_k, _MOST), self.limits.top_k),
            kinds=self.kinds,
            tags=self.tags,
            filters=self.filters,
            min_score=self.min_score,
        )
        new = self._new(_once(found), messages, conversation)[: self.top_k]
        named = f"{messages[at].id}\n{said}".encode(errors="replace")
        code = hashlib.blake2b(named, key=self.secret, digest_size=8).hexdigest()
        return packed(new, self.budget_tokens, boundary=code)

    def blocks(self, context: Context) -> list[dict[str, Any]]:
        """The text and the pictures of what was recalled; each picture stands behind the number of its memory."""
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text_of(context)}]
        for number, hit in enumerate(context.hits, 1):
            picture = picture_block(hit, self.limits.model_image_side) if len(blocks) <= 2 * _PICTURES else None
            if picture is not None:
                blocks += [{"type": "text", "text": f"The picture of [{number}]:"}, picture]
        return blocks

    def _new(self, hits: Sequence[Hit], messages: Sequence[BaseMessage], conversation: str | None) -> list[Hit]:
        """The hits without what stands in the conversation."""
        standing = standing_in(messages)

        def stands(hit: Hit) -> bool:
            item = hit.item
            if is_picture(hit) and item.media is not None:
                return item.media.digest in standing.pictures
            if item.source.tool_call is not None:
                # Servers use one id in many conversations.
                return item.source.tool_call in standing.calls and item.run_id == conversation
            return item.text.strip() in standing.texts

        return [hit for hit in hits if not stands(hit)]


def text_of(context: Context) -> str:
    """What was recalled as one text, with the rule for quoted material above it."""
    return f"{HEADING}\n\n{context.text}"


def _once(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without the words of a message that one of its pictures, among them too, is remembered by."""
    shown = {(hit.item.source.message, hit.text) for hit in hits if is_picture(hit)}
    return [hit for hit in hits if is_picture(hit) or (hit.item.source.message, hit.text) not in shown]
