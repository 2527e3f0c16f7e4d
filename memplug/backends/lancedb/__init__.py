"""The default backend: LanceDB in a folder or an object store, in two tiers."""

from __future__ import annotations

from memplug.backends.lancedb.forks import open_lancedb

__all__ = ["open_lancedb"]
