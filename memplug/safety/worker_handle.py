"""A process that reads documents, as seen from the one that asks it: started, asked, and ended whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from multiprocessing import spawn
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from memplug.exceptions import ConfigError
from memplug.safety.worker_process import POSIX, receive, send, send_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from memplug.safety.worker_process import serve; serve(int(sys.argv[2]))"
)
#: What Python itself may need to start; everything else in the environment (keys, proxies) is none of a parser's.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR")
#: glibc sets aside 64 MB of address space for each thread's arena, which would count against the limit on memory.
_ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
#: No window for a console program, and no Ctrl-C of its console, where there are such.
_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
#: Seconds that a start may take; it takes a tenth of one.
_START_SECONDS = 60.0
#: Seconds in which one that closed its pipes ends by itself.
_DYING_SECONDS = 1.0
#: Bytes of a frame that says only that the process is ready.
_SHORT = 1_000
#: Bytes of what a process wrote to its standard error before it died.
_LAST_WORDS = 400

Reason = Literal["died", "expired", "oversized", "garbled"]


class WorkerLost(Exception):
    """The process ended, or had to be ended, before it answered.

    Attributes:
        reason: Why.
        status: Its exit status; negative for the signal that ended it.
        words: What it wrote to its standard error at last.
    """

    def __init__(self, reason: Reason, *, status: int, words: str) -> None:
        super().__init__(reason, status, words)
        self.reason = reason
        self.status = status
        self.words = words


class Worker:
    """One process, which serves one thread at a time.

    Args:
        memory: Bytes that it may have.

    Raises:
        ConfigError: It cannot be started.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.asked = 0
        self.started = time.monotonic()
        self._process = _started(memory)
        self._ending = weakref.finalize(self, _end, self._process, os.getpid())
        try:
            self._exchange(None, b"", seconds=_START_SECONDS, cap=_SHORT)
        except WorkerLost as lost:
            words = lost.words or f"exit status {lost.status}"
            raise ConfigError(f"the process that reads documents does not start: {words}") from lost

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it cannot be asked any more."""
        return not self._ending.alive or self._process.poll() is not None

    def ask(self, request: Mapping[str, Any], data: bytes, *, seconds: float, cap: int) -> dict[str, Any]:
        """Its answer.

        Args:
            request: Plain values.
            data: The document; it goes through the pipe without being copied here.
            seconds: From now until it is ended.
            cap: Bytes of the longest answer that is taken.

        Raises:
            WorkerLost: It ended before it answered.
        """
        self.asked += 1
        return self._exchange(request, data, seconds=seconds, cap=cap)

    def end(self) -> int:
        """Ends it, if it still runs, and gives its exit status."""
        self._ending()
        return int(self._process.returncode)

    def forget(self) -> None:
        """In a forked child: lets go of a process that is the parent's, and of the pipes that keep it alive."""
        self._ending.detach()
        for stream in _streams(self._process):
            stream.close()
        self._process.returncode = 0  # so that nobody waits for it here

    def _exchange(self, request: Mapping[str, Any] | None, data: bytes, *, seconds: float, cap: int) -> dict[str, Any]:
        """Sends a request, if there is one, and takes an answer; without an answer, the process is ended."""
        expired = threading.Event()
        timer = threading.Timer(seconds, _expire, (self._process, expired))
        timer.daemon = True
        reason: Reason = "garbled"
        try:
            timer.start()
            if request is not None:
                send(_stream(self._process.stdin), request)
                send_bytes(_stream(self._process.stdin), data)
            answer = json.loads(receive(_stream(self._process.stdout), cap))
            if isinstance(answer, dict):
                return answer
        except (OSError, EOFError):
            reason = "died"
        except OverflowError:
            reason = "oversized"
        except ValueError:  # no JSON
            pass
        except BaseException:  # the caller was interrupted, and an answer that comes later would be nobody's
            self.end()
            raise
        finally:
            timer.cancel()
        raise self._lost("expired" if expired.is_set() else reason)

    def _lost(self, reason: Reason) -> WorkerLost:
        if reason == "died":
            with suppress(subprocess.TimeoutExpired):  # it closes its pipes a moment before its status can be had
                self._process.wait(_DYING_SECONDS)
        words = _last_words(self._process)
        return WorkerLost(reason, status=self.end(), words=words)


def _started(memory: int) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(  # noqa: S603 - this very Python, with a program that is written above
            [_python(), "-I", "-X", "utf8", "-c", _SERVE, json.dumps(_path()), str(memory)],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe if POSIX else subprocess.DEVNULL,
            bufsize=0,  # a buffer has a lock, and a fork in the middle of a document would leave it locked in the child
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _ONE_ARENA,
            start_new_session=True,
            creationflags=_FLAGS,
        )
    except OSError as error:
        raise ConfigError(f"the process that reads documents cannot be started: {error}") from error


def _python() -> str:
    """The interpreter. A program that embeds Python tells multiprocessing where it is, so that is whom to ask."""
    found = spawn.get_executable() or sys.executable
    if not found:
        raise ConfigError(
            "there is no Python to read documents with: sys.executable is empty",
            hint="multiprocessing.set_executable names it",
        )
    return os.fsdecode(found)


def _path() -> list[str]:
    """Where modules are found, in the order of this process, whoever set it up.

    The current folder comes last: a folder of downloads is no place to find ``json`` in.
    """
    here = str(Path.cwd())
    given = [str(Path(one).absolute()) for one in sys.path if one]
    return [one for one in given if one != here] + [here] * (here in given or "" in sys.path)


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", stream)


def _streams(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [one for one in (process.stdin, process.stdout, process.stderr) if one is not None and not one.closed]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the process with all that it may have started."""
    if process.poll() is None:
        with suppress(OSError):
            if POSIX:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def _expire(process: subprocess.Popen[bytes], expired: threading.Event) -> None:
    expired.set()
    _kill(process)


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return
    _kill(process)
    for stream in _streams(process):
        with suppress(OSError):  # what was not sent yet cannot be sent any more
            stream.close()
    process.wait()


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """What it wrote to its standard error, as far as that is there already."""
    if process.stderr is None:
        return ""
    os.set_blocking(process.stderr.fileno(), False)
    said = process.stderr.read() or b""
    return " ".join(said[-_LAST_WORDS:].decode("utf-8", "replace").split())
