"""Fetches a URL that somebody else wrote, without being led anywhere else than to the public web."""

from __future__ import annotations

import re
import socket
import zlib
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote

from memplug.exceptions import ConfigError, FetchError, InputTooLarge, MalformedInput, UnsafeInput

# httpx and httpcore come in when the first URL is fetched, and not with every Memory.
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    import httpx

    from memplug.safety.wire import Budget
    from memplug.values.limits import Limits

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
#: What headers, chunk sizes and the bodies of redirects may take on the wire beside the body itself.
_OVERHEAD = 1_048_576
_SCHEMES = frozenset({"http", "https"})
_LAST_PORT = 65_535
_ALLOWED = re.compile(r"\[?(?P<host>(?<=\[)[0-9a-f:.]+(?=\])|[^\s/:@\[\]]+)\]?(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a URL gave.

    Args:
        data: The body, decompressed.
        media_type: What the server says it is (``image/png``), without parameters; may be empty.
        url: Where it came from in the end, after redirects.
        name: How that URL's path ends, as a file name for people; may be empty.
    """

    data: bytes
    media_type: str
    url: str
    name: str


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the operating system knows for a host, without duplicates, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Fetcher:
    """Fetches URLs from the public web and nowhere else.

    The rules: ``http`` and ``https`` only, no credentials in the URL, only public addresses (every one that the host
    has), redirects followed one by one under the same rules, no cookies, no proxies from the environment, and caps
    on size and time that hold for all hops together.

    Args:
        limits: ``fetch_bytes``, ``fetch_redirects`` and ``fetch_seconds``.
        enabled: Whether anything may be fetched.
        allow_hosts: Hosts (``localhost``, ``127.0.0.1``, ``intranet:8080``) that may have any address.
        resolver: Gives the addresses of a host and port.
        ssl_context: Whom to trust; by default the authorities that httpx ships.

    Raises:
        ConfigError: An entry of ``allow_hosts`` is not a host or ``host:port``.
    """

    def __init__(
        self,
        limits: Limits,
        allow_hosts: Collection[str] = (),
        *,
        enabled: bool = True,
        resolver: Callable[[str, int], Sequence[str]] = system_resolver,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if isinstance(allow_hosts, str):
            raise ConfigError("allow_hosts is a list of hosts, not one text", hint=f"allow_hosts=[{allow_hosts!r}]")
        self._limits = limits
        self._enabled = enabled
        self._allow_hosts = frozenset(_allowed(entry) for entry in allow_hosts)
        self._resolver = resolver
        self._given_context = ssl_context

    def fetch(self, url: str, *, limit: int | None = None) -> Fetched:
        """The body of a URL.

        Args:
            url: An ``http`` or ``https`` URL.
            limit: Most bytes of the body, where that is less than ``limits.fetch_bytes``.

        Raises:
            MalformedInput: It is not a URL.
            UnsafeInput: Fetching is turned off, or its scheme, credentials or one of its addresses are not taken.
            FetchError: The server cannot be reached, answers with an error or takes too long.
            InputTooLarge: The body is over the limit, on the wire or decompressed.
        """
        from memplug.safety.wire import Budget

        if not self._enabled:
            raise UnsafeInput("URLs are not fetched here", hint="hand in the bytes, or open with fetch_urls=True")
        cap = min(self._limits.fetch_bytes, self._limits.fetch_bytes if limit is None else limit)
        budget = Budget(seconds=self._limits.fetch_seconds, wire_bytes=cap + _OVERHEAD)
        target = _checked(_parsed(url))
        for _ in range(self._limits.fetch_redirects + 1):
            answer = self._hop(target, budget, cap)
            if isinstance(answer, Fetched):
                return answer
            target = _checked(_parsed(answer, base=target))
        raise FetchError(f"{_shown(target)}: more than {self._limits.fetch_redirects} redirects")

    def _hop(self, url: httpx.URL, budget: Budget, cap: int) -> Fetched | str:
        """One request: the body, or where it is redirected to."""
        import httpcore

        from memplug.safety.wire import GuardedNetwork

        network = GuardedNetwork(budget, self._resolver, self._allows)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._ssl_context, network_backend=network) as pool,
                pool.stream("GET", target, headers=_headers(url)) as response,
            ):
                return _answer(url, response.status, _lowered(response.headers), response.iter_stream(), cap)
        except httpcore.TimeoutException as error:
            raise budget.exhausted() from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise FetchError(f"{_shown(url)} could not be fetched: {error or type(error).__name__}") from error

    def _allows(self, host: str, port: int) -> bool:
        return not self._allow_hosts.isdisjoint({(_same(host), None), (_same(host), port)})

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        import httpx

        return self._given_context or httpx.create_ssl_context(trust_env=False)


def _allowed(entry: str) -> tuple[str, int | None]:
    found = _ALLOWED.fullmatch(entry.strip())
    if not found:
        raise ConfigError(f"allow_hosts takes a host or host:port, not {entry!r}", hint="such as 127.0.0.1:8080, [::1]")
    return _same(found["host"]), int(found["port"]) if found["port"] else None


def _same(host: str) -> str:
    """One spelling for each host, so that ``0:0::1`` is ``::1`` and ``Bücher.de`` is ``xn--bcher-kva.de``."""
    try:
        return str(ip_address(host))
    except ValueError:
        name = host.lower().rstrip(".")
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def _parsed(url: str, base: httpx.URL | None = None) -> httpx.URL:
    import httpx

    try:
        return base.join(url) if base is not None else httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise MalformedInput(f"not a URL: {error}") from error


def _checked(url: httpx.URL) -> httpx.URL:
    if not url.scheme:
        raise MalformedInput(
            "not a URL: it has no scheme", hint="https://…; bytes as text need data:image/png;base64, before them"
        )
    if url.scheme not in _SCHEMES:
        raise UnsafeInput(f"URLs of the scheme {url.scheme!r} are not fetched", hint="http, https and data are")
    if url.userinfo:
        raise UnsafeInput(f"{_shown(url)}: URLs with a user name or password are not fetched")
    if not url.host:
        raise MalformedInput("not a URL: it has no host")
    if (url.port or 0) > _LAST_PORT:
        raise MalformedInput(f"not a URL: there is no port {url.port}")
    return url


def _shown(url: httpx.URL) -> str:
    """A URL for people, without what may be secret: credentials and query."""
    return f"{url.scheme}://{url.host}{url.path}"[:200]


def _headers(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", url.netloc),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"gzip, identity"),
        (b"User-Agent", b"memplug"),
        (b"Connection", b"close"),
    ]


def _lowered(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in headers}


def _answer(url: httpx.URL, status: int, headers: Mapping[str, str], body: Iterator[bytes], cap: int) -> Fetched | str:
    if status in _REDIRECTS and "location" in headers:
        return headers["location"]
    if status != _OK:
        raise FetchError(f"{_shown(url)} answered with status {status}")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > cap:
        raise _too_large(cap)
    return Fetched(
        data=_body(body, headers.get("content-encoding", "").lower(), cap),
        media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
        url=str(url),
        name=unquote(url.path.rstrip("/").rpartition("/")[2]).replace("/", "_"),
    )


def _body(chunks: Iterator[bytes], encoding: str, cap: int) -> bytes:
    if encoding in {"", "identity"}:
        return _plain(chunks, cap)
    if encoding in {"gzip", "x-gzip"}:
        return _gunzipped(chunks, cap)
    raise FetchError(f"the server compressed its answer as {encoding!r}, which was not asked for")


def _plain(chunks: Iterator[bytes], cap: int) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > cap:
            raise _too_large(cap)
    return bytes(data)


def _gunzipped(chunks: Iterator[bytes], cap: int) -> bytes:
    """Decompresses with a bound on the output, since 1 kB of gzip can hold 1 MB."""
    data = bytearray()
    inflater = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            data += inflater.decompress(chunk, cap + 1 - len(data))
            if len(data) > cap:
                raise _too_large(cap)
            if inflater.unused_data:
                raise FetchError("the answer goes on behind the end of its gzip stream")
    except zlib.error as error:
        raise FetchError(f"the answer's gzip is damaged: {error}") from error
    if not inflater.eof:
        raise FetchError("the answer's gzip ends too early")
    return bytes(data)


def _too_large(cap: int) -> InputTooLarge:
    return InputTooLarge(f"the URL holds more than {cap:,} bytes")
