"""`MemplugStore` keeps the contract for LangGraph stores, and the contract has teeth.

    pytest -m slow tests/contract/test_store_contract.py

runs it over LanceDB's tables, where every batch is moved on to them at once; that takes three minutes.
"""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("langgraph.store.base")

from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore

from memplug import Memory
from memplug.exceptions import FilterError, MalformedInput
from memplug.langchain.store import MemplugStore
from memplug.testing.store import StoreContract
from memplug.testing.store_times import Gate
from store_faults import FAULTS, Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langgraph.store.base import BaseStore, IndexConfig, TTLConfig

    from memplug.langchain.store_writing import Deletion


class Clock:
    """The machine's clock, some time ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Tells the time."""
        return datetime.now(UTC) + self.ahead


class MemplugContract(StoreContract):
    """Stores of one memory, each with a scope of its own; those with an embedding have a memory of their own."""

    refusals = (MalformedInput, FilterError)
    location: str | None = None
    deletion: Deletion = "erase"
    memory: Memory
    clock: Clock
    numbers = count()

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _shared(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        cls.clock = Clock()
        location = cls.location or tmp_path_factory.mktemp("shared") / "store"
        with Memory(location, embedder="hashing:64", clock=cls.clock) as memory:
            cls.memory = memory
            yield

    def open_store(self, folder: Path, *, index: IndexConfig | None, ttl: TTLConfig | None) -> BaseStore:
        """A scope of the shared memory, or a memory in the folder."""
        if index is None:
            return MemplugStore(self.memory, ttl=ttl, agent_id=f"store {next(self.numbers)}", delete=self.deletion)
        return MemplugStore.open(self.location or folder, index=index, ttl=ttl, clock=self.clock, delete=self.deletion)

    def pass_time(self, store: BaseStore, minutes: float) -> None:
        """Puts the clock forward."""
        del store
        self.clock.ahead += timedelta(minutes=minutes)


class TestOnDisk(MemplugContract):
    """Over LanceDB in a folder; what deleting costs there is spent in `TestMoved`."""

    deletion = "hide"


class TestInMemory(MemplugContract):
    """Over a memory without files."""

    location = "memory://"


@pytest.mark.slow
class TestMoved(MemplugContract):
    """Over LanceDB's tables: what is put is moved there at once, as it otherwise is in time."""

    def open_store(self, folder: Path, *, index: IndexConfig | None, ttl: TTLConfig | None) -> BaseStore:
        """The same stores, and upkeep after each batch that writes."""
        store = super().open_store(folder, index=index, ttl=ttl)
        batch = store.batch

        def moving(ops: Any) -> Any:
            asked = list(ops)
            results = batch(asked)
            if any(isinstance(op, PutOp) for op in asked):
                store.memory.maintain()  # type: ignore[attr-defined]
            return results

        store.batch = moving  # type: ignore[method-assign]
        return store


# -- teeth


def _arguments(function: Any) -> list[dict[str, Any]]:
    """All combinations of a test's parameters."""
    choices = []
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "parametrize":
            names = [mark.args[0]] if isinstance(mark.args[0], str) else mark.args[0]
            choices.append([dict(zip(names, row if len(names) > 1 else [row], strict=True)) for row in mark.args[1]])
    return [{name: value for part in parts for name, value in part.items()} for parts in product(*choices)]


def _failures(
    name: str, wrapped: Callable[[Any], BaseStore], opened: Callable[..., Any], *, contract: StoreContract | None = None
) -> Iterator[BaseException]:
    """What a test of the contract says of stores, for each combination of its parameters that fails."""
    contract = contract or TestInMemory()
    function = getattr(contract, name)
    for arguments in _arguments(function):
        made: list[Any] = []

        def make(*, index: Any = None, ttl: Any = None, made: list[Any] = made) -> BaseStore:
            made.append(opened(index, ttl))
            return wrapped(made[-1])

        fixtures = {"make": make} if "make" in inspect.signature(function).parameters else {"store": make()}
        try:
            function(**fixtures, **arguments)
        except pytest.skip.Exception:
            continue
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever a wrong store leads to
            yield error
        finally:
            for store in made:
                getattr(store, "close", lambda: None)()


class _Opened:
    """Opens stores of one memory, whose clock the contract may put forward."""

    def __init__(self) -> None:
        TestInMemory.clock = self.clock = Clock()
        self.memory = Memory("memory://", embedder="hashing:64", clock=self.clock)
        self.numbers = count()

    def __call__(self, index: Any, ttl: Any) -> MemplugStore:
        if index is None:
            return MemplugStore(self.memory, ttl=ttl, agent_id=f"store {next(self.numbers)}")
        return MemplugStore.open("memory://", index=index, ttl=ttl, clock=self.clock)


@pytest.fixture
def opened() -> Iterator[_Opened]:
    """Opens sound stores."""
    made = _Opened()
    yield made
    made.memory.close()


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_the_contract_notices(name: str, opened: _Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each store that is wrong in one thing fails a test that a store passes which hands everything on unchanged."""
    monkeypatch.setattr(Gate, "patience", 0.2)
    fault = FAULTS[name]
    assert next(_failures(fault.test, fault.store, opened), None) is not None
    if name in _FIRST_OF_THEIR_TEST:
        assert next(_failures(fault.test, Sound, opened), None) is None


#: One fault for each test that some must fail.
_FIRST_OF_THEIR_TEST = {fault.test: name for name, fault in FAULTS.items()}.values()
_TESTS = sorted(name for name in dir(StoreContract) if name.startswith("test_"))


def _opened_theirs(index: Any, ttl: Any) -> BaseStore:
    del ttl
    return InMemoryStore(index=index)


def test_the_store_that_langgraph_brings_along_fails_some() -> None:
    """`InMemoryStore` does not check batches, copies nothing, forgets when things were made, and more."""
    contract = StoreContract()
    found = {
        name
        for name in _TESTS
        if next(_failures(name, lambda store: store, _opened_theirs, contract=contract), None) is not None
    }
    assert found == {
        "test_a_list_is_as_good_as_a_tuple",
        "test_a_put_may_name_its_own_fields",
        "test_conditions",
        "test_deleted_is_gone",
        "test_one_bad_label_refuses_the_batch",
        "test_unknown_operators_are_refused",
        "test_values_are_copies",
        "test_what_is_not_indexed",
        "test_what_json_cannot_hold_is_refused",
        "test_when_it_was_made_stays",
    }
