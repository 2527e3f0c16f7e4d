"""`Memory`: the client."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, Unpack

from memplug.engine import open_engine
from memplug.exceptions import ConfigError, MalformedInput, NotFound
from memplug.pipelines.editing import KEEP, Change, Keep
from memplug.pipelines.identity import keyed_id
from memplug.pipelines.skills import find_skill
from memplug.safety.labels import check_key, check_moment, check_texts
from memplug.settings import Settings, allowed_hosts, resolved_location
from memplug.store import View
from memplug.upkeep import Upkeep
from memplug.values.filters import All, Compare, Filter, parse_filter
from memplug.values.hit import SearchResult
from memplug.values.limits import Limits
from memplug.values.page import Page, cursor_of, read_cursor
from memplug.values.request import AddRequest, Infer
from memplug.values.scope import Scope, ScopeIds, optional_scope, scope_of
from memplug.values.scoping import joined, names, split_scope

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from memplug.pipelines.sharing import Buckets
    from memplug.plugins.protocols import Embedder
    from memplug.scoped import ScopedMemory
    from memplug.skills.skill import Skill
    from memplug.values.feedback import FeedbackResult
    from memplug.values.item import MemoryItem
    from memplug.values.outcome import AddResult


class Memory(Upkeep):
    """Long-term memory for chat assistants.

    Every call names whose memories it is about, by at least one of ``user_id``, ``agent_id``, ``run_id`` (a
    conversation) and ``bucket`` (a named collection); a memory is found when it carries all ids that are named. In a
    bucket that is shared (`buckets`), ``user_id`` is who acts there, and all of the bucket is meant.
    Safe to use from several threads, and from several processes on one store. Close it, or use it in ``with``.

        memory = Memory()
        memory.add("I am Wang, and I like spicy food.", user_id="wang")
        memory.search("what does Wang like to eat?", user_id="wang")[0].text

    Args:
        location: Folder or URL of the store (``s3://bucket/mem``, ``memory://`` for none on disk). Default: the
            folder in ``MEMPLUG_STORE``, else one in the user's data folder.
        embedder: ``"name"`` or ``"name:model"`` of a registered embedder, or an object with the `Embedder` methods.
            Default: the one that the store was made with; a new store gets the static ``wordllama``.
        plugins: Plugin modules or objects beside the installed ones.
        limits: The bounds on what is taken in.
        read_only: Refuse every write; also opens a folder that cannot be written.
        sync: ``"full"`` makes each acknowledged write survive a power cut as far as the file system promises;
            ``"normal"`` survives a killed process.
        keep_location: Keep where a picture was taken in its metadata. Off: where somebody was is nobody's business.
        strict_skills: Refuse a skill that breaks a rule of the Agent Skills specification, instead of noting it.
        fetch_urls: Whether URLs in input may be fetched at all; a server that takes input from others turns it off.
        allow_hosts: Hosts in the private network that URLs in input may name. Public hosts need no entry.
        options: Settings for the backend; for an object store ``storage_options`` and ``lease_seconds``;
            for ``db://`` also ``companion``, ``api_key``, ``region``, ``host_override`` and ``timeout_seconds``.
        clock: Gives the present moment; for tests.

    Raises:
        ConfigError: A setting is wrong, or no plugin gives the backend or embedder asked for.
        EmbedderMismatch: The store was made with another embedder; the message says what to do.
        BackendError: The store cannot be opened.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        *,
        embedder: str | Embedder | None = None,
        plugins: Sequence[object] = (),
        limits: Limits | None = None,
        read_only: bool = False,
        sync: Literal["normal", "full"] = "normal",
        keep_location: bool = False,
        strict_skills: bool = False,
        fetch_urls: bool = True,
        allow_hosts: Collection[str] | None = None,
        options: Mapping[str, Any] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.settings = Settings(
            location=resolved_location(location),
            embedder=embedder,
            plugins=plugins,
            limits=limits or Limits(),
            read_only=read_only,
            sync=sync,
            keep_location=keep_location,
            strict_skills=strict_skills,
            fetch_urls=fetch_urls,
            allow_hosts=allowed_hosts(allow_hosts),
            options=options or {},
            clock=clock,
        )
        self.engine = open_engine(self.settings)

    @property
    def buckets(self) -> Buckets:
        """The shared buckets: who owns them, and who may do what in them."""
        return self.engine.buckets

    # -- writing ------------------------------------------------------------------------------------------

    def add(
        self,
        content: object,
        *,
        key: str | None = None,
        kind: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        description: str | None = None,
        content_type: str | None = None,
        occurred_at: datetime | str | None = None,
        expires_at: datetime | str | None = None,
        version: int | None = None,
        infer: Infer = "auto",
        wait: bool = True,
        **ids: Unpack[ScopeIds],
    ) -> AddResult:
        """Remembers something: all of it in one step, each part with an outcome.

        Args:
            content: A text (any ``str``); a path, bytes, PIL image, `Source`; a message ``{"role", "content", "name"}``
                whose content is a text, a part or a list of parts; a LangChain message; or a list of all these.
            user_id, agent_id, run_id, bucket: Whose memory it is.
            key: The caller's own name for it. Adding under the same key again makes a new version of the same id.
            kind: The input type that must take it; found out by itself where left out.
            tags: Words to group by.
            metadata: A JSON object to keep with it and to filter by.
            description: The user's own words about a picture or file; they are what it is found by.
            content_type: What the caller believes the bytes are.
            occurred_at: When it happened, where that is not now.
            expires_at: From when on it must be gone from every read.
            version: With ``key``: the version that must be current (0: none).
            infer: Whether extractors may add facts: ``"auto"`` where there are any, True insists, False never.
            wait: False lets describers look at pictures afterwards; see `status` for the result's ``task_id``.

        Returns:
            One outcome per part. A part that is refused never takes another with it.

        Raises:
            ScopeError: No scope id, one that cannot be used, or a shared bucket that the user may not add to.
            InputRejected: Nothing could be stored; the error is the first part's, its ``result`` has all outcomes.
            VersionConflict: ``version`` was not the current one.
            BackendError: The store failed; nothing was stored.
        """
        request = AddRequest(
            content=content,
            scope=scope_of(ids),
            key=key,
            kind=kind,
            tags=tags,
            metadata=metadata,
            description=description,
            content_type=content_type,
            occurred_at=occurred_at,
            expires_at=expires_at,
            version=version,
            infer=infer,
            wait=wait,
        )
        return self.engine.feedback.added(request)

    def feedback(
        self, text: str, *, buckets: Collection[str] = (), dry_run: bool = False, **ids: Unpack[ScopeIds]
    ) -> FeedbackResult:
        """Corrects what was remembered, said in plain words and without an id.

        Rules read "X, not Y", "it is X now", "change Y to X", "forget that …" and their likes, in English and Chinese.
        What is wrong gets a new version, so that search finds the correction alone and `history` the rest.

        Args:
            text: What is wrong, or what is right.
            user_id, agent_id, run_id, bucket: Whose memories it is about.
            buckets: Further buckets, such as knowledge bases, where the wrong memory may be.
            dry_run: Only show the plan.

        Returns:
            What was changed. Where it is not sure what is meant, nothing is; the words are kept as a memory of kind
            ``feedback`` then, and the result names what may be meant.

        Raises:
            MalformedInput, InputTooLarge: The text is empty or too long.
        """
        request = AddRequest(content=text, scope=scope_of(ids))
        return self.engine.feedback.take(request, self._buckets(buckets), dry_run=dry_run)

    def undo(self, result: FeedbackResult, *, buckets: Collection[str] = (), **ids: Unpack[ScopeIds]) -> None:
        """Takes a correction back: what it changed is restored, its note deleted. The words are those of `feedback`.

        Raises:
            NotFound: A memory of it is not there any more.
        """
        self.engine.feedback.undo(result, optional_scope(ids), self._buckets(buckets))

    def update(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        text: str | Keep = KEEP,
        *,
        tags: Iterable[str] | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
        occurred_at: datetime | str | Keep | None = KEEP,
        expires_at: datetime | str | Keep | None = KEEP,
        version: int | None = None,
        **ids: Unpack[ScopeIds],
    ) -> MemoryItem:
        """Changes a memory by appending a version; what is not named stays, None takes it away.

        Returns:
            The new version.

        Raises:
            NotFound: There is no such memory inside the scope.
            AccessDenied: It lies in a shared bucket, where the user may only read it.
            VersionConflict: ``version`` was given and is not the current one.
            InputRejected: A new value breaks a limit or has a wrong form.
            ConfigError: Nothing was named to change.
        """
        change = Change(text=text, tags=tags, metadata=metadata, occurred_at=occurred_at, expires_at=expires_at)
        scope = optional_scope(ids)
        return self.engine.editor.update(id, change, scope=scope, version=version)

    def delete(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        *,
        version: int | None = None,
        erase: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> None:
        """Deletes a memory: gone from every read at once, kept in `history`, and restorable.

        An erasure that fails is finished by calling it again, also where that finds no memory any more; one whose
        process was killed, by `maintain`.

        Args:
            id: The memory's id.
            user_id, agent_id, run_id, bucket: Where given, the memory must lie inside this scope.
            version: Where given, the version that must be current.
            erase: Also remove text, vectors, words, media and all versions from disk, for good.

        Raises:
            NotFound: There is no such memory inside the scope.
            AccessDenied: It lies in a shared bucket, where the user may only read it.
            VersionConflict: ``version`` is not the current one.
        """
        scope = optional_scope(ids)
        self.engine.editor.delete(id, scope=scope, version=version, erase=erase)

    def delete_all(
        self,
        *,
        erase: bool = False,
        **ids: Unpack[ScopeIds],
    ) -> int:
        """Deletes all memories of a scope; of shared buckets, those that the user may delete.

        Returns:
            How many there were; with ``erase`` those that were deleted or had expired before count too.

        Raises:
            ScopeError: No scope id was given.
            AccessDenied: The scope is a shared bucket that the user may only read.
        """
        scope = scope_of(ids)
        return self.engine.editor.delete_all(scope, erase=erase)

    def restore(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        version: int,
        **ids: Unpack[ScopeIds],
    ) -> MemoryItem:
        """Brings an earlier version back, as a new one; also of a deleted memory.

        Raises:
            NotFound: There is no such memory inside the scope, or no such version with content.
            AccessDenied: It lies in a shared bucket, where the user may only read it.
        """
        scope = optional_scope(ids)
        return self.engine.editor.restore(id, version, scope=scope)

    # -- reading ------------------------------------------------------------------------------------------

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

    # -- the store ----------------------------------------------------------------------------------------

    def scoped(
        self,
        *,
        buckets: Collection[str] = (),
        **ids: Unpack[ScopeIds],
    ) -> ScopedMemory:
        """A view of this memory with ids fixed: what an agent is given, so that it cannot leave its scope.

        Args:
            user_id, agent_id, run_id, bucket: The scope.
            buckets: Further buckets, such as knowledge bases, that the view reaches: each search looks into them,
                unless it names fewer; `feedback` may name them.
        """
        from memplug.scoped import ScopedMemory

        return ScopedMemory(self, scope_of(ids), self._buckets(buckets))

    def close(self) -> None:
        """Ends background work after the step that it is at, and lets go of the store. A second call does nothing."""
        self.engine.worker.close()
        self.engine.store.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Memory({self.settings.location!r})"
