"""A small real HTTP server that speaks OpenAI's protocol and answers what a test tells it to.

    with ModelServer() as server:
        server.on("dinner", {"facts": ["Wang had dinner"]})
        server.on("", Failure(status=503), times=1)
        memory = Memory("memory://", model=server.model())

The newest rule that takes a request answers it. Nothing leaves the machine.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from memplug.testing.protocol import Handler, strict_problem
from memplug.testing.script import About, Asked, Failure, GivenOrMaker, Match, Reply, Rule

if TYPE_CHECKING:
    from memplug.models.openai import OpenAIChatModel

#: Length of the vectors that it makes up.
DIMENSION = 64


class ModelServer:
    """Serves ``/v1/chat/completions`` (pictures, JSON schemas, tools, streams), ``/v1/embeddings`` and ``/v1/models``.

    Use it in ``with``, whose end raises what a rule's function raised. A chat request that no rule takes is refused
    with 400; texts to embed get made-up vectors then, the same for the same text.

    Args:
        api_key: The key to insist on; None takes every request.
        strict: Whether to refuse a schema that OpenAI would refuse.
        structured: Ways to ask for JSON that it knows, as ``response_format`` names them; others are refused in the
            way of servers that do not know the field.

    Attributes:
        requests: What came, in order, also what was refused.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        strict: bool = True,
        structured: frozenset[str] | set[str] = frozenset({"json_schema", "json_object"}),
    ) -> None:
        self.api_key = api_key
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self._strict = strict
        self._structured = structured
        self._rules: list[Rule] = []
        self._broken: list[Exception] = []
        self._models: list[OpenAIChatModel] = []
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, as ``base_url`` wants it."""
        if self._server is None:
            raise RuntimeError("the server runs inside `with` only")
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def on(self, match: Match, answer: GivenOrMaker, *, times: int | None = None, about: About = "chat") -> None:
        """Adds a rule, which goes before all earlier ones.

        Args:
            match: Words that must occur in the request, or a predicate of `Asked`; ``""`` takes every request.
            answer: A text; an object, which is sent as JSON text; a `Reply` or `Failure`; or a function of the
                request that gives one of these. For embeddings a list of vectors, or an object that is sent as it is.
            times: For how many requests; None for all.
            about: What the requests are about.
        """
        with self._lock:
            self._rules.insert(0, Rule(match=match, answer=answer, left=times, about=about))

    def model(self, argument: str = "test", **settings: Any) -> OpenAIChatModel:
        """A chat model on this server that can see and does not try again; takes what `OpenAIChatModel` takes.

        The end of the ``with`` closes it.
        """
        from memplug.models.openai import OpenAIChatModel

        defaults: dict[str, Any] = {
            "base_url": self.url,
            "api_key": self.api_key or "test",
            "vision": True,
            "retries": 0,
        }
        made = OpenAIChatModel(argument, **(defaults | settings))
        self._models.append(made)
        return made

    def answer(self, asked: Asked) -> Reply | Failure:
        """Notes a request, and decides what to answer it."""
        with self._lock:
            self.requests.append(asked)
        try:
            refusal = self._refusal(asked)
            return refusal if refusal is not None else self._ruled(asked)
        except Exception as error:  # noqa: BLE001 - `__exit__` raises it: it is the test that is wrong, or its assertion
            self._broken.append(error)
            return Failure(message="a rule of this ModelServer raised")

    def listed(self, asked: Asked) -> dict[str, Any] | Failure:
        """What models there are: the ones that were asked for."""
        with self._lock:
            names = sorted({one.model for one in self.requests if one.model} | {"test"})
            self.requests.append(asked)
        if (refusal := self._refusal(asked)) is not None:
            return refusal
        return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "test"} for name in names]}

    def _refusal(self, asked: Asked) -> Failure | None:
        if self.api_key is not None and asked.key != self.api_key:
            return Failure(status=401, message=f"Incorrect API key provided: {asked.key}")
        kind = (asked.body.get("response_format") or {}).get("type")
        if kind is not None and kind not in self._structured:
            return Failure(status=400, message=f"response_format: {kind} is not supported")
        problem = strict_problem(asked.schema) if self._strict and asked.schema is not None else None
        if problem is not None:
            return Failure(status=400, message=f"Invalid schema for response_format: {problem}")
        return None

    def _ruled(self, asked: Asked) -> Reply | Failure:
        with self._lock:
            rule = next((one for one in self._rules if one.takes(asked)), None)
            if rule is not None and rule.left is not None:
                rule.left -= 1
        if rule is not None:
            return rule.reply(asked)
        if asked.path.endswith("/embeddings"):
            return Rule(match="", answer=[made_up(text) for text in asked.texts]).reply(asked)
        return Failure(status=400, message="no rule of this ModelServer takes the request")

    def __enter__(self) -> Self:
        self.closing.clear()
        handler = type("BoundHandler", (Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.closing.set()
        for model in self._models:
            model.close()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        if self._broken and kind is None:
            raise self._broken[0]


def made_up(text: str) -> list[float]:
    """A vector for a text: directions of its words, so that texts which share words are near each other."""
    row = np.zeros(DIMENSION)
    for word in text.lower().split() or [""]:
        digest = blake2b(word.encode(errors="replace"), digest_size=8).digest()
        row += np.random.default_rng(int.from_bytes(digest, "big")).normal(size=DIMENSION)
    return [round(float(number), 6) for number in row / np.linalg.norm(row)]


__all__ = ["Asked", "Failure", "ModelServer", "Reply"]
