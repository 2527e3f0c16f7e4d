"""Memories as LlamaIndex documents, all of a scope or those that answer a question."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.readers.base import BasePydanticReader, ResourcesReaderMixin
from llama_index.core.schema import Document

from memplug.binding import AnyMemory, Binding, bind
from memplug.exceptions import ConfigError, MalformedInput
from memplug.llamaindex.documents import document_of
from memplug.llamaindex.pictures import Pictures
from memplug.llamaindex.wanted import kinds_in, tags_all
from memplug.memory import Memory
from memplug.safety.labels import check_moment
from memplug.values.filters import Compare, Filter, parse_filter
from memplug.values.item import MemoryItem
from memplug.values.scope import SCOPE_FIELDS, Scope
from memplug.values.scoping import joined

#: Memories that are brought at once while a scope is read.
_PAGE = 500
#: Documents of a question, where nobody says how many.
_HITS = 10


class MemplugReader(BasePydanticReader, ResourcesReaderMixin):
    """Loads memories as documents: their ids are the memories', so that loading again replaces what changed.

        reader = MemplugReader(memory, user_id="wang", media_folder="pictures")
        index = VectorStoreIndex.from_documents(reader.load_data())
        ...
        index.refresh_ref_docs(reader.load_data(since=last_time))

    Pictures are `ImageDocument` with words and ``image_path``, and keep both through an index, also written to disk
    and read again. Metadata has the citation (``file``, ``page``, ``section``), the scope ids and the times.

    Args:
        memory: The memory, or a scoped view of one; then no ids are needed. Left out, ``location`` is opened, only to
            be read, once something is loaded.
        location: Where the store is; taken from ``memory``. Secrets in it are not kept.
        user_id, agent_id, run_id, bucket: Whose memories.
        kinds, tags, filters: Which of them; as the arguments of `Memory.search`.
        pieces: Also load the pieces of others: the passages of documents, which hold their words.
        media_folder: Where copies of pictures are kept. Without it the store's own files are named, which needs a
            store in a folder; name one where a model is to be shown pictures out of a `VectorStoreIndex`, which tells
            what a picture is by the ending of its name.

    Raises:
        ScopeError: No scope id.
    """

    is_remote: bool = Field(default=False, description="Whether the data is loaded from a remote API or a local file.")
    location: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    bucket: str | None = None
    kinds: list[str] | None = None
    tags: list[str] | None = None
    filters: dict[str, Any] | None = None
    pieces: bool = True
    media_folder: str | None = None

    _binding: Binding | None = PrivateAttr(default=None)
    _opened: Memory | None = PrivateAttr(default=None)

    def __init__(self, memory: AnyMemory | None = None, **fields: Any) -> None:
        ids = {name: fields.get(name) for name in SCOPE_FIELDS}
        binding = None
        if memory is not None:
            binding = bind(memory, **ids)
            fields |= binding.view.scope.ids
            fields["location"] = _public(binding.memory.settings.location)
        else:
            Scope(**ids)
            fields["location"] = _public(fields.get("location"))
        if isinstance(fields.get("media_folder"), Path):
            fields["media_folder"] = str(fields["media_folder"])
        super().__init__(**fields)
        self._binding = binding

    @classmethod
    def class_name(cls) -> str:
        """What a serialised reader is called."""
        return "MemplugReader"

    def lazy_load_data(
        self,
        query: str | None = None,
        *,
        since: datetime | str | None = None,
        limit: int | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
    ) -> Iterator[Document]:
        """The documents, newest first; of a question, best first.

        Args:
            query: A question; only the memories that answer it are loaded then.
            since: Only what was added or changed from this moment on. What was imported keeps the times that it had
                where it comes from, so load all after an import. What was deleted is only missing: compare
                `list_resources`, or load all with an `IngestionPipeline` that upserts and deletes.
            limit: Most documents; a question has ten where nothing is said.
            filters: What else must hold, beside the reader's own filters.

        Raises:
            ConfigError: There is no memory, or a picture has no path that stays.
            FilterError, MalformedInput: Something that was asked for means nothing.
        """
        binding = self._bound()
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise MalformedInput(f"limit must be a whole number above 0, not {limit!r}")
        where = self._where(binding, since, filters)
        pictures = self._pictures()
        for item in self._items(binding, query, where, limit):
            yield document_of(item, pictures.path(binding, item))

    async def alazy_load_data(self, *args: Any, **load_kwargs: Any) -> Iterable[Document]:
        """The same, read in a worker thread: what LlamaIndex makes of a generator would block the event loop."""
        return await asyncio.to_thread(self.load_data, *args, **load_kwargs)

    def list_resources(self, *, pieces: bool = False) -> list[str]:
        """The ids of the memories that there are now, newest first.

        Args:
            pieces: Also those of pieces; then it is every id that a document may have.
        """
        binding = self._bound()
        where = self._where(binding, None, None)
        wholes = None if pieces else Compare("part_of", "set", value=False)
        return [item.id for item in self._items(binding, None, joined(where, wholes), None)]

    def get_resource_info(self, resource_id: str) -> dict[str, Any]:
        """What is known of a memory, without its words.

        Raises:
            NotFound: There is no such memory inside the scope.
        """
        item = self._bound().view.get(resource_id)
        known = {
            "id": item.id,
            "name": item.name[:200],
            "size": item.media.size if item.media else len(item.text.encode()),
        }
        return known | document_of(item).metadata

    def load_resource(self, resource_id: str) -> list[Document]:
        """A memory as a document, and its pieces behind it.

        Raises:
            NotFound: There is no such memory inside the scope.
            ConfigError: A picture has no path that stays.
        """
        binding = self._bound()
        item = binding.view.get(resource_id)
        pieces = self._all(binding, Compare("part_of", "eq", resource_id)) if self.pieces else ()
        pictures = self._pictures()
        return [document_of(one, pictures.path(binding, one)) for one in (item, *pieces)]

    def close(self) -> None:
        """Closes the store that ``location`` opened; a memory that was given is its owner's to close."""
        if self._opened is not None:
            self._opened.close()
            self._opened = self._binding = None

    def _bound(self) -> Binding:
        if self._binding is None:
            if self.location is None:
                raise ConfigError("this reader has no memory", hint="MemplugReader(memory, …), or location=…")
            ids = {name: getattr(self, name) for name in SCOPE_FIELDS}
            self._opened = Memory(self.location, read_only=True)
            self._binding = bind(self._opened, **ids)
        return self._binding

    def _pictures(self) -> Pictures:
        return Pictures(folder=Path(self.media_folder) if self.media_folder is not None else None)

    def _where(
        self, binding: Binding, since: datetime | str | None, filters: Mapping[str, Any] | Filter | None
    ) -> Filter | None:
        limits = binding.memory.settings.limits
        moment = check_moment(since, name="since")
        return joined(
            parse_filter(self.filters, limits),
            parse_filter(filters, limits),
            None if moment is None else Compare("updated_at", "gte", moment),
            kinds_in(self.kinds, limits),
            tags_all(self.tags, limits),
        )

    def _items(
        self, binding: Binding, query: str | None, where: Filter | None, limit: int | None
    ) -> Iterator[MemoryItem]:
        wholes = None if self.pieces else Compare("part_of", "set", value=False)
        where = joined(where, wholes)
        if query is None:
            return islice(self._all(binding, where), limit)
        return (hit.item for hit in binding.view.search(query, top_k=limit or _HITS, filters=where))

    def _all(self, binding: Binding, where: Filter | None) -> Iterator[MemoryItem]:
        cursor: str | None = None
        size = min(_PAGE, binding.memory.settings.limits.top_k)
        while True:
            page = binding.view.get_all(filters=where, limit=size, cursor=cursor, pieces=True)
            yield from page
            cursor = page.cursor
            if cursor is None:
                return


def _public(location: object) -> str | None:
    """A location without what may be a secret in it; None for one that cannot be opened again."""
    if location is None:
        return None
    text = str(location)
    if text.startswith("memory:"):
        return None
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
