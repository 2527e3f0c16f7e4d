"""What every store for LangGraph must do: inherit `StoreContract` and say how to open yours.

    class TestMyStore(StoreContract):
        def open_store(self, folder, *, index, ttl):
            return MyStore(folder, index=index, ttl=ttl)

LangGraph publishes no such suite. This one holds what its documentation promises and what the tests of its SQLite
store ask for; where its own stores disagree (what is missing in a filter, `created_at` after an update, lists as
namespaces), it says what is right. `pass_time` lets the tests of expiry run without waiting.

Needs pytest and ``pip install 'memplug[langgraph]'``.
"""

from __future__ import annotations

from memplug.testing.store_case import Letters, MakeStore, StoreCase
from memplug.testing.store_items import BatchesContract, ItemsContract
from memplug.testing.store_places import FiltersContract, NamespacesContract
from memplug.testing.store_times import ConcurrencyContract, ExpiryContract
from memplug.testing.store_vectors import VectorsContract


class StoreContract(
    ItemsContract,
    BatchesContract,
    NamespacesContract,
    FiltersContract,
    VectorsContract,
    ExpiryContract,
    ConcurrencyContract,
):
    """About two hundred tests of `langgraph.store.base.BaseStore`, for any store."""


__all__ = ["Letters", "MakeStore", "StoreCase", "StoreContract"]
