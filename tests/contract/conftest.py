"""The servers of stores at LanceDB's service; a module may have a ``store`` and a ``bucket`` of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloud_store import opened
from lancedb_server import LanceServer
from s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.plugins.protocols import Backend


@pytest.fixture(scope="session")
def objects() -> Iterator[S3Server]:
    """A running S3 server."""
    with S3Server() as running:
        yield running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanceServer]:
    """A running service."""
    with LanceServer(tmp_path_factory.mktemp("service")) as server:
        yield server


@pytest.fixture
def service(running: LanceServer) -> Iterator[LanceServer]:
    """The service, which must never be asked for what it does not do."""
    yield running
    running.mend()
    running.become()
    assert running.unwanted() == []


@pytest.fixture
def bucket(objects: S3Server) -> str:
    """An empty bucket; the database is called like it."""
    return objects.bucket()


@pytest.fixture
def store(service: LanceServer, objects: S3Server, bucket: str) -> Iterator[Backend]:
    """An empty store at the service."""
    backend = opened(service, objects, bucket)
    service.calls()
    yield backend
    backend.close()
