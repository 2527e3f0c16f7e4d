"""How fast `MemplugStore` is, beside the stores that LangGraph itself has.

    python tests/benchmarks/langgraph_store.py [items]

Prints medians in milliseconds, with ``items`` (1,000) in 50 namespaces. SqliteStore takes part where
``langgraph-checkpoint-sqlite`` is installed, and answers questions where Python's sqlite3 can load extensions.
"""

# ruff: noqa: T201 - it prints its table
from __future__ import annotations

import importlib
import importlib.util
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from langgraph.store.base import BaseStore, IndexConfig, PutOp
from langgraph.store.memory import InMemoryStore

from memplug import Memory
from memplug.langchain import MemplugStore

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACES, BATCH = 50, 500
WORDS = [
    "tea",
    "coffee",
    "spicy",
    "food",
    "peanuts",
    "violin",
    "garden",
    "train",
    "Berlin",
    "office",
    "printer",
    "deadline",
]


def _value(number: int) -> dict[str, Any]:
    return {"text": " ".join((*random.sample(WORDS, 8), str(number))), "number": number}


def _place(number: int) -> tuple[str, str]:
    return ("memories", f"u{number % NAMESPACES}")


def _median(call: Callable[[int], object], times: int) -> float:
    taken = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1_000


def _measured(store: BaseStore, items: int) -> dict[str, float]:
    began = time.perf_counter()
    for start in range(0, items, BATCH):
        numbers = range(start, min(items, start + BATCH))
        store.batch([PutOp(_place(number), f"k{number}", _value(number)) for number in numbers])
    batch = (time.perf_counter() - began) / items * 1_000
    new = ("memories", "new")
    return {
        "put in a batch": batch,
        "put": _median(lambda number: store.put(new, f"k{number}", _value(number)), 60),
        "get": _median(lambda number: store.get(_place(number), f"k{number}"), 60),
        "search, filter": _median(lambda number: store.search(_place(number), filter={"number": {"$gt": 99}}), 60),
        "search, query": _median(lambda number: store.search(_place(number), query=_value(number)["text"]), 40),
        "list_namespaces": _median(lambda _: store.list_namespaces(prefix=("memories",)), 10),
        "delete": _median(lambda number: store.delete(new, f"k{number}"), 10),
    }


def _embedding(memory: Memory) -> IndexConfig:
    """The embedder of memplug for the others, so that all do the same work."""
    embedder = memory.engine.embedder

    def embed(texts: Any) -> list[list[float]]:
        found: list[list[float]] = embedder.embed(list(texts)).tolist()
        return found

    return {"dims": embedder.dimension, "embed": embed, "fields": ["text"]}


def _sqlite(stack: ExitStack, folder: str, index: IndexConfig) -> BaseStore | None:
    if importlib.util.find_spec("langgraph.store.sqlite") is None:
        return None
    theirs: Any = importlib.import_module("langgraph.store.sqlite")
    able = hasattr(sqlite3.Connection, "enable_load_extension")
    store = stack.enter_context(theirs.SqliteStore.from_conn_string(f"{folder}/sqlite", index=index if able else None))
    store.setup()
    found: BaseStore = store
    return found


def main() -> None:
    """Measures them one after the other."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    random.seed(7)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        index = _embedding(stack.enter_context(Memory("memory://")))
        stores: dict[str, BaseStore | None] = {
            "InMemoryStore": InMemoryStore(index=index),
            "SqliteStore": _sqlite(stack, folder, index),
            "MemplugStore": stack.enter_context(MemplugStore.open(f"{folder}/recall")),
            "MemplugStore, embed": stack.enter_context(MemplugStore.open(f"{folder}/cosine", index=index)),
            "MemplugStore, hide": stack.enter_context(MemplugStore.open(f"{folder}/hide", delete="hide")),
        }
        for name, store in stores.items():
            if store is not None:
                told = _measured(store, items)
                print(f"{name:<20}", *(f"{what} {taken:.2f}  " for what, taken in told.items()))


if __name__ == "__main__":
    main()
