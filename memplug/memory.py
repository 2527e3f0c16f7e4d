"""`Memory`: the client."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from memplug.chatting import Chatting
from memplug.engine import open_engine
from memplug.pipelines.editing import KEEP, Change, Keep
from memplug.settings import Settings, allowed_hosts, redaction, resolved_location
from memplug.upkeep import Upkeep
from memplug.values.extraction import Extraction
from memplug.values.limits import Limits
from memplug.values.request import AddRequest, Infer
from memplug.values.scope import ScopeIds, optional_scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from memplug.pipelines.sharing import Buckets
    from memplug.plugins.models import ChatModel
    from memplug.plugins.protocols import Embedder
    from memplug.scoped import ScopedMemory
    from memplug.values.feedback import FeedbackResult
    from memplug.values.item import MemoryItem
    from memplug.values.outcome import AddResult
    from memplug.values.plan import ExtractionPlan


class Memory(Chatting, Upkeep):
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
        model: A chat model that may be asked, as ``"name:model"`` of a registered one (``"openai:gpt-5-mini"``) or an
            object with the `ChatModel` methods. Default: ``MEMPLUG_MODEL``, else the configuration's, else none: then
            nothing is sent anywhere. ``"none"`` says so whatever these say.
        vision_model: The same for pictures. Default: ``MEMPLUG_VISION_MODEL``, else the configuration's, else the chat
            model where it is set up to see, else none.
        config: Path of a ``memplug.yaml``. Default: ``MEMPLUG_CONFIG``, else the one in the user's
            configuration folder.
        extraction: What facts are drawn from conversations, where there is a model: your instructions, categories, and
            what to leave out.
        plugins: Plugin modules or objects beside the installed ones.
        limits: The bounds on what is taken in.
        read_only: Refuse every write; also opens a folder that cannot be written.
        sync: ``"full"`` makes each acknowledged write survive a power cut as far as the file system promises;
            ``"normal"`` survives a killed process.
        keep_location: Keep where a picture was taken in its metadata. Off: where somebody was is nobody's business.
        strict_skills: Refuse a skill that breaks a rule of the Agent Skills specification, instead of noting it.
        redact: ``"secrets"`` stores ``[secret:kind]`` in the place of keys, tokens and passwords that are found in
            words and metadata; originals stay as they are. Default: ``MEMPLUG_REDACT``, else nothing is left out. What
            is sent to models and embedding servers never holds them.
        chatter: ``"skip"`` leaves out messages that are a greeting, thanks or goodbye and nothing else; their outcome
            is ``skipped`` and names the rule (`memplug.lexical.chatter`).
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
        model: str | ChatModel | None = None,
        vision_model: str | ChatModel | None = None,
        config: str | os.PathLike[str] | None = None,
        extraction: Extraction | None = None,
        plugins: Sequence[object] = (),
        limits: Limits | None = None,
        read_only: bool = False,
        sync: Literal["normal", "full"] = "normal",
        keep_location: bool = False,
        strict_skills: bool = False,
        redact: Literal["secrets"] | None = None,
        chatter: Literal["keep", "skip"] = "keep",
        fetch_urls: bool = True,
        allow_hosts: Collection[str] | None = None,
        options: Mapping[str, Any] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.settings = Settings(
            location=resolved_location(location),
            embedder=embedder,
            model=model,
            vision_model=vision_model,
            config=None if config is None else os.fspath(config),
            extraction=extraction or Extraction(),
            plugins=plugins,
            limits=limits or Limits(),
            read_only=read_only,
            sync=sync,
            keep_location=keep_location,
            strict_skills=strict_skills,
            redact=redaction(redact),
            chatter=chatter,
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
            infer: Whether facts and tools' lessons are drawn from it: ``"auto"`` where somebody can, True insists.
            wait: False leaves that, and looking at pictures, for later; see `status` for the result's ``task_id``.

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

    def extract(
        self,
        content: object,
        *,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        occurred_at: datetime | str | None = None,
        **ids: Unpack[ScopeIds],
    ) -> ExtractionPlan:
        """What `add` would draw from a conversation: the same plan, without writing anything.

        Args:
            content: As for `add`.
            tags, metadata, occurred_at: As for `add`.
            user_id, agent_id, run_id, bucket: Whose memories it is compared with.

        Raises:
            ConfigError: No model is configured, and no plugin could be asked.
            ModelError: The model could not answer.
            InputRejected: The content cannot be read.
        """
        request = AddRequest(
            content=content, scope=scope_of(ids), tags=tags, metadata=metadata, occurred_at=occurred_at
        )
        return self.engine.ingest.planned(request)

    def feedback(
        self, text: str, *, buckets: Collection[str] = (), dry_run: bool = False, **ids: Unpack[ScopeIds]
    ) -> FeedbackResult:
        """Corrects what was remembered, said in plain words and without an id.

        Rules read "X, not Y", "it is X now", "change Y to X", "forget that …" and their likes, in English and Chinese;
        where they do not know what is meant, a model does, if one is configured.
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
            VersionConflict: Somebody changed a memory of it since, and nothing was undone; `restore` takes any version.
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
            erase: Also remove text, vectors, words, media and all versions from disk, for good; with a turn also the
                facts that were drawn from it, of which one that holds by other turns since keeps its current words.

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

        What was still to be done about that version is done in the background.

        Raises:
            NotFound: There is no such memory inside the scope, or no such version with content.
            AccessDenied: It lies in a shared bucket, where the user may only read it.
        """
        scope = optional_scope(ids)
        return self.engine.editor.restore(id, version, scope=scope)

    def describe(
        self,
        id: str,  # noqa: A002 - the word that mem0's users know
        *,
        wait: bool = True,
        **ids: Unpack[ScopeIds],
    ) -> AddResult:
        """Describes a picture once more, as a new version: by a better model, or by the first one that there is.

        What describers said before gives way; the user's own words stay and come first.

        Args:
            id: The memory's.
            user_id, agent_id, run_id, bucket: Where given, the memory must lie inside this scope.
            wait: False leaves it to the background; see `status` for the result's ``task_id``.

        Raises:
            NotFound: There is no such memory inside the scope.
            AccessDenied: It lies in a shared bucket, where the user may only read it.
            MalformedInput: It has no original.
            ConfigError: Nothing here can describe it.
            ModelError, PluginError: It could not be described, and ``wait`` is True; the memory is as it was.
        """
        result = self.engine.ingest.describing.again(id, optional_scope(ids), wait=wait)
        if result.task_id is not None:
            self.engine.worker.start()
        return result

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
        self.engine.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Memory({self.settings.location!r})"
