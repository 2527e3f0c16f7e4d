"""`memplug.langchain` against what nobody means: a blank user, a text for a namespace, a picture that is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.store.base import GetOp, SearchOp

from memplug import Memory
from memplug.exceptions import ScopeError
from memplug.langchain import MemplugMiddleware, MemplugStore
from scripted import saying

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> Iterator[Memory]:
    """A memory without files."""
    with Memory("memory://", embedder="hashing:256") as opened:
        yield opened


def test_an_empty_user_is_not_all_users_of_an_agent(store: Memory) -> None:
    """Where an agent's id is fixed, a blank id in the context must not leave the memories of everybody it talked to."""
    store.add("Bob's code is 4711.", user_id="bob", agent_id="bot")
    model = saying("ok")
    made = create_agent(model, [], middleware=[MemplugMiddleware(store, agent_id="bot", tools=True)])
    for context in ({"user_id": ""}, SimpleNamespace(user_id="")):
        with pytest.raises(ScopeError, match="user_id"):
            made.invoke({"messages": [HumanMessage("what is the code?")]}, context=context)
    assert model.asked == []


def test_a_text_is_no_namespace(store: Memory) -> None:
    """Its letters would be the labels, and ``"ann"`` would find what is kept for ``"anna"``."""
    kept = MemplugStore(store)
    with pytest.raises(ScopeError, match="tuple of labels"):
        kept.put("anna", "k", {"secret": 1})  # type: ignore[arg-type]
    kept.put(tuple("anna"), "k", {"secret": 1})
    for op in (SearchOp("ann"), GetOp("anna", "k"), SearchOp(None)):  # type: ignore[arg-type]
        with pytest.raises(ScopeError, match="tuple of labels"):
            kept.batch([op])


def test_a_picture_that_is_no_base64_costs_only_itself(store: Memory, caplog: pytest.LogCaptureFixture) -> None:
    """Not even ASCII: what belongs to the question is recalled all the same, and the words are remembered."""
    store.add("Wang likes green tea.", user_id="wang")
    model = saying("ok")
    broken = {"type": "image", "base64": "é", "mime_type": "image/png"}
    made = create_agent(model, [], middleware=[MemplugMiddleware(store, on_error="raise")])
    asked = HumanMessage([{"type": "text", "text": "which tea?"}, broken])
    made.invoke({"messages": [asked]}, context={"user_id": "wang"})
    assert "Wang likes green tea." in model.asked[0][0].text
    texts = [item.text for item in reversed(list(store.get_all(user_id="wang")))]
    assert texts == ["Wang likes green tea.", "which tea?", "ok"]
    assert "a part of a message was not remembered" in caplog.text
