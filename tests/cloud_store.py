"""A store at the stand-in for LanceDB's service, with its companion in an S3 server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from memplug.backends.lancedb import open_lancedb
from memplug.plugins.protocols import BackendRequest
from memplug.testing.records import PROFILE

if TYPE_CHECKING:
    from lancedb_server import LanceServer
    from memplug.backends.lancedb.backend import LanceBackend
    from memplug.plugins.protocols import Backend
    from s3_server import S3Server

#: Short, so that tests need not wait for what a user waits 15 seconds for.
LEASE = 3.0


def settings(service: LanceServer, objects: S3Server, bucket: str, **options: Any) -> dict[str, Any]:
    """The options of the store."""
    beside = {"companion": f"s3://{bucket}/of/mine", "storage_options": objects.storage_options, "lease_seconds": LEASE}
    return beside | service.options | options


def opened(service: LanceServer, objects: S3Server, bucket: str, **fields: Any) -> Backend:
    """The store in a database that is called like its bucket."""
    options = settings(service, objects, bucket)
    asked: dict[str, Any] = {"location": f"db://{bucket}", "profile": PROFILE, "options": options} | fields
    return open_lancedb(BackendRequest(**asked))


def session_of(backend: Backend) -> Any:
    """What the backend has open."""
    return cast("LanceBackend", backend)._session
