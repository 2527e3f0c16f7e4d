"""Memories as LangChain documents, all of a scope or those that answer a question; and files that are not stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

from langchain_core.document_loaders import BaseBlobParser, BaseLoader
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from memplug.binding import AnyMemory, bind
from memplug.exceptions import MalformedInput, NotFound
from memplug.langchain.documents import document_of, merged
from memplug.pipelines.unstored import Unstored
from memplug.safety.labels import check_moment, check_texts
from memplug.values.draft import Draft
from memplug.values.filters import All, Compare, Filter, parse_filter
from memplug.values.item import MemoryItem
from memplug.values.limits import Limits
from memplug.values.scope import ScopeIds
from memplug.values.scoping import joined
from memplug.values.source import Source

#: Memories that are brought at once while a scope is read.
_PAGE = 500
#: Documents of a question, where nobody says how many.
_HITS = 10


class MemplugLoader(BaseLoader):
    """Loads memories as documents, newest first: the passages of documents, pictures by their words, all that there is.

        vectors.add_documents(list(MemplugLoader(memory, user_id="wang").lazy_load()))

    The documents' ids are the memories', so that loading again replaces what changed. Their metadata is that of
    `MemplugRetriever`.

    Args:
        memory: The memory, or a scoped view of one; then no ids are needed.
        query: A question; only the memories that answer it are loaded then, best first.
        since: Only what was added or changed from this moment on.
        limit: Most documents; a question has ten where nothing is said.
        kinds, tags, filters: Which memories; as the arguments of `Memory.search`.
        pieces: Also load the pieces of others: the passages of documents, which hold their words.
        include_media: Whether documents carry their originals as ``media_base64``.
        user_id, agent_id, run_id, bucket: Whose memories.

    Raises:
        ScopeError: No scope id.
        FilterError, MalformedInput: Something that is asked for means nothing.
    """

    def __init__(
        self,
        memory: AnyMemory,
        *,
        query: str | None = None,
        since: datetime | str | None = None,
        limit: int | None = None,
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        pieces: bool = True,
        include_media: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> None:
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise MalformedInput(f"limit must be a whole number above 0, not {limit!r:.80}")
        self._binding = bind(memory, **ids)
        self._query = query
        self._limit = limit
        self._include_media = include_media
        limits = self._binding.memory.settings.limits
        moment = check_moment(since, name="since")
        self._where = joined(
            parse_filter(filters, limits),
            None if moment is None else Compare("updated_at", "gte", moment),
            None if kinds is None else Compare("kind", "in", check_texts("kinds", kinds, limits.filter_values)),
            All(tuple(Compare("tags", "contains", tag) for tag in check_texts("tags", tags, limits.tags)))
            if tags
            else None,
            None if pieces else Compare("part_of", "set", value=False),
        )

    def lazy_load(self) -> Iterator[Document]:
        """The documents, one after the other."""
        if self._query is not None:
            hits = self._binding.view.search(self._query, top_k=self._limit or _HITS, filters=self._where)
            yield from (document_of(hit.item, score=hit.score, media=self._media(hit.item)) for hit in hits)
            return
        for item in islice(self._all(), self._limit):
            yield document_of(item, media=self._media(item))

    def _all(self) -> Iterator[MemoryItem]:
        cursor: str | None = None
        size = min(_PAGE, self._binding.memory.settings.limits.top_k)
        while True:
            page = self._binding.view.get_all(filters=self._where, limit=size, cursor=cursor, pieces=True)
            yield from page
            cursor = page.cursor
            if cursor is None:
                return

    def _media(self, item: MemoryItem) -> bytes | None:
        if not self._include_media or item.media is None:
            return None
        try:
            with self._binding.open_media(item.media.digest) as file:
                return file.read()
        except NotFound:
            return None  # erased just now


class MemplugBlobParser(BaseBlobParser):
    """Reads any LangChain `Blob` that memplug takes, and stores nothing: PDF, Office, HTML, tables, pictures and more.

        parser = MemplugBlobParser()
        GenericLoader(FileSystemBlobLoader("papers"), parser).lazy_load()

    A document becomes one LangChain document per passage, with its ``file``, ``page`` and ``section``; a
    picture becomes one with what describers (OCR, a vision model) read in it for text. The limits and guards of memplug
    hold: each file is parsed in a process that is killed when it takes too long or too much memory.

    Args:
        plugins: Plugin modules or objects beside the installed ones.
        limits: The bounds on what is read.
        describe: Whether describers look at pictures.
    """

    def __init__(
        self, *, plugins: Collection[object] = (), limits: Limits | None = None, describe: bool = True
    ) -> None:
        self._unstored = Unstored.open(plugins=tuple(plugins), limits=limits or Limits(), describe=describe)

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """The documents of one blob.

        Raises:
            InputRejected: It breaks a limit, is damaged, encrypted or unsafe, or nothing reads its type.
        """
        for whole, piece in self._unstored.drafts(_source_of(blob)):
            yield _document(whole, piece, blob)


def _source_of(blob: Blob) -> Source:
    name = Path(str(blob.source)).name if blob.source else None
    media_type = None if blob.mimetype == "application/octet-stream" else blob.mimetype
    if blob.data is None and blob.path is not None:
        return Source(path=Path(blob.path), media_type=media_type)
    return Source(data=blob.as_bytes(), media_type=media_type, name=name)


def _document(whole: Draft, piece: Draft, blob: Blob) -> Document:
    media = whole.media
    source = piece.source
    known = {
        "source": str(blob.source) if blob.source else None,
        "kind": piece.kind,
        "title": whole.metadata.get("title"),
        "file": source.file or (media.name if media else None),
        "page": source.page,
        "section": source.section,
        "content_type": whole.content_type,
    }
    own = {name: value for name, value in whole.metadata.items() if name != "title"} | {
        name: value for name, value in blob.metadata.items() if name != "source"
    }
    text = piece.text.strip() or whole.context.strip() or (media.name if media else "") or whole.content_type
    return Document(page_content=text, metadata=merged(known, own))
