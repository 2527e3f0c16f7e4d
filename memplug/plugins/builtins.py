"""The plugins that memplug itself brings, through the very hooks that everybody else uses.

Nothing here imports what it registers: each factory does so when it is called, which is also why a missing extra
is no concern of anybody who does not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplug.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.plugins.hookspecs import Register
    from memplug.plugins.models import ChatModel, Toolbox
    from memplug.plugins.protocols import (
        Backend,
        BackendRequest,
        Describer,
        Embedder,
        InputType,
        PlanningExtractor,
        Ranker,
    )
    from memplug.values.endpoint import Endpoint

#: A plain path is ``lancedb`` too; ``db`` is LanceDB Cloud or Enterprise.
_LANCEDB_SCHEMES = ("lancedb", "s3", "gs", "az", "db")


class Inputs:
    """Text, pictures and documents."""

    @hookimpl
    def register_input_types(self, register: Register[Callable[[], InputType]]) -> None:
        """Registers the built-in input types."""
        # Before texts, since a tool's answer is one.
        register("tool_call", _tool_call)
        register("text", _text)
        register("image", _image)
        register("feedback", _feedback)
        # Before documents, since a SKILL.md is Markdown, too.
        register("skill", _skill)
        register("document", _document)
        # Last: what nobody else takes.
        register("blob", _blob)


class Backends:
    """LanceDB, and a store that lives as long as the process."""

    @hookimpl
    def register_backends(self, register: Register[Callable[[BackendRequest], Backend]]) -> None:
        """Registers the built-in backends."""
        for scheme in _LANCEDB_SCHEMES:
            register(scheme, _lancedb)
        register("memory", _inmemory)


class Embedders:
    """A static model that is always there, and the ways to better ones."""

    @hookimpl
    def register_embedders(
        self, register: Register[Callable[[str], Embedder] | Callable[[str, Endpoint], Embedder]]
    ) -> None:
        """Registers the built-in embedders."""
        register("wordllama", _wordllama)
        register("sentence-transformers", _sentence_transformers)
        register("openai", _openai)
        register("hashing", _hashing)


class Models:
    """Chat models behind OpenAI-compatible servers. None is asked unless the user names it."""

    @hookimpl
    def register_models(
        self, register: Register[Callable[[str], ChatModel] | Callable[[str, Endpoint], ChatModel]]
    ) -> None:
        """Registers the built-in chat models."""
        register("openai", _openai_chat)


class Describers:
    """A description by the model for pictures that the user configured."""

    @hookimpl
    def register_describers(
        self, register: Register[Callable[[], Describer] | Callable[[Toolbox], Describer | None]]
    ) -> None:
        """Registers the built-in describers."""
        register("vision", _vision)


class Extractors:
    """What a chat model, where the user configured one, finds worth remembering."""

    @hookimpl
    def register_extractors(self, register: Register[Callable[[Toolbox], PlanningExtractor | None]]) -> None:
        """Registers the built-in extractor."""
        register("model", _extractor)


class Rankers:
    """The shares of the score."""

    @hookimpl
    def register_rankers(self, register: Register[Callable[[], Ranker]]) -> None:
        """Registers the built-in rankers in their order."""
        from memplug.rankers import default_rankers

        for name, factory in default_rankers().items():
            register(name, factory)


#: Name and plugin, in the order of loading.
BUILTINS: tuple[tuple[str, object], ...] = (
    ("memplug.inputs", Inputs()),
    ("memplug.backends", Backends()),
    ("memplug.embedders", Embedders()),
    ("memplug.models", Models()),
    ("memplug.describers", Describers()),
    ("memplug.extraction", Extractors()),
    ("memplug.rankers", Rankers()),
)


def _text() -> InputType:
    from memplug.inputs.text import TextInput

    return TextInput()


def _tool_call() -> InputType:
    from memplug.inputs.tool_call import ToolCallInput

    return ToolCallInput()


def _feedback() -> InputType:
    from memplug.inputs.feedback import FeedbackInput

    return FeedbackInput()


def _image() -> InputType:
    from memplug.inputs.image import ImageInput

    return ImageInput()


def _skill() -> InputType:
    from memplug.inputs.skill import SkillInput

    return SkillInput()


def _blob() -> InputType:
    from memplug.inputs.blob import BlobInput

    return BlobInput()


def _document() -> InputType:
    from memplug.inputs.document import DocumentInput

    return DocumentInput()


def _lancedb(request: BackendRequest) -> Backend:
    from memplug.backends.lancedb import open_lancedb

    return open_lancedb(request)


def _inmemory(request: BackendRequest) -> Backend:
    from memplug.backends.inmemory import open_inmemory

    return open_inmemory(request)


def _wordllama(argument: str) -> Embedder:
    from memplug.embedders.wordllama import WordLlamaEmbedder

    return WordLlamaEmbedder(argument)


def _sentence_transformers(argument: str) -> Embedder:
    from memplug.embedders.sentence_transformers import SentenceTransformersEmbedder

    return SentenceTransformersEmbedder(argument)


def _openai(argument: str, endpoint: Endpoint) -> Embedder:
    from memplug.embedders.openai import OpenAIEmbedder

    return OpenAIEmbedder.configured(argument, endpoint)


def _openai_chat(argument: str, endpoint: Endpoint) -> ChatModel:
    from memplug.models.openai import OpenAIChatModel

    return OpenAIChatModel.configured(argument, endpoint)


def _vision(toolbox: Toolbox) -> Describer | None:
    if toolbox.vision is None:
        return None
    from memplug.describers.vision import VisionDescriber

    return VisionDescriber(toolbox.vision, toolbox.limits)


def _extractor(toolbox: Toolbox) -> PlanningExtractor | None:
    from memplug.extraction.extractor import model_extractor

    return model_extractor(toolbox)


def _hashing(argument: str) -> Embedder:
    from memplug.embedders.hashing import HashingEmbedder

    return HashingEmbedder(argument)
