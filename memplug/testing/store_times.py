"""What a store for LangGraph must do about expiry, threads and event loops."""

# ruff: noqa: S101, PLR2004 - tests assert, and numbers are their point
from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.store.base import GetOp, PutOp, SearchOp

from memplug.testing.records import together
from memplug.testing.store_case import Letters, StoreCase, indexed, keys

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore, TTLConfig

    from memplug.testing.store_case import MakeStore

HERE = ("t",)
#: Seconds after which something that should have been over long since has hung.
_HUNG = 60


class ExpiryContract(StoreCase):
    """Items that end by themselves, in stores that say so (``supports_ttl``)."""

    def _store(self, make: MakeStore, **ttl: Any) -> BaseStore:
        config: TTLConfig = {"omit_expired": True}
        config.update(ttl)  # type: ignore[typeddict-item]
        store = make(ttl=config)
        if not store.supports_ttl:
            pytest.skip(f"{type(store).__name__} does not support expiry")
        return store

    def _there(self, store: BaseStore, key: str = "k") -> bool:
        """Whether an item is there, without touching it."""
        return store.get(HERE, key, refresh_ttl=False) is not None

    def test_an_item_ends(self, make: MakeStore) -> None:
        """After its minutes no read shows it any more; one without an end stays."""
        store = self._store(make)
        store.put(HERE, "k", {"v": 1}, ttl=10)
        store.put((*HERE, "x"), "k", {"v": 2}, ttl=None)
        self.pass_time(store, 9)
        assert self._there(store)
        self.pass_time(store, 2)
        assert not self._there(store)
        assert [item.namespace for item in store.search((), refresh_ttl=False)] == [(*HERE, "x")]
        assert store.list_namespaces() == [(*HERE, "x")]

    def test_the_default(self, make: MakeStore) -> None:
        """Of the configuration holds where a put says nothing; a put may say another time, or none."""
        store = self._store(make, default_ttl=10)
        store.put(HERE, "default", {})
        store.put(HERE, "short", {}, ttl=1)
        store.put(HERE, "long", {}, ttl=100)
        store.put(HERE, "ever", {}, ttl=None)
        for minutes, left in ((2, "default long ever"), (10, "long ever"), (100, "ever"), (100_000, "ever")):
            self.pass_time(store, minutes)
            assert set(keys(store.search(HERE, refresh_ttl=False))) == set(left.split())

    def test_reading_puts_the_end_off(self, make: MakeStore) -> None:
        """By `get` and by `search`, for what is found."""
        store = self._store(make)
        for key in ("got", "found", "left"):
            store.put(HERE, key, {"name": key}, ttl=10)
        for _ in range(4):
            self.pass_time(store, 8)
            assert store.get(HERE, "got") is not None
            assert keys(store.search(HERE, filter={"name": "found"})) == ["found"]
        assert not self._there(store, "left")
        self.pass_time(store, 20)
        assert store.search(HERE) == []

    def test_reading_without_putting_off(self, make: MakeStore) -> None:
        """Where the read or the configuration says so."""
        for store, refresh in ((self._store(make), False), (self._store(make, refresh_on_read=False), None)):
            store.put(HERE, "k", {}, ttl=10)
            self.pass_time(store, 8)
            assert store.get(HERE, "k", refresh_ttl=refresh) is not None
            assert keys(store.search(HERE, refresh_ttl=refresh)) == ["k"]
            self.pass_time(store, 4)
            assert store.get(HERE, "k", refresh_ttl=refresh) is None

    def test_reading_is_no_change(self, make: MakeStore) -> None:
        """Value, times and what it is found by stay as they are."""
        store = make(index=indexed("a", "b"), ttl={"default_ttl": 10, "omit_expired": True})
        if not store.supports_ttl:
            pytest.skip("no expiry")
        store.put(HERE, "k", {"a": "xxx", "b": "yyy"})
        before = store.get(HERE, "k", refresh_ttl=False)
        for _ in range(3):
            self.pass_time(store, 8)
            assert store.get(HERE, "k") == before
        for query in ("xxx", "yyy"):
            [found] = store.search(HERE, query=query, refresh_ttl=False)
            assert found.score == pytest.approx(1, abs=1e-3)

    def test_a_put_begins_anew(self, make: MakeStore) -> None:
        """With its own time to live, or for ever."""
        store = self._store(make)
        for key in ("again", "ever", "shorter"):
            store.put(HERE, key, {}, ttl=10)
        self.pass_time(store, 8)
        store.batch(
            [PutOp(HERE, "again", {}, ttl=10), PutOp(HERE, "ever", {}, ttl=None), PutOp(HERE, "shorter", {}, ttl=1)]
        )
        self.pass_time(store, 3)
        assert set(keys(store.search(HERE, refresh_ttl=False))) == {"again", "ever"}
        self.pass_time(store, 30)
        assert keys(store.search(HERE, refresh_ttl=False)) == ["ever"]

    def test_what_ended_can_be_made_anew(self, make: MakeStore) -> None:
        """As an item that was not there before."""
        store = self._store(make)
        store.put(HERE, "k", {"v": 1}, ttl=1)
        first = store.get(HERE, "k", refresh_ttl=False)
        self.pass_time(store, 5)
        store.put(HERE, "k", {"v": 2})
        second = store.get(HERE, "k")
        assert first is not None
        assert second is not None
        assert second.value == {"v": 2}
        assert second.created_at > first.created_at

    def test_sweeping(self, make: MakeStore) -> None:
        """Removes what has ended, nothing else, and says how many that were."""
        store = self._store(make)
        sweep = getattr(store, "sweep_ttl", None)
        if sweep is None:
            pytest.skip("nothing to sweep by")
        store.batch([PutOp(HERE, f"k{number}", {}, ttl=number + 1) for number in range(5)])
        store.put(HERE, "ever", {})
        self.pass_time(store, 3.5)
        assert (sweep(), sweep()) == (3, 0)
        assert set(keys(store.search(HERE, refresh_ttl=False))) == {"k3", "k4", "ever"}


class ConcurrencyContract(StoreCase):
    """Threads and event loops."""

    def test_threads_lose_nothing(self, store: BaseStore) -> None:
        """Each thread's items are all there, while others read and delete."""

        def use(number: int) -> None:
            for turn in range(8):
                store.put(("c", str(number)), f"k{turn}", {"v": [number, turn]})
                item = store.get(("c", str(number)), f"k{turn}")
                assert item is not None
                assert item.value == {"v": [number, turn]}
                store.search(("c",), filter={"v": [number, turn]})
            store.delete(("c", str(number)), "k0")

        together(use, threads=5)
        assert len(store.search(("c",), limit=1_000)) == 5 * 7
        assert len(store.list_namespaces(prefix=("c",))) == 5

    def test_threads_on_one_key(self, store: BaseStore) -> None:
        """One of them is the last, its value is whole, and the item is one."""

        def use(number: int) -> None:
            for _ in range(5):
                store.batch([PutOp(HERE, "k", {"a": number, "b": number}), GetOp(HERE, "k"), SearchOp(HERE)])
                item = store.get(HERE, "k")
                assert item is not None
                assert item.value["a"] == item.value["b"]

        together(use, threads=5)
        [item] = store.search(HERE)
        assert item.value["a"] == item.value["b"]

    def test_tasks_of_one_loop(self, store: BaseStore) -> None:
        """Many calls at once are each answered with what they asked for."""

        async def use(number: int) -> list[Any]:
            await store.aput(("c", str(number)), "k", {"v": number})
            item, found = await asyncio.gather(store.aget(("c", str(number)), "k"), store.asearch(("c", str(number))))
            assert item is not None
            return [item.value["v"], *(one.value["v"] for one in found)]

        async def all_of_them() -> list[list[Any]]:
            return await asyncio.gather(*(use(number) for number in range(20)))

        assert asyncio.run(all_of_them()) == [[number, number] for number in range(20)]

    def test_the_loop_goes_on_meanwhile(self, make: MakeStore) -> None:
        """An embedding that takes its time does not hold up the loop that awaits it."""
        slow = Gate()
        store = make(index=indexed("text", embed=slow))

        async def use() -> None:
            for asked in (store.aput(HERE, "k", {"text": "x"}), store.asearch(HERE, query="x")):
                slow.close()
                task = asyncio.ensure_future(asked)
                while not slow.entered.is_set():  # noqa: ASYNC110 - it is set in another thread
                    await asyncio.sleep(0.001)
                # Only the loop opens the gate: had it been held up, the embedding would have waited in vain.
                slow.opened.set()
                await task

        slow.opened.set()
        asyncio.run(asyncio.wait_for(use(), _HUNG))
        assert not slow.waited_in_vain

    def test_calls_on_the_loops_own_thread(self, make: MakeStore) -> None:
        """Methods that are not awaited never wait for the loop that they are called on, also beside awaited ones."""
        store = make(index=indexed("text"))
        done: list[str] = []

        async def use() -> None:
            waiting = asyncio.ensure_future(store.aput(HERE, "b", {"text": "b"}))
            store.put(HERE, "a", {"text": "a"})
            done.extend(keys(store.search(HERE, query="a", limit=1)))
            await waiting
            done.append(str(store.get(HERE, "b") is not None))

        # A thread, since a deadlock could not be interrupted.
        thread = threading.Thread(target=lambda: asyncio.run(use()), daemon=True)
        thread.start()
        thread.join(_HUNG)
        assert done == ["a", "True"]


class Gate(Letters):
    """An embedding that waits until it may go on."""

    #: Seconds that it waits at most.
    patience = 15.0

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.opened = threading.Event(), threading.Event()
        self.waited_in_vain = False

    def close(self) -> None:
        """From now on it waits."""
        self.entered.clear()
        self.opened.clear()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Says that it was asked, and waits."""
        self.entered.set()
        self.waited_in_vain |= not self.opened.wait(self.patience)
        return super().embed_documents(texts)
