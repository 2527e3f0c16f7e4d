"""Long-term memory as a block of LlamaIndex's `Memory`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from llama_index.core.base.llms.types import ChatMessage, ContentBlock, MessageRole, TextBlock
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.utils import get_tokenizer

from memplug.binding import AnyMemory, Binding, bind
from memplug.exceptions import InputRejected, MemplugError
from memplug.llamaindex.messages import calls_in, inputs_of, pictures_in, words_in
from memplug.llamaindex.pictures import Pictures, image_block, is_picture
from memplug.llamaindex.recall import recalled
from memplug.llamaindex.similar import NEAR, Sample, sample_at, sample_of
from memplug.llamaindex.wanted import Wanted, kinds_in, tags_all
from memplug.pipelines.identity import media_digest
from memplug.safety.quoting import QUOTING_RULE, origin_of, quoted
from memplug.safety.text import clean
from memplug.values.hit import Hit
from memplug.values.scope import SCOPE_FIELDS
from memplug.values.scoping import joined

log = logging.getLogger("memplug.llamaindex")

_HEADING = "From long-term memory, as far as it seems to belong to what is said next. " + QUOTING_RULE
#: Tokens of a picture, as `Memory.image_token_size_estimate` has them where nobody says otherwise.
_PICTURE_TOKENS = 256
#: How many more hits are asked for than wanted, for each message of the conversation: its own come up as well, and are
#: left out.
_EACH = 3


class MemplugMemoryBlock(BaseMemoryBlock[list[ChatMessage]]):
    """Recalls what belongs to the last thing that the user said, and remembers what is put.

    Recalled words come as one user message of quoted text, each memory with where it is from, and pictures behind
    their words. What still stands in the conversation itself is not repeated.

    Give it to `MemplugMemory`, which remembers each message at once. LlamaIndex's own `Memory` hands over messages
    only once a conversation is longer than its ``token_limit``, so that nothing of a short one is ever remembered.

    Args:
        memory: The memory, or a scoped view of one; then no ids are needed.
        user_id, agent_id, run_id, bucket: Whose memories. Recall goes over all conversations of the scope, and each
            message is remembered under its session as ``run_id``, unless the scope fixes one.
        buckets: Further buckets to recall from.
        top_k: Most memories at a time.
        kinds, tags, min_score: Which of them; as the arguments of `Memory.search`.
        pictures: Whether pictures come along, or only their words: for a model that cannot see.
        media_folder: Where copies of pictures are kept; without it they come under the path of the store's own file,
            or with their bytes.
        wait: As of `Memory.add`: False leaves slow steps, such as describing a picture, to the background.
        on_error: ``"log"`` lets a chat go on without its memory where that fails, and logs it; ``"raise"`` does not.
        name, description, priority, accept_short_term_memory: LlamaIndex's. With priority 0 recalled memories are
            never cut, also where there is no room for them; the higher, the sooner.

    Raises:
        ScopeError: No scope id.
    """

    name: str = Field(default="memplug", description="The name/identifier of the memory block.")
    description: str | None = Field(
        default="What is remembered of earlier conversations.", description="A description of the memory block."
    )
    priority: int = Field(default=1, description="Priority of this memory block (0 = never truncate).")
    memory: Any = Field(exclude=True, repr=False)
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None
    buckets: Collection[str] | None = None
    top_k: int = Field(default=5, ge=1)
    kinds: list[str] | None = None
    tags: list[str] | None = None
    min_score: float | None = None
    pictures: bool = True
    media_folder: str | Path | None = None
    wait: bool = True
    on_error: Literal["log", "raise"] = "log"

    _binding: Binding = PrivateAttr()
    _wanted: Wanted = PrivateAttr()
    _secret: bytes = PrivateAttr(default_factory=lambda: secrets.token_bytes(16))

    def __init__(self, memory: AnyMemory, **fields: Any) -> None:
        ids = {name: fields.get(name) for name in SCOPE_FIELDS}
        binding = bind(memory, buckets=fields.get("buckets"), **ids)
        fields["memory"] = memory
        super().__init__(**fields)
        limits = binding.memory.settings.limits
        self._binding = binding
        self._wanted = Wanted(
            top_k=self.top_k,
            near=NEAR,
            where=joined(kinds_in(self.kinds, limits), tags_all(self.tags, limits)),
            min_score=self.min_score,
        )

    async def _aget(self, messages: list[ChatMessage] | None = None, **block_kwargs: Any) -> list[ChatMessage]:
        """One message with what is recalled; none where nothing is."""
        try:
            return await asyncio.to_thread(self._recalled, messages or [], block_kwargs.get("session_id"))
        except MemplugError as error:
            self._failed("nothing was recalled", error)
            return []

    async def _aput(self, messages: list[ChatMessage]) -> None:
        """Remembers messages in one step."""
        try:
            await asyncio.to_thread(self._remember, messages)
        except MemplugError as error:
            self._failed(f"{len(messages)} messages were not remembered", error)

    async def atruncate(self, content: list[ChatMessage], tokens_to_truncate: int) -> list[ChatMessage] | None:
        """Leaves memories out, the one that fits least first; None where none is left.

        Args:
            content: What `aget` gave.
            tokens_to_truncate: How many tokens must go.
        """
        kept, left = [message.model_copy() for message in content], tokens_to_truncate
        count = get_tokenizer()
        while left > 0 and kept:
            *head, last = kept[-1].blocks
            left -= len(count(last.text)) if isinstance(last, TextBlock) else _PICTURE_TOKENS
            kept[-1].blocks = head
            if len(head) <= 1:  # the heading alone says nothing
                kept.pop()
        return kept or None

    def _recalled(self, messages: Sequence[ChatMessage], session: str | None) -> list[ChatMessage]:
        asked = next((message for message in reversed(messages) if message.role == MessageRole.USER), None)
        if asked is None:
            return []
        said = words_in(asked)[: self._binding.memory.settings.limits.query_length]
        sample = self._sample(asked)
        if not said.strip() and sample is None:
            return []
        wanted = Wanted(
            top_k=min(self.top_k + _EACH * len(messages), self._binding.memory.settings.limits.top_k),
            near=self._wanted.near,
            where=self._wanted.where,
            min_score=self._wanted.min_score,
        )
        hits = recalled(self._binding, said, wanted, sample=sample)
        said_in = self._conversation(session)
        hits = [hit for hit in _once(hits) if not _stands(hit, messages, said_in)][: self.top_k]
        return [ChatMessage(role=MessageRole.USER, blocks=self._shown(hits, said))] if hits else []

    def _shown(self, hits: Sequence[Hit], said: str) -> list[ContentBlock]:
        # One code for one question, however often an agent asks while it works on it: what a model was sent before
        # stays the same to the letter, and can be cached. Nobody outside knows the secret.
        code = hashlib.blake2b(said.encode(errors="replace"), key=self._secret, digest_size=8).hexdigest()
        folder = Path(self.media_folder) if self.media_folder is not None else None
        blocks: list[ContentBlock] = [TextBlock(text=_HEADING)]
        for hit in hits:
            origin = ", ".join((origin_of(hit.item.source, kind=hit.kind), f"{hit.item.created_at:%Y-%m-%d}"))
            blocks.append(TextBlock(text=quoted(hit.text.strip() or hit.item.name, origin=origin, boundary=code)))
            picture = Pictures(folder=folder).shown(self._binding, hit) if self.pictures else None
            if picture is not None:
                blocks.append(image_block(picture, hit.item.content_type))
        return blocks

    def _sample(self, message: ChatMessage) -> Sample | None:
        """The first picture of a message, where it is one that memplug can look at."""
        limits = self._binding.memory.settings.limits
        for picture in pictures_in(message):
            try:
                return sample_of(picture, limits) if isinstance(picture, bytes) else sample_at(picture, limits)
            except InputRejected as error:
                log.info("a picture in a message is not looked for: %s", error.code)
        return None

    def _remember(self, messages: Sequence[ChatMessage]) -> None:
        session = next((message.additional_kwargs.get("session_id") for message in messages), None)
        content = inputs_of(messages)
        if not content:
            return
        result = self._binding.view.add(content, wait=self.wait, run_id=self._conversation(session))
        for outcome in result.rejected:
            log.warning("a part of a message was not remembered: %s", outcome.error.code if outcome.error else "")

    def _conversation(self, session: object) -> str | None:
        """The ``run_id`` that messages are remembered under: the scope's, also of a view, or the session's."""
        return self._binding.view.scope.ids.get("run_id") or (str(session) if session else None)

    def _failed(self, what: str, error: MemplugError) -> None:
        if self.on_error == "raise":
            raise error
        log.error("%s: %s", what, error.code)


def _once(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without the words of a message that one of its pictures, among them too, is remembered by."""
    shown = {(hit.item.source.message, hit.text) for hit in hits if is_picture(hit.item)}
    return [hit for hit in hits if is_picture(hit.item) or (hit.item.source.message, hit.text) not in shown]


def _stands(hit: Hit, messages: Sequence[ChatMessage], session: str | None) -> bool:
    """Whether a memory is what was said in this conversation, as far as that is before the model anyway."""
    if session is None or hit.item.run_id != session:
        return False
    if is_picture(hit.item) and hit.item.media is not None:
        return any(_digest(picture) == hit.item.media.digest for one in messages for picture in pictures_in(one))
    if (call := hit.item.source.tool_call) is not None:
        return any(call in calls_in(one) for one in messages)
    said = {clean(block.text).strip() for one in messages for block in one.blocks if isinstance(block, TextBlock)}
    return hit.text.strip() in said


def _digest(picture: bytes | Path) -> str | None:
    try:
        return media_digest(picture if isinstance(picture, bytes) else picture.read_bytes())
    except OSError:
        return None
