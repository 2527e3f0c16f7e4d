"""An S3 server for tests: moto in a process of its own, one request at a time, as if every object were one disk.

moto looks at a condition and writes in two steps. Real stores do both in one, and so does this server.

    python tests/s3_server.py          # prints the port that it listens at
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import obstore
from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KEY, SECRET = "a-key-for-tests", "a-secret-for-tests"
#: Paths that are no buckets.
_REQUESTS, _HOLD, _HOLDS, _LET_GO = "/-/requests", "/-/hold", "/-/holds", "/-/let-go"


class S3Server:
    """A running server, with what tests ask of it.

    Attributes:
        endpoint: Its address.
    """

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def storage_options(self) -> dict[str, str]:
        """What LanceDB and obstore need to reach it."""
        return {
            "aws_endpoint": self.endpoint,
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
            "aws_region": "us-east-1",
            "allow_http": "true",
        }

    def bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"memplug-{uuid.uuid4().hex}"
        self._ask(f"/{name}", method="PUT")
        return name

    def names(self, bucket: str) -> list[str]:
        """The names of everything in a bucket."""
        return [one["path"] for page in obstore.list(self._store(bucket)) for one in page]

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Everything in a bucket, where nothing is being removed from it."""
        store = self._store(bucket)
        return {name: bytes(obstore.get(store, name).bytes()) for name in self.names(bucket)}

    def _store(self, bucket: str) -> Any:
        return S3Store(
            bucket,
            endpoint=self.endpoint,
            access_key_id=KEY,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True},
        )

    def requests(self) -> list[str]:
        """The requests since the last time that this was asked, as ``GET /bucket/object``."""
        return list(json.loads(self._ask(_REQUESTS)))

    def hold(self, pattern: str) -> None:
        """Has the next request that a pattern is found in wait until `let_go`."""
        self._ask(f"{_HOLD}?{urllib.parse.quote(pattern)}")

    def holds(self) -> bool:
        """Whether a request waits."""
        return bool(json.loads(self._ask(_HOLDS)))

    def let_go(self) -> None:
        """Ends the waiting."""
        self._ask(_LET_GO)

    def _ask(self, path: str, *, method: str = "GET") -> bytes:
        request = urllib.request.Request(self.endpoint + path, method=method)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return bytes(answer.read())


@dataclass(slots=True)
class _Door:
    """Lets requests through to moto one by one."""

    application: Callable[..., Iterable[bytes]]
    busy: threading.Lock = field(default_factory=threading.Lock)
    seen: list[str] = field(default_factory=list)
    pattern: str | None = None
    waited: bool = False
    open: threading.Event = field(default_factory=threading.Event)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/-/"):
            body = json.dumps(self._told(path, environ["QUERY_STRING"])).encode()
            start("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        request = f"{environ['REQUEST_METHOD']} {path}"
        if self.pattern is not None and re.search(self.pattern, request):
            self.pattern, self.waited = None, True
            self.open.wait(60)
        with self.busy:
            self.seen.append(request)
            return list(self.application(environ, start))

    def _told(self, path: str, query: str) -> object:
        if path == _REQUESTS:
            seen, self.seen = self.seen, []
            return seen
        if path == _HOLD:
            self.pattern, self.waited = urllib.parse.unquote(query), False
            self.open.clear()
        elif path == _LET_GO:
            self.pattern = None
            self.open.set()
        return self.waited


def serve() -> None:
    """Listens until the process is killed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            return

    logging.disable()
    door = _Door(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=Handler)
    print(server.port, flush=True)  # noqa: T201 - for whoever started it
    server.serve_forever()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Waits until something holds, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


if __name__ == "__main__":
    serve()
