"""How the machine's stores are opened: a real backend and embedder behind calls that can be made to fail."""

from __future__ import annotations

from memplug.backends.inmemory import open_inmemory
from memplug.backends.lancedb import open_lancedb
from memplug.embedders.hashing import HashingEmbedder
from memplug.plugins.protocols import Backend, BackendRequest
from memplug.testing.faults import Faults, Faulty


def plugin(faults: Faults | None = None) -> Faulty:
    """The plugin for ``faulty://`` locations."""
    return Faulty(faults=faults or Faults(), backend=_opened, embedder=HashingEmbedder)


def _opened(request: BackendRequest) -> Backend:
    opener = open_inmemory if request.location.startswith("memory://") else open_lancedb
    return opener(request)
