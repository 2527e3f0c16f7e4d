"""LangGraph's long-term memory, kept by memplug.

Needs the extra ``langgraph``: ``pip install 'memplug[langgraph]'``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Self

from memplug.exceptions import ConfigError, EmbedderMismatch, MissingExtra
from memplug.memory import Memory

try:
    from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, PutOp, SearchOp
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"langgraph", "langchain_core"}:
        raise
    raise MissingExtra(
        "memplug.langchain.store needs langgraph-checkpoint", hint="pip install 'memplug[langgraph]'"
    ) from error

from memplug.langchain.store_embedder import IndexEmbedder
from memplug.langchain.store_expiry import Expiry, Sweeper, end_of
from memplug.langchain.store_filters import checked_filter
from memplug.langchain.store_items import ITEMS, KINDS, Shape, is_key, item_of, value_of
from memplug.langchain.store_labels import decode_label, encode_label
from memplug.langchain.store_namespaces import bucket_of, check_ops, listed
from memplug.langchain.store_search import Searcher
from memplug.langchain.store_values import WHOLE
from memplug.langchain.store_writing import Writer
from memplug.pipelines.identity import keyed_id
from memplug.values.scope import Scope

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from langgraph.store.base import IndexConfig, Op, Result, TTLConfig

    from memplug.langchain.store_search import Ranking
    from memplug.langchain.store_writing import Deletion
    from memplug.values.item import MemoryItem

__all__ = ["MemplugStore", "decode_label", "encode_label"]

#: Minutes between two sweeps, where nobody says.
_SWEEP = 5


class MemplugStore(BaseStore):
    """A store for LangGraph over a `Memory`: durable in LanceDB, shared by processes, searched by memplug's recall.

        store = MemplugStore.open("my-store")
        agent = create_agent(model, tools, store=store)
        store.put(("memories", "wang"), "food", {"text": "likes spicy food"})
        store.search(("memories", "wang"), query="what does Wang like to eat?")

    Every item is a memory: its namespace the bucket (``memories.wang``), its key the key, its value the metadata. So
    ``memory.search(…, bucket="memories.wang")``, `export` and the other verbs reach it, too.

    A batch is checked whole before anything of it is done. Its reads see the store as it was before its writes; of
    several writes under one key the last one counts; all puts become visible in one commit, deletions after them.

    Args:
        memory: The memory to keep items in; it stays open when the store is closed.
        index: What items are found by. None: their whole values, by memplug's recall. ``{"fields": […]}``: these
            paths. With ``embed``, as LangGraph's own stores do it: each text is embedded by itself, the nearest one
            counts, and the score is its cosine; the memory must have been opened with that embedder, as `open` does
            it. False: nothing; a query is not looked at then.
        ttl: `TTLConfig`: ``default_ttl``, ``refresh_on_read``, ``sweep_interval_minutes``. What has expired no read
            shows, whether or not ``omit_expired`` asks for that.
        agent_id: The scope that all items lie in; another one is another store in the same memory.
        delete: What becomes of an item that is deleted. ``"erase"``: it is gone from disk when the call returns, with
            all earlier values, which takes 50 ms in a small store and 0.5 s among 20,000 memories, once for a batch.
            ``"hide"``: gone from every read at once, and kept in the history until `purge`; takes a millisecond.

    Raises:
        EmbedderMismatch: The memory has another embedder than the index.
        ConfigError: A setting is wrong.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: Memory,
        *,
        index: IndexConfig | Literal[False] | None = None,
        ttl: TTLConfig | None = None,
        agent_id: str = "langgraph",
        delete: Deletion = "erase",
    ) -> None:
        if delete not in ("erase", "hide"):
            raise ConfigError(f"delete must be 'erase' or 'hide', not {delete!r:.80}")
        self.memory = memory
        self.index_config: dict[str, Any] | None = dict(index) if index else None
        self.ttl_config = ttl
        end_of((ttl or {}).get("default_ttl"), memory.engine.store.clock())
        embedder = IndexEmbedder(index) if index and index.get("embed") is not None else None
        self.embeddings = embedder.embeddings if embedder else None
        #: What `open` opened, to be closed with the store.
        self._opened: list[Memory | IndexEmbedder] = []
        self._scope = Scope(agent_id=agent_id)
        engine = memory.engine
        _check_embedder(memory, index or {}, embedder)
        ranking: Ranking | None = None if index is False else "cosine" if embedder else "recall"
        self._search = Searcher(engine=engine, scope=self._scope, ranking=ranking)
        shape = Shape(
            fields=None if index is False else _fields(index or {}),
            apart=ranking == "cosine",
            limits=engine.settings.limits,
        )
        self._writer = Writer(engine=engine, scope=self._scope, shape=shape, deletion=delete)
        self._expiry = Expiry(store=engine.store, contention=engine.ingest.contention)
        self._sweeper = Sweeper(self.sweep_ttl)

    @classmethod
    def open(
        cls,
        location: str | os.PathLike[str] | None = None,
        *,
        index: IndexConfig | Literal[False] | None = None,
        ttl: TTLConfig | None = None,
        agent_id: str = "langgraph",
        delete: Deletion = "erase",
        **settings: Any,
    ) -> Self:
        """Opens a memory, with the index's ``embed`` as its embedder where it has one, and a store over it.

        Args:
            location: As for `Memory`.
            index, ttl, agent_id, delete: As for the store.
            settings: Further settings of `Memory`.

        Raises:
            EmbedderMismatch: The memory there was made with another embedder.
            ConfigError, BackendError: As `Memory` has it.
        """
        embedder = IndexEmbedder(index) if index and index.get("embed") is not None else None
        if embedder is not None and settings.setdefault("embedder", embedder) is not embedder:
            raise ConfigError("a memory has one embedder: give it as the index's embed, or as embedder")
        memory = Memory(location, **settings)
        try:
            store = cls(memory, index=index, ttl=ttl, agent_id=agent_id, delete=delete)
        except BaseException:
            memory.close()
            raise
        store._opened = [memory, embedder] if embedder else [memory]
        return store

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Does several operations and gives their results in the same order; see the class for what holds in a batch.

        Raises:
            InvalidNamespaceError: A namespace that cannot be.
            ValueRefused, FilterRefused, InputTooLarge, MalformedInput: Something else in an op that cannot be.
            InputRejected: A plugin's guard left a value out; all others are stored.
            BackendError: The store failed.
        """
        asked = list(ops)
        check_ops(asked)
        for op in asked:
            if isinstance(op, SearchOp):
                checked_filter(op.filter)
        changes = self._writer.prepared([op for op in asked if isinstance(op, PutOp)])
        touched: list[MemoryItem] = []
        found = self._found([op for op in asked if isinstance(op, GetOp)], touched)
        results = [self._read(op, found, touched) for op in asked]
        if touched and not self.memory.settings.read_only:
            self._expiry.touch(touched)
        self._writer.write(changes)
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same in a worker thread, so that the event loop never waits. One that is cancelled may still write."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _read(self, op: Op, found: Mapping[str, MemoryItem], touched: list[MemoryItem]) -> Result:
        match op:
            case GetOp():
                item = found.get(self._id(op))
                return None if item is None else item_of(item, value_of(item, self.memory.engine.store))
            case SearchOp():
                hits = self._search.search(op)
                touched += [item for item, _ in hits if op.refresh_ttl]
                return [hit for _, hit in hits]
            case ListNamespacesOp():
                return listed(self.memory.engine.store, self._scope, ITEMS, op)
        return None

    def _found(self, ops: Sequence[GetOp], touched: list[MemoryItem]) -> dict[str, MemoryItem]:
        """The memories of the items that are asked for, by their ids, in one read."""
        asked = {id_: op for op in ops if (id_ := self._id(op))}
        records = self.memory.engine.store.some(list(asked), self._scope) if asked else {}
        items = {id_: record.item for id_, record in records.items() if record.item.kind in KINDS}
        refreshed = {self._id(op) for op in ops if op.refresh_ttl}
        touched += [item for id_, item in items.items() if id_ in refreshed]
        return items

    def _id(self, op: GetOp) -> str:
        """The id of the memory that an item is; empty for what can be none."""
        if not op.namespace or not is_key(op.key, self.memory.settings.limits):
            return ""
        return keyed_id(self._scope.narrowed(bucket=bucket_of(op.namespace)), op.key)

    # -- upkeep -------------------------------------------------------------------------------------------

    def sweep_ttl(self) -> int:
        """Removes from disk what has expired, and returns how many items that were.

        No read shows them as soon as they have expired, and memplug's own upkeep removes them, too, in time.
        """
        return self._writer.sweep()

    def purge(self) -> int:
        """Removes from disk what was deleted or has expired, in one go, and returns how many items that were."""
        return self._writer.purge()

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweeps in the background now and then, until `stop_ttl_sweeper` or `close`."""
        named = sweep_interval_minutes or (self.ttl_config or {}).get("sweep_interval_minutes")
        self._sweeper.start(named or _SWEEP)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Ends that; whether it has ended within so many seconds."""
        return self._sweeper.stop(timeout)

    def close(self) -> None:
        """Ends what goes on in the background, and closes the memory where `open` opened it."""
        self._sweeper.stop()
        for opened in self._opened:
            opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"MemplugStore({self.memory!r}, agent_id={self._scope.agent_id!r})"


def _fields(index: IndexConfig | dict[str, Any]) -> tuple[str, ...]:
    """The paths of what values are found by.

    Raises:
        ConfigError: They are none.
    """
    named: object = index.get("fields")
    fields = (named,) if isinstance(named, str) else named or (WHOLE,)
    if not isinstance(fields, list | tuple) or not all(isinstance(path, str) for path in fields):
        raise ConfigError(f"fields must be a list of paths, not {named!r:.80}")
    return tuple(fields)


def _check_embedder(memory: Memory, index: IndexConfig | dict[str, Any], embedder: IndexEmbedder | None) -> None:
    """Refuses an index whose vectors are not those of the memory.

    Raises:
        EmbedderMismatch: They are of another embedder, or of another length.
    """
    own = memory.engine.embedder
    named = own.name if embedder is None else embedder.name
    if named != own.name:
        raise EmbedderMismatch(
            f"the memory has the embedder {own.name!r}, and the index names {named!r}",
            hint="open both together with MemplugStore.open(location, index=...), or leave 'embed' out",
        )
    dims = index.get("dims")
    if dims is not None and dims != own.dimension:
        raise EmbedderMismatch(f"the memory's vectors have {own.dimension} dimensions, and the index says {dims!r:.80}")
