"""The embedder for OpenAI-compatible servers, against a real server on this machine."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from memplug.embedders.checked import checked
from memplug.embedders.openai import OpenAIEmbedder
from memplug.embedders.rows import unit_rows
from memplug.exceptions import ConfigError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows(*values: list[float]) -> Any:
    """An array."""
    return np.array(values, dtype=np.float32)


class Server(ThreadingHTTPServer):
    """A server that speaks ``/v1/embeddings``: the vector of a text is (its length, 1, 0)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failures: list[int] = []
        self.answer: Any = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    """Answers in reverse order, which the protocol allows."""

    def do_POST(self) -> None:
        """One request for embeddings."""
        server = cast("Server", self.server)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.keys.append(self.headers["Authorization"])
        if server.failures:
            return self._send(server.failures.pop(0), {"error": {"message": f"bad key {server.keys[-1]}"}})
        server.requests.append(asked)
        assert self.path == "/v1/embeddings"
        data = [{"index": place, "embedding": [len(text), 1, 0]} for place, text in enumerate(asked["input"])]
        return self._send(200, server.answer or {"data": data[::-1], "model": "m", "object": "list"})

    def _send(self, status: int, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keeps quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server for as long as it is needed."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server named by the environment, as a user would name it."""
    with serving() as running:
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


def test_openai_embeds_in_order_and_asks_once_for_the_dimension(server: Server) -> None:
    """Rows follow the texts whatever the order of the answer; blank texts are never sent."""
    with connected() as embedder:
        assert checked(embedder).dimension == 3
        found = checked(embedder).embed(["aa", "", "bbbb", " "])
        assert checked(embedder).dimension == 3
    expected = unit_rows(rows([2, 1, 0], [0, 0, 0], [4, 1, 0], [0, 0, 0]))
    assert np.allclose(found, expected)
    assert [asked["input"] for asked in server.requests] == [["memory"], ["aa", "bbbb"]]
    assert set(server.keys) == {"Bearer sk-secret"}
    assert {asked["model"] for asked in server.requests} == {"m"}


def test_openai_sends_bounded_requests(server: Server) -> None:
    """At most 256 texts and 200,000 characters at once, and no text over 6,000; every text gets its row."""
    texts = [*["x" * (number % 7 + 1) for number in range(600)], "word " * 100_000]
    with connected(dimension=3) as embedder:
        found = embedder.embed(texts)
    sent = [asked["input"] for asked in server.requests]
    assert max(map(len, sent)) == 256
    assert max(sum(map(len, batch)) for batch in sent) <= 200_000
    assert max(len(text) for batch in sent for text in batch) <= 6_000
    assert np.allclose(found[:7], unit_rows(rows(*([float(length), 1, 0] for length in range(1, 8)))))
    assert found[-1].any()


def test_openai_weighs_the_pieces_of_a_text_by_their_length(server: Server) -> None:
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
def test_openai_failures_say_whether_to_try_again(server: Server, status: int, *, retryable: bool) -> None:
    """The error is typed, says whether the same call may succeed later, and never repeats the key."""
    server.failures = [status]
    with connected() as embedder, pytest.raises(PluginError, match=f"answered {status}") as caught:
        embedder.embed(["a"])
    assert (caught.value.retryable, caught.value.plugin, caught.value.hook) == (retryable, "openai:m", "embed")
    assert "sk-secret" not in str(caught.value)


def test_openai_tries_again_by_itself(server: Server) -> None:
    """A failure that passes costs a moment and no error."""
    server.failures = [503]
    with connected(retries=1) as embedder:
        assert embedder.embed_query("aa").any()


def test_openai_says_when_nobody_answers() -> None:
    """A server that is down is a failure that may pass."""
    with serving() as server:
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
def test_openai_checks_what_it_is_told(server: Server, answer: Any) -> None:
    """Nonsense from a server is a typed error, not a wrong vector."""
    server.answer = answer
    with connected() as embedder, pytest.raises(PluginError, match="embedding server for 'openai:m'"):
        embedder.embed(["a"])


def test_openai_notices_another_length(server: Server) -> None:
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
    with serving() as server, connected(base_url=server.url) as embedder:
        assert embedder.embed_query("aa").any()
