"""The embedder for OpenAI-compatible servers, against a real server on this machine."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memplug.embedders.checked import checked
from memplug.embedders.openai import OpenAIEmbedder
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError, PluginError
from memplug.testing.endpoint import Asked, Failure, ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows(*values: list[float]) -> Any:
    """An array."""
    return np.array(values, dtype=np.float32)


def vectors(asked: Asked) -> list[list[float]]:
    """The vector of a text is (its length, 1, 0)."""
    return [[float(len(text)), 1, 0] for text in asked.texts]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server named by the environment, as a user would name it; it answers in reverse order."""
    with ModelServer(api_key="sk-secret") as running:
        running.on("", vectors, about="embeddings")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        yield running


@contextmanager
def connected(argument: str = "m", **options: Any) -> Iterator[OpenAIEmbedder]:
    """An embedder whose connections are closed at the end."""
    embedder = OpenAIEmbedder(argument, **({"retries": 0} | options))
    try:
        yield embedder
    finally:
        embedder.close()


def test_openai_embeds_in_order_and_asks_once_for_the_dimension(server: ModelServer) -> None:
    """Rows follow the texts whatever the order of the answer; blank texts are never sent."""
    with connected() as embedder:
        assert checked(embedder).dimension == 3
        found = checked(embedder).embed(["aa", "", "bbbb", " "])
        assert checked(embedder).dimension == 3
    expected = unit_rows(rows([2, 1, 0], [0, 0, 0], [4, 1, 0], [0, 0, 0]))
    assert np.allclose(found, expected)
    assert [list(asked.texts) for asked in server.requests] == [["memory"], ["aa", "bbbb"]]
    assert {asked.key for asked in server.requests} == {"sk-secret"}
    assert {asked.model for asked in server.requests} == {"m"}


def test_openai_sends_bounded_requests(server: ModelServer) -> None:
    """At most 256 texts and 200,000 characters at once, and no text over 6,000; every text gets its row."""
    texts = [*["x" * (number % 7 + 1) for number in range(600)], "word " * 100_000]
    with connected(dimension=3) as embedder:
        found = embedder.embed(texts)
    sent = [list(asked.texts) for asked in server.requests]
    assert max(map(len, sent)) == 256
    assert max(sum(map(len, batch)) for batch in sent) <= 200_000
    assert max(len(text) for batch in sent for text in batch) <= 6_000
    assert np.allclose(found[:7], unit_rows(rows(*([float(length), 1, 0] for length in range(1, 8)))))
    assert found[-1].any()


def test_openai_weighs_the_pieces_of_a_text_by_their_length(server: ModelServer) -> None:
    """A short rest at the end of a long text does not pull its vector away."""
    assert server.url
    with connected(dimension=3) as embedder:
        found = embedder.embed_query("x" * 6_010)
    head, rest = unit_rows(rows([6_000, 1, 0], [10, 1, 0]))
    assert np.allclose(found, unit_rows((6_000 * head + 10 * rest)[None])[0], atol=1e-6)


def test_openai_needs_no_server_to_know_its_own_models() -> None:
    """Opening a store asks nobody for a length that is known."""
    with connected("text-embedding-3-small", base_url="http://127.0.0.1:9/v1") as embedder:
        assert embedder.dimension == 1536
        assert not embedder.embed_query(" ").any()


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (400, False), (404, False), (429, True), (503, True)])
def test_openai_failures_say_whether_to_try_again(server: ModelServer, status: int, *, retryable: bool) -> None:
    """The error is typed, says whether the same call may succeed later, and never repeats the key."""
    server.on("", Failure(status=status, message="bad key sk-secret"), about="embeddings")
    with connected() as embedder, pytest.raises(PluginError, match=f"answered {status}") as caught:
        embedder.embed(["a"])
    assert (caught.value.retryable, caught.value.plugin, caught.value.hook) == (retryable, "openai:m", "embed")
    assert "sk-secret" not in str(caught.value)


def test_openai_tries_again_by_itself(server: ModelServer) -> None:
    """A failure that passes costs a moment and no error."""
    server.on("", Failure(status=503, headers={"retry-after-ms": "1"}), times=1, about="embeddings")
    with connected(retries=1) as embedder:
        assert embedder.embed_query("aa").any()


def test_openai_says_when_nobody_answers() -> None:
    """A server that is down is a failure that may pass."""
    with ModelServer() as server:
        url = server.url
    with (
        connected(base_url=url, timeout=2) as embedder,
        pytest.raises(PluginError, match="cannot be reached") as caught,
    ):
        embedder.embed(["a"])
    assert caught.value.retryable


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": ["a"]}]},
        {"data": [{"index": 5, "embedding": [1, 0]}]},
        {"data": [{"index": 0, "embedding": [1, 0]}, {"index": 0, "embedding": [1, 0]}]},
        {"data": None},
        {"nothing": 1},
        {"data": [{"index": 0}]},
        [1],
        "text",
    ],
)
def test_openai_checks_what_it_is_told(server: ModelServer, answer: Any) -> None:
    """Nonsense from a server is a typed error, not a wrong vector."""
    server.on("", Failure(status=200, body=json.dumps(answer)), about="embeddings")
    with connected() as embedder, pytest.raises(PluginError, match="embedding server for 'openai:m'"):
        embedder.embed(["a"])


def test_openai_notices_another_length(server: ModelServer) -> None:
    """A server that changed its model under the same name is found out."""
    assert server.url
    with connected(dimension=4) as embedder, pytest.raises(PluginError, match="length 3 instead of 4"):
        embedder.embed(["a"])


def test_openai_wants_a_key_or_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes anywhere unless the user said where to; a server of one's own needs no key."""
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        OpenAIEmbedder("m")
    with pytest.raises(ConfigError, match="needs a model"):
        OpenAIEmbedder("")
    with ModelServer() as server, connected(base_url=server.url) as embedder:
        assert embedder.embed_query("aa").any()
