"""The verbs that find and read memories."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, Unpack

from memplug.exceptions import ConfigError, MalformedInput, NotFound
from memplug.pipelines.identity import keyed_id
from memplug.pipelines.skills import find_skill
from memplug.safety.labels import check_key, check_moment, check_texts
from memplug.store import View
from memplug.values.filters import All, Compare, Filter, parse_filter
from memplug.values.hit import SearchResult
from memplug.values.page import Page, cursor_of, read_cursor
from memplug.values.scope import Scope, ScopeIds, optional_scope, scope_of
from memplug.values.scoping import joined, names, split_scope

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from memplug.engine import Engine
    from memplug.settings import Settings
    from memplug.skills.skill import Skill
    from memplug.values.item import MemoryItem


class Reading:
    """What `Memory` has beside its verbs that write."""

    settings: Settings
    engine: Engine

    def search(
        self,
        query: str,
        *,
        buckets: Collection[str] = (),
        top_k: int = 10,
        kinds: Collection[str] | None = None,
        tags: Collection[str] | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        min_score: float | None = None,
        as_of: datetime | str | None = None,
        explain: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> SearchResult:
        """Recalls the memories that answer a question, best first.

        Args:
            query: The question, in words.
            user_id, agent_id, run_id, bucket: Whose memories. May also stand in ``filters``, as mem0 has it.
            buckets: Further buckets, such as knowledge bases, to look into as well; `Hit.item` says its ``bucket``.
                One that is shared with nobody of that ``user_id`` is empty for them.
            top_k: Most hits to return, 1 to ``limits.top_k``.
            kinds: Only these kinds.
            tags: Only memories that carry all of these.
            filters: See `memplug.values.filters`.
            min_score: Leave out hits below this score.
            as_of: Search what was current at that moment.
            explain: Tell each hit's shares by ranker.

        Raises:
            ScopeError: No scope id.
            FilterError: A filter that means nothing.
            MalformedInput, InputTooLarge: An empty or overlong query, or a ``top_k`` out of range.
        """
        scope, rest = split_scope(ids, parse_filter(filters, self.settings.limits))
        hits = self.engine.recall.search(
            query,
            scope=scope,
            buckets=self._buckets(buckets),
            top_k=top_k,
            filter=joined(rest, self._kinds(kinds), self._tags(tags)),
            min_score=min_score,
            as_of=check_moment(as_of, name="as_of"),
            explain=explain,
        )
        self.engine.plugins.notify("after_search", query=query, hits=hits)
        return SearchResult(hits=tuple(hits), query=query)

    def _buckets(self, buckets: Collection[str]) -> tuple[str, ...]:
        return check_texts("buckets", buckets, self.settings.limits.tags)

    def _kinds(self, kinds: Collection[str] | None) -> Filter | None:
        most = self.settings.limits.filter_values
        return None if kinds is None else Compare("kind", "in", check_texts("kinds", kinds, most))

    def _tags(self, tags: Collection[str] | None) -> Filter | None:
        if tags is None:
            return None
        return All(
            tuple(Compare("tags", "contains", tag) for tag in check_texts("tags", tags, self.settings.limits.tags))
        )

    def get(
        self,
        id: str | None = None,  # noqa: A002 - the word that mem0's users know
        *,
        key: str | None = None,
        **ids: Unpack[ScopeIds],
    ) -> MemoryItem:
        """One memory by its id, or by the caller's key inside a scope.

        Raises:
            NotFound: There is no such memory inside the scope.
            ConfigError: Neither or both of id and key were given.
            ScopeError: A key was given without a scope.
        """
        if (id is None) is (key is None):
            raise ConfigError("get takes either an id or a key")
        if key is None:
            return self.engine.store.get(str(id), optional_scope(ids)).item.handed_out()
        scope = scope_of(ids)
        return self._keyed(scope, str(check_key(key, self.settings.limits)))

    def _keyed(self, scope: Scope, key: str) -> MemoryItem:
        """The memory under a key of exactly this scope, else the newest under that key inside it."""
        try:
            return self.engine.store.get(keyed_id(scope, key), scope).item.handed_out()
        except NotFound:
            found = self.engine.store.select(View(scope=scope, filter=Compare("key", "eq", key)), limit=1)
        if not found:
            raise NotFound(f"there is no memory under the key {key!r:.100} here")
        return found[0].item.handed_out()

    def get_all(
        self,
        *,
        filters: Mapping[str, Any] | Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
        pieces: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> Page:
        """A page of a scope's memories, newest first.

        Args:
            user_id, agent_id, run_id, bucket: Whose memories. May also stand in ``filters``.
            filters: See `memplug.values.filters`.
            limit: Most memories on a page, 1 to ``limits.top_k``.
            cursor: `Page.cursor` of the page before.
            pieces: Also list the pieces of others, such as a document's passages; ``filters={"part_of": id}`` lists
                those of one memory.

        Raises:
            ScopeError: No scope id.
            MalformedInput: A limit out of range, or a cursor that no page gave.
        """
        most = self.settings.limits.top_k
        if not isinstance(limit, int) or not 1 <= limit <= most:
            raise MalformedInput(f"limit must be 1 to {most}, not {limit!r}")
        scope, rest = split_scope(ids, parse_filter(filters, self.settings.limits))
        after = read_cursor(cursor) if cursor is not None else None
        wholes = None if pieces or names(rest, "part_of") else Compare("part_of", "set", value=False)
        view = View(scope=scope, filter=joined(rest, wholes))
        records = self.engine.store.select(view, limit=limit + 1, after=after)
        items = tuple(record.item.handed_out() for record in records[:limit])
        return Page(items=items, cursor=cursor_of(items[-1]) if len(records) > limit else None)

    def history(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        **ids: Unpack[ScopeIds],
    ) -> list[MemoryItem]:
        """All versions of a memory, oldest first, its deletion included.

        Raises:
            NotFound: There is no such memory inside the scope.
        """
        scope = optional_scope(ids)
        return [record.item.handed_out() for record in self.engine.store.history(id, scope)]

    def media(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        **ids: Unpack[ScopeIds],
    ) -> bytes:
        """The original of a memory, byte for byte; of a piece, its whole's.

        Raises:
            NotFound: There is no such memory inside the scope, or it has no original.
        """
        with closing(self.open_media(id, **ids)) as file:
            return file.read()

    def open_media(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        *,
        thumbnail: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> BinaryIO:
        """The original of a memory (or its thumbnail, a small WebP picture) as a file open for reading.

        Raises:
            NotFound: There is no such memory inside the scope, or it has no original or thumbnail.
        """
        item = self.get(id, **ids)
        if item.media is None and item.part_of is not None:
            item = self.get(item.part_of, **ids)
        digest = item.media and (item.media.thumbnail if thumbnail else item.media.digest)
        if not digest:
            raise NotFound(f"memory {id!r} has no {'thumbnail' if thumbnail else 'original'}")
        return self.engine.store.backend.open_media(digest)

    def skill(self, name: str, *, version: int | None = None, **ids: Unpack[ScopeIds]) -> Skill:
        """A skill by its name: its instructions, and each of its files byte for byte. Nothing of it is ever run.

        Args:
            name: As its `SKILL.md` gives it.
            version: An earlier edition instead of the current one.
            user_id, agent_id, run_id, bucket: Whose skills; one of exactly this scope comes first.

        Raises:
            NotFound: There is no such skill or version inside the scope.
            ScopeError: No scope id.
        """
        return find_skill(self.engine.store, name, scope_of(ids), limits=self.settings.limits, version=version)
