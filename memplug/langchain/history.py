"""The messages of a conversation, for code that still uses LangChain's `RunnableWithMessageHistory`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Unpack
from uuid import uuid4

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langchain_core.runnables import run_in_executor

from memplug.binding import AnyMemory, bind
from memplug.exceptions import BackendError, MalformedInput, ScopeError
from memplug.langchain.messages import words_in
from memplug.values.filters import Compare
from memplug.values.item import MemoryItem
from memplug.values.scope import ScopeIds
from memplug.values.source import Source

#: Marks what is a message of a history; and the place of a message among those that were added with it.
_TAG, _PLACE = "langchain-history", "langchain_place"
_PAGE = 500
#: Characters of a message that it is found by.
_WORDS = 20_000
_TYPE = "application/json"
_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


class MemplugChatMessageHistory(BaseChatMessageHistory):
    """The messages of one conversation, as they were to the letter: tool calls, pictures, metadata and all.

        chain = RunnableWithMessageHistory(
            runnable, lambda session_id: MemplugChatMessageHistory(memory, session_id, user_id="wang")
        )

    LangChain itself calls this legacy: `BaseChatMessageHistory` and `RunnableWithMessageHistory` are deprecated and go
    with version 2.0. New programs use `create_agent` with a checkpointer for the conversation and `MemplugMiddleware`
    for long-term memory.

    Each message is one memory, found by its words, with the message itself as its original; it is no fact that a model
    draws, and pictures in it are not looked at.

    Args:
        memory: The memory, or a scoped view of one.
        session_id: The conversation; it is the ``run_id`` of its messages.
        user_id, agent_id, bucket: Whose conversation.

    Raises:
        ScopeError: The session has no id, or another one than the ``run_id`` of a view.
    """

    def __init__(self, memory: AnyMemory, session_id: str, **ids: Unpack[ScopeIds]) -> None:
        super().__init__()
        if session_id is None:
            # Else it would be all conversations of the user, and `clear` would delete them.
            raise ScopeError("a history must have a session_id")
        if ids.get("run_id") not in (None, session_id):
            raise ScopeError("the session is the run_id, and two different ones were given")
        given: Any = {**ids, "run_id": session_id}
        self._binding = bind(memory, **given)
        self.session_id = session_id

    @property
    def messages(self) -> list[BaseMessage]:
        """All messages, in the order in which they were added.

        Raises:
            BackendError: A message's original is damaged.
        """
        items = sorted(self._items(), key=lambda item: (item.created_at, item.metadata.get(_PLACE, 0)))
        return messages_from_dict([self._read(item) for item in items])

    @messages.setter
    def messages(self, messages: Sequence[BaseMessage]) -> None:
        self.clear()
        self.add_messages(messages)

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Adds messages behind those that are there.

        Raises:
            InputTooLarge: A message has more bytes than a blob may have; those before it are added.
            MalformedInput: A message holds what JSON cannot, such as bytes; base64 can be kept. Or it is of a type
                that LangChain cannot read again.
        """
        for place, message in enumerate(messages):
            source = Source(data=_written(message), media_type=_TYPE, name=f"{message.type}.json")
            self._binding.view.add(
                {"role": _ROLES.get(message.type, "user"), "content": [source]},
                key=f"langchain:{uuid4().hex}",
                kind="blob",
                tags=[_TAG],
                metadata={_PLACE: place},
                description=_findable(message),
                infer=False,
            )

    def clear(self) -> None:
        """Deletes the messages of the conversation, and nothing else that is remembered of it."""
        for item in list(self._items()):
            self._binding.view.delete(item.id)

    async def aget_messages(self) -> list[BaseMessage]:
        """All messages, read in a worker thread."""
        return await run_in_executor(None, lambda: self.messages)

    def _items(self) -> Iterator[MemoryItem]:
        cursor: str | None = None
        size = min(_PAGE, self._binding.memory.settings.limits.top_k)
        while True:
            page = self._binding.view.get_all(filters=Compare("tags", "contains", _TAG), limit=size, cursor=cursor)
            yield from page
            cursor = page.cursor
            if cursor is None:
                return

    def _read(self, item: MemoryItem) -> dict[str, Any]:
        if item.media is None:
            raise BackendError(f"the message {item.id} has no original")
        with self._binding.open_media(item.media.digest) as file:
            data = file.read()
        try:
            found: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise BackendError(f"the original of the message {item.id} is damaged") from error
        return found


def _findable(message: BaseMessage) -> str:
    """The words that a message is found by; all of them, to the letter, are in the original."""
    return words_in(message)[:_WORDS] or message.type


def _written(message: BaseMessage) -> bytes:
    try:
        written = message_to_dict(message)
        data = json.dumps(written).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedInput(f"a message that is to be kept must be JSON: {error}") from error
    try:
        # One that could not be read again would make the whole conversation unreadable.
        messages_from_dict([written])
    except ValueError as error:
        raise MalformedInput(f"LangChain cannot read such a message again: {error}") from error
    return data
