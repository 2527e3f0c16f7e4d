"""How an object store is reached: its URL, and options of which LanceDB and obstore each take what they know."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memplug.exceptions import ConfigError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memplug.plugins.protocols import BackendRequest

#: Seconds after which a lock whose holder was killed, or cut off, is anybody's again.
LEASE = 15.0
_KNOWN = ("lease_seconds", "storage_options")
#: obstore takes these apart from the others, LanceDB does not; one of them among the others makes it panic.
_CLIENT = frozenset(
    [
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "default_content_type",
        "http1_only",
        "http2_only",
        "http2_keep_alive_interval",
        "http2_keep_alive_timeout",
        "http2_keep_alive_while_idle",
        "http2_max_frame_size",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "randomize_addresses",
        "read_timeout",
        "timeout",
        "user_agent",
    ]
)
_VENDORS = ("aws_", "google_", "azure_")
#: An answer to a small request is not worth waiting for any longer: what waits for it is a lock. Media may be large.
_PATIENCE, _LONG_PATIENCE = "5s", "300s"
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=15)}
#: Shorter values are no secrets, and would be found in any text.
_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A prefix in an object store.

    Args:
        url: ``s3://bucket/prefix``, without a slash at its end.
        storage_options: As LanceDB names them; never shown.
        lease_seconds: See `LEASE`.
    """

    url: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    lease_seconds: float = LEASE

    @classmethod
    def of(cls, request: BackendRequest) -> Access:
        """What a request says.

        Raises:
            ConfigError: Its location is no bucket, or an option is unknown or of another type.
        """
        if unknown := sorted(map(str, request.options.keys() - set(_KNOWN))):
            raise ConfigError(f"unknown option {unknown[0]!r} for an object store", hint=f"known: {', '.join(_KNOWN)}")
        seconds = request.options.get("lease_seconds", LEASE)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise ConfigError("the option lease_seconds must be a number of seconds above 0")
        return cls(
            url=_checked_url(request.location),
            storage_options=_checked_options(request.options.get("storage_options", {})),
            lease_seconds=float(seconds),
        )

    def hidden(self, text: str) -> str:
        """A text of an error, without anything that an option holds."""
        for value in sorted(self.storage_options.values(), key=len, reverse=True):
            if is_secret(value):
                text = text.replace(value, "…")
        return text

    def opened(self, *, large: bool = False) -> Any:
        """The object store as obstore has it; nothing goes over the network yet.

        Args:
            large: Whether it is for objects that take long to transfer.

        Raises:
            MissingExtra: obstore is not installed.
            ConfigError: An option has a value that it cannot use.
        """
        check_installed()
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        client, config = self._divided()
        for name in _CLIENT:  # what is passed replaces what obstore would find in the environment
            if (value := os.environ.get(f"AWS_{name.upper()}")) and self.url.startswith("s3:"):
                client.setdefault(name, value)
        client.setdefault("timeout", _LONG_PATIENCE if large else _PATIENCE)
        try:
            return from_url(  # type: ignore[call-overload]
                self.url, config=config, client_options=client, retry_config=None if large else _RETRIES
            )
        except (BaseError, ValueError, TypeError) as error:
            words = self.hidden(str(error).partition("\n")[0])
            raise ConfigError(f"the storage options for {self.url!r} cannot be used: {words}") from None

    def _divided(self) -> tuple[dict[str, str], dict[str, str]]:
        """The options for obstore's HTTP client, and those for its store; those that only LanceDB knows in neither."""
        client: dict[str, str] = {}
        config: dict[str, str] = {}
        for name, value in self.storage_options.items():
            plain = name.lower()
            bare = next((plain.removeprefix(vendor) for vendor in _VENDORS if plain.startswith(vendor)), plain)
            if bare in _CLIENT:
                client[bare] = value
            elif _is_known(self.url, plain):
                config[plain] = value
        return client, config


def check_installed() -> None:
    """Makes sure of what the modules that talk to an object store import.

    Raises:
        MissingExtra: obstore is not installed.
    """
    try:
        import obstore.exceptions
        import obstore.store  # noqa: F401 - only whether it is there
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "a store in an object store needs the package obstore", hint="pip install 'memplug[object-storage]'"
        ) from error


def is_secret(value: str) -> bool:
    """Whether a value may be a secret that can be told from the text around it."""
    return len(value) >= _SHORTEST_SECRET and "://" not in value


def _is_known(url: str, name: str) -> bool:
    """Whether obstore has an option of that name; it is asked, since it refuses a store for a single other one."""
    from obstore.exceptions import BaseError, UnknownConfigurationKeyError
    from obstore.store import from_url

    try:
        from_url(url, config={name: "true"})  # type: ignore[call-overload]
    except UnknownConfigurationKeyError:
        return False
    except (BaseError, ValueError, TypeError):
        return True  # it is the value that it does not like
    return True


def _checked_url(location: str) -> str:
    """The location without what is no part of a store's name.

    Raises:
        ConfigError: It names no bucket, or holds more than bucket and prefix: perhaps a secret, so it is not shown.
    """
    scheme = location.partition("://")[0].lower()
    try:
        parts = urlsplit(location)
        more = parts.username is not None or parts.query or parts.fragment
    except ValueError:
        more = True
    if more:
        raise ConfigError(
            f"a {scheme}:// location is a bucket and a prefix, nothing else",
            hint="give credentials as options={'storage_options': {...}} or in the environment",
        )
    path = "/".join(part for part in parts.path.split("/") if part)
    if not parts.netloc or ".." in parts.path.split("/"):
        raise ConfigError(f"{location!r} names no bucket", hint=f"give {scheme}://bucket/prefix")
    return f"{scheme}://{parts.netloc}/{path}".rstrip("/")


def _checked_options(options: object) -> dict[str, str]:
    """The storage options as texts.

    Raises:
        ConfigError: They are no mapping of texts; the values are not shown.
    """
    wrong = ConfigError(
        "storage_options must be a dict of names and texts", hint="such as {'aws_endpoint': 'https://…'}"
    )
    if not hasattr(options, "items"):
        raise wrong
    found: dict[str, str] = {}
    for name, value in options.items():
        if not isinstance(name, str) or not isinstance(value, str | bool | int):
            raise wrong
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found
