"""A connection to an OpenAI-compatible server: how often and how many requests go there, and what its errors mean."""

from __future__ import annotations

import email.utils
import logging
import os
import threading
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from memplug.exceptions import ConfigError, MissingExtra, ModelAnswerError, ModelRefused, ModelUnavailable
from memplug.models.bounded import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai import APIStatusError, OpenAI

    from memplug.exceptions import ModelError
    from memplug.values.endpoint import Endpoint

T = TypeVar("T")

#: Longest pause between two tries, in seconds. A server that asks for more is not waited for here: the error says
#: how long, and what can wait (a task) waits.
PATIENCE = 20.0
_FIRST_PAUSE, _LAST_PAUSE, _CHANCE = 0.5, 8.0, 0.5
#: Longest wait that a server's word is believed for, in seconds.
_DAY = 86_400.0
_REDIRECT, _BAD_REQUEST, _SERVER_ERROR = 300, 400, 500
_REQUEST_TIMEOUT, _CONFLICT, _TOO_MANY = 408, 409, 429
_PASSING = frozenset({_REQUEST_TIMEOUT, _CONFLICT, _TOO_MANY})
_HTTP = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_SILENT = logging.NullHandler()
_AGAIN = "the same call may succeed later"
_ADVICE = {
    401: "check the key",
    403: "the key may not do this",
    404: "check the model's name and the server's address",
}


class Connection:
    """A client for one server. Safe to use from several threads; makes no request by itself.

    Args:
        user: Who needs it, for errors about settings: ``the embedder 'openai'``.
        title: What the server is called in errors: ``the embedding server for 'openai:m'``.
        base_url: Where it is; else the variable ``OPENAI_BASE_URL``, else OpenAI itself.
        api_key: The key; else the variable ``OPENAI_API_KEY``. A server of one's own may need none: ``"none"``.
        timeout, retries, concurrency: See `Endpoint`.

    Raises:
        ConfigError: There is neither a key nor a server, or a number is out of range.
        MissingExtra: The extra ``openai`` is not installed.
    """

    def __init__(
        self,
        *,
        user: str,
        title: str,
        base_url: str | None,
        api_key: str | None,
        timeout: float,
        retries: int,
        concurrency: int,
    ) -> None:
        url = base_url or os.environ.get("OPENAI_BASE_URL") or None
        key = api_key or os.environ.get("OPENAI_API_KEY") or None
        if url is None and key is None:
            raise ConfigError(
                f"{user} has neither a key nor a server",
                hint="set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own",
            )
        if url is not None and not _is_address(url):
            raise ConfigError(
                f"{user} needs a server's address such as http://localhost:11434/v1", hint="without a key"
            )
        if timeout <= 0 or retries < 0 or concurrency < 1:
            raise ConfigError(f"{user} needs a timeout above 0, retries from 0 and a concurrency from 1")
        self.title = title
        #: Whether it is OpenAI's own or Azure's, which know the newest fields of the protocol.
        self.openai = url is None or (urlsplit(url).hostname or "").endswith((".openai.com", ".azure.com"))
        self._retries = retries
        self._concurrency = concurrency
        self._made = partial(_client, user, url, key, timeout)
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._turns = threading.BoundedSemaphore(self._concurrency)
        self._client = self._made()

    def _own(self) -> None:
        """Makes a client anew in a process that was forked: two that read from one socket take each other's answers."""
        if self._process != os.getpid():
            self._start()

    def call(self, request: Callable[[OpenAI], T], *, held: bool = False) -> T:
        """What the server answers; tried again where it may help.

        Args:
            request: Makes the request, and is called for each try.
            held: Whether the caller is inside `turn` already.

        Raises:
            ModelError: See `Connection.failing`.
        """
        import stamina

        self._own()
        # It tells of each retry with a warning, which a program without logging would have on its standard error.
        logging.getLogger("stamina").addHandler(_SILENT)
        for attempt in stamina.retry_context(
            on=_pause,
            attempts=self._retries + 1,
            timeout=None,
            wait_initial=_FIRST_PAUSE,
            wait_max=_LAST_PAUSE,
            wait_jitter=_CHANCE,
        ):
            with attempt, nullcontext() if held else self._turns, self.failing():
                return request(self._client)
        raise self.unavailable("was never asked")  # pragma: no cover - the last try returns or raises

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One of the places that ``concurrency`` allows, for an answer that comes piece by piece."""
        self._own()
        with self._turns:
            yield

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Turns what the client raises into one of our errors.

        Raises:
            ModelRefused: The server refused, and will do so again.
            ModelUnavailable: It cannot be reached, is too slow, fails, or has too much to do.
            ModelAnswerError: It answered nonsense.
        """
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._of_status(error) from error
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, ModelAnswerError):
                raise self.nonsense("sends without an end") from error
            raise self.unavailable("cannot be reached, or answers too slowly") from error
        except openai.APIResponseValidationError as error:
            raise self.nonsense("gave an answer that cannot be read") from error
        except openai.APIError as error:
            raise self.unavailable("failed in the middle of its answer") from error
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise self.nonsense(f"gave an answer that cannot be read: {type(error).__name__}") from error
        except Exception as error:
            # What breaks off between two pieces of an answer comes as the HTTP library's own error from openai 2.
            if type(error).__module__.partition(".")[0] not in _HTTP:
                raise
            raise self.unavailable("went away in the middle of its answer") from error

    def _of_status(self, error: APIStatusError) -> ModelError:
        status = error.status_code
        if status in _PASSING or status >= _SERVER_ERROR:
            return self.unavailable(f"answered {status}", retry_after=_retry_after(error))
        if status < _REDIRECT:
            return self.nonsense(f"answered {status} with what cannot be read")
        if status < _BAD_REQUEST:
            # Not followed: what is asked goes where the user said, and nowhere else.
            return ModelRefused(f"{self.title} answered {status}: it wants to be asked elsewhere")
        return ModelRefused(f"{self.title} answered {status}", hint=_ADVICE.get(status))

    def unavailable(self, problem: str, *, retry_after: float | None = None) -> ModelUnavailable:
        """The error for what may pass."""
        return ModelUnavailable(f"{self.title} {problem}", hint=_AGAIN, retry_after=retry_after)

    def nonsense(self, problem: str) -> ModelAnswerError:
        """The error for an answer that is of no use."""
        return ModelAnswerError(f"{self.title} {problem}")

    def close(self) -> None:
        """Closes the connections to the server, where they are this process's."""
        if self._process == os.getpid():
            self._client.close()


def key_of(endpoint: Endpoint, user: str) -> str | None:
    """The key for a server as it is configured; None leaves it to `Connection`, ``"none"`` sends no real one.

    Raises:
        ConfigError: The variable that is named holds nothing.
    """
    if endpoint.api_key_env is None:
        return None if endpoint.base_url is None else "none"
    key = os.environ.get(endpoint.api_key_env)
    if not key:
        raise ConfigError(f"{user} needs its key in the environment variable {endpoint.api_key_env}, which is empty")
    return key


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds if the server says so."""
    if not isinstance(error, ModelUnavailable):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= PATIENCE else False


def _retry_after(error: APIStatusError) -> float | None:
    """Seconds that the server wants to be left alone for, where it says so."""
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1_000
        elif (value := headers.get("retry-after")) is None:
            return None
        elif value.strip().replace(".", "", 1).isdecimal():
            seconds = float(value)
        else:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    # "nan" compares false with everything, and so is no number of seconds here.
    return min(max(seconds, 0.0), _DAY) if seconds == seconds else None  # noqa: PLR0124


def _client(user: str, url: str | None, key: str | None, timeout: float) -> OpenAI:
    try:
        import stamina  # noqa: F401 - `Connection.call` needs it; better to say so now
        from openai import DefaultHttpxClient, OpenAI
    except ImportError as error:
        raise MissingExtra(f"{user} needs its extra: pip install 'memplug[openai]'") from error
    return OpenAI(
        base_url=url,
        api_key=key or "none",  # the client insists on a key, also for servers that want none
        timeout=timeout,
        max_retries=0,
        http_client=DefaultHttpxClient(follow_redirects=False, event_hooks=bounded(timeout)),
    )


def _is_address(url: str) -> bool:
    """Whether it can be asked, and holds no user or password, which would stand in logs sooner or later."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
