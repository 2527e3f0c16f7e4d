"""Puts the parts of a memory together: plugins, store, embedder and pipelines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.embedders.checked import checked
from memplug.exceptions import ConfigError, EmbedderMismatch, NoStore
from memplug.pipelines.correcting import Corrector
from memplug.pipelines.describing import Describing
from memplug.pipelines.editing import Editor
from memplug.pipelines.feedback import Feedback
from memplug.pipelines.ingest import Ingest
from memplug.pipelines.parsing import Parser
from memplug.pipelines.recall import Recall
from memplug.pipelines.sharing import Buckets
from memplug.pipelines.turns import TurnCounter
from memplug.pipelines.versions import Contention
from memplug.pipelines.worker import Worker
from memplug.plugins.manager import PluginManager
from memplug.plugins.protocols import BackendRequest, ParseContext, StoreProfile
from memplug.safety.fetch import Fetcher
from memplug.settings import DEFAULT_EMBEDDER, Settings
from memplug.store import Store, utc_now

if TYPE_CHECKING:
    from memplug.plugins.protocols import Backend, Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The opened parts. `Memory` is the face over them."""

    settings: Settings
    plugins: PluginManager
    store: Store
    embedder: Embedder
    turns: TurnCounter
    worker: Worker
    ingest: Ingest
    recall: Recall
    editor: Editor
    feedback: Feedback
    buckets: Buckets


def open_engine(settings: Settings) -> Engine:
    """Opens the store that the settings name, or makes it.

    Raises:
        ConfigError: No backend or embedder of that name.
        EmbedderMismatch: The store was made with another embedder.
        BackendError: The store cannot be opened.
    """
    plugins = PluginManager(plugins=settings.plugins, environ=os.environ)
    backend, embedder = _opened(settings, plugins)
    store = Store(backend=backend, clock=settings.clock or utc_now)
    turns, contention = TurnCounter(store=store), Contention()
    describing = Describing(store=store, plugins=plugins, embedder=embedder, contention=contention)
    worker = Worker(store=store, describing=describing, limits=settings.limits)
    parser = Parser(
        plugins=plugins,
        fetcher=Fetcher(settings.limits, enabled=settings.fetch_urls, allow_hosts=settings.allow_hosts),
        context=ParseContext(
            limits=settings.limits, keep_location=settings.keep_location, strict_skills=settings.strict_skills
        ),
    )
    ingest = Ingest(
        store=store,
        plugins=plugins,
        parser=parser,
        embedder=embedder,
        turns=turns,
        contention=contention,
        describing=describing,
        worker=worker,
    )
    recall = Recall(store=store, embedder=embedder, rankers=plugins.rankers(), limits=settings.limits)
    editor = Editor(
        store=store,
        plugins=plugins,
        embedder=embedder,
        turns=turns,
        limits=settings.limits,
        contention=contention,
    )
    corrector = Corrector(store=store, recall=recall, plugins=plugins, embedder=embedder, contention=contention)
    return Engine(
        settings=settings,
        plugins=plugins,
        store=store,
        embedder=embedder,
        turns=turns,
        worker=worker,
        ingest=ingest,
        recall=recall,
        editor=editor,
        feedback=Feedback(corrector=corrector, ingest=ingest, editor=editor),
        buckets=Buckets(store=store, editor=editor, embedder=embedder, contention=contention, limits=settings.limits),
    )


def request_for(settings: Settings, profile: StoreProfile | None) -> BackendRequest:
    """What the settings ask of a backend."""
    return BackendRequest(
        location=settings.location,
        profile=profile,
        read_only=settings.read_only,
        sync=settings.sync,
        options=settings.options,
    )


def make_embedder(named: str | Embedder, plugins: PluginManager) -> Embedder:
    """The embedder of that name, or the object given, with its results checked.

    Raises:
        ConfigError: No embedder of that name.
    """
    return checked(plugins.embedder(named) if isinstance(named, str) else named)


def profile_of(embedder: Embedder) -> StoreProfile:
    """What a store remembers of an embedder."""
    return StoreProfile(embedder=embedder.name, dimension=embedder.dimension)


def _opened(settings: Settings, plugins: PluginManager) -> tuple[Backend, Embedder]:
    """The store with the embedder asked for, else with its own, else a new one with the default."""
    factory = plugins.backend(settings.scheme)
    asked = settings.embedder or os.environ.get("MEMPLUG_EMBEDDER") or None
    if asked is None:
        try:
            backend = factory(request_for(settings, None))
        except NoStore:
            asked = DEFAULT_EMBEDDER
        else:
            return backend, _own_embedder(backend, plugins)
    embedder = make_embedder(asked, plugins)
    return factory(request_for(settings, profile_of(embedder))), embedder


def _own_embedder(backend: Backend, plugins: PluginManager) -> Embedder:
    """The embedder that a store says it was made with."""
    profile = backend.profile
    try:
        embedder = make_embedder(profile.embedder, plugins)
        if profile_of(embedder) == profile:
            return embedder
    except ConfigError as error:
        backend.close()
        raise EmbedderMismatch(
            f"the store was made with the embedder {profile.embedder!r}, which is not available: {error.message}",
            hint="name it as Memory(embedder=...), or run `memplug reindex`",
        ) from error
    backend.close()
    raise EmbedderMismatch(
        f"the store was made with {profile.embedder!r} of {profile.dimension} dimensions; "
        f"{embedder.name!r} of {embedder.dimension} dimensions is what that name gives now"
    )
