"""What a store for LangGraph must do that searches by meaning."""

# ruff: noqa: S101, PLR2004 - tests assert, and numbers are their point
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langgraph.store.base import PutOp

from memplug.testing.store_case import Letters, StoreCase, cosine, indexed, keys, scores

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from memplug.testing.store_case import MakeStore

HERE = ("v",)
LANGUAGES = {"zh": "这是中文", "ja": "これは日本語です", "ko": "이건 한국어야", "ru": "Это русский", "hi": "यह रूसी है"}


class VectorsContract(StoreCase):
    """Stores with an `IndexConfig`; `memplug.testing.store_case.Letters` is its embedding."""

    @pytest.mark.parametrize("query", ["aaa", "bbb", "ccc", "abcd", "poisson"])
    def test_the_score_is_the_cosine(self, make: MakeStore, query: str) -> None:
        """Of the text at the field and the question."""
        store = make(index=indexed("text"))
        store.put(HERE, "a", {"text": "aab", "other": "ccc"})
        assert scores(store.search((), query=query)) == {"a": pytest.approx(cosine("aab", query), abs=1e-3)}

    def test_without_fields_the_whole_counts(self, make: MakeStore) -> None:
        """Any field may be what the question is about; the best comes first."""
        store = make(index=indexed())
        store.put(HERE, "a", {"text": "zany zebra"})
        store.put(HERE, "b", {"body": "dogs"})
        store.put(HERE, "c", {"x": {"y": ["birds"]}})
        assert keys(store.search(HERE, query="zany zebra zz"))[0] == "a"
        assert keys(store.search(HERE, query="dogs"))[0] == "b"
        assert set(keys(store.search(HERE, query="birds"))) == {"a", "b", "c"}

    def test_the_nearest_text_counts(self, make: MakeStore) -> None:
        """Of several fields the best one gives the score; one that is missing is passed over."""
        store = make(index=indexed("k0", "k1", "k3"))
        store.put(HERE, "one", {"k1": "xxx", "k2": "yyy", "k3": "zzz"})
        store.put(HERE, "two", {"k0": "uuu", "k1": "vvv", "k2": "www", "k3": "xxx"})
        store.put(HERE, "none", {"k2": "xxx"})
        both = scores(store.search(HERE, query="xxx", limit=2))
        assert both == {"one": pytest.approx(1, abs=1e-3), "two": pytest.approx(1, abs=1e-3)}
        for query, best in (("uuu", "two"), ("zzz", "one")):
            found = scores(store.search(HERE, query=query, limit=2))
            assert next(iter(found)) == best
            assert found == {best: pytest.approx(1, abs=1e-3), min({"one", "two"} - {best}): pytest.approx(0, abs=1e-3)}
        assert max(scores(store.search(HERE, query="www", limit=2)).values()) < 0.5

    @pytest.mark.parametrize(
        ("field", "query"),
        [("a.b", "xxx"), ("list[0]", "yyy"), ("list[-1]", "zzz"), ("list[*]", "zzz"), ("deep[*].text", "www")],
    )
    def test_paths(self, make: MakeStore, field: str, query: str) -> None:
        """Fields inside of others, and members of lists, each for itself."""
        store = make(index=indexed(field))
        store.put(HERE, "k", {"a": {"b": "xxx"}, "list": ["yyy", "qqq", "zzz"], "deep": [{"text": "www"}, {"no": 1}]})
        assert scores(store.search(HERE, query=query)) == {"k": pytest.approx(1, abs=1e-3)}

    def test_a_put_may_name_its_own_fields(self, make: MakeStore) -> None:
        """Instead of the store's; those of an earlier put are forgotten then."""
        store = make(index=indexed("k9"))
        value = {"k0": "aaa", "k1": "bbb", "k9": "ccc"}
        store.put(HERE, "k", value, index=["k0", "k1"])
        for query, score in (("aaa", 1), ("bbb", 1), ("ccc", 0)):
            assert scores(store.search(HERE, query=query)) == {"k": pytest.approx(score, abs=1e-3)}
        store.put(HERE, "k", value, index=["k1"])
        assert scores(store.search(HERE, query="aaa")) == {"k": pytest.approx(0, abs=1e-3)}
        store.put(HERE, "k", value)
        assert scores(store.search(HERE, query="ccc")) == {"k": pytest.approx(1, abs=1e-3)}

    def test_what_is_not_indexed(self, make: MakeStore) -> None:
        """Is not found by a question, and otherwise there as everything is."""
        store = make(index=indexed())
        store.put(HERE, "seen", {"text": "word"})
        store.put(HERE, "hidden", {"text": "word"}, index=False)
        assert keys(store.search(HERE, query="word", limit=1)) == ["seen"]
        assert set(keys(store.search(HERE))) == {"seen", "hidden"}
        assert store.get(HERE, "hidden") is not None
        store.put(HERE, "seen", {"text": "word"}, index=False)
        store.put(HERE, "hidden", {"text": "word"})
        assert keys(store.search(HERE, query="word", limit=1)) == ["hidden"]

    def test_updates_and_deletions_count(self, make: MakeStore) -> None:
        """The words that an item had are forgotten with the value."""
        store = make(index=indexed("text"))
        store.put(HERE, "a", {"text": "zzz"})
        store.put(HERE, "b", {"text": "bird"})
        assert keys(store.search(HERE, query="zzz"))[0] == "a"
        store.put(HERE, "a", {"text": "dogs"})
        assert scores(store.search(HERE, query="zzz"))["a"] < 0.5
        assert keys(store.search(HERE, query="dogs"))[0] == "a"
        store.delete(HERE, "a")
        assert keys(store.search(HERE, query="dogs")) == ["b"]

    def test_filters_and_prefixes_hold(self, make: MakeStore) -> None:
        """A question looks only at what is below the prefix and satisfies the filter, and orders that."""
        store = make(index=indexed("text"))
        docs = [("d1", "red apple", 4.5), ("d2", "red car", 3.0), ("d3", "green apple", 4.0), ("d4", "blue car", 3.5)]
        for key, text, price in docs:
            store.put(HERE, key, {"text": text, "color": text.split()[0], "price": price})
        store.put(("vv",), "d5", {"text": "red apple", "color": "red", "price": 9})
        store.put((*HERE, "sub"), "d6", {"text": "apple", "color": "none", "price": 0})
        assert keys(store.search(HERE, query="apple", filter={"color": "red"})) == ["d1", "d2"]
        assert keys(store.search(HERE, query="car", filter={"color": "red"}))[0] == "d2"
        assert set(keys(store.search(HERE, query="blue", filter={"price": {"$gt": 3.2}}))) == {"d1", "d3", "d4"}
        assert keys(store.search(HERE, query="blue", filter={"price": {"$gt": 3.2}}))[0] == "d4"
        assert keys(store.search(HERE, query="x", filter={"price": {"$gte": 4}, "color": "green"})) == ["d3"]
        assert keys(store.search(HERE, query="apple"))[0] == "d6"
        assert len(store.search(HERE, query="apple", limit=100)) == 5

    def test_pages(self, make: MakeStore) -> None:
        """Page by page the scores fall, and no item comes twice or is left out, however deep."""
        store = make(index=indexed("texts[*]"))
        for number in range(30):
            store.put(HERE, f"k{number}", {"texts": ["test" + "e" * number, "other", f"number {number}"]})
        found: list[tuple[str, float]] = []
        while page := store.search(HERE, query="test", limit=7, offset=len(found)):
            found += scores(page).items()
            assert len(found) <= 30, "pages go on for ever"
        assert len(dict(found)) == len(found) == 30
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
        assert found == [*scores(store.search(HERE, query="test", limit=100)).items()]

    @pytest.mark.parametrize("query", [None, ""])
    def test_no_question_lists(self, make: MakeStore, query: str | None) -> None:
        """All items, without scores."""
        store = make(index=indexed())
        store.put(HERE, "a", {"text": "x"})
        assert [(item.key, item.score) for item in store.search(HERE, query=query)] == [("a", None)]

    @pytest.mark.parametrize("query", ["test " * 100, "test!@#$%^&*()", "'; DROP TABLE store; --", "🦊", "*"])
    def test_any_text_is_a_question(self, make: MakeStore, query: str) -> None:
        """Long ones, and those that hold signs of a query language."""
        store = make(index=indexed())
        store.put(HERE, "a", {"text": "test document 🦊 *"})
        assert keys(store.search(HERE, query=query)) == ["a"]

    def test_all_languages(self, make: MakeStore) -> None:
        """Texts are embedded as they are written, not as JSON escapes them."""
        store = make(index=indexed())
        for key, text in LANGUAGES.items():
            store.put(HERE, key, {"text": text})
        assert {text: keys(store.search(HERE, query=text))[0] for text in LANGUAGES.values()} == {
            text: key for key, text in LANGUAGES.items()
        }

    def test_without_an_index_a_question_is_not_looked_at(self, store: BaseStore) -> None:
        """A store that was made without configuration takes `query` and `index` all the same."""
        store.put(HERE, "a", {"text": "x"}, index=["text"])
        store.put(HERE, "b", {"text": "x"}, index=None)
        assert set(keys(store.search(HERE, query="x"))) == {"a", "b"}

    def test_one_call_embeds_a_batch(self, make: MakeStore) -> None:
        """An embedding is often a server: many puts at once must not ask it many times."""
        letters = Letters()
        store = make(index=indexed("text", embed=letters))
        before = letters.calls
        store.batch([PutOp(HERE, f"k{number}", {"text": f"text {number}"}) for number in range(40)])
        assert letters.calls - before <= 2
        assert len(store.search(HERE, query="text", limit=100)) == 40
