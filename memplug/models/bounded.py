"""Holds a server to the time and size that an answer may take, also where it sends byte by byte.

The HTTP library's own timeout begins anew with every byte, so that a server which sends a blank a second would never be
given up.
"""

from __future__ import annotations

import time
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from memplug.exceptions import ModelAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Bytes of one answer. The largest real ones are vectors: 2,048 of 3,072 numbers each are about 80 MB.
LONGEST = 256 * 1024 * 1024
_BEGUN = "memplug_begun"


def bounded(timeout: float) -> dict[str, list[Callable[[Any], None]]]:
    """Event hooks for a client of ``httpx`` or its successor, whichever ``openai`` brings.

    Args:
        timeout: Seconds for a whole answer; of a streamed one, for its next piece, for which a comment that only keeps
            the connection open does not count. What the caller does between two pieces takes none of them.
    """

    def begin(request: Any) -> None:
        request.extensions[_BEGUN] = time.monotonic()

    def watch(response: Any) -> None:
        waited = time.monotonic() - response.request.extensions.get(_BEGUN, time.monotonic())
        library = type(response).__module__.partition(".")[0]
        response.stream = _watched(library)(response, timeout, waited)

    return {"request": [begin], "response": [watch]}


@cache
def _watched(library: str) -> Any:
    """The class of streams that are watched, in the terms of one HTTP library."""
    http: Any = import_module(library)

    class Watched(http.SyncByteStream):  # type: ignore[misc]  # which library it is shows at run time
        def __init__(self, response: Any, timeout: float, waited: float) -> None:
            self._stream, self._timeout, self._waited = response.stream, timeout, waited
            headers = response.headers
            self._streamed = headers.get("content-type", "").startswith("text/event-stream")
            self._packed = "content-encoding" in headers

        def __iter__(self) -> Iterator[bytes]:
            chunks, size, waited = iter(self._stream), 0, self._waited
            while True:
                before = time.monotonic()
                chunk = next(chunks, None)
                if chunk is None:
                    return
                waited += time.monotonic() - before
                if waited > self._timeout:
                    raise http.ReadTimeout(f"no answer in {self._timeout:g} seconds")
                if self._streamed and (self._packed or b"data:" in chunk):
                    waited = 0.0
                size += len(chunk)
                if size > LONGEST:
                    raise ModelAnswerError(f"the server sent more than {LONGEST:,} bytes")
                yield chunk

        def close(self) -> None:
            self._stream.close()

    return Watched
