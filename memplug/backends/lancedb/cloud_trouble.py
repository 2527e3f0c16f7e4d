"""The one place where errors of LanceDB's service become memplug's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lancedb.remote.errors import LanceDBClientError, RetryError

from memplug.backends.lancedb.trouble import Vanished, kind_of, lance_errors
from memplug.exceptions import BackendError, ConfigError, MemplugError, StoreFull

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memplug.backends.lancedb.cloud_access import CloudAccess

_KEY = (401, 403)
_NOT_FOUND = 404
_FULL = (402, 507)
#: Answers of a service that did not begin: a conflict, too many requests, no room for it just now.
_TURNED_AWAY = (409, 429, 503)
#: From here on the fault is the service's; but what it does not know, it will not know later.
_FAULT, _UNKNOWN = 500, 501


class TurnedAway(BackendError):
    """The service did not begin with what was asked; the same call may work later."""

    retryable = True
    hint = "try again later"


class Unanswered(BackendError):
    """No answer came, or none that says what became of the request; the same call may work later."""

    retryable = True
    hint = "try again later"


@contextmanager
def service_errors(access: CloudAccess, action: str) -> Iterator[None]:
    """Turns whatever LanceDB's client raises into one typed error, without the cause: that may show the key.

    Args:
        access: Whose secrets to hide.
        action: What was being done, as in "cannot <action>".

    Raises:
        ConfigError: The key is refused.
        TurnedAway, Unanswered, Vanished, StoreFull, BackendError: By the cause.
    """
    try:
        with lance_errors(action):
            try:
                yield
            except LanceDBClientError as error:
                raise _typed(error, action, access) from None
    except BackendError as error:
        if error.__cause__ is None:
            raise
        raise type(error)(access.hidden(error.message), hint=error.hint) from None


def _typed(error: LanceDBClientError, action: str, access: CloudAccess) -> MemplugError:
    # Where the client would have repeated a call, what was wrong stands in the cause only.
    told = error.__cause__ if isinstance(error, RetryError) and error.__cause__ else error
    words = access.hidden((str(told).splitlines() or [""])[0])[:500]
    status = error.status_code
    if status in _KEY:
        return ConfigError(
            f"cannot {action}: {access.url} refuses the key: {words}", hint="look at options={'api_key': …}"
        )
    kind = _kind(error, status, words)
    return kind(f"cannot {action} at {access.url}: {words}")


def _kind(error: LanceDBClientError, status: int | None, words: str) -> type[BackendError]:
    known = kind_of(RuntimeError(words))
    if status in _FULL or known is StoreFull:
        return StoreFull
    if status == _NOT_FOUND or (status is not None and known is Vanished):
        return Vanished  # also where a version's files were cleaned up under a query
    if status in _TURNED_AWAY or (isinstance(error, RetryError) and error.connect_failures):
        return TurnedAway
    if status is None or (status >= _FAULT and status != _UNKNOWN):
        return Unanswered
    return BackendError
