"""Working after ``fork``: the child leaves LanceDB alone and asks a process of its own.

LanceDB 0.40 has threads and locks that a fork tears apart. A child that opens its tables anew still crashed or hung
in 2 to 60 of 100 forks, also when nothing was running in the parent, so there is no safe use of it in the child.
A fresh process is safe, and costs one start and some tenths of a millisecond per call.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from memplug.backends.lancedb.engine import forget_endings  # isort: skip - first, so that it imports LanceDB
from memplug.backends.lancedb.backend import LanceBackend
from memplug.backends.lancedb.folder import Folder, local_path
from memplug.backends.lancedb.place import is_remote
from memplug.backends.profile import no_store
from memplug.exceptions import BackendError, MemplugError, StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from memplug.backends.lancedb.media import MediaFolder
    from memplug.plugins.protocols import Backend, BackendRequest, Capabilities, StoreProfile

_SERVE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from memplug.backends.lancedb.forks import serve; serve(int(sys.argv[2]))"
)
#: The first process of this family that used LanceDB; its forked children must not.
_user: list[int] = []
_open: weakref.WeakSet[ForkSafe] = weakref.WeakSet()
#: Seconds for which closing waits for a call under way, and then for the helper to end, before it is killed: what it
#: has acknowledged survives that.
_LONGEST_CLOSE = 10.0


def _keep_inherited() -> None:
    """Keeps LanceDB's objects alive in a forked child for good: taking them down there hangs, at exit at the latest."""
    if _user:
        # Where LanceDB was imported only, the child may use it, and then must end it as any process: without that,
        # one of ten was aborted at its end.
        forget_endings()
    for one in list(_open):
        one._lock = threading.Lock()  # noqa: SLF001 - may have been held by a thread that the fork left behind
        if isinstance(one._backend, LanceBackend):  # noqa: SLF001 - this module's own class
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(one._backend))  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_inherited)


def open_lancedb(request: BackendRequest) -> Backend:
    """Opens a store in a folder (a path, ``~/…``, ``lancedb:///path``), an object store (``s3://…``) or at ``db://name``.

    Raises:
        NoStore: There is no store and none may be made.
        ConfigError: The location is none that is supported, or a newer memplug made the store.
        EmbedderMismatch: The store was made with another embedder.
        BackendError: The folder or the object store cannot be used.
    """
    return cast("Backend", ForkSafe(request))


def _local(request: BackendRequest) -> LanceBackend | Helper:
    if not _user:
        _user.append(os.getpid())
    return LanceBackend(request) if _user[0] == os.getpid() else Helper(request)


class ForkSafe:
    """A backend that is used directly where it was opened, and through a `Helper` in a forked child.

    Args:
        request: How the store was asked for.
    """

    def __init__(self, request: BackendRequest) -> None:
        self._request = request
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._backend = _local(request)
        _open.add(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_pid":
            raise AttributeError(name)
        if self._pid != os.getpid():
            self._reopen()
        return getattr(self._backend, name)

    def _reopen(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            closed = self._backend.closed
            self._backend = _local(self._request)
            if closed:
                self._backend.close()
            self._pid = os.getpid()


class Helper:
    """A store that is open in a process of its own.

    Args:
        request: How the store was asked for.
    """

    profile: StoreProfile
    capabilities: Capabilities

    def __init__(self, request: BackendRequest) -> None:
        self._request = request
        # An object store's client has threads, too: its media go through the helper, as everything else.
        self._folder = None if is_remote(request.location) else Folder(local_path(request.location))
        self._lock = threading.Lock()
        self.closed = False
        self._connection: Connection | None = self._start()
        self.profile, self.capabilities = self._ask("opened", request)

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        with theirs:
            arguments = [sys.executable, "-c", _SERVE, json.dumps(sys.path), str(theirs.fileno())]
            try:
                self._process = subprocess.Popen(arguments, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603 - our own interpreter and code
            except OSError as error:
                raise BackendError(f"cannot start a process to use the store after a fork: {error}") from error
        return ours

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def ask(*arguments: Any, **named: Any) -> Any:
            return self._ask(name, *arguments, **named)

        return ask

    def _ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            if self.closed:
                raise BackendError("the store is closed")
            if self._connection is None:
                raise BackendError("the process that has the store open was left", hint="open the store again")
            found, error = self._exchanged(self._connection, (name, arguments, named))
        if error is not None:
            raise _revived(*error)
        return found

    def _exchanged(self, connection: Connection, question: tuple[Any, ...]) -> tuple[Any, Any]:
        try:
            connection.send(question)
            return cast("tuple[Any, Any]", connection.recv())
        except BaseException as error:
            # An answer that nobody took would be taken for that of the next question.
            connection.close()
            self._connection = None
            if isinstance(error, OSError | EOFError):
                raise BackendError("the process that had the store open ended", hint="open the store again") from error
            raise

    def maintain(self, progress: Callable[[int, int, str], None] | None = None, *, now: datetime | None = None) -> None:
        """See `Backend.maintain`; progress is told at the end only."""
        self._ask("maintain", now=now)
        if progress is not None:
            progress(1, 1, "done")

    def rebuild(self, *_arguments: object, **_named: object) -> int:
        """Refused: the conversion is a function of this process, which the helper cannot call."""
        raise BackendError("a store cannot be rebuilt in a forked process", hint="run it in a process of its own")

    def put_media(self, digest: str, data: bytes) -> None:
        """See `Backend.put_media`."""
        if (files := self._files(writes=True)) is None:
            self._ask("put_media", digest, data)
        else:
            files.put(digest, data)

    def open_media(self, digest: str) -> BinaryIO:
        """See `Backend.open_media`."""
        files = self._files()
        return cast("BinaryIO", self._ask("open_media", digest)) if files is None else files.open(digest)

    def remove_media(self, digests: Sequence[str]) -> None:
        """See `Backend.remove_media`."""
        if (files := self._files(writes=True)) is None:
            self._ask("remove_media", digests)
        else:
            files.remove(digests)

    def list_media(self) -> Iterable[str]:
        """See `Backend.list_media`."""
        files = self._files()
        return cast("Iterable[str]", self._ask("list_media")) if files is None else files.digests()

    def _files(self, *, writes: bool = False) -> MediaFolder | None:
        if self._folder is None:
            return None
        if self.closed:
            raise BackendError("the store is closed")
        if writes and self._request.read_only:
            raise StoreReadOnly(f"the store at {self._request.location!r} was opened read-only")
        if writes and self._folder.stamp() is None:
            raise no_store(self._request.location)
        return self._folder.media(durable=self._request.sync == "full")

    def close(self) -> None:
        """See `Backend.close`."""
        self.closed = True
        idle = self._lock.acquire(timeout=_LONGEST_CLOSE)
        try:
            if not idle:
                self._process.kill()  # whoever asked is told so, and closes the connection
            elif self._connection is not None:
                self._connection.close()
                self._connection = None
            self._end()
        finally:
            if idle:
                self._lock.release()

    def _end(self) -> None:
        try:
            self._process.wait(_LONGEST_CLOSE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(handle: int) -> None:
    """The helper's side: answers until the other end is closed or gone.

    Args:
        handle: File descriptor of the connection.
    """
    # Ctrl-C in a terminal goes to every process of the program; this one ends with the one that it serves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    served = _Served()
    try:
        with Connection(handle) as connection:
            while True:
                connection.send(served.answer(*connection.recv()))
    except (EOFError, OSError):
        served.close()


class _Served:
    """The helper's store, once it is opened."""

    def __init__(self) -> None:
        self._backend: LanceBackend | None = None

    def answer(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        """What a call gives, and what `_revived` makes its error of, one of them None."""
        try:
            return self._found(name, arguments, named), None
        except MemplugError as error:
            return None, (type(error), error.args, error.__dict__)
        except Exception as error:  # noqa: BLE001 - raised by the process that asked; this one has to go on
            return None, (BackendError, (f"cannot {name}: {type(error).__name__}: {error!s:.300}",), {})

    def _found(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if name == "opened":
            self._backend = LanceBackend(*arguments)
            return self._backend.profile, self._backend.capabilities
        return getattr(self._backend, name)(*arguments, **named)

    def close(self) -> None:
        """Closes the store, where it was opened."""
        if self._backend is not None:
            self._backend.close()


def _revived(kind: type[MemplugError], arguments: tuple[Any, ...], state: dict[str, Any]) -> MemplugError:
    """The helper's error; rebuilt by hand, since some take arguments that pickle does not keep."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error
