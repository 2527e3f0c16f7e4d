"""Reading a file where it can do no harm: in a process of its own, with limits on memory, time and answer.

A parser meets files that are made to fill memory, to loop, or to crash it, and no ``try`` helps against that. So the
file goes to a fresh interpreter that may open next to nothing, write nothing, and is killed when its time is up; the
answer comes back as JSON. Where there are no POSIX limits (Windows), only the clock holds.

One process reads documents for the whole program, and another one pictures; each takes one file at a time, since
starting a process takes longer than reading most.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import time
import weakref
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from memplug import exceptions
from memplug.exceptions import ConfigError, InputRejected, InputTooLarge, MalformedInput, UnsafeInput
from memplug.safety.worker_handle import Worker, WorkerLost
from memplug.safety.worker_process import OUT_OF_MEMORY
from memplug.values.limits import MB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.values.limits import Limits

#: The modules whose ``read(data, limits, **options)`` may run there.
TASKS = frozenset(
    f"memplug.inputs.documents.{name}"
    for name in ("docx", "html", "jsons", "markdown", "pdf", "plain", "pptx", "tables", "xlsx", "xmls")
)
#: A process is given up after so many documents and so many seconds: parsers leak.
MAX_DOCUMENTS, MAX_SECONDS = 50, 60.0
#: A document that so often took the process down with it is not tried again; so many of those are remembered.
STRIKES, _REMEMBERED = 3, 1_000
#: What libraries in Rust say at last where there is no memory left; they cannot say so in any other way.
_STARVED = re.compile(r"memory allocation of \d+ bytes failed|PyObject pointer is null")
#: Bytes of an answer: what the characters may take, and room for what is said about each block.
_BYTES_PER_CHARACTER, _ROOM = 12, 64 * MB

_ERRORS: dict[str, type[InputRejected]] = {
    one.code: one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, InputRejected)
}
_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """One process that reads documents, started when it is needed; safe to use from all threads and after a fork.

    Args:
        tasks: The modules that may be asked for.
        max_seconds: The age at which the process is given up.
        max_files: After how many files it is, too.
        harmless: The codes of errors after which it is asked on; any other one is its last answer.
        what: What it reads, for the words of errors.
    """

    def __init__(
        self,
        tasks: frozenset[str] = TASKS,
        *,
        max_seconds: float = MAX_SECONDS,
        max_files: int = MAX_DOCUMENTS,
        harmless: frozenset[str] = frozenset(),
        what: str = "document",
    ) -> None:
        self._tasks = tasks
        self._max_seconds = max_seconds
        self._max_files = max_files
        self._harmless = harmless
        self._what = what
        self._renew()
        self._strikes: OrderedDict[str, int] = OrderedDict()
        _pools.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    @property
    def pid(self) -> int | None:
        """The process that is there now, if any."""
        return self._worker.pid if self._worker is not None else None

    def run(
        self,
        task: str,
        data: bytes,
        *,
        limits: Limits,
        options: Mapping[str, Any] | None = None,
        cap: int | None = None,
    ) -> Any:
        """What the reader made of the document.

        Args:
            task: The dotted name of a module among the pool's tasks.
            data: The document.
            limits: ``parser_bytes`` and ``parser_seconds`` hold the process; all of them go to the reader.
            options: Further arguments of the reader, by name; plain values.
            cap: Bytes of the longest answer that is taken; None leaves it to the characters of a document.

        Raises:
            InputRejected: As the reader raised it.
            MalformedInput: The reader raised something else, whose words are passed on.
            InputTooLarge: Reading took more time or memory than the limits admit, or the answer is too long.
            UnsafeInput: The process died of the document, or has done so three times before.
            ConfigError: The process or the reader cannot be started.
        """
        if task not in self._tasks:
            raise ValueError(f"no reader of that name: {task!r}")
        request = {
            "task": task,
            "limits": asdict(limits),
            "options": dict(options or {}),
            "seconds": limits.parser_seconds,
            "cap": limits.document_characters * _BYTES_PER_CHARACTER + _ROOM if cap is None else cap,
        }
        with self._lock:
            if self._strikes and self._strikes.get(_name(request, data), 0) >= STRIKES:
                raise UnsafeInput(
                    f"reading this {self._what} has failed {STRIKES} times in a way that ended the parser"
                )
            try:
                answer = self._asked(request, data, limits)
            except WorkerLost as lost:
                self._strike(_name(request, data))
                raise _error(lost, limits, self._what) from lost
        return _value(answer)

    def close(self) -> None:
        """Ends the process; the next document gets another."""
        with self._lock:
            self._end()

    def _asked(self, request: Mapping[str, Any], data: bytes, limits: Limits) -> dict[str, Any]:
        """The answer, from a process that has read before or a new one.

        Where one that has read before dies, that may be the fault of what it read, so a new one is asked again.
        """
        worker = self._ready(limits)
        try:
            return self._ask(worker, request, data)
        except WorkerLost as lost:
            if worker.asked == 1 or lost.reason in {"expired", "oversized"}:
                raise
        return self._ask(self._ready(limits), request, data)

    def _ask(self, worker: Worker, request: Mapping[str, Any], data: bytes) -> dict[str, Any]:
        """The answer; one that is neither good nor harmless is the last of this process."""
        good = False
        try:
            answer = worker.ask(request, data, seconds=request["seconds"], cap=request["cap"])
            good = "value" in answer or answer.get("code") in self._harmless
        finally:
            if not good:
                self._end()
        return answer

    def _ready(self, limits: Limits) -> Worker:
        """The process that is there, if it may be used on, or a new one."""
        worker = self._worker
        if worker is not None and not self._usable(worker, limits):
            self._end()
        if self._worker is None:
            self._worker = Worker(limits.parser_bytes)
        return self._worker

    def _usable(self, worker: Worker, limits: Limits) -> bool:
        return (
            worker.memory == limits.parser_bytes
            and worker.asked < self._max_files
            and time.monotonic() - worker.started < self._max_seconds
            and not worker.ended
        )

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _strike(self, name: str) -> None:
        self._strikes[name] = self._strikes.pop(name, 0) + 1
        while len(self._strikes) > _REMEMBERED:
            self._strikes.popitem(last=False)


def _name(request: Mapping[str, Any], data: bytes) -> str:
    """What tells one attempt from another: the same document under other limits deserves another."""
    digest = hashlib.sha256(repr(sorted(request.items())).encode("utf-8", "replace"))
    digest.update(data)
    return digest.hexdigest()


def _error(lost: WorkerLost, limits: Limits, what: str) -> InputRejected:
    hint = "memplug.Limits holds these numbers"
    if lost.reason == "expired" or lost.status in _signals("SIGXCPU", "SIGALRM"):
        return InputTooLarge(f"reading the {what} took more than {limits.parser_seconds:g} seconds", hint=hint)
    if lost.reason == "oversized":
        return InputTooLarge(f"the {what} holds more than is taken from one", hint=hint)
    if lost.status == OUT_OF_MEMORY or _STARVED.search(lost.words):
        return InputTooLarge(f"reading the {what} took more than {limits.parser_bytes / MB:,.0f} MB", hint=hint)
    if lost.reason == "garbled":
        return UnsafeInput(f"the parser's answer was cut off or overwritten while it read the {what}")
    error = UnsafeInput(f"the parser died of the {what} ({_exit(lost.status)})")
    if lost.words:
        error.add_note(f"its last words: {lost.words}")
    return error


def _signals(*names: str) -> set[int]:
    return {-getattr(signal, name) for name in names if hasattr(signal, name)}


def _exit(status: int) -> str:
    if status < 0:
        with suppress(ValueError):
            return signal.Signals(-status).name
    return f"exit status {status}"


def _value(answer: Mapping[str, Any]) -> Any:
    if "value" in answer:
        return answer["value"]
    if "missing" in answer:
        raise ConfigError(f"a reader of documents cannot be loaded: {answer['missing']}")
    kind = _ERRORS.get(str(answer.get("code")), MalformedInput)
    hint = answer.get("hint")
    raise kind(str(answer.get("message")), hint=hint if isinstance(hint, str) else None)


def _forget_inherited() -> None:
    """In a forked child: the process is the parent's, and the lock may be held by a thread that is not here."""
    for pool in list(_pools):
        worker = pool._worker  # noqa: SLF001 - this module's own class
        pool._renew()  # noqa: SLF001
        if worker is not None:
            worker.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)

_pool = Pool()
run = _pool.run
close = _pool.close
