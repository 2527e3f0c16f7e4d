"""What runs in the process that reads documents: one after another, from stdin to stdout, within limits.

A frame is eight bytes of length and as many bytes. A request is a frame of JSON and a frame with the document, the
answer a frame of JSON. What the parsers themselves read or print does not come near the frames.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import json
import math
import os
import select
import signal
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from memplug.exceptions import InputRejected, InputTooLarge, MalformedInput
from memplug.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl
    import resource
except ImportError:  # no POSIX: there is only the clock of the process that asks
    POSIX = False
else:
    POSIX = True

_LENGTH = 8
#: Bytes that are read at once where there is no buffer; a pipe rarely has more.
_PIECE = 1 << 20
#: The exit of a process that has no memory left even to say so.
OUT_OF_MEMORY = 77
#: Seconds after which a process that nobody asks any more ends; the asking side gives it up well before.
IDLE_SECONDS = 90.0
#: Seconds that the asking side's clock has before this side's own alarm, which is for when that side is gone.
_GRACE = 2.0
#: Characters of a parser's own words that are passed on.
_WORDS = 500
_OPEN_FILES = 64


def serve(memory: int) -> None:
    """Answers until nobody asks any more.

    Args:
        memory: Bytes that this process may have.
    """
    requests, answers = _own_streams()
    _restrict(memory)
    send(answers, {"ready": os.getpid()})
    try:
        while _asked(requests):
            send_bytes(answers, _next(requests))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # whatever this process did now could need memory again


def _next(requests: IO[bytes]) -> bytes:
    """Takes a request, and gives the answer."""
    request = json.loads(receive(requests))
    data = receive(requests)
    with _bounded(requests, request["seconds"]):
        return _answer(request, data)


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Both ends of the frames under numbers of their own; 0 and 1 lead nowhere, and 2 never blocks."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    if POSIX:
        # Native code may say why it dies. Nobody reads along: what does not fit into the pipe is lost, and none waits.
        os.set_blocking(2, False)
    else:
        os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - a stream for as long as the process lives
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    return requests, answers


def _restrict(memory: int) -> None:
    if not POSIX:
        return
    for name, value in (("AS", memory), ("FSIZE", 0), ("NOFILE", _OPEN_FILES), ("CORE", 0)):
        # macOS has no limit on address space, and a container may hold lower ones already.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _asked(requests: IO[bytes]) -> bool:
    """Whether there is a next request; waits for it, but not for ever."""
    if not POSIX:
        return bool(requests.peek(1))  # type: ignore[attr-defined] # it is buffered
    return bool(select.select([requests], [], [], IDLE_SECONDS)[0]) and bool(requests.peek(1))  # type: ignore[attr-defined]


@contextlib.contextmanager
def _bounded(requests: IO[bytes], seconds: float) -> Iterator[None]:
    """Inside, the system ends this process when its time is up or the one that asked is gone.

    Neither needs this interpreter, which may be deep inside a parser: an alarm and a signal for the closed pipe, both
    left at their default, which is to end the process. PR_SET_PDEATHSIG is no help, since it goes by the thread that
    started this process and not by the program.
    """
    if not POSIX:
        yield
        return
    flags = fcntl.fcntl(requests, fcntl.F_GETFL)
    fcntl.fcntl(requests, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(requests, fcntl.F_SETFL, flags | os.O_ASYNC)
    limit = math.ceil(time.process_time() + seconds)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        fcntl.fcntl(requests, fcntl.F_SETFL, flags)


def _answer(request: dict[str, Any], data: bytes) -> bytes:
    """The answer as JSON: ``value``, the ``code``, ``message`` and ``hint`` of an error, or what is ``missing``."""
    try:
        answer = encoded({"value": _read(request, data)})
        if len(answer) > request["cap"]:
            raise InputTooLarge("the document holds more than is taken from one")
    except InputRejected as error:
        return encoded({"code": error.code, "message": error.message, "hint": error.hint})
    except ImportError as error:
        return encoded({"missing": str(error)})
    return answer


def _read(request: dict[str, Any], data: bytes) -> Any:
    """What the reader found, as something that JSON can say.

    The last clause is wide because parsers are: for damaged files they raise whatever they stumble over.

    Raises:
        InputRejected: As the reader raised it, or `MalformedInput` for everything else.
        ImportError: The reader, or what it needs, is not installed.
        MemoryError: There is no more.
    """
    try:
        reader = importlib.import_module(request["task"])
        found = reader.read(data, Limits(**request["limits"]), **request["options"])
        return found.as_json() if hasattr(found, "as_json") else found
    except (InputRejected, MemoryError):
        raise
    except ImportError as error:
        if "map segment" in str(error):  # a library that does not fit into the memory that is left
            raise MemoryError from error
        raise
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOMEM:
            raise MemoryError from error
        words = " ".join(str(error).split())[:_WORDS] or "no reason given"
        raise MalformedInput(f"the document cannot be read: {words} ({type(error).__name__})") from error


def encoded(value: Any) -> bytes:
    """JSON in UTF-8. Half a surrogate pair, which no UTF-8 can hold, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def send(stream: IO[bytes], value: Any) -> None:
    """Writes a frame of JSON."""
    send_bytes(stream, encoded(value))


def send_bytes(stream: IO[bytes], data: bytes) -> None:
    """Writes a frame, without a copy of what is in it."""
    for piece in (len(data).to_bytes(_LENGTH, "big"), memoryview(data)):
        start = 0
        while start < len(piece):
            start += stream.write(piece[start:]) or 0
    stream.flush()


def receive(stream: IO[bytes], cap: int | None = None) -> bytes:
    """Reads a frame.

    Raises:
        EOFError: The stream ends before the frame does.
        OverflowError: The frame is longer than ``cap`` bytes.
    """
    size = int.from_bytes(_exactly(stream, _LENGTH), "big")
    if cap is not None and size > cap:
        raise OverflowError(size)
    return _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes: at once from a stream with a buffer, piece by piece from one without."""
    step = size if isinstance(stream, io.BufferedIOBase) else _PIECE
    pieces, missing = [], size
    while missing:
        piece = stream.read(min(step, missing))
        if not piece:
            raise EOFError
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
