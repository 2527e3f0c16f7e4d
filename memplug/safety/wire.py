"""A network that connects to checked addresses only, counts what comes in, and stops at a deadline."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore

from memplug.exceptions import FetchError, InputTooLarge, UnsafeInput
from memplug.safety.addresses import why_denied

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence


@dataclass(slots=True, kw_only=True)
class Budget:
    """What one fetch may use, over all its redirects together.

    Args:
        seconds: How long it may take.
        wire_bytes: How many bytes may come over the wire.
    """

    seconds: float
    wire_bytes: int
    _ends: float = 0.0

    def __post_init__(self) -> None:
        self._ends = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds that remain.

        Raises:
            FetchError: None do.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self.exhausted()
        return left

    def exhausted(self) -> FetchError:
        """The error of a fetch that took too long."""
        return FetchError(f"the fetch took longer than {self.seconds:g} s altogether")

    def spend(self, size: int) -> None:
        """Counts bytes that came over the wire.

        Raises:
            InputTooLarge: They were too many.
        """
        self.wire_bytes -= size
        if self.wire_bytes < 0:
            raise InputTooLarge("the server sent more bytes than are taken")


class GuardedStream(httpcore.NetworkStream):
    """A connection whose every read is counted and has what is left of the deadline, whatever timeout is asked for.

    A timeout per read alone lets a server drip a header byte by byte for days.
    """

    def __init__(self, inner: httpcore.NetworkStream, budget: Budget) -> None:
        self._inner = inner
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the budget decides
        """The next bytes, at most ``max_bytes``."""
        data = self._inner.read(max_bytes, self._budget.left())
        self._budget.spend(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the budget decides
        """Sends bytes."""
        self._inner.write(buffer, self._budget.left())

    def close(self) -> None:
        """Closes the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the budget decides
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted; the certificate must be for ``server_hostname``."""
        return GuardedStream(self._inner.start_tls(ssl_context, server_hostname, self._budget.left()), self._budget)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the connection."""
        return self._inner.get_extra_info(info)


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects by name: resolves once, checks every address, and connects to one of those very addresses.

    The request keeps the name, so its Host header, SNI and certificate check are those of the name, and a second
    look-up that could answer differently (DNS rebinding) never happens.

    Args:
        budget: What the fetch may use.
        resolver: Gives the addresses of a host.
        allowed: Whether a host and port may have any address.
    """

    def __init__(
        self, budget: Budget, resolver: Callable[[str, int], Sequence[str]], allowed: Callable[[str, int], bool]
    ) -> None:
        self._budget = budget
        self._resolver = resolver
        self._allowed = allowed
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the budget decides
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of the host that answers.

        Raises:
            UnsafeInput: An address of the host is not public and the host is not allowed.
            FetchError: The host is unknown, or no time is left.
        """
        addresses = self._checked(host, port)
        for place, address in enumerate(addresses, start=1):
            # A share of the time for each, so that a dead first address leaves some for the next.
            share = self._budget.left() / (len(addresses) - place + 1)
            try:
                stream = self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
            else:
                return GuardedStream(stream, self._budget)
        raise FetchError(f"{host} has no address")

    def _checked(self, host: str, port: int) -> Sequence[str]:
        addresses = self._resolved(host, port)
        if not self._allowed(host, port):
            for address in addresses:
                if reason := why_denied(address):
                    raise UnsafeInput(
                        f"{host} has the address {address}, which is not public: {reason}",
                        hint=f"if you trust it: Memory(allow_hosts=[{host!r}]) or MEMPLUG_ALLOW_HOSTS={host}",
                    )
        return addresses

    def _resolved(self, host: str, port: int) -> Sequence[str]:
        """The host's addresses; asked for in a thread, since the system's look-up knows no timeout."""
        found: list[Sequence[str]] = []
        failed: list[Exception] = []

        def look_up() -> None:
            try:
                found.append(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(error)

        thread = threading.Thread(target=look_up, daemon=True, name="memplug-dns")
        thread.start()
        thread.join(self._budget.left())
        if failed:
            raise FetchError(f"there is no host {host!r}: {failed[0]}") from failed[0]
        if not found:
            raise self._budget.exhausted()
        return found[0]
