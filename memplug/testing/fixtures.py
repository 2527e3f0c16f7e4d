"""Fixtures for plugin authors: import them into a ``conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memplug.testing.endpoint import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A `ModelServer` that also stands in the environment, so that ``Memory(model="openai:test")`` asks it."""
    with ModelServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        yield server
