"""What an error of any model's integration means. Each has errors of its own; what they share is told apart here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memplug.exceptions import ModelError, ModelRefused, ModelUnavailable

_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
_PASSING = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500
_ADVICE = {401: "check the key", 403: "the key may not do this", 404: "check the model's name and the server's address"}
#: In the names of errors that say no status: httpx, requests, aiohttp, gRPC and the clients built on them.
_PASSING_NAMES = ("timeout", "connect", "unavailable", "ratelimit", "toomanyrequests", "overloaded", "remoteprotocol")
_REFUSED_NAMES = ("authentication", "permissiondenied", "unauthenticated", "badrequest", "invalidargument", "notfound")
#: Longest wait that a server's word is believed for, in seconds.
_DAY = 86_400.0


def model_error(error: Exception, title: str) -> ModelError:
    """The error of memplug that another stands for. Its words stay in the cause: some servers repeat the key in them.

    Args:
        error: What was raised.
        title: What the model is called.
    """
    status = status_of(error)
    said = f"{title} answered {status}" if status else f"{title} failed: {type(error).__name__}"
    if passing(error):
        return ModelUnavailable(said, hint="the same call may succeed later", retry_after=_retry_after(error))
    if status in _REFUSED or (status is None and _named(error, _REFUSED_NAMES)):
        return ModelRefused(said, hint=_ADVICE.get(status or 0))
    return ModelError(said)


def passing(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    status = status_of(error)
    if status is not None:
        return status in _PASSING or status >= _SERVER_ERROR
    return any(isinstance(one, TimeoutError | ConnectionError) for one in _chain(error)) or _named(
        error, _PASSING_NAMES
    )


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error tells of, also where it wraps another; None where it tells of none."""
    for one in _chain(error):
        places = (one, getattr(one, "response", None))
        for name in ("status_code", "status", "code", "http_status"):
            for place in places:
                status = getattr(place, name, None)
                if isinstance(status, int) and not isinstance(status, bool) and 300 <= status < 600:  # noqa: PLR2004
                    return status
    return None


def _retry_after(error: BaseException) -> float | None:
    """Seconds that the server wants to be left alone for, where it says so in its headers."""
    for one in _chain(error):
        headers: Any = getattr(getattr(one, "response", None), "headers", None) or getattr(one, "headers", None)
        value = headers.get("retry-after") if isinstance(headers, Mapping) else None
        if isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal():
            return min(float(value), _DAY)
    return None


def _named(error: BaseException, names: tuple[str, ...]) -> bool:
    """Whether an error, one that it wraps, or a class of theirs is called like one of these."""
    own = [kind.__name__.lower() for one in _chain(error) for kind in type(one).__mro__]
    return any(name in kind for kind in own for name in names)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
