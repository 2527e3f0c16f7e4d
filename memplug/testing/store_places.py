"""What a store for LangGraph must do with namespaces and filters."""

# ruff: noqa: S101, PLR2004 - tests assert, and numbers are their point
from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from langgraph.store.base import ListNamespacesOp, MatchCondition, PutOp, SearchOp

from memplug.testing.store_case import PATTERNS, StoreCase, keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.store.base import BaseStore

TREE = [
    ("app", "docs", "public"),
    ("app", "docs", "private"),
    ("app", "images", "public"),
    ("app", "docs", "some", "nesting", "public"),
    ("app",),
    ("prod", "docs", "public"),
    ("prod", "docs"),
]
#: Pairs of which the first one is no beginning or end of the second one, label by label.
NEIGHBOURS = [("foo",), ("foo", "child"), ("foo", "child", "deep"), ("foobar",), ("foobar", "foo"), ("foo2",), ("fo",)]


def _fill(store: BaseStore, namespaces: Iterable[tuple[str, ...]]) -> None:
    for namespace in namespaces:
        store.put(namespace, "k", {"v": 1})


def _found(store: BaseStore, *prefix: str) -> set[tuple[str, ...]]:
    return {item.namespace for item in store.search(prefix, limit=100)}


class NamespacesContract(StoreCase):
    """Listing namespaces, and searching below one."""

    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [
            ({}, TREE),
            ({"prefix": ("app",)}, [one for one in TREE if one[0] == "app"]),
            ({"prefix": ("app", "docs")}, [one for one in TREE if one[:2] == ("app", "docs")]),
            ({"prefix": ("docs",)}, []),
            ({"prefix": ("app", "docs", "public", "more")}, []),
            ({"prefix": ("*", "docs")}, [one for one in TREE if one[1:2] == ("docs",)]),
            ({"prefix": ("app", "*", "public")}, [TREE[0], TREE[2]]),
            ({"prefix": ("*",)}, TREE),
            ({"suffix": ("public",)}, [one for one in TREE if one[-1] == "public"]),
            ({"suffix": ("docs", "public")}, [TREE[0], TREE[5]]),
            ({"suffix": ("some", "*", "public")}, [TREE[3]]),
            ({"suffix": ("docs", "*")}, [TREE[0], TREE[1], TREE[5]]),
            ({"suffix": ("ublic",)}, []),
            ({"prefix": ("app",), "suffix": ("public",)}, [TREE[0], TREE[2], TREE[3]]),
            ({"prefix": ("*", "docs"), "suffix": ("*", "public")}, [TREE[0], TREE[3], TREE[5]]),
            ({"max_depth": 1}, [("app",), ("prod",)]),
            ({"max_depth": 2}, [("app",), ("app", "docs"), ("app", "images"), ("prod", "docs")]),
            ({"max_depth": 2, "suffix": ("public",)}, [("app", "docs"), ("app", "images"), ("prod", "docs")]),
            ({"max_depth": 9, "prefix": ("prod",)}, [("prod", "docs"), ("prod", "docs", "public")]),
        ],
    )
    def test_listing(self, store: BaseStore, asked: dict[str, Any], wanted: list[tuple[str, ...]]) -> None:
        """By beginning, end, wildcards and depth; each namespace once, in order."""
        _fill(store, TREE)
        store.put(("app", "docs", "public"), "second", {})
        assert store.list_namespaces(**asked) == sorted(wanted)

    @pytest.mark.parametrize("size", [1, 3, 7, 50])
    def test_listing_in_pages(self, store: BaseStore, size: int) -> None:
        """Page by page all are listed once."""
        names = [("many", f"n{number:02}") for number in range(20)]
        _fill(store, names)
        found: list[tuple[str, ...]] = []
        while page := store.list_namespaces(limit=size, offset=len(found)):
            assert len(page) <= size
            found += page
            assert len(found) <= len(names), "pages go on for ever"
        assert found == names
        assert store.list_namespaces(limit=0) == []

    def test_labels_are_whole(self, store: BaseStore) -> None:
        """A label is never matched by a part of it, nor by one that it begins with."""
        _fill(store, NEIGHBOURS)
        for prefix in NEIGHBOURS:
            wanted = {one for one in NEIGHBOURS if one[: len(prefix)] == prefix}
            assert _found(store, *prefix) == wanted
            assert set(store.list_namespaces(prefix=prefix)) == wanted
            ending = {one for one in NEIGHBOURS if one[-len(prefix) :] == prefix}
            assert set(store.list_namespaces(suffix=prefix)) == ending

    @pytest.mark.parametrize(("label", "decoy"), PATTERNS)
    def test_labels_are_no_patterns(self, store: BaseStore, label: str, decoy: str) -> None:
        """What some query language would read into a label is nothing but its text."""
        _fill(store, [(label,), (decoy,), (label, "child"), ("a", label), ("a", decoy)])
        assert _found(store, label) == {(label,), (label, "child")}
        assert set(store.list_namespaces(prefix=(label,))) == {(label,), (label, "child")}
        assert set(store.list_namespaces(suffix=(label,))) == {(label,), ("a", label)}
        assert set(store.list_namespaces(prefix=("*", label))) == {("a", label)}

    def test_no_prefix_means_everywhere(self, store: BaseStore) -> None:
        """For a search and for a listing, also as operations of a batch."""
        names = [("a",), ("b", "c"), ("d", "e", "f")]
        _fill(store, names)
        assert _found(store) == set(names)
        found, listed = store.batch([SearchOp(()), ListNamespacesOp((MatchCondition("prefix", ("b", "*")),))])
        assert len(cast("list[Any]", found)) == 3
        assert listed == [("b", "c")]

    def test_a_list_is_as_good_as_a_tuple(self, store: BaseStore) -> None:
        """What comes from JSON is a list."""
        here = cast("tuple[str, ...]", ["a", "b"])
        store.put(here, "k", {"v": 1})
        item = store.get(here, "k")
        assert item is not None
        assert item.namespace == ("a", "b")
        assert store.get(("a", "b"), "k") == item
        assert keys(store.search(cast("tuple[str, ...]", ["a"]))) == ["k"]
        assert store.list_namespaces(prefix=cast("tuple[str, ...]", ["a"])) == [("a", "b")]
        store.delete(here, "k")
        assert store.get(("a", "b"), "k") is None

    @pytest.mark.parametrize("size", [1, 4, 9, 100])
    def test_search_in_pages(self, store: BaseStore, size: int) -> None:
        """Page by page a search gives every item once, with a filter too."""
        for number in range(23):
            store.put(("p", f"n{number % 3}"), f"k{number}", {"even": number % 2 == 0})
        for filter_, wanted in ((None, 23), ({"even": True}, 12)):
            found: list[str] = []
            while page := store.search(("p",), filter=filter_, limit=size, offset=len(found)):
                assert len(page) <= size
                found += keys(page)
                assert len(found) <= wanted, "pages go on for ever"
            assert len(found) == len(set(found)) == wanted
        assert store.search(("p",), limit=0) == []


#: One item for each value of ``x``; the one that is called so has none.
ITEMS: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "two": 2,
    "two and a half": 2.5,
    "text one": "1",
    "text a": "a",
    "text b": "b",
    "quote": "O'Brien",
    "list": ["a", "b"],
    "object": {"in": {"deep": 1}, "other": 2},
}
_NUMBERS = {"zero", "one", "two", "two and a half"}
_TEXTS = {"text one", "text a", "text b", "quote"}


class FiltersContract(StoreCase):
    """Filters over values, compared as JSON: what is missing matches nothing, and ``True`` is not ``1``."""

    @pytest.mark.parametrize(
        ("condition", "wanted"),
        [
            (1, {"one"}),
            (1.0, {"one"}),
            (True, {"true"}),
            (False, {"false"}),
            (0, {"zero"}),
            ("1", {"text one"}),
            ("a", {"text a"}),
            ("O'Brien", {"quote"}),
            ("' OR '1'='1", set()),
            ("a' --", set()),
            ("A", set()),
            (None, {"null"}),
            (["a", "b"], {"list"}),
            (["b", "a"], set()),
            (["a"], set()),
            ({"other": 2}, {"object"}),
            ({"in": {"deep": 1}}, {"object"}),
            ({"in": {"deep": 2}}, set()),
            ({"in": {"deep": {"$gte": 1}}}, {"object"}),
            ({"$eq": 2}, {"two"}),
            ({"$eq": ["a", "b"]}, {"list"}),
            ({"$eq": "two"}, set()),
            ({"$eq": float("nan")}, set()),
            ({"$ne": 2}, set(ITEMS) - {"two", "missing"}),
            ({"$ne": "a"}, set(ITEMS) - {"text a", "missing"}),
            ({"$gt": 2}, {"two and a half"}),
            ({"$gte": 2}, {"two", "two and a half"}),
            ({"$lt": 1}, {"zero"}),
            ({"$lte": 1}, {"zero", "one"}),
            ({"$gt": 0, "$lt": 2.5}, {"one", "two"}),
            ({"$gte": 0, "$ne": 1}, _NUMBERS - {"one"}),
            ({"$gt": 10, "$lt": 0}, set()),
            ({"$lt": float("inf")}, _NUMBERS),
            ({"$gt": float("-inf")}, _NUMBERS),
            ({"$lt": 10**100}, _NUMBERS),
            ({"$gt": -(10**100)}, _NUMBERS),
            ({"$gt": "a"}, {"text b"}),
            ({"$gte": "a"}, {"text a", "text b"}),
            ({"$lt": "a"}, {"text one", "quote"}),
            ({"$lte": "z"}, _TEXTS),
        ],
    )
    def test_conditions(self, store: BaseStore, condition: Any, wanted: set[str]) -> None:
        """Each operator, on every type of value."""
        store.batch([_put(name, {} if value is ... else {"x": value}) for name, value in ITEMS.items()])
        assert set(keys(store.search(("f",), filter={"x": condition}, limit=100))) == wanted

    def test_all_conditions_hold(self, store: BaseStore) -> None:
        """Of several fields; and none at all lets everything through."""
        store.batch([_put(f"{color} {size}", {"color": color, "size": size}) for color in "rg" for size in (1, 2)])
        assert keys(store.search((), filter={"color": "r", "size": {"$gt": 1}})) == ["r 2"]
        assert store.search((), filter={"color": "r", "size": 3}) == []
        assert store.search((), filter={"color": "r", "shape": "round"}) == []
        assert len(store.search((), filter={})) == len(store.search((), filter=None)) == 4

    @pytest.mark.parametrize(
        "name", ["access-level", "123abc", "a b", "用户", "it's", 'quo"te', "a]b", "metadata", "id"]
    )
    def test_names_are_any_text(self, store: BaseStore, name: str) -> None:
        """A field is called what it is called."""
        store.batch([_put("hit", {name: "x"}), _put("other", {name: "y"}), _put("none", {"else": "x"})])
        assert keys(store.search((), filter={name: "x"})) == ["hit"]

    @pytest.mark.parametrize("operator", ["$in", "$gtt", "$", "$and"])
    def test_unknown_operators_are_refused(self, store: BaseStore, operator: str) -> None:
        """Never passed over, since they would let through what they were to hold back."""
        store.batch([_put("k", {"x": 1})])
        with pytest.raises(self.refusals):
            store.search((), filter={"x": {operator: 1}})
        with pytest.raises(self.refusals):
            store.search(("nowhere",), filter={"x": {operator: 1}})


def _put(key: str, value: dict[str, Any]) -> PutOp:
    return PutOp(("f",), key, value)
