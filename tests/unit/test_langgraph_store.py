"""`MemplugStore` beyond what every store must do: what it has of memplug, and what is refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("langgraph.store.base")

from langgraph.store.base import GetOp, PutOp, SearchOp, validate_op_namespace

from memplug import Memory
from memplug.embedders.hashing import HashingEmbedder
from memplug.exceptions import (
    ConfigError,
    EmbedderMismatch,
    FilterError,
    InputRejected,
    InputTooLarge,
    MalformedInput,
    MemplugError,
    NotFound,
    ScopeError,
    StoreFull,
)
from memplug.langchain.store import MemplugStore, decode_label, encode_label
from memplug.langchain.store_expiry import Sweeper
from memplug.langchain.store_namespaces import bucket_of, namespace_of
from memplug.plugins.hookspecs import hookimpl
from memplug.testing.faults import Faults, Faulty
from memplug.testing.store_case import Letters, indexed, keys

if TYPE_CHECKING:
    from collections.abc import Iterator

WANG = ("memories", "wang")


@pytest.fixture
def memory() -> Iterator[Memory]:
    """A memory without files."""
    with Memory("memory://", embedder="hashing:256") as made:
        yield made


@pytest.fixture
def store(memory: Memory) -> MemplugStore:
    """A store over it."""
    return MemplugStore(memory)


# -- namespaces


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_can_be_a_label(text: str) -> None:
    """Each for itself: the way back gives it again, and LangGraph takes it."""
    label = encode_label(text)
    assert decode_label(label) == text
    validate_op_namespace(PutOp((label,), "k", {}))
    assert label not in {"langgraph", "*"}


def test_labels_of_every_day_stay_readable() -> None:
    """And are taken by deepagents, which allows letters, digits and ``-_.@+:~``."""
    assert encode_label("wang@example.com") == "wang@example~2Ecom"
    assert [encode_label(text) for text in ("wang", "用户", "a-b_c", "", "langgraph")][:3] == ["wang", "用户", "a-b_c"]
    assert [decode_label(label) for label in ("plain", "~2", "~zz")] == ["plain", "~2", "~zz"]


_LABEL = st.one_of(
    st.sampled_from(["memplug:", "memplug:x", "%", "%%", "%memplug:", "a/", "~2E"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=".\x00"), min_size=1),
)


@given(st.lists(_LABEL, min_size=1))
def test_a_namespace_is_one_bucket(labels: list[str]) -> None:
    """The way back gives the labels again, and memplug takes the bucket for nobody's place but the store's."""
    bucket = bucket_of(labels)
    assert namespace_of(bucket) == tuple(labels)
    assert not bucket.startswith("memplug:")


def test_labels_that_look_like_memplugs_own(store: MemplugStore) -> None:
    """Are labels like any other."""
    names = [("memplug:register", "x"), ("%memplug:register",), ("%",)]
    for name in names:
        store.put(name, "k", {"v": list(name)})
    assert store.list_namespaces() == sorted(names)
    assert [item.namespace for item in store.search(("memplug:register",))] == [names[0]]
    with pytest.raises(ScopeError):
        store.put(("half \ud800",), "k", {})
    with pytest.raises(ValueError, match="must have a label"):
        store.batch([PutOp((), "k", {})])
    assert store.get((), "k") is None


# -- memplug's own verbs


def test_items_are_memories(memory: Memory, store: MemplugStore) -> None:
    """The namespace is the bucket, the key the key, the value the metadata."""
    store.put(WANG, "food", {"text": "likes spicy food", "stars": 5})
    [hit] = memory.search("spicy", bucket="memories.wang")
    assert hit.metadata == {"text": "likes spicy food", "stars": 5}
    assert hit.text == "text: likes spicy food\nstars: 5"
    item = memory.get(key="food", bucket="memories.wang")
    assert (item.key, item.agent_id) == ("food", "langgraph")
    memory.add("I drink tea.", user_id="wang")
    found = memory.search("spicy tea", user_id="wang", buckets=["memories.wang"], filters=None)
    assert {hit.item.bucket for hit in found} == {None, "memories.wang"}
    assert memory.search("spicy", bucket="memories.wang", filters={"stars": {"gt": 5}}).hits == ()
    memory.update(item.id, metadata={"text": "likes mild food"})
    changed = store.get(WANG, "food")
    assert changed is not None
    assert changed.value == {"text": "likes mild food"}
    memory.delete_all(bucket="memories.wang", erase=True)
    assert store.search(()) == []


def test_what_is_not_the_stores_is_not_shown(memory: Memory, store: MemplugStore) -> None:
    """Neither memories beside it, nor those of another store in the same memory."""
    memory.add("tea", user_id="wang", bucket="memories.wang", key="k")
    memory.add("tea", agent_id="langgraph", bucket="memories.wang", key="k")
    other = MemplugStore(memory, agent_id="other")
    other.put(WANG, "k", {"text": "tea"})
    assert store.get(WANG, "k") is None
    assert store.search((), query="tea") == []
    assert store.list_namespaces() == []
    assert keys(other.search((), query="tea")) == ["k"]


def test_an_export_carries_items(tmp_path: Path) -> None:
    """With large values, several texts and times to live."""
    large = {"text": "long", "lines": ["x" * 50] * 2_000}
    with MemplugStore.open(tmp_path / "a", index=indexed("a", "b")) as store:
        store.put(WANG, "large", large)
        store.put(WANG, "two", {"a": "xxx", "b": "yyy"}, ttl=100)
        before = store.search(())
        store.memory.export(tmp_path / "all.zip")
    with MemplugStore.open(tmp_path / "b", index=indexed("a", "b")) as store:
        assert store.memory.import_(tmp_path / "all.zip").rejected == ()
        assert store.search(()) == before
        found = {item.key: item.score for item in store.search((), query="yyy")}
        assert found == {"two": pytest.approx(1, abs=1e-3)}


# -- values


def test_large_and_deep_values(store: MemplugStore) -> None:
    """What is too much for metadata is found, filtered and given back all the same."""
    deep: dict[str, Any] = {"color": "red"}
    for _ in range(80):
        deep = {"in": deep, "color": "red"}
    values = {"large": {"color": "red", "text": "y" * 200_000, "big": 2**80}, "deep": deep, "small": {"color": "red"}}
    store.batch([PutOp(WANG, key, value) for key, value in values.items()])
    assert {item.key: item.value for item in store.search((), filter={"color": "red"})} == values
    assert set(keys(store.search((), query="red", filter={"color": "red"}))) == set(values)
    assert store.search((), query="red", filter={"color": "blue"}) == []
    store.put(WANG, "large", {"color": "blue"})
    assert keys(store.search((), filter={"color": "blue"})) == ["large"]


def test_a_tuple_comes_back_as_a_list(store: MemplugStore) -> None:
    """As JSON has it."""
    store.put(WANG, "k", {"pair": (1, (2,))})
    item = store.get(WANG, "k")
    assert item is not None
    assert item.value == {"pair": [1, [2]]}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [{"b": b"x"}]}, r"\$\.a\[0\]\.b is a bytes"),
        ({"a": {"b": float("nan")}}, r"\$\.a\.b is nan"),
        ({"a": datetime.now(UTC)}, r"\$\.a is a datetime"),
        ({"a": {1: 2}}, r"\$\.a has a key that is a int"),
        ({"a": "\udfff"}, r"\$\.a is not valid Unicode"),
        ({"memplug:ttl": 1}, "memplug's own"),
        ({"a": 10**5_000}, "cannot be written"),
        ([1], "must be a mapping"),
    ],
)
def test_a_refusal_says_where(store: MemplugStore, value: Any, where: str) -> None:
    """And is both what Python's users expect and what memplug's do."""
    with pytest.raises(MalformedInput, match=where) as caught:
        store.put(WANG, "k", value)
    assert isinstance(caught.value, TypeError | ValueError)
    assert caught.value.code == "input.malformed"
    assert store.search(()) == []


def test_bounds(memory: Memory, store: MemplugStore) -> None:
    """Of values, keys and times; a key that cannot be is not there."""
    limits = memory.settings.limits
    with pytest.raises(InputTooLarge):
        store.put(WANG, "k", {"text": "x" * limits.blob_bytes})
    nested: Any = {}
    for _ in range(limits.document_depth + 1):
        nested = {"in": nested}
    with pytest.raises(InputTooLarge):
        store.put(WANG, "k", nested)
    with pytest.raises(InputTooLarge):
        store.put(WANG, "k" * (limits.key_length + 1), {})
    with pytest.raises(MalformedInput):
        store.put(WANG, " ", {})
    for ttl in (-1, float("nan"), float("inf"), 1e300, True, "1"):
        with pytest.raises(MalformedInput):
            store.put(WANG, "k", {}, ttl=ttl)  # type: ignore[arg-type]
    for index in ("text", [1], 3):
        with pytest.raises(MalformedInput):
            store.put(WANG, "k", {}, index=index)  # type: ignore[arg-type]
    for op in (SearchOp((), limit=-1), SearchOp((), offset=-1), "get"):
        with pytest.raises(MalformedInput):
            store.batch([op])  # type: ignore[list-item]
    for _ in range(3_000):
        nested = {"in": nested}
    with pytest.raises(FilterError):
        store.search(WANG, filter={"in": nested})
    assert [store.get(WANG, key) for key in ("", " ", "k" * (limits.key_length + 1))] == [None] * 3
    store.delete(WANG, "")
    assert store.search(()) == []


def test_a_batch_of_puts_is_one_commit() -> None:
    """Where it fails nothing of it is there, in none of its namespaces; once it can be, all of it."""
    faults = Faults()
    plugin = Faulty(faults=faults, backend=_backend, embedder=HashingEmbedder)
    with Memory("faulty://x", embedder="faulty:64", plugins=[plugin]) as memory:
        store = MemplugStore(memory)
        ops = [PutOp(("n", str(number % 3)), f"k{number}", {"v": number}) for number in range(12)]
        faults.arm(1, StoreFull("no room"), calls={"commit"})
        with pytest.raises(StoreFull):
            store.batch(ops)
        assert store.search(()) == []
        store.batch(ops)
        assert len(store.search((), limit=99)) == 12


def _backend(request: Any) -> Any:
    from dataclasses import replace

    from memplug.backends.inmemory import open_inmemory

    return open_inmemory(replace(request, location="memory://"))


class _Guard:
    """Keeps secrets out, and leaves out what is to be left out."""

    @hookimpl
    def before_add(self, drafts: list[Any], scope: Any) -> list[Any]:
        """Redacts text and value."""
        from dataclasses import replace

        del scope
        kept = [draft for draft in drafts if "leave out" not in draft.text]
        return [
            replace(
                draft,
                text=draft.text.replace("4711", "****"),
                metadata={name: str(value).replace("4711", "****") for name, value in draft.metadata.items()},
            )
            for draft in kept
        ]


def test_guards_hold() -> None:
    """What a plugin takes out of what is added it takes out of items, too; one that is left out is an error."""
    with Memory("memory://", embedder="hashing:64", plugins=[_Guard()]) as memory:
        store = MemplugStore(memory)
        store.put(WANG, "k", {"code": "4711"})
        item = store.get(WANG, "k")
        assert item is not None
        assert item.value == {"code": "****"}
        with pytest.raises(InputRejected):
            store.batch([PutOp(WANG, "a", {"text": "fine"}), PutOp(WANG, "b", {"text": "leave out"})])
        assert set(keys(store.search(()))) == {"k", "a"}


# -- deletion


def _on_disk(folder: Path, words: bytes) -> bool:
    return any(words in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_deleted_item_is_gone_from_disk(tmp_path: Path) -> None:
    """With all earlier values, large ones and several texts, when the call returns."""
    with MemplugStore.open(tmp_path, index=indexed("a", "b")) as store:
        store.put(WANG, "k", {"a": "xyzzy" * 20_000})
        store.put(WANG, "k", {"a": "plugh one", "b": "plugh two"})
        store.put(WANG, "other", {"a": "stays"})
        assert _on_disk(tmp_path, b"xyzzy")
        assert _on_disk(tmp_path, b"plugh")
        store.batch([PutOp(WANG, "k", None), PutOp(WANG, "none", None)])
        assert not _on_disk(tmp_path, b"xyzzy")
        assert not _on_disk(tmp_path, b"plugh")
        assert keys(store.search((), query="stays")) == ["other"]


def test_hidden_items_stay_until_they_are_purged(tmp_path: Path) -> None:
    """Their history is there, and brings them back; `purge` ends that."""
    with MemplugStore.open(tmp_path, delete="hide", embedder="hashing:64") as store:
        for key in ("a", "b", "c"):
            store.put(WANG, key, {"text": f"xyzzy {key}"})
        id_ = store.memory.get(key="a", bucket="memories.wang").id
        for key in ("a", "b", "none"):
            store.delete(WANG, key)
        assert keys(store.search(())) == ["c"]
        store.memory.restore(id_, 1)
        assert set(keys(store.search((), query="xyzzy"))) == {"a", "c"}
        store.delete(WANG, "a")
        assert (store.purge(), store.purge()) == (2, 0)
        with pytest.raises(NotFound):
            store.memory.history(id_)
        assert not _on_disk(tmp_path, b"xyzzy a")
        assert keys(store.search((), query="xyzzy")) == ["c"]


# -- search


def test_recall_is_memplugs_own(store: MemplugStore) -> None:
    """By words of the whole value, with scores from 0 to 1, in every language."""
    store.put(WANG, "food", {"text": "likes spicy food"})
    store.put(WANG, "nuts", {"about": {"health": ["allergic to peanuts"]}})
    store.put(WANG, "zh", {"text": "我对花生过敏。"})
    store.put(WANG, "theme", {"theme": "dark"})
    for query, best in (("spicy", "food"), ("peanuts allergy", "nuts"), ("花生", "zh"), ("which theme?", "theme")):
        found = store.search(("memories",), query=query)
        assert found[0].key == best
        assert all(0 <= (item.score or 0) <= 1 for item in found)


def test_fields_of_recall(memory: Memory) -> None:
    """Only what they name is looked into, unless a put names other ones, or none."""
    store = MemplugStore(memory, index={"fields": ["title", "tags[*]"]})
    store.put(WANG, "a", {"title": "apple", "body": "pear", "tags": ["plum"]})
    store.put(WANG, "b", {"title": "apple", "body": "pear"}, index=["body"])
    store.put(WANG, "c", {"title": "apple pear plum"}, index=False)
    found = {query: store.search(WANG, query=query) for query in ("apple", "pear", "plum")}
    assert {query: one[0].key for query, one in found.items()} == {"apple": "a", "pear": "b", "plum": "a"}
    assert not any("c" in keys(one) for one in found.values())


def test_nothing_is_indexed_where_that_is_said(memory: Memory) -> None:
    """A question then lists, as in LangGraph's own stores."""
    store = MemplugStore(memory, index=False)
    store.put(WANG, "a", {"text": "apple"})
    assert [(item.key, item.score) for item in store.search(WANG, query="pear")] == [("a", None)]
    assert [item.text for item in memory.get_all(bucket="memories.wang")] == [""]


def test_a_question_reaches_further_than_recall_looks(store: MemplugStore) -> None:
    """All items come, page by page, each once, with scores that fall."""
    store.batch([PutOp(WANG, f"k{number:03}", {"text": f"w{number} common"}) for number in range(260)])
    found = store.search(WANG, query="w7 words that are nowhere", limit=300)
    assert found[0].key == "k007"
    assert len(set(keys(found))) == len(found) == 260
    assert [item.score or 0 for item in found] == sorted((item.score or 0 for item in found), reverse=True)
    assert keys(store.search(WANG, query="w7 words that are nowhere", limit=30, offset=220)) == keys(found[220:250])


def test_after_search_is_told() -> None:
    """Observers see what a question of the store found."""
    seen: list[Any] = []

    class Observer:
        @hookimpl
        def after_search(self, query: str, hits: Any) -> None:
            """Keeps it."""
            seen.append((query, [hit.item.key for hit in hits]))

    with MemplugStore.open("memory://", index=indexed("text"), plugins=[Observer()]) as store:
        store.put(WANG, "a", {"text": "aaa"})
        store.search((), query="a")
    assert seen == [("a", ["a"])]


# -- embedders


def test_one_memory_has_one_embedder(tmp_path: Path, memory: Memory) -> None:
    """An index with another one is refused, as is another one for a store that is there."""
    with pytest.raises(EmbedderMismatch, match=r"MemplugStore\.open"):
        MemplugStore(memory, index=indexed("text"))
    with pytest.raises(EmbedderMismatch, match="dimensions"):
        MemplugStore(memory, index={"dims": 7})
    with MemplugStore.open(tmp_path, index=indexed("text")) as store:
        store.put(WANG, "a", {"text": "aaa"})
        assert store.memory.engine.embedder.name == "langchain:Letters"
    with pytest.raises(EmbedderMismatch):
        MemplugStore.open(tmp_path, index={"dims": 4, "embed": lambda texts: [[1.0, 0, 0, 0] for _ in texts]})
    with pytest.raises(EmbedderMismatch):
        MemplugStore.open(tmp_path)
    with MemplugStore.open(tmp_path, index=indexed("text")) as store:
        assert keys(store.search((), query="aaa")) == ["a"]
        same = MemplugStore(store.memory, index=indexed("text"), agent_id="beside")
        same.put(WANG, "b", {"text": "bbb"})
        assert keys(same.search((), query="bbb")) == ["b"]


@pytest.mark.parametrize(
    "index", [{"embed": 3}, {"embed": "nobody:has-this"}, {"fields": 3}, {"dims": 0, "embed": Letters()}]
)
def test_an_index_that_cannot_be(index: Any) -> None:
    """Is refused when the store is opened."""
    with pytest.raises((ConfigError, EmbedderMismatch)):
        MemplugStore.open("memory://", index=index)
    with pytest.raises(ConfigError):
        MemplugStore.open("memory://", delete="sometimes")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="one embedder"):
        MemplugStore.open("memory://", index=indexed("text"), embedder="hashing:64")


async def _embed_later(texts: Any) -> list[list[float]]:
    await asyncio.sleep(0)
    return Letters().embed_documents(list(texts))


def test_an_embedding_that_can_only_be_awaited() -> None:
    """Serves both kinds of calls, also those made on the thread of a running loop."""
    with MemplugStore.open("memory://", index={"embed": _embed_later, "fields": ["text"]}) as store:
        store.put(WANG, "a", {"text": "aaa"})

        async def use() -> list[str]:
            await store.aput(WANG, "b", {"text": "bbb"})
            store.put(WANG, "c", {"text": "ccc"})
            return keys(store.search((), query="bbb", limit=1)) + keys(await store.asearch((), query="ccc", limit=1))

        assert asyncio.run(use()) == ["b", "c"]
        assert keys(store.search((), query="aaa", limit=1)) == ["a"]


def test_closing_ends_who_waits_for_an_embedding() -> None:
    """With an error; else the thread, and with it the end of the process, would wait for ever."""
    begun = threading.Event()

    async def never(_: Any) -> list[list[float]]:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    store = MemplugStore.open("memory://", index={"embed": never, "dims": 3})
    failed: list[MemplugError] = []

    def put() -> None:
        with pytest.raises(MemplugError) as caught:
            store.put(WANG, "a", {"text": "aaa"})
        failed.append(caught.value)

    waiting = threading.Thread(target=put, daemon=True)
    waiting.start()
    assert begun.wait(60)
    store.close()
    waiting.join(60)
    assert [one.code for one in failed] == ["backend.failed"]


# -- expiry


class Clock:
    """The machine's clock, some time ahead."""

    ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Tells the time."""
        return datetime.now(UTC) + self.ahead


def test_reading_often_writes_seldom() -> None:
    """A thousand reads of an item with a time to live leave a few versions, and it still lives as long as it should."""
    clock = Clock()
    with MemplugStore.open("memory://", embedder="hashing:64", clock=clock) as store:
        store.put(WANG, "k", {"v": 1}, ttl=100)
        id_ = store.memory.get(key="k", bucket="memories.wang").id
        for _ in range(1_000):
            clock.ahead += timedelta(minutes=1)
            assert store.get(WANG, "k") is not None
        assert len(store.memory.history(id_)) < 200
        clock.ahead += timedelta(minutes=99)
        assert store.get(WANG, "k", refresh_ttl=False) is not None
        clock.ahead += timedelta(minutes=9)
        assert store.get(WANG, "k") is None


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    """Also items whose end a read would put off."""
    with MemplugStore.open(tmp_path, embedder="hashing:64") as store:
        store.put(WANG, "k", {"v": 1}, ttl=100)
    with MemplugStore.open(tmp_path, read_only=True) as store:
        assert store.get(WANG, "k") is not None
        assert keys(store.search(())) == ["k"]


def test_the_sweeper_goes_on_and_ends() -> None:
    """One sweep that fails does not end it; stopping does."""
    swept = threading.Semaphore(0)
    calls: list[int] = []

    def sweep() -> int:
        calls.append(len(calls))
        swept.release()
        if len(calls) == 1:
            raise StoreFull("no room")
        return 0

    sweeper = Sweeper(sweep)
    sweeper.start(0.0001)
    sweeper.start(0.0001)
    assert all(swept.acquire(timeout=30) for _ in range(3))
    assert sweeper.stop(30)
    assert Sweeper(sweep).stop()


def test_a_store_sweeps_in_the_background() -> None:
    """Until it is closed; what has ended leaves the disk, and nothing else does."""
    clock = Clock()
    with MemplugStore.open("memory://", embedder="hashing:64", clock=clock, ttl={"sweep_interval_minutes": 1}) as store:
        store.put(WANG, "k", {"v": 1}, ttl=1)
        store.put(WANG, "ever", {"v": 1})
        id_ = store.memory.get(key="k", bucket="memories.wang").id
        clock.ahead += timedelta(minutes=5)
        gone = threading.Event()
        backend = store.memory.engine.store.backend
        store.start_ttl_sweeper(0.0005)
        while not gone.wait(0.01) and backend.versions(id_):
            pass
        assert store.stop_ttl_sweeper(30)
        assert keys(store.search(())) == ["ever"]


# -- opening and closing


def test_a_store_closes_only_what_it_opened(memory: Memory) -> None:
    """A memory that was handed in goes on."""

    async def use() -> None:
        async with MemplugStore(memory) as store:
            await store.aput(WANG, "k", {"v": 1})

    asyncio.run(use())
    assert memory.get(key="k", bucket="memories.wang").metadata == {"v": 1}
    with MemplugStore.open("memory://", embedder="hashing:64") as store:
        assert "langgraph" in repr(store)
    assert store.batch([]) == []
    with pytest.raises(ScopeError):
        MemplugStore(memory, agent_id="")


def test_the_missing_extra_is_named() -> None:
    """What needs LangGraph says so; the retriever works without."""
    program = """
import sys
sys.modules["langgraph"] = None
sys.modules["langgraph.store"] = None
sys.modules["langgraph.store.base"] = None
from memplug.langchain import MemplugRetriever
from memplug.exceptions import MissingExtra
for name in ("MemplugStore", "encode_label"):
    try:
        exec(f"from memplug.langchain import {name}")
    except MissingExtra as error:
        print(error.code, "memplug[langgraph]" in str(error))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "config.missing_extra True\n" * 2


def test_the_same_item_twice_in_a_batch(store: MemplugStore) -> None:
    """Each operation has its own answer."""
    store.put(WANG, "k", {"v": [1]})
    one, two = store.batch([GetOp(WANG, "k"), GetOp(WANG, "k")])
    assert one == two
    assert one is not two
