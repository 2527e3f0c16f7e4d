"""What a store for LangGraph must do with single items and batches."""

# ruff: noqa: S101, PLR2004 - tests assert, and numbers are their point
from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from memplug.testing.store_case import StoreCase

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore, Op

HERE = ("users", "wang")
#: Values that a careless store changes: types, order, signs, sizes.
VALUES: list[dict[str, Any]] = [
    {},
    {"b": 1, "a": 2, "": 3},
    {"yes": True, "one": 1, "float": 1.0, "none": None, "text": "1"},
    {"numbers": [0, -0.0, 1e-300, 1.5e300, 2**53 + 1, -(2**63), 0.1 + 0.2]},
    {"signs": "line\nline\ttab \x00 \u2028 \\ \" ' é e\u0301 用户 🦊 \U0010ffff"},
    {"a.b": {"$gt": 1}, "$": "dollar", "nested": {"list": [[], {}, [{"deep": [None]}]]}},
    {"long": "x" * 100_000},
    {"wide": {f"key {number}": number for number in range(3_000)}},
]
_DEEP: dict[str, Any] = {}
for _ in range(40):
    _DEEP = {"in": [_DEEP]}
VALUES.append(_DEEP)
KEYS = ["a b", "a/b.md", "..", "ключ", "x' OR '1'='1", "%", "🦊", "k" * 500, "None", "0"]
NO_VALUES: list[Any] = [
    {"bytes": b"abc"},
    {"deep": [{"set": {1}}]},
    {"object": object()},
    {"nan": float("nan")},
    {"infinite": [float("inf")]},
    {"half": "\ud800"},
    {1: "a number as key"},
]
BAD_LABELS: list[Any] = [("foo.bar",), ("foo", ""), ("foo", 1), (".",), (None,)]


class ItemsContract(StoreCase):
    """Single items."""

    def test_an_item_comes_back(self, store: BaseStore) -> None:
        """With its value, key, namespace, and times that know their zone."""
        store.put(HERE, "food", {"likes": "spicy"})
        item = store.get(HERE, "food")
        assert isinstance(item, Item)
        assert (item.namespace, item.key, item.value) == (HERE, "food", {"likes": "spicy"})
        assert isinstance(item.namespace, tuple)
        assert item.created_at <= item.updated_at
        assert item.created_at.utcoffset() == item.updated_at.utcoffset() == timedelta(0)

    def test_what_is_not_there_is_none(self, store: BaseStore) -> None:
        """Another key, a namespace above, below or beside."""
        store.put(HERE, "food", {})
        places = [(HERE, "foo"), (("users",), "food"), ((*HERE, "x"), "food"), (("users", "li"), "food")]
        assert [store.get(*place) for place in places] == [None] * 4

    @pytest.mark.parametrize("value", VALUES)
    def test_values_come_back_exactly(self, store: BaseStore, value: dict[str, Any]) -> None:
        """Types, order and every sign, by `get` and by `search`."""
        store.put(HERE, "k", value)
        item = store.get(HERE, "k")
        assert item is not None
        # As text, 1, 1.0 and True differ, and so do orders.
        assert json.dumps(item.value) == json.dumps(value)
        assert [json.dumps(found.value) for found in store.search(HERE)] == [json.dumps(value)]

    @pytest.mark.parametrize("value", NO_VALUES)
    def test_what_json_cannot_hold_is_refused(self, store: BaseStore, value: Any) -> None:
        """And what was there stays."""
        store.put(HERE, "k", {"v": 1})
        with pytest.raises(self.refusals):
            store.put(HERE, "k", value)
        with pytest.raises(self.refusals):
            store.batch([PutOp(HERE, "other", {"v": 2}), PutOp(HERE, "k", value)])
        assert [(item.key, item.value) for item in store.search(HERE)] == [("k", {"v": 1})]

    @pytest.mark.parametrize("key", KEYS)
    def test_keys_are_any_text(self, store: BaseStore, key: str) -> None:
        """None is taken for a pattern or for another one."""
        store.put(HERE, key, {"v": 1})
        store.put(HERE, "decoy", {"v": 2})
        item = store.get(HERE, key)
        assert item is not None
        assert (item.key, item.value) == (key, {"v": 1})
        store.delete(HERE, key)
        assert store.get(HERE, key) is None
        assert store.get(HERE, "decoy") is not None

    def test_a_put_replaces(self, store: BaseStore) -> None:
        """The new value alone counts; nothing of the old one is merged in."""
        store.put(HERE, "k", {"a": 1, "b": {"c": 2}})
        store.put(HERE, "k", {"b": {"d": 3}})
        item = store.get(HERE, "k")
        assert item is not None
        assert item.value == {"b": {"d": 3}}
        assert len(store.search(HERE)) == 1

    def test_when_it_was_made_stays(self, store: BaseStore) -> None:
        """An update leaves `created_at` and moves `updated_at` on."""
        store.put(HERE, "k", {"v": 1})
        first = store.get(HERE, "k")
        store.put(HERE, "k", {"v": 2})
        second = store.get(HERE, "k")
        assert first is not None
        assert second is not None
        assert second.created_at == first.created_at
        assert second.updated_at >= first.updated_at
        [found] = store.search(HERE)
        assert (found.created_at, found.updated_at) == (second.created_at, second.updated_at)

    def test_deleted_is_gone(self, store: BaseStore) -> None:
        """From `get`, `search` and the listing; deleting it again does nothing."""
        store.put(HERE, "k", {"v": 1})
        store.put(("others",), "k", {"v": 2})
        for _ in range(2):
            store.delete(HERE, "k")
            assert store.get(HERE, "k") is None
            assert store.search(HERE) == []
            assert store.list_namespaces() == [("others",)]

    def test_made_anew_after_a_deletion(self, store: BaseStore) -> None:
        """Nothing of the deleted one is left, not even its age."""
        store.put(HERE, "k", {"a": 1})
        first = store.get(HERE, "k")
        store.delete(HERE, "k")
        store.put(HERE, "k", {"b": 2})
        second = store.get(HERE, "k")
        assert first is not None
        assert second is not None
        assert second.value == {"b": 2}
        assert second.created_at > first.created_at

    def test_one_key_in_many_namespaces(self, store: BaseStore) -> None:
        """Each is an item of its own."""
        places = [("a",), ("a", "b"), ("b",), ("a", "b", "c"), ("ab",)]
        for number, place in enumerate(places):
            store.put(place, "k", {"v": number})
        store.delete(("a", "b"), "k")
        found = [store.get(place, "k") for place in places]
        assert [item and item.value["v"] for item in found] == [0, None, 2, 3, 4]

    def test_values_are_copies(self, store: BaseStore) -> None:
        """Neither changing what was put nor changing what came back changes what is stored."""
        value: dict[str, Any] = {"list": [1], "in": {"a": 1}}
        store.put(HERE, "k", value)
        value["list"].append(2)
        for item in (store.get(HERE, "k"), *store.search(HERE)):
            assert item is not None
            item.value["in"]["a"] = 3
            item.value["more"] = True
        item = store.get(HERE, "k")
        assert item is not None
        assert item.value == {"list": [1], "in": {"a": 1}}

    @pytest.mark.parametrize("namespace", [(), ("langgraph",), ("langgraph", "x"), *BAD_LABELS])
    def test_namespaces_that_cannot_be(self, store: BaseStore, namespace: Any) -> None:
        """Nothing can be put there, neither alone nor asynchronously."""
        with pytest.raises(InvalidNamespaceError):
            store.put(namespace, "k", {})
        with pytest.raises(InvalidNamespaceError):
            asyncio.run(store.aput(namespace, "k", {}))
        assert store.search(()) == []


class BatchesContract(StoreCase):
    """Several operations at once."""

    def test_results_are_in_order(self, store: BaseStore) -> None:
        """Whatever the order of the operations, and from any iterable of them."""
        store.put(HERE, "a", {"v": 1})
        ops: list[Op] = [
            ListNamespacesOp(),
            GetOp(HERE, "missing"),
            SearchOp(("users",)),
            PutOp(HERE, "b", {"v": 2}),
            GetOp(HERE, "a"),
            SearchOp(("nowhere",)),
            PutOp(HERE, "c", None),
            GetOp(HERE, "a"),
        ]
        for batch in (ops, iter(ops), tuple(reversed(ops))):
            found = store.batch(batch)
            found = found[::-1] if isinstance(batch, tuple) else found
            assert found[0] == [HERE]
            assert [found[place] for place in (1, 3, 5, 6)] == [None, None, [], None]
            assert "a" in [item.key for item in cast("list[Any]", found[2])]
            assert [cast("Item", found[place]).value for place in (4, 7)] == [{"v": 1}] * 2
        assert store.batch([]) == []

    def test_reads_see_what_was_before(self, store: BaseStore) -> None:
        """The writes of a batch come after its reads, and are there for the next one."""
        store.put(HERE, "k", {"v": 1})
        found = store.batch([PutOp(HERE, "k", {"v": 2}), GetOp(HERE, "k"), PutOp(HERE, "n", {}), GetOp(HERE, "n")])
        assert cast("Item", found[1]).value == {"v": 1}
        assert found[3] is None
        found = store.batch([PutOp(HERE, "k", None), SearchOp(HERE), GetOp(HERE, "k")])
        assert len(cast("list[Any]", found[1])) == 2
        assert cast("Item", found[2]).value == {"v": 2}
        assert store.get(HERE, "k") is None

    def test_the_last_write_wins(self, store: BaseStore) -> None:
        """Of several under one key; a deletion is one, too."""
        store.put(HERE, "there", {"v": 0})
        ops = [
            *(PutOp(HERE, "k", {"v": number}) for number in range(5)),
            PutOp(HERE, "gone", {"v": 1}),
            PutOp(HERE, "gone", None),
            PutOp(HERE, "there", None),
            PutOp(HERE, "there", {"v": 9}),
            PutOp(("users", "li"), "k", {"v": 7}),
        ]
        assert store.batch(ops) == [None] * len(ops)
        found = {(item.namespace, item.key): item.value["v"] for item in store.search(())}
        assert found == {(HERE, "k"): 4, (HERE, "there"): 9, (("users", "li"), "k"): 7}

    def test_many_at_once(self, store: BaseStore) -> None:
        """Hundreds of puts, gets and deletions of one batch all count."""
        store.batch([PutOp(("n", str(number % 7)), f"k{number}", {"v": number}) for number in range(300)])
        found = store.batch([GetOp(("n", str(number % 7)), f"k{number}") for number in range(300)])
        assert [cast("Item", item).value["v"] for item in found] == list(range(300))
        store.batch([PutOp(("n", str(number % 7)), f"k{number}", None) for number in range(0, 300, 2)])
        assert len(store.search((), limit=1_000)) == 150

    @pytest.mark.parametrize("labels", BAD_LABELS)
    @pytest.mark.parametrize("kind", ["get", "put", "delete", "search", "prefix", "suffix"])
    def test_one_bad_label_refuses_the_batch(self, store: BaseStore, labels: Any, kind: str) -> None:
        """Nothing of it is done, and no label reaches another namespace."""
        store.put(("foo", "bar"), "k", {"v": 1})
        bad: dict[str, Op] = {
            "get": GetOp(labels, "k"),
            "put": PutOp(labels, "k", {"v": 2}),
            "delete": PutOp(labels, "k", None),
            "search": SearchOp(labels),
            "prefix": ListNamespacesOp((MatchCondition("prefix", labels),)),
            "suffix": ListNamespacesOp((MatchCondition("suffix", labels),)),
        }
        for batch in ([PutOp(("new",), "k", {}), bad[kind]], [bad[kind], PutOp(("new",), "k", {})]):
            with pytest.raises(InvalidNamespaceError):
                store.batch(batch)
            with pytest.raises(InvalidNamespaceError):
                asyncio.run(store.abatch(batch))
        assert [(item.namespace, item.value) for item in store.search(())] == [(("foo", "bar"), {"v": 1})]

    def test_async_is_the_same(self, store: BaseStore) -> None:
        """Every method has its awaited twin, over the same items."""

        async def use() -> None:
            await store.aput(HERE, "k", {"v": 1})
            item = await store.aget(HERE, "k")
            assert item is not None
            assert item.value == {"v": 1}
            assert [one.key for one in await store.asearch(("users",), filter={"v": 1})] == ["k"]
            assert await store.alist_namespaces(prefix=("users",)) == [HERE]
            assert await store.abatch([GetOp(HERE, "k"), GetOp(HERE, "x")]) == [item, None]
            await store.adelete(HERE, "k")
            assert await store.aget(HERE, "k") is None

        asyncio.run(use())
        assert store.search(()) == []
