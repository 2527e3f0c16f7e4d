"""OpenAI's protocol over HTTP, as a `ModelServer` speaks it."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

from memplug.testing.script import Asked, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memplug.testing.endpoint import ModelServer

#: What OpenAI's strict form takes in a schema.
_KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref", "$defs"}
    | {"description", "pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"minItems", "maxItems", "title"}
)


class Handler(BaseHTTPRequestHandler):
    """Answers one request and closes the connection, so that nothing is left when the server goes."""

    protocol_version = "HTTP/1.1"
    endpoint: ClassVar[ModelServer]

    def do_GET(self) -> None:
        """Lists the models."""
        asked = self._asked({})
        if not asked.path.endswith("/models"):
            return self._fail(Failure(status=404, message=f"no such path: {asked.path}"))
        answer = self.endpoint.listed(asked)
        return self._fail(answer) if isinstance(answer, Failure) else self._send(200, answer)

    def do_POST(self) -> None:
        """A question to a chat model, or texts to embed."""
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            asked = self._asked(json.loads(raw))
        except ValueError:
            return self._fail(Failure(status=400, message="the body is not JSON"))
        if not asked.path.endswith(("/chat/completions", "/embeddings")):
            return self._fail(Failure(status=404, message=f"no such path: {asked.path}"))
        answer = self.endpoint.answer(asked)
        if answer.delay and self.endpoint.closing.wait(answer.delay):
            return self._hang_up()
        if isinstance(answer, Failure):
            return self._cut_stream(asked, answer) if _cuts(asked, answer) else self._fail(answer)
        if asked.path.endswith("/embeddings"):
            return self._send(200, _embeddings(asked, answer))
        return self._stream(asked, answer) if asked.stream else self._send(200, _completion(asked, answer))

    def _asked(self, body: Any) -> Asked:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(path=self.path.partition("?")[0], headers=headers, body=body if isinstance(body, dict) else {})

    def _fail(self, failure: Failure) -> None:
        if failure.disconnect == "before":
            self._hang_up()
            return
        error = {"error": {"message": failure.message, "type": "error", "param": None, "code": None}}
        body = failure.body if failure.body is not None else json.dumps(error)
        self._send(
            failure.status,
            body.encode() if isinstance(body, str) else body,
            headers=failure.headers,
            half=failure.disconnect == "inside",
        )

    def _send(self, status: int, answer: Any, *, headers: Mapping[str, str] | None = None, half: bool = False) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))} | dict(headers or {}))
        with suppress(ConnectionError):
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self._hang_up()

    def _stream(self, asked: Asked, reply: Reply) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        with suppress(ConnectionError):
            for event in _events(asked, reply):
                self._chunk(event)
            self._chunk("")

    def _cut_stream(self, asked: Asked, failure: Failure) -> None:
        """Part of a stream, and then silence for good."""
        self._head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        with suppress(ConnectionError):
            for event in list(_events(asked, Reply(text=failure.message)))[:-2]:
                self._chunk(event)
        self._hang_up()

    def _chunk(self, event: str) -> None:
        data = event.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.close_connection = True
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Keeps quiet."""


def _cuts(asked: Asked, failure: Failure) -> bool:
    return asked.stream and failure.disconnect == "inside" and failure.body is None


def _usage(asked: Asked, reply: Reply) -> dict[str, int]:
    sent = len(asked.text.split()) if reply.input_tokens is None else reply.input_tokens
    back = len(reply.text.split()) if reply.output_tokens is None else reply.output_tokens
    return {"prompt_tokens": sent, "completion_tokens": back, "total_tokens": sent + back}


def _completion(asked: Asked, reply: Reply) -> dict[str, Any]:
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(reply.tool_calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
    message |= {"tool_calls": calls} if calls else {}
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else reply.finish_reason}],
        "usage": _usage(asked, reply),
    }


def _events(asked: Asked, reply: Reply) -> Iterator[str]:
    """The answer as server-sent events, word by word; the last two are the end and its mark."""
    for piece in re.findall(r"\S+\s*|\s+", reply.text):
        yield _event(asked, {"content": piece}, None)
    yield _event(asked, {}, reply.finish_reason)
    yield "data: [DONE]\n\n"


def _event(asked: Asked, delta: Mapping[str, str], reason: str | None) -> str:
    chunk = {
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": 1_767_225_600,
        "model": asked.model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    return f"data: {json.dumps(chunk)}\n\n"


def _embeddings(asked: Asked, reply: Reply) -> Any:
    """Vectors in reverse order, which the protocol allows; anything else that a rule gives is sent as it is."""
    given = json.loads(reply.text)
    if not isinstance(given, list) or not all(isinstance(row, list) for row in given):
        return given
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(given)]
    return {"object": "list", "data": data[::-1], "model": asked.model, "usage": _usage(asked, Reply())}


def strict_problem(schema: Any) -> str | None:
    """Why OpenAI would refuse a schema in its strict form; None where it would take it."""
    for node in _schemas(schema):
        if unknown := sorted(set(node) - _KEYWORDS):
            return f"{', '.join(unknown)} is not permitted"
        if "$ref" in node and len(node) > 1:
            return "$ref cannot have keywords beside it"
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                return "'additionalProperties' is required to be supplied and to be false"
            if sorted(node.get("required", ())) != sorted(node.get("properties", {})):
                return "'required' is required to be supplied and to be an array including every key in properties"
    return None


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """A schema and all schemas inside it."""
    if not isinstance(node, dict):
        return
    yield node
    inner = [node.get("items"), *node.get("anyOf", ())]
    for name in ("properties", "$defs"):
        inner += node.get(name, {}).values()
    for one in inner:
        yield from _schemas(one)
