"""Puts the parts of a memory together: plugins, store, embedder and pipelines."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memplug.embedders.checked import checked
from memplug.equipment import config_of, embedding, equipment
from memplug.exceptions import ConfigError, EmbedderMismatch, NoStore
from memplug.pipelines.consulting import Consulting
from memplug.pipelines.correcting import Corrector
from memplug.pipelines.describing import Describing
from memplug.pipelines.documents import Documents
from memplug.pipelines.editing import Editor
from memplug.pipelines.extracting import Extracting
from memplug.pipelines.facts import Facts
from memplug.pipelines.feedback import Feedback
from memplug.pipelines.ingest import Ingest
from memplug.pipelines.lessons import Lessons
from memplug.pipelines.parsing import Parser
from memplug.pipelines.recall import Recall
from memplug.pipelines.remembering import Remembering
from memplug.pipelines.screening import Screening
from memplug.pipelines.sharing import Buckets
from memplug.pipelines.turns import TurnCounter
from memplug.pipelines.versions import Contention
from memplug.pipelines.worker import Worker
from memplug.plugins.manager import PluginManager
from memplug.plugins.protocols import BackendRequest, ParseContext, StoreProfile
from memplug.plugins.redaction import RedactSecrets
from memplug.safety.fetch import Fetcher
from memplug.settings import DEFAULT_EMBEDDER, Settings
from memplug.store import Store, utc_now

if TYPE_CHECKING:
    from memplug.config import Config
    from memplug.plugins.models import Toolbox
    from memplug.plugins.protocols import Backend, Embedder
    from memplug.values.endpoint import Endpoint


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
    models: Toolbox

    def disconnect(self) -> None:
        """Closes connections to servers of models and embedder, except those of objects that the caller gave.

        What plugins made is told to let go, too.
        """
        settings, models = self.settings, self.models
        used = [(settings.model, models.model), (settings.embedder, self.embedder)]
        if models.vision is not models.model:
            used.append((settings.vision_model, models.vision))
        for named, made in used:
            close = getattr(made, "close", None)
            if callable(close) and (named is None or isinstance(named, str)):
                close()
        self.plugins.close()


def open_engine(settings: Settings) -> Engine:
    """Opens the store that the settings name, or makes it.

    Raises:
        ConfigError: No backend or embedder of that name.
        EmbedderMismatch: The store was made with another embedder.
        BackendError: The store cannot be opened.
    """
    plugins = PluginManager(plugins=_plugins(settings), environ=os.environ)
    config = config_of(settings)
    models = equipment(settings, plugins, config)
    plugins.equip(models)
    backend, embedder = _opened(settings, plugins, config)
    store = Store(backend=backend, clock=settings.clock or utc_now)
    turns, contention = TurnCounter(store=store), Contention()
    describing = Describing(store=store, plugins=plugins, embedder=embedder, contention=contention)
    parser = _parser(settings, plugins)
    documents = Documents(describing=describing, context=parser.context)
    recall = Recall(store=store, embedder=embedder, rankers=plugins.rankers(), limits=settings.limits)
    remembering = _remembering(settings, recall, plugins, contention)
    lessons = _lessons(settings, remembering, models)
    worker = Worker(store=store, steps=(documents, describing, remembering, lessons), limits=settings.limits)
    ingest = Ingest(
        store=store,
        plugins=plugins,
        parser=parser,
        embedder=embedder,
        turns=turns,
        contention=contention,
        describing=describing,
        remembering=remembering,
        lessons=lessons,
        screening=Screening(recalled=recall.recalled, chatter=settings.chatter),
        worker=worker,
    )
    editor = Editor(
        store=store,
        plugins=plugins,
        embedder=embedder,
        turns=turns,
        limits=settings.limits,
        contention=contention,
        lessons=lessons,
        worker=worker,
    )
    corrector = _corrector(recall, remembering)
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
        models=models,
    )


def _parser(settings: Settings, plugins: PluginManager) -> Parser:
    """What reads inputs."""
    context = ParseContext(
        limits=settings.limits, keep_location=settings.keep_location, strict_skills=settings.strict_skills
    )
    fetcher = Fetcher(settings.limits, enabled=settings.fetch_urls, allow_hosts=settings.allow_hosts)
    return Parser(plugins=plugins, fetcher=fetcher, context=context)


def _remembering(settings: Settings, recall: Recall, plugins: PluginManager, contention: Contention) -> Remembering:
    """What draws facts from conversations. What it looks for itself is not handed out by that."""
    quiet = replace(recall)  # another one, that keeps another list of what it found
    extracting = Extracting(store=recall.store, plugins=plugins, recall=quiet, rules=settings.extraction)
    return Remembering(
        store=recall.store,
        plugins=plugins,
        embedder=recall.embedder,
        contention=contention,
        extracting=extracting,
        facts=Facts(store=recall.store, plugins=plugins, extracting=extracting, limits=settings.limits),
    )


def _lessons(settings: Settings, remembering: Remembering, models: Toolbox) -> Lessons:
    """What learns from uses of tools."""
    return Lessons(
        store=remembering.store,
        plugins=remembering.plugins,
        embedder=remembering.embedder,
        contention=remembering.contention,
        models=models,
        exclude=tuple(settings.extraction.exclude),
    )


def _corrector(recall: Recall, remembering: Remembering) -> Corrector:
    """What takes feedback."""
    return Corrector(
        store=recall.store,
        recall=recall,
        plugins=remembering.plugins,
        embedder=recall.embedder,
        contention=remembering.contention,
        consulting=Consulting(store=recall.store, extracting=remembering.extracting),
    )


def _plugins(settings: Settings) -> list[object]:
    """The caller's plugins; the guard comes last, so that it sees what they add."""
    return [*settings.plugins, RedactSecrets()] if settings.redact else [*settings.plugins]


def request_for(settings: Settings, profile: StoreProfile | None) -> BackendRequest:
    """What the settings ask of a backend."""
    return BackendRequest(
        location=settings.location,
        profile=profile,
        read_only=settings.read_only,
        sync=settings.sync,
        options=settings.options,
    )


def make_embedder(named: str | Embedder, plugins: PluginManager, endpoint: Endpoint) -> Embedder:
    """The embedder of that name, or the object given, with its results checked.

    Args:
        named: Name or object.
        plugins: Who knows the names.
        endpoint: Where its server is, where it has one.

    Raises:
        ConfigError: No embedder of that name.
    """
    return checked(plugins.embedder(named, endpoint) if isinstance(named, str) else named)


def profile_of(embedder: Embedder) -> StoreProfile:
    """What a store remembers of an embedder."""
    return StoreProfile(embedder=embedder.name, dimension=embedder.dimension)


def _opened(settings: Settings, plugins: PluginManager, config: Config | None) -> tuple[Backend, Embedder]:
    """The store with the embedder asked for, else with its own, else a new one with the default."""
    factory = plugins.backend(settings.scheme)
    named, endpoint = embedding(config)
    asked = settings.embedder or named
    if asked is None:
        try:
            backend = factory(request_for(settings, None))
        except NoStore:
            asked = DEFAULT_EMBEDDER
        else:
            return backend, _own_embedder(backend, plugins, endpoint)
    embedder = make_embedder(asked, plugins, endpoint)
    return factory(request_for(settings, profile_of(embedder))), embedder


def _own_embedder(backend: Backend, plugins: PluginManager, endpoint: Endpoint) -> Embedder:
    """The embedder that a store says it was made with."""
    profile = backend.profile
    try:
        embedder = make_embedder(profile.embedder, plugins, endpoint)
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
