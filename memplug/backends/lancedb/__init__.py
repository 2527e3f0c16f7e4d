"""The default backend: LanceDB on a local folder, in two tiers."""

from __future__ import annotations

from memplug.backends.lancedb.forks import open_lancedb

__all__ = ["open_lancedb"]
