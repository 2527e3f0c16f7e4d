"""LlamaIndex's `Memory` with a long-term memory that is written at once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Self, cast

from llama_index.core.base.llms.types import ChatMessage, ContentBlock, MessageRole
from llama_index.core.bridge.pydantic import model_validator
from llama_index.core.memory import BaseMemoryBlock, Memory

from memplug.binding import AnyMemory
from memplug.llamaindex.block import MemplugMemoryBlock


class MemplugMemory(Memory):
    """The memory of a chat: the conversation itself, and all that memplug remembers.

        memory = MemplugMemory.from_memory(store, user_id="wang", session_id="monday")
        await FunctionAgent(llm=llm).run("what do I like?", memory=memory)

    Other than in LlamaIndex's `Memory`, a message is remembered when it is put, not when a conversation gets too long;
    recalled messages stand right before the user's last one, so that what precedes them stays the same from turn to
    turn and can be cached; and a question may be a whole message. A message is remembered before it becomes part of
    the conversation, once, and never twice: what is put again is known to be there. A reset forgets the conversation,
    not what is remembered of it.

    Other memory blocks work as they do in LlamaIndex.
    """

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "MemplugMemory"

    @classmethod
    def from_memory(
        cls,
        memory: AnyMemory,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        bucket: str | None = None,
        buckets: Collection[str] | None = None,
        top_k: int = 5,
        pictures: bool = True,
        media_folder: str | Path | None = None,
        memory_blocks: list[BaseMemoryBlock[Any]] | None = None,
        **settings: Any,
    ) -> Self:
        """The memory of one conversation.

        Args:
            memory: Where to remember.
            session_id: The conversation; it is the ``run_id`` of what is remembered of it. Left out, it is a new one.
            user_id, agent_id, bucket: Whose memories.
            buckets, top_k, pictures, media_folder: See `MemplugMemoryBlock`.
            memory_blocks: Further blocks.
            settings: What LlamaIndex's `Memory.from_defaults` takes, such as ``token_limit``. A ``chat_history`` given
                here is only part of the conversation; put what is to be remembered.

        Raises:
            ScopeError: No scope id.
        """
        block = MemplugMemoryBlock(
            memory,
            user_id=user_id,
            agent_id=agent_id,
            bucket=bucket,
            buckets=buckets,
            top_k=top_k,
            pictures=pictures,
            media_folder=media_folder,
        )
        blocks: list[BaseMemoryBlock[Any]] = [block, *(memory_blocks or [])]
        return cast("Self", cls.from_defaults(session_id=session_id, memory_blocks=blocks, **settings))

    @model_validator(mode="after")
    def _written_once(self) -> Self:
        """What was written when it was put is not written again when it falls out of the conversation."""
        self.memory_blocks = [
            block.model_copy(update={"accept_short_term_memory": False})
            if isinstance(block, MemplugMemoryBlock)
            else block
            for block in self.memory_blocks
        ]
        return self

    async def aput(self, message: ChatMessage) -> None:
        """Remembers a message and adds it to the conversation."""
        await self._write([message])
        await super().aput(message)

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """Remembers messages in one step and adds them to the conversation."""
        if messages:  # LlamaIndex's store fails on none
            await self._write(messages)
            await super().aput_messages(messages)

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Replaces the conversation; of the new one, what is not known yet is remembered."""
        await self._write(messages)
        await super().aset(messages)

    async def _write(self, messages: list[ChatMessage]) -> None:
        # Copies, because a block writes the session's id into the messages that it is given, for the model to see.
        copies = [one.model_copy(update={"additional_kwargs": dict(one.additional_kwargs)}) for one in messages]
        for block in self.memory_blocks:
            if isinstance(block, MemplugMemoryBlock) and copies:
                await block.aput(copies, session_id=self.session_id)

    async def _get_memory_blocks_content(
        self,
        chat_history: list[ChatMessage],
        input: str | ChatMessage | None = None,  # noqa: A002 - LlamaIndex's signature
        **block_kwargs: Any,
    ) -> dict[str, Any]:
        """LlamaIndex's, which hands a question to the blocks only where it is a text."""
        if isinstance(input, ChatMessage):
            chat_history, input = [*chat_history, input], None  # noqa: A001
        return await super()._get_memory_blocks_content(chat_history, input, **block_kwargs)

    def _insert_memory_content(
        self,
        chat_history: list[ChatMessage],
        memory_content: list[ContentBlock],
        chat_message_data: list[ChatMessage],
    ) -> list[ChatMessage]:
        """LlamaIndex's, which puts recalled messages before all others."""
        result: list[ChatMessage] = super()._insert_memory_content(chat_history, memory_content, [])
        place = max((at for at, one in enumerate(result) if one.role == MessageRole.USER), default=len(result))
        return [*result[:place], *chat_message_data, *result[place:]]
