"""Changes the embedder of a store."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memplug.engine import make_embedder, profile_of, request_for
from memplug.equipment import config_of, embedding
from memplug.pipelines.indexing import index
from memplug.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from memplug.plugins.protocols import Embedder
    from memplug.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexReport:
    """What a reindex did.

    Args:
        memories: How many current memories the store holds.
        embedder: The name of the embedder that it has now.
    """

    memories: int
    embedder: str


def reindex(
    settings: Settings, embedder: str | Embedder, progress: Callable[[int, int, str], None] | None = None
) -> ReindexReport:
    """Embeds all memories of a store anew, with another embedder or again with the same.

    The store stays readable with its old vectors until all are done, and then changes over in one step. Run
    again after an interruption, it goes on where it was.

    Raises:
        ConfigError: No such embedder, or no store there.
        BackendError: The store failed; it is as it was.
    """
    plugins = PluginManager(plugins=settings.plugins, environ=os.environ)
    made = make_embedder(embedder, plugins, embedding(config_of(settings))[1])
    with closing(plugins.backend(settings.scheme)(request_for(settings, None))) as backend:
        memories = backend.rebuild(profile_of(made), lambda records: index(records, made), progress)
    return ReindexReport(memories=memories, embedder=made.name)
