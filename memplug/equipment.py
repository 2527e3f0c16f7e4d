"""The models that a memory works with, by arguments, environment and configuration, in this order."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memplug.exceptions import ConfigError
from memplug.models.checked import checked
from memplug.models.redacting import RedactingModel, redacting
from memplug.plugins.catalogue import complete
from memplug.plugins.models import Toolbox
from memplug.plugins.registry import MODELS
from memplug.values.endpoint import Endpoint

if TYPE_CHECKING:
    from memplug.config import Config
    from memplug.plugins.manager import PluginManager
    from memplug.plugins.models import ChatModel
    from memplug.settings import Settings

log = logging.getLogger("memplug.models")

#: Says that there is none, whatever environment and configuration say.
NO_MODEL = "none"
_FILE = "memplug.yaml"


def equipment(settings: Settings, plugins: PluginManager, config: Config | None) -> Toolbox:
    """The models that describers, extractors and memplug's own steps are given. None is asked anything here.

    Args:
        settings: The caller's words.
        plugins: Who knows the models by name.
        config: See `config_of`.

    Raises:
        ConfigError: A model that is named does not exist, or lacks its key, server or extra.
    """
    chat_model = settings.model or os.environ.get("MEMPLUG_MODEL") or (config.chat.model if config else None)
    vision_model = (
        settings.vision_model or os.environ.get("MEMPLUG_VISION_MODEL") or (config.vision.model if config else None)
    )
    chat = _model(chat_model, config.chat.endpoint() if config else Endpoint(), plugins)
    seen_at = replace(config.vision.endpoint() if config else Endpoint(), vision=True)
    vision = _model(vision_model, seen_at, plugins)
    if vision is not None and not vision.vision:
        raise ConfigError(f"the model {vision.name!r} is to be shown pictures, and cannot see")
    return Toolbox(
        model=chat, vision=vision or (chat if chat is not None and chat.vision else None), limits=settings.limits
    )


def embedding(config: Config | None) -> tuple[str | None, Endpoint]:
    """The embedder that environment or configuration name, if any, and where its server is."""
    named = os.environ.get("MEMPLUG_EMBEDDER") or (config.embedding.model if config else None)
    return named, config.embedding.endpoint() if config else Endpoint()


def config_of(settings: Settings) -> Config | None:
    """What the configuration says, if there is one.

    Raises:
        ConfigError: It is not there although it was named, or something in it is wrong.
    """
    path = _found(settings.config)
    if path is None:
        return None
    from memplug.config import read_config  # pydantic and YAML take their time

    log.info("models are configured by %s", path)
    return read_config(path)


def _found(named: str | None) -> Path | None:
    """The file: the one that is named, else the user's own.

    One in the current folder does not count: whoever made that folder could have memories and keys sent to a server of
    theirs.
    """
    if named is None:
        named = os.environ.get("MEMPLUG_CONFIG") or None
    if named is not None:
        return Path(named).expanduser()
    from platformdirs import user_config_path

    path = user_config_path("memplug", appauthor=False) / _FILE
    return path if path.is_file() else None


def _model(named: str | ChatModel | None, endpoint: Endpoint, plugins: PluginManager) -> RedactingModel | None:
    if named is None or named == NO_MODEL:
        return None
    if isinstance(named, str):
        return redacting(checked(plugins.model(named, endpoint)))
    try:
        complete(MODELS, named)
    except TypeError as error:
        raise ConfigError(f"a model is a name, or an object with the methods of ChatModel: {error}") from error
    return redacting(checked(named))
