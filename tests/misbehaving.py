"""A reader that does what it is told, for the tests of the process that it runs in."""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import memplug
from memplug import exceptions
from memplug.values.limits import Limits

_poisoned: list[bool] = []


def read(data: bytes, limits: Limits, *, how: str = "digest", words: str = "") -> Any:
    """Does as ``how`` says."""
    return globals()[f"_{how}"](data, limits, words)


def _digest(data: bytes, _limits: Limits, _words: str) -> str:
    return hashlib.sha256(data).hexdigest()


def _limits(_data: bytes, limits: Limits, _words: str) -> list[float]:
    return [limits.parser_bytes, limits.parser_seconds, limits.document_pages]


def _state(_data: bytes, _limits: Limits, _words: str) -> dict[str, Any]:
    names = ("AS", "FSIZE", "NOFILE", "CORE")
    return {
        "environment": sorted(os.environ),
        "limits": {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in names},
        "home": str(Path(memplug.__file__).parent),
        "group": os.getpgid(0) == os.getpid(),
        "path": sys.path,
    }


def _module(_data: bytes, _limits: Limits, words: str) -> str:
    return str(importlib.import_module(words).__file__)


def _print(_data: bytes, _limits: Limits, _words: str) -> str:
    sys.stdout.write("noise")
    os.write(1, b"noise" * 100_000)
    sys.stderr.write("noise" * 100_000)
    return sys.stdin.read() + os.read(0, 10).decode()


def _write(_data: bytes, _limits: Limits, words: str) -> None:
    with Path(words).open("wb", buffering=0) as file:
        file.write(b"x")


def _open_many(_data: bytes, _limits: Limits, _words: str) -> int:
    return len([os.open(os.devnull, os.O_RDONLY) for _ in range(200)])


def _refuse(_data: bytes, _limits: Limits, words: str) -> None:
    raise getattr(exceptions, words)("as it is", hint="do this")


def _fail(_data: bytes, _limits: Limits, _words: str) -> None:
    raise LookupError("no\nsuch  key")


def _surrogate(_data: bytes, _limits: Limits, _words: str) -> str:
    return "a\ud800b"


def _hang(_data: bytes, _limits: Limits, _words: str) -> None:
    while True:
        pass


def _sleep(_data: bytes, _limits: Limits, _words: str) -> None:
    time.sleep(600)


def _sleep_a_little(_data: bytes, _limits: Limits, _words: str) -> None:
    time.sleep(1)


def _abort(_data: bytes, _limits: Limits, words: str) -> None:
    os.write(2, (words or "terminate called after bad_alloc").encode() + b"\n")
    os.abort()


def _exit(_data: bytes, _limits: Limits, _words: str) -> None:
    raise SystemExit(3)


def _fill(_data: bytes, _limits: Limits, _words: str) -> int:
    return len([bytes(10_000_000) for _ in range(1_000)])


def _no_memory(_data: bytes, _limits: Limits, _words: str) -> None:
    raise OSError(errno.ENOMEM, "cannot map")


def _garble(_data: bytes, _limits: Limits, _words: str) -> None:
    _write_everywhere(len(b"no json").to_bytes(8, "big") + b"no json" + b"noise" * 10)


def _promise(_data: bytes, _limits: Limits, _words: str) -> None:
    _write_everywhere((1 << 60).to_bytes(8, "big"))


def _write_everywhere(data: bytes) -> None:
    """Finds the pipe of the answers, as native code gone wild may."""
    for number in range(3, 20):
        try:
            os.write(number, data)
        except OSError:
            continue


def _long(_data: bytes, _limits: Limits, _words: str) -> str:
    return "x" * 200_000_000


def _poison(_data: bytes, _limits: Limits, _words: str) -> str:
    _poisoned.append(True)
    return "poisoned"


def _victim(_data: bytes, _limits: Limits, _words: str) -> str:
    if _poisoned:
        os.abort()
    return "alive"
