"""What type checkers make of the public names of the store: mypy reads this module with the others, strictly."""

from __future__ import annotations

from typing import assert_type

import pytest

pytest.importorskip("langgraph.store.base")

from langgraph.store.base import BaseStore, Item, SearchItem

from memplug import Memory
from memplug.langchain import MemplugStore, decode_label, encode_label


def _used_as_a_base_store(store: BaseStore) -> list[tuple[str, ...]]:
    return store.list_namespaces(prefix=("users", "*"), max_depth=2)


def test_the_store_has_types() -> None:
    """It is a `BaseStore`, and nothing of it is `Any`."""
    with MemplugStore.open("memory://", embedder="hashing:64", ttl={"default_ttl": 5}, delete="hide") as store:
        assert_type(store, MemplugStore)
        assert_type(store.memory, Memory)
        store.put(("users", "wang"), "k", {"text": "tea"}, index=["text"], ttl=None)
        assert_type(store.get(("users", "wang"), "k"), Item | None)
        assert_type(store.search(("users",), query="tea", filter={"text": "tea"}), list[SearchItem])
        assert_type(store.sweep_ttl() + store.purge(), int)
        assert _used_as_a_base_store(store) == [("users", "wang")]
        beside = MemplugStore(store.memory, index={"dims": 64, "fields": ["text"]}, agent_id="beside")
        assert_type(beside, MemplugStore)
    assert_type(decode_label(encode_label("a.b")), str)


async def test_awaited_calls_have_types() -> None:
    """As those that are not awaited."""
    async with MemplugStore.open("memory://", embedder="hashing:64", index=False) as store:
        await store.aput(("users",), "k", {"v": 1})
        assert_type(await store.aget(("users",), "k"), Item | None)
        assert_type(await store.asearch(()), list[SearchItem])
