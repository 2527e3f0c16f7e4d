"""`MemplugChatMessageHistory`: LangChain's legacy history, whose messages come back to the letter."""

from __future__ import annotations

import asyncio
import base64
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from memplug import Memory
from memplug.exceptions import BackendError, MalformedInput, ScopeError
from memplug.langchain import MemplugChatMessageHistory
from scripted import calling, saying
from support import png

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = {"type": "image", "base64": base64.b64encode(png()).decode(), "mime_type": "image/png"}
MESSAGES: list[BaseMessage] = [
    SystemMessage("Be nice."),
    HumanMessage([{"type": "text", "text": "看 this \ud800"}, PICTURE], id="1", name="Bob"),
    calling("look", place="left"),
    ToolMessage([PICTURE], tool_call_id="call_1", artifact={"a": [1]}, status="error"),
    AIMessage(
        "A square.",
        response_metadata={"model": "x"},
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    ),
    HumanMessage(""),
]


def test_messages_round_trip_exactly(memory: Memory) -> None:
    """Tool calls, pictures, metadata, half a surrogate pair, an empty text; in their order, also the same twice."""
    history = MemplugChatMessageHistory(memory, "monday", user_id="u")
    history.add_messages(MESSAGES)
    history.add_messages(MESSAGES[-2:])
    assert history.messages == [*MESSAGES, *MESSAGES[-2:]]
    assert MemplugChatMessageHistory(memory, "tuesday", user_id="u").messages == []
    assert MemplugChatMessageHistory(memory, "monday", user_id="other").messages == []


def test_a_history_outlives_its_process_and_is_found(tmp_path: Path) -> None:
    """Its messages are memories like others, found by their words."""
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        MemplugChatMessageHistory(memory, "monday", user_id="u").add_messages(MESSAGES)
    with Memory(tmp_path / "store", embedder="hashing:64") as memory:
        assert MemplugChatMessageHistory(memory.scoped(user_id="u"), "monday").messages == MESSAGES
        assert memory.search("a square", user_id="u")[0].text == "A square."


def test_clear_forgets_the_conversation_alone(memory: Memory) -> None:
    """What else is remembered of it stays, and so do other conversations."""
    memory.add("I like tea", user_id="u", run_id="monday")
    monday, tuesday = (MemplugChatMessageHistory(memory, name, user_id="u") for name in ("monday", "tuesday"))
    monday.add_messages(MESSAGES)
    tuesday.add_user_message("hi")
    monday.clear()
    assert monday.messages == []
    assert [one.text for one in tuesday.messages] == ["hi"]
    assert [item.text for item in memory.get_all(user_id="u", run_id="monday")] == ["I like tea"]
    monday.messages = MESSAGES[:1]
    assert monday.messages == MESSAGES[:1]


def test_it_serves_runnables_with_history(memory: Memory) -> None:
    """LangChain's own legacy class sees the turns before; awaited, too."""
    from langchain_core.runnables.history import RunnableWithMessageHistory

    model = saying("Hello Wang.", "You are Wang.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain says that it is deprecated
        chain: Any = RunnableWithMessageHistory(
            model, lambda session_id: MemplugChatMessageHistory(memory, session_id, user_id="u")
        )
    config = {"configurable": {"session_id": "s"}}
    chain.invoke([HumanMessage("I am Wang.")], config)
    asyncio.run(chain.ainvoke([HumanMessage("Who am I?")], config))
    assert [one.text for one in model.asked[-1]] == ["I am Wang.", "Hello Wang.", "Who am I?"]
    assert len(asyncio.run(MemplugChatMessageHistory(memory, "s", user_id="u").aget_messages())) == 4


def test_what_could_not_be_read_again_is_refused(memory: Memory) -> None:
    """A class of a message that LangChain does not know must not make the whole conversation unreadable."""

    class Own(BaseMessage):
        type: str = "own"

    history = MemplugChatMessageHistory(memory, "monday", user_id="u")
    history.add_user_message("hi")
    with pytest.raises(MalformedInput, match="read such a message"):
        history.add_messages([Own(content="x")])
    assert [one.text for one in history.messages] == ["hi"]


def test_what_cannot_be_kept_is_refused(memory: Memory) -> None:
    """Bytes are no JSON, a session is one, and a damaged original is an error rather than another message."""
    history = MemplugChatMessageHistory(memory, "monday", user_id="u")
    with pytest.raises(MalformedInput, match="must be JSON"):
        history.add_messages([HumanMessage("x", additional_kwargs={"data": b"x"})])
    assert history.messages == []
    with pytest.raises(ScopeError):
        MemplugChatMessageHistory(memory, "monday", run_id="tuesday")
    # It would be all of the user's conversations, and clearing it would delete them.
    with pytest.raises(ScopeError, match="session_id"):
        MemplugChatMessageHistory(memory, None, user_id="u")  # type: ignore[arg-type]
    memory.add(
        b"no json", key="k", kind="blob", tags=["langchain-history"], user_id="u", run_id="monday", description="x"
    )
    with pytest.raises(BackendError, match="damaged"):
        _ = history.messages
